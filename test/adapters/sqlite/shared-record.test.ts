import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { copyDatabase } from '../../../src/adapters/sqlite/database-copy.ts'
import { isOnNetwork } from '../../../src/adapters/sqlite/network-file-system.ts'
import { sqliteProgress } from '../../../src/adapters/sqlite/sqlite-progress.ts'
import { readCompleted } from '../../../src/runtime/coordinator/progress-recorder.ts'
import { describeProgressStore, identityOf, recordedTask } from '../../contracts/progress-store.contract.ts'
import { temporaryFolder } from '../../support/command-line.ts'

// What differs on a network file system: processes of other machines see the files, but share no memory with the writer, and its locks
// are of no concern to them.

describeProgressStore(
  'SQLite for several machines',
  () => {
    const folder = temporaryFolder()
    const file = join(folder.path, 'progress.sqlite')
    return { open: () => sqliteProgress(file, { isShared: true }), dispose: () => folder[Symbol.dispose]() }
  },
  { manyRuns: false },
)

const source = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
const copies = () => readdirSync(tmpdir()).filter((name) => name.startsWith('bellis-record-'))

const countBits = (bitmap: Uint8Array): number =>
  bitmap.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0)

/** A process that completes one block after the other, whose log starts again every few commits. */
function writer(file: string) {
  const code = `
    const { sqliteProgress } = await import(${source('../../../src/adapters/sqlite/sqlite-progress.ts')})
    const { identityOf, recordedTask } = await import(${source('../../contracts/progress-store.contract.ts')})
    const record = await sqliteProgress(${JSON.stringify(file)}, { isShared: true }).open(identityOf(recordedTask('one', 1e6)))
    const bits = new Uint8Array(8192)
    console.log('open')
    for (let at = 0; ; at = (at + 1) % 65536) {
      bits[at >> 3] |= 1 << (at & 7)
      await record.commit({ pages: [{ task: 0, page: at % 7, bits }], failedAttempts: [] })
      await new Promise((resolve) => setImmediate(resolve))
    }`
  return spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
}

describe('a record that other machines may read', () => {
  it('R9: is written without memory that only processes of one machine share', async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'progress.sqlite')
    await using store = sqliteProgress(file, { isShared: true })
    await using _ = await store.open(identityOf(recordedTask('one', 10)))
    assert.deepEqual(readdirSync(folder.path).sort(), ['progress.sqlite', 'progress.sqlite-wal'])
  })

  it('R9: is read whole and as of one moment while it is written, and no copy is left', async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'progress.sqlite')
    const before = copies()
    const child = writer(file)
    try {
      await once(child.stdout, 'data')
      let last = 0
      for (let read = 0; read < 40; read++) {
        {
          using copy = copyDatabase(file)
          const database = new DatabaseSync(copy.file)
          assert.deepEqual({ ...database.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' })
          database.close()
        }
        await using store = sqliteProgress(file, { isShared: true })
        await using reader = await store.read('r')
        assert.ok(reader !== undefined)
        const count = countBits(await readCompleted(reader, 0))
        assert.ok(count >= last, `${count} blocks after ${last}`)
        last = count
      }
      assert.ok(last > 0)
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    assert.deepEqual(copies(), before)
  })
})

describe('a copy of a database', () => {
  it('R9: is of one moment, although the log starts again after each transaction', async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'd.sqlite')
    // Every transaction changes all of its 500 pages.
    const code = `
      const { DatabaseSync } = require('node:sqlite')
      const database = new DatabaseSync(${JSON.stringify(file)})
      database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 1; PRAGMA synchronous = OFF')
      database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, filler BLOB)')
      for (let id = 0; id < 500; id++) database.prepare('INSERT INTO t VALUES (?, 0, zeroblob(3500))').run(id)
      console.log('open')
      for (let n = 1; ; n++) {
        database.exec('UPDATE t SET n = ' + n)
        // Readers get their turn on a machine with one processor.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3)
      }`
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      await once(child.stdout, 'data')
      let refused = 0
      for (let read = 0; read < 60; read++) {
        try {
          using copy = copyDatabase(file)
          const database = new DatabaseSync(copy.file)
          const values = database.prepare('SELECT DISTINCT n FROM t').all()
          database.close()
          assert.equal(values.length, 1)
        } catch (error) {
          // The machine may be too slow for this writer.
          if (!/changes too fast/.test((error as Error).message)) throw error
          refused++
        }
      }
      assert.ok(refused < 60)
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })
})

describe('a file system', () => {
  it('is one of this machine if it is a temporary folder or missing', () => {
    assert.deepEqual([isOnNetwork(tmpdir()), isOnNetwork('/no/such/folder')], [false, false])
  })
})
