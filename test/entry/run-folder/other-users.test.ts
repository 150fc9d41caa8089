import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { takeExclusiveLock } from '../../../src/adapters/sqlite/file-lock.ts'
import { sqliteProgress } from '../../../src/adapters/sqlite/sqlite-progress.ts'
import { assertOwnRun } from '../../../src/entry/run-folder/run-context.ts'
import { runHolderOf } from '../../../src/entry/run-folder/run-folder.ts'
import { identityOf, recordedTask } from '../../contracts/progress-store.contract.ts'
import { bellis } from '../../support/command-line.ts'

const OTHER = 65_534

/** A folder that others may enter; undefined unless this process may become another user. */
function sharedFolderOrSkip(t: TestContext): string | undefined {
  if (process.getuid?.() !== 0) {
    t.skip('needs root to become another user')
    return undefined
  }
  const folder = mkdtempSync(join(tmpdir(), 'bellis-'))
  t.after(() => rmSync(folder, { recursive: true }))
  chmodSync(folder, 0o755)
  return folder
}

/** Evaluates an expression as another user, with the names that this file imports from the source. */
function asOther(expression: string): string {
  const source = new URL('../../../src/', import.meta.url).href
  const script = `
    const { takeExclusiveLock } = await import('${source}adapters/sqlite/file-lock.ts')
    const { runHolderOf } = await import('${source}entry/run-folder/run-folder.ts')
    const { sqliteProgress } = await import('${source}adapters/sqlite/sqlite-progress.ts')
    const { openSync } = await import('node:fs')
    /** Indices of the pages of the first task that have done blocks; undefined without a record. */
    async function pagesIn(file) {
      await using store = sqliteProgress(file)
      await using reader = await store.read('run')
      return reader && (await Array.fromAsync(reader.completedPages(0))).map(({ page }) => page)
    }
    process.setuid(${OTHER})
    try { console.log(JSON.stringify(await ${expression}) ?? 'undefined') } catch (error) { console.log('error', error.message) }`
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).stdout.trim()
}

describe('other users', () => {
  it("can't hold the lock of a run, and see whether it is running nevertheless", async (t) => {
    const folder = sharedFolderOrSkip(t)
    if (folder === undefined) return
    const path = join(folder, 'lock')
    const lock = takeExclusiveLock(path)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    const holder = { pid: process.pid, host: hostname(), user: 'root', since: '' }
    writeFileSync(join(folder, 'holder.json'), JSON.stringify(holder))
    assert.match(asOther(`takeExclusiveLock(${JSON.stringify(path)})`), /^error /)
    const seen = () => asOther(`runHolderOf(${JSON.stringify(folder)})?.pid`)
    assert.equal(runHolderOf(folder)?.pid, process.pid)
    assert.equal(seen(), String(process.pid))
    writeFileSync(join(folder, 'holder.json'), JSON.stringify({ ...holder, pid: 2 ** 22 + 1 }))
    assert.equal(seen(), 'undefined')
    lock?.[Symbol.dispose]()
  })

  it('share the lock of a run only in a folder that their group writes to', async (t) => {
    const folder = sharedFolderOrSkip(t)
    if (folder === undefined) return
    const before = process.umask(0o002)
    t.after(() => process.umask(before))
    takeExclusiveLock(join(folder, 'lock'))?.[Symbol.dispose]()
    assert.equal(statSync(join(folder, 'lock')).mode & 0o777, 0o660)
  })

  it('read the record of a run that is being written, and cannot lock what its processes share', async (t) => {
    const folder = sharedFolderOrSkip(t)
    if (folder === undefined) return
    const before = process.umask(0o022)
    t.after(() => process.umask(before))
    const file = join(folder, 'progress.sqlite')
    const modes = () => ['', '-wal', '-shm'].map((part) => statSync(`${file}${part}`).mode & 0o777)
    const attempt = (path: string) => asOther(`openSync(${JSON.stringify(path)}, 'r')`)
    const pages = () => asOther(`pagesIn(${JSON.stringify(file)})`)
    const write = async (page: number) => {
      await using store = sqliteProgress(file)
      await using record = await store.open(identityOf(recordedTask('one', 1_000_000)))
      await record.commit({ pages: [{ task: 0, page, bits: new Uint8Array([1]) }], failedAttempts: [] })
      assert.deepEqual(modes(), [0o644, 0o644, 0o600])
      assert.match(attempt(`${file}-shm`), /^error EACCES/)
      assert.equal(pages(), JSON.stringify(Array.from({ length: page + 1 }, (_, at) => at)))
      // The owner reads it where it lies.
      await using own = sqliteProgress(file)
      await using reader = await own.read('run')
      assert.notEqual(reader, undefined)
    }
    await write(0)
    assert.equal(pages(), '[0]')
    // As an earlier version, or another program, has left it: others may have opened it.
    writeFileSync(`${file}-shm`, 'old', { mode: 0o644 })
    await write(1)
    // As a reader of the same user leaves it.
    {
      await using store = sqliteProgress(file)
      await using reader = await store.read('run')
      assert.notEqual(reader, undefined)
      assert.equal(statSync(`${file}-shm`).mode & 0o777, 0o600)
    }
    await write(2)
  })

  it('have runs that a worker does not join unasked', async (t) => {
    const folder = sharedFolderOrSkip(t)
    if (folder === undefined) return
    const run = join(folder, 'run')
    mkdirSync(run)
    assertOwnRun(run)
    writeFileSync(join(run, 'context'), '')
    chownSync(join(run, 'context'), OTHER, OTHER)
    assert.throws(() => assertOwnRun(run), { code: 'INVALID_CONFIG', message: /id 65534; expected .*--trust-owner/ })
    chownSync(join(run, 'context'), 0, 0)
    assertOwnRun(run)
    writeFileSync(join(run, 'run.json'), '{}')
    chownSync(join(run, 'run.json'), OTHER, OTHER)
    assert.throws(() => assertOwnRun(run), { code: 'INVALID_CONFIG' })
    chownSync(join(run, 'run.json'), 0, 0)
    assertOwnRun(run)
    chownSync(run, OTHER, OTHER)
    assert.throws(() => assertOwnRun(run), { code: 'INVALID_CONFIG' })
  })

  it('have runs whose command is not resumed unasked', async (t) => {
    const folder = sharedFolderOrSkip(t)
    if (folder === undefined) return
    const run = join(folder, 'run')
    mkdirSync(run)
    const planted = join(folder, 'planted')
    const document = { tasks: [], directory: folder, command: ['touch', planted], created: '', progress: 'none' }
    writeFileSync(join(run, 'run.json'), JSON.stringify(document))
    chownSync(run, OTHER, OTHER)
    const refused = await bellis(['resume', run], { cwd: folder })
    assert.equal(refused.code, 2)
    assert.match(
      refused.stderr,
      /since its command runs with your rights\. To resume it nevertheless, add --trust-owner/,
    )
    assert.equal(existsSync(planted), false)
    const trusted = await bellis(['resume', run, '--trust-owner'], { cwd: folder })
    assert.doesNotMatch(trusted.stderr, /--trust-owner/)
  })
})
