import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { sqliteProgress } from '../../../src/adapters/sqlite/sqlite-progress.ts'
import { BlockwiseError } from '../../../src/core/errors.ts'
import { isBitSet } from '../../../src/core/scheduling/bitmap.ts'
import { readCompleted } from '../../../src/runtime/coordinator/progress-recorder.ts'
import {
  describeProgressStore,
  failedAttempt,
  identityOf,
  recordedTask,
} from '../../contracts/progress-store.contract.ts'
import { temporaryFolder } from '../../support/command-line.ts'

const scratchFolder = () => {
  const path = mkdtempSync(join(tmpdir(), 'bellis-sqlite-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

describeProgressStore(
  'SQLite',
  () => {
    const folder = scratchFolder()
    // Characters with a meaning in a URI.
    const file = join(folder.path, 'a b#%20?.sqlite')
    return { open: () => sqliteProgress(file), writer: ['sqlite', file], dispose: () => folder[Symbol.dispose]() }
  },
  { manyRuns: false },
)

const identity = identityOf(recordedTask('one', 1e6))
const page = (...ones: number[]) => {
  const bits = new Uint8Array(8192)
  for (const at of ones) bits[at >> 3]! |= 1 << (at & 7)
  return { task: 0, page: 0, bits }
}

/** A record with a finished page and a failed attempt, which another program has changed. */
async function changedRecord(folder: string, sql: string): Promise<string> {
  const file = join(folder, 'progress.sqlite')
  {
    await using store = sqliteProgress(file)
    await using record = await store.open(identity)
    await record.commit({ pages: [page(1, 5)], failedAttempts: [failedAttempt({ block: 2 })] })
  }
  const database = new DatabaseSync(file)
  database.exec(sql)
  database.close()
  return file
}

/** Runs a script that can use `store`, `identity`, `page` and `failedAttempt`. @param shell the start of its command line */
function runScript(script: string, file: string, shell = ''): { status: number | null; output: string } {
  const source = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
  const code = `
    const { sqliteProgress } = await import(${source('../../../src/adapters/sqlite/sqlite-progress.ts')})
    const { failedAttempt, identityOf, recordedTask } = await import(${source('../../contracts/progress-store.contract.ts')})
    const identity = identityOf(recordedTask('one', 1e6))
    const page = (page, fill) => ({ task: 0, page, bits: new Uint8Array(8192).fill(fill) })
    const store = sqliteProgress(process.env.FILE)
    try { ${script} } catch (error) { console.log([error.name, error.code, error.message].join(' | ')) }`
  const { status, stdout, stderr } = spawnSync(
    'sh',
    ['-c', `${shell} exec "$0" --input-type=module --eval "$1"`, process.execPath, code],
    { encoding: 'utf8', env: { ...process.env, FILE: file } },
  )
  return { status, output: `${stdout}${stderr}` }
}

const FILL_UP = `
  const record = await store.open(identity)
  for (let fill = 1; ; fill++) {
    await record.commit({
      pages: Array.from({ length: 15 }, (_, at) => page(at, fill)),
      failedAttempts: Array.from({ length: 10 }, (_, block) => failedAttempt({ block: fill, attempt: block + 1 })),
    })
    console.log('durable', fill)
    if (fill === 255) break
  }`

/** Checks that the file contains exactly what was reported as durable, or one batch more. */
async function checkFilled(file: string, output: string): Promise<void> {
  const durable = (output.match(/durable/g) ?? []).length
  assert.ok(durable > 0 && durable < 255, output)
  await using store = sqliteProgress(file)
  const reader = await store.read(identity.run)
  assert.ok(reader !== undefined)
  const tries: number[] = []
  for await (const { block } of reader.failedAttempts(0)) tries.push(block)
  assert.equal(tries.length, 10 * durable)
  const bitmap = await readCompleted(reader, 0)
  assert.ok(bitmap.subarray(0, 15 * 8192).every((byte) => byte === durable))
}

describe('progress in SQLite', () => {
  it('R7: writes a commit that the disk has to confirm when it is synced, every time', async () => {
    using folder = temporaryFolder()
    await using store = sqliteProgress(join(folder.path, 'progress.sqlite'))
    const record = await store.open(identityOf(recordedTask('one', 8)))
    const logged = () => statSync(join(folder.path, 'progress.sqlite-wal')).size
    for (let time = 0; time < 2; time++) {
      const before = logged()
      await record.sync()
      assert.ok(logged() > before, 'SQLite leaves out a commit that changes nothing, and does not sync then')
    }
  })

  it('R7: has the disk confirm what is synced, and, without --fsync, no other commit', async (t) => {
    using folder = temporaryFolder()
    const { exec } = DatabaseSync.prototype
    /** What SQLite was told to wait for when each transaction ended: 2 is the disk. */
    const levels: unknown[] = []
    t.mock.method(DatabaseSync.prototype, 'exec', function (this: DatabaseSync, sql: string) {
      if (sql === 'COMMIT') levels.push(this.prepare('PRAGMA synchronous').get()?.synchronous)
      return exec.call(this, sql)
    })
    await using store = sqliteProgress(join(folder.path, 'progress.sqlite'))
    const record = await store.open(identityOf(recordedTask('one', 8)))
    levels.length = 0
    await record.commit({ pages: [page(1)], failedAttempts: [] })
    await record.sync()
    await record.commit({ pages: [page(2)], failedAttempts: [] })
    assert.deepEqual(levels, [1, 2, 1])
    levels.length = 0
    for (const blocks of [[3], undefined]) await record.clear(0, blocks)
    // Outputs are made again after it: a power cut must not bring back that their blocks are done.
    assert.deepEqual(levels, [1, 2, 1, 2])
    await using safe = sqliteProgress(join(folder.path, 'safe.sqlite'), { fsync: true })
    const synced = await safe.open(identityOf(recordedTask('one', 8)))
    levels.length = 0
    await synced.commit({ pages: [page(1)], failedAttempts: [] })
    assert.deepEqual(levels, [2])
  })

  it('reports a full disk whichever of its files cannot grow', async (t) => {
    for (const kilobytes of [8, 16, 20, 24, 28, 32, 36]) {
      using folder = scratchFolder()
      const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', folder.path])
      if (mounted.status !== 0) {
        t.skip('only root can mount a small disk')
        return
      }
      try {
        const store = sqliteProgress(join(folder.path, 'progress.sqlite'))
        await assert.rejects(store.open(identity), { code: 'DISK_FULL' }, `${kilobytes} kB`)
        await store[Symbol.asyncDispose]()
      } finally {
        spawnSync('umount', [folder.path])
      }
    }
  })

  it('reports a full disk, keeps what was recorded, and continues when there is space', async (t) => {
    using folder = scratchFolder()
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1500k', 'tmpfs', folder.path])
    if (mounted.status !== 0) {
      t.skip('only root can mount a small disk')
      return
    }
    try {
      const file = join(folder.path, 'progress.sqlite')
      const { output } = runScript(FILL_UP, file)
      assert.match(output, /InfrastructureError \| DISK_FULL \| .*progress\.sqlite.* the disk is full; free some space/)
      await checkFilled(file, output)
      assert.equal(spawnSync('mount', ['-o', 'remount,size=50m', folder.path]).status, 0)
      await using store = sqliteProgress(file)
      const record = await store.open(identity)
      await record.commit({ pages: [page(4)], failedAttempts: [] })
    } finally {
      spawnSync('umount', [folder.path])
    }
  })

  it('reports that the file cannot grow, and keeps what was recorded', async () => {
    using folder = scratchFolder()
    const file = join(folder.path, 'progress.sqlite')
    const { output } = runScript(FILL_UP, file, "ulimit -f 3000; trap '' XFSZ;")
    assert.match(output, /InfrastructureError \| (IO_ERROR|DISK_FULL) \| .*progress\.sqlite can't be .*written/)
    await checkFilled(file, output)
  })

  it('reports a read-only file before the run starts, but can read it', async (t) => {
    if (process.getuid?.() !== 0) {
      t.skip('needs root to become another user')
      return
    }
    using folder = scratchFolder()
    const file = join(folder.path, 'progress.sqlite')
    await using store = sqliteProgress(file)
    const record = await store.open(identity)
    await record.commit({ pages: [page(4)], failedAttempts: [failedAttempt()] })
    await record[Symbol.asyncDispose]()
    for (const mode of [0o755, 0o777]) {
      chmodSync(file, 0o444)
      chmodSync(folder.path, mode)
      const asOther = (script: string) => runScript(`process.setuid(65534); ${script}`, file).output
      assert.match(asOther('await store.open(identity)'), /InfrastructureError \| READ_ONLY \| .*read-only; make/)
      const read = `
        const reader = await store.read('')
        for await (const { bits } of reader.completedPages(0)) console.log('read', bits[0])`
      assert.match(asOther(read), /read 16/)
    }
  })

  it('can be read by others in a folder that they cannot write to, even after its writer was killed', async (t) => {
    if (process.getuid?.() !== 0) {
      t.skip('needs root to become another user')
      return
    }
    using folder = scratchFolder()
    const file = join(folder.path, 'progress.sqlite')
    const killed = runScript(
      `const record = await store.open(identity)
       await record.commit({ pages: [page(0, 16)], failedAttempts: [] })
       process.kill(process.pid, 'SIGKILL')`,
      file,
    )
    assert.notEqual(killed.status, 0)
    chmodSync(folder.path, 0o755)
    const read = `
      process.setuid(65534)
      const reader = await store.read('')
      for await (const { bits } of reader.completedPages(0)) console.log('read', bits[0])`
    assert.match(runScript(read, file).output, /read 16/)
  })

  it('refuses a file that a newer Bellis wrote, and leaves it unchanged', async () => {
    using folder = scratchFolder()
    const file = join(folder.path, 'progress.sqlite')
    await using store = sqliteProgress(file)
    await (await store.open(identity))[Symbol.asyncDispose]()
    const database = new DatabaseSync(file)
    database.exec('PRAGMA user_version = 7; PRAGMA journal_mode = DELETE; DROP TABLE finished_page')
    database.close()
    const before = readFileSync(file)
    const newer = { name: 'ConfigError', code: 'UNSUPPORTED', message: /newer Bellis \(version 7; .* reads 2\)/ }
    await assert.rejects(store.open(identity), newer)
    await assert.rejects(store.read(identity.run), newer)
    assert.ok(before.equals(readFileSync(file)))
  })

  it('is an error, and never an internal one, wherever its file was cut off or changed', async () => {
    using folder = scratchFolder()
    const whole = join(folder.path, 'whole.sqlite')
    {
      await using store = sqliteProgress(whole)
      await using record = await store.open(identity)
      await record.commit({ pages: [page(1, 5)], failedAttempts: [failedAttempt({ block: 2 })] })
    }
    const bytes = readFileSync(whole)
    const kinds = { corrupt: 0, read: 0 }
    const tryOut = async (content: Uint8Array, name: string) => {
      const file = join(folder.path, `${name}.sqlite`)
      writeFileSync(file, content)
      await using store = sqliteProgress(file)
      for (const open of [() => store.read(identity.run), () => store.open(identity)]) {
        try {
          await using reader = await open()
          if (reader !== undefined) await readCompleted(reader, 0)
          kinds.read++
        } catch (error) {
          assert.ok(error instanceof BlockwiseError, `${name}: ${(error as Error).stack}`)
          kinds.corrupt++
        }
      }
    }
    for (const end of [1, 50, 99, 100, 1024, 4095, 4096, 5000, 8192, 12_000, 20_000, bytes.length - 1]) {
      await tryOut(bytes.subarray(0, end), `cut-${end}`)
    }
    for (let at = 0; at < bytes.length; at += 997) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] as number) ^ 0xff
      await tryOut(changed, `changed-${at}`)
    }
    assert.ok(kinds.corrupt > 10, JSON.stringify(kinds))
  })

  for (const [what, sql] of [
    ['a task of more blocks than a run may have', 'UPDATE task SET block_count = 9007199254740991'],
    ['a number that no number of JavaScript is', 'UPDATE task SET block_count = 4611686018427387904'],
    ['fewer blocks than none', 'UPDATE task SET block_count = -1'],
    ['a grid that is no JSON', "UPDATE task SET grid = '{'"],
    ['a lineage that is no JSON', "CREATE TABLE lineage (value TEXT); INSERT INTO lineage VALUES ('{')"],
    ['a lineage without end', 'CREATE TABLE lineage (value TEXT); INSERT INTO lineage VALUES (zeroblob(20000))'],
    ['tasks without end', 'UPDATE task SET config = CAST(zeroblob(100000001) AS TEXT)'],
    ['a table less', 'DROP TABLE finished_page'],
    [
      'a table with other types',
      "DROP TABLE task; CREATE TABLE task (task, id, block_count, grid, config); INSERT INTO task VALUES (0, 1, 'x', 2, 3)",
    ],
  ] as const) {
    it(`says of a record with ${what} that it is damaged`, async () => {
      using folder = scratchFolder()
      const file = await changedRecord(folder.path, sql)
      await using store = sqliteProgress(file)
      const damaged = { code: 'CORRUPT_DATA', message: /progress\.sqlite is damaged.*start again with --overwrite/s }
      await assert.rejects(store.open(identity), damaged)
    })
  }

  it('reads nothing of a page or a text that is longer than any: it could be one that fills the memory', async () => {
    using folder = scratchFolder()
    const long = 2 ** 20 + 1
    const file = await changedRecord(
      folder.path,
      `UPDATE finished_page SET bits = zeroblob(${long}); UPDATE error_text SET text = CAST(zeroblob(${long}) AS TEXT)`,
    )
    await using store = sqliteProgress(file)
    for (const reader of [await store.read(identity.run), await store.open(identity)]) {
      assert.ok(reader !== undefined)
      await assert.rejects(readCompleted(reader, 0), { code: 'CORRUPT_DATA', message: /page 0 .* has 0 bytes/ })
      for await (const { error } of reader.failedAttempts(0)) {
        assert.equal(error.message, '(a text that is too long to be read)')
        assert.ok((error.stack ?? '').length < 100)
      }
    }
  })

  it("refuses another program's database, and a file that is no database", async () => {
    using folder = scratchFolder()
    const file = join(folder.path, 'progress.sqlite')
    await using store = sqliteProgress(file)
    const database = new DatabaseSync(file)
    database.exec('CREATE TABLE cat (name TEXT)')
    database.close()
    const before = readFileSync(file)
    await assert.rejects(store.open(identity), { code: 'INVALID_CONFIG', message: /another program/ })
    assert.ok(before.equals(readFileSync(file)))
    writeFileSync(file, 'no database at all, '.repeat(100))
    const damaged = { name: 'InfrastructureError', code: 'CORRUPT_DATA', message: /progress\.sqlite.*--overwrite/ }
    await assert.rejects(store.open(identity), damaged)
    await assert.rejects(store.read(identity.run), damaged)
  })

  it('reports that its folder is missing', async () => {
    using folder = scratchFolder()
    await using store = sqliteProgress(join(folder.path, 'none', 'progress.sqlite'))
    await assert.rejects(store.open(identity), {
      code: 'IO_ERROR',
      message: /none.progress\.sqlite.*folder is missing/,
    })
  })

  it('refuses a page that is outside its task', async () => {
    using folder = scratchFolder()
    const file = join(folder.path, 'progress.sqlite')
    await using store = sqliteProgress(file)
    for (const [at, bits] of [
      [0, new Uint8Array(14)],
      [0, new Uint8Array(12)],
      [1, new Uint8Array(13)],
      [0, new Uint8Array(13).fill(255)],
    ] as const) {
      await store.remove(identity.run)
      const record = await store.open(identityOf(recordedTask('small', 100)))
      await record.commit({ pages: [{ task: 0, page: at, bits }], failedAttempts: [] })
      await assert.rejects(readCompleted(record, 0), { code: 'CORRUPT_DATA', message: /damaged/ })
      await record[Symbol.asyncDispose]()
    }
  })

  it('is a single file when it is closed, of little more than one bit per block', async () => {
    using folder = scratchFolder()
    const file = join(folder.path, 'progress.sqlite')
    await using store = sqliteProgress(file)
    const record = await store.open(identityOf(recordedTask('large', 65_536 * 200)))
    const full = Array.from({ length: 200 }, (_, at) => ({ task: 0, page: at, bits: new Uint8Array(8192).fill(255) }))
    for (let time = 0; time < 5; time++) await record.commit({ pages: full, failedAttempts: [] })
    await record[Symbol.asyncDispose]()
    assert.deepEqual(readdirSync(folder.path), ['progress.sqlite'])
    assert.ok(statSync(file).size < 1.15 * 8192 * 200, `${statSync(file).size} bytes`)
  })

  it('lets others read the write-ahead log while it is open', async () => {
    using folder = scratchFolder()
    const file = join(folder.path, 'progress.sqlite')
    await using store = sqliteProgress(file)
    const record = await store.open(identity)
    await record.commit({ pages: [page(65_535)], failedAttempts: [] })
    assert.ok(existsSync(`${file}-wal`))
    const { output } = runScript(
      `const reader = await store.read('')
       for await (const { bits } of reader.completedPages(0)) console.log('read', bits[8191])`,
      file,
    )
    assert.match(output, /read 128/)
    assert.ok(isBitSet(await readCompleted(record, 0), 65_535))
  })

  it('hides the warning that SQLite is experimental, and no other warning', () => {
    using folder = scratchFolder()
    const file = join(folder.path, 'progress.sqlite')
    const { output } = runScript(`await store.open(identity); process.emitWarning('heard')`, file)
    assert.doesNotMatch(output, /SQLite|experimental feature/)
    assert.match(output, /heard/)
  })

  it('syncs each commit to the disk if asked to', async (t) => {
    if (spawnSync('strace', ['-V']).status !== 0) {
      t.skip('no strace here, to see what is synced')
      return
    }
    for (const [fsync, least] of [
      [true, 20],
      [false, 0],
    ] as const) {
      using folder = scratchFolder()
      const script = fileURLToPath(new URL('./fixtures/commit-twenty-times.ts', import.meta.url))
      const file = join(folder.path, 'progress.sqlite')
      const { stderr } = spawnSync(
        'strace',
        ['-f', '-e', 'trace=fsync,fdatasync', process.execPath, script, file, String(fsync)],
        { encoding: 'utf8' },
      )
      const synced = (stderr.match(/f(data)?sync\(/g) ?? []).length
      assert.ok(fsync ? synced >= least : synced < 10, `${synced} syncs`)
    }
  })
})
