import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { showContext } from '../../../src/adapters/links/context.ts'
import { takeExclusiveLock } from '../../../src/adapters/sqlite/file-lock.ts'
import { BlockwiseError } from '../../../src/core/errors.ts'
import { defineTask, z } from '../../../src/entry/index.ts'
import { runBlockwise } from '../../../src/entry/run.ts'
import { sendCommand } from '../../../src/entry/run-folder/control/send-command.ts'
import { RunFollower } from '../../../src/entry/run-folder/history/run-follower.ts'
import { resetRun } from '../../../src/entry/run-folder/reset-run.ts'
import { contextReader } from '../../../src/entry/run-folder/run-context.ts'
import { readJson } from '../../../src/entry/run-folder/run-files.ts'
import { runHolderOf } from '../../../src/entry/run-folder/run-folder.ts'
import { readRunState } from '../../../src/entry/run-folder/run-state.ts'
import { bellis } from '../../support/command-line.ts'
import { until } from '../../support/processes.ts'

const OTHER = 65_534

const idle = defineTask({
  name: 'idle',
  config: z.object({}),
  plan: () => ({
    totalRoi: { offset: [0], shape: [8] },
    readRoi: { offset: [0], shape: [1] },
    writeRoi: { offset: [0], shape: [1] },
  }),
  setup: () => async () => {},
})

/** What is done with the folder of a run without a right to its content. */
async function look(folder: string): Promise<void> {
  runHolderOf(folder)
  await readRunState(folder).catch(() => undefined)
  try {
    using follower = new RunFollower(folder)
    await follower.catchUp()
  } catch (error) {
    assert.ok(error instanceof BlockwiseError, String(error))
  }
}

/** Everything else that is done with one, short of starting it. */
async function use(folder: string): Promise<void> {
  await look(folder)
  await sendCommand(folder, { type: 'stop', now: false }, { takeMs: 1 }).catch(() => undefined)
  await resetRun(folder, {}).catch(() => undefined)
}

describe('the folder of a run that another user has made', () => {
  const root = mkdtempSync(join(tmpdir(), 'bellis-planted-'))
  const template = join(root, 'template')
  let count = 0

  before(async () => {
    await runBlockwise(idle({}), { pool: 'inline', progress: 'sqlite', runDir: join(root, 'runs') })
    renameSync(join(root, 'runs', readdirSync(join(root, 'runs'))[0] as string), template)
  })
  after(() => rmSync(root, { recursive: true, force: true }))

  /** A copy of the folder, and one that nobody but its user has a right to. */
  function planted() {
    const folder = join(root, `run-${count++}`)
    const victim = `${folder}-victim`
    mkdirSync(victim)
    cpSync(template, folder, { recursive: true })
    const holder = { pid: process.pid, host: hostname(), user: 'other', since: new Date().toISOString() }
    writeFileSync(join(folder, 'holder.json'), JSON.stringify(holder))
    const replace = (name: string, target: string) => {
      rmSync(join(folder, name), { recursive: true, force: true })
      symlinkSync(target, join(folder, name))
    }
    return { folder, victim, replace }
  }

  it('is as good as its own', async () => {
    const { folder } = planted()
    assert.equal((await readRunState(folder))?.tasks[0]?.completed, 8)
    assert.equal((await resetRun(folder, {}))[0]?.blocks, 8)
  })

  for (const name of ['lock', 'workers.lock', 'progress.sqlite', 'progress.sqlite-wal', 'control', 'logs', 'history'])
    it(`makes and changes nothing through a link in place of ${name}`, async () => {
      const { folder, victim, replace } = planted()
      for (const target of ['missing', '.']) {
        replace(name, join(victim, target))
        await use(folder)
        assert.deepEqual(readdirSync(victim), [], target)
      }
    })

  it('has a start make and remove nothing through a link in place of its history', async () => {
    const home = join(root, 'started')
    const run = () => runBlockwise(idle({}), { pool: 'inline', progress: 'sqlite', runDir: home, overwrite: true })
    await run()
    const history = join(home, readdirSync(home)[0] as string, 'history')
    const victim = join(root, 'started-victim')
    for (const target of [victim, join(victim, 'missing')]) {
      mkdirSync(victim, { recursive: true })
      writeFileSync(join(victim, '000001'), 'precious')
      rmSync(history, { recursive: true })
      symlinkSync(target, history)
      await run()
      assert.deepEqual(readdirSync(victim), ['000001'])
      assert.deepEqual(readdirSync(history), ['000001'])
      assert.equal(lstatSync(history).isDirectory(), true)
    }
  })

  it('makes no lock where there is none, since a run that is running has one', () => {
    const { folder } = planted()
    rmSync(join(folder, 'lock'))
    assert.equal(runHolderOf(folder), undefined)
    assert.equal(existsSync(join(folder, 'lock')), false)
  })

  for (const name of [
    'lock',
    'progress.sqlite',
    'progress.sqlite-wal',
    'history/000001',
    'run.json',
    'live.json',
    'masks.json',
  ])
    it(`has nobody wait for a pipe, or read a device without end, in place of ${name}`, async () => {
      const { folder, replace } = planted()
      rmSync(join(folder, name), { force: true })
      assert.equal(spawnSync('mkfifo', [join(folder, name)]).status, 0)
      await look(folder)
      replace(name, '/dev/zero')
      await look(folder)
    })

  for (const name of ['run.json', 'live.json', 'masks.json', 'holder.json', 'provenance.json', 'dashboard.json'])
    it(`has nothing read through a link in place of ${name}`, () => {
      const { folder, victim, replace } = planted()
      writeFileSync(join(folder, name), '{"tasks":[]}')
      assert.deepEqual(readJson(join(folder, name)), { tasks: [] })
      writeFileSync(join(victim, name), '{"tasks":[]}')
      replace(name, join(victim, name))
      assert.equal(readJson(join(folder, name)), undefined)
    })

  it('has no history read through a link', async () => {
    const { folder, victim, replace } = planted()
    const completed = async () => {
      using follower = new RunFollower(folder)
      await follower.catchUp()
      return follower.picture.details(0, 3).workerId
    }
    assert.equal(typeof (await completed()), 'string')
    cpSync(join(folder, 'history', '000001'), join(victim, '000001'))
    replace('history/000001', join(victim, '000001'))
    assert.equal(await completed(), undefined)
    replace('history', victim)
    assert.equal(await completed(), undefined)
  })

  it('has no record read through a link', async () => {
    const { folder, victim, replace } = planted()
    cpSync(join(folder, 'progress.sqlite'), join(victim, 'progress.sqlite'))
    replace('progress.sqlite', join(victim, 'progress.sqlite'))
    await assert.rejects(readRunState(folder), { message: /link/ })
  })

  it('is joined through no link in place of its context: it could lead into another run', () => {
    const { folder, victim, replace } = planted()
    writeFileSync(join(victim, 'context'), showContext({ host: '127.0.0.1', port: 1, token: '0'.repeat(32) }))
    replace('context', join(victim, 'context'))
    assert.throws(contextReader(folder, undefined, root), { code: 'NO_SUCH_FILE' })
  })

  it('has a record in which nothing is computed', async () => {
    const { folder } = planted()
    const database = new DatabaseSync(join(folder, 'progress.sqlite'))
    database.exec(`DROP TABLE finished_page;
      CREATE VIEW finished_page AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
      SELECT 0 AS task, -x AS page, x'01' AS bits FROM c`)
    database.close()
    const refused = {
      code: 'CORRUPT_DATA',
      message: /progress\.sqlite was changed by another program: expected the tables/,
    }
    await assert.rejects(readRunState(folder), refused)
    await assert.rejects(resetRun(folder, {}), refused)
  })

  it('has a record whose triggers are not run', async () => {
    const { folder } = planted()
    const database = new DatabaseSync(join(folder, 'progress.sqlite'))
    database.exec('CREATE TRIGGER t AFTER DELETE ON finished_page BEGIN DELETE FROM task; END')
    database.close()
    await assert.rejects(resetRun(folder, {}), { code: 'CORRUPT_DATA' })
  })

  it('prints no file through a link', async () => {
    const { folder, victim, replace } = planted()
    writeFileSync(join(victim, 'w7.log'), 'secret words\n', { mode: 0o600 })
    mkdirSync(join(folder, 'logs'), { recursive: true })
    symlinkSync(join(victim, 'w7.log'), join(folder, 'logs', 'process-w7.log'))
    writeFileSync(join(folder, 'logs', 'process-w8.log'), 'plain words\n')
    const { stdout } = await bellis(['logs', folder], { cwd: root })
    assert.match(stdout, /plain words/)
    assert.doesNotMatch(stdout, /secret words/)
    replace('logs', victim)
    assert.doesNotMatch((await bellis(['logs', folder], { cwd: root })).stdout, /secret words/)
  })

  for (const answer of [
    {},
    { status: 'done' },
    { status: 'done', event: { type: 'reset' } },
    { status: 'refused', error: { code: 'x\n' } },
  ])
    it(`gives no answer that is taken for one of a run: ${JSON.stringify(answer)}`, async () => {
      const { folder } = planted()
      const control = join(folder, 'control')
      rmSync(control, { recursive: true, force: true })
      mkdirSync(control)
      using _lock = takeExclusiveLock(join(folder, 'lock')) as Disposable
      const sent = sendCommand(folder, { type: 'stop', now: false })
      const name = await until('a request', () => readdirSync(control).find((name) => name.endsWith('.request')))
      writeFileSync(join(control, name.replace('.request', '.answer')), JSON.stringify(answer))
      await assert.rejects(sent, { code: 'CORRUPT_DATA', message: /gave an answer that can't be understood/ })
    })

  it("has no journal opened that is not this user's: it could name any file for removal", async (t) => {
    if (process.getuid?.() !== 0) return t.skip('needs root to give files away')
    const { folder } = planted()
    // That of a lock has nothing that anybody needs.
    for (const name of ['lock-journal', 'progress.sqlite-journal']) {
      writeFileSync(join(folder, name), '')
      chownSync(join(folder, name), OTHER, OTHER)
    }
    await assert.rejects(resetRun(folder, {}), { message: /progress\.sqlite-journal belongs to another user/ })
    assert.equal(existsSync(join(folder, 'lock-journal')), false)
  })

  it('is joined by no worker that has begun with an address of its own', (t) => {
    if (process.getuid?.() !== 0) return t.skip('needs root to give files away')
    const { folder } = planted()
    const file = join(folder, 'context')
    writeFileSync(file, showContext({ host: '127.0.0.1', port: 1, token: '0'.repeat(32) }))
    const read = contextReader(folder, undefined, root, { isOwn: true })
    assert.equal(read().port, 1)
    chownSync(file, OTHER, OTHER)
    assert.throws(read, { code: 'INVALID_CONFIG', message: /id 65534; expected one of your own/ })
    assert.equal(contextReader(folder, undefined, root)().port, 1)
  })
})
