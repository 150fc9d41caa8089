import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { newHolder, STALE_MS, touch } from '../../../src/adapters/zarr/lock-holder.ts'
import { lateWriters, OutputWriter, WRITERS_FOLDER } from '../../../src/adapters/zarr/output-writers.ts'
import { LOCK_FILE, MARK_FILE } from '../../../src/adapters/zarr/write-guard.ts'
import { temporaryFolder } from '../../support/command-line.ts'

const old = new Date(Date.now() - 2 * STALE_MS)

/** An array that is marked as that of the record `mine`. */
function markedArray() {
  const folder = temporaryFolder()
  const path = join(folder.path, 'array')
  mkdirSync(path)
  writeFileSync(join(path, MARK_FILE), '{"id":"mine"}')
  return { ...folder, path, writers: join(path, WRITERS_FOLDER), home: folder.path }
}

const nothing = async () => {}

describe('the writers of an array', () => {
  it('are known while they do a block, and only to a run that replaces what they write', async () => {
    using array = markedArray()
    using writer = new OutputWriter({ id: 'mine', folders: [array.path] })
    await writer.during(1, async () => {
      assert.deepEqual(await lateWriters(array.path, () => false), [])
      const late = await lateWriters(array.path, (record) => record === 'mine')
      assert.deepEqual(late, [{ host: newHolder({}).host, pids: [process.pid], isLeft: false }])
    })
    writer[Symbol.dispose]()
    assert.equal(existsSync(array.writers), false)
  })

  it('do not begin once another run has the array, or is about to take it', async () => {
    using array = markedArray()
    using writer = new OutputWriter({ id: 'mine', folders: [array.path] })
    writeFileSync(join(array.path, LOCK_FILE), '{"about":{"replaces":"mine"}}')
    await assert.rejects(writer.during(1, nothing), { code: 'RUN_LOCKED' })
    writeFileSync(join(array.path, LOCK_FILE), '{"about":{"replaces":"that of others"}}')
    await writer.during(1, nothing)
    writeFileSync(join(array.path, MARK_FILE), '{"id":"another"}')
    await assert.rejects(writer.during(1, nothing), { code: 'RUN_LOCKED' })
  })

  it('are told while they write that another run takes the array', async () => {
    using array = markedArray()
    using writer = new OutputWriter({ id: 'mine', folders: [array.path] })
    const writing = writer.during(1, async (taken) => {
      writeFileSync(join(array.path, LOCK_FILE), '{"about":{"replaces":"mine"}}')
      await new Promise((_, reject) => taken.addEventListener('abort', () => reject(new Error('stopped'))))
    })
    // The timer of a writer keeps no process awake.
    const awake = setInterval(() => {}, 1000)
    await assert.rejects(writing, { code: 'RUN_LOCKED' })
    clearInterval(awake)
  })

  it('are told that their block was given to another worker, before it begins and while they write', async () => {
    using array = markedArray()
    using writer = new OutputWriter({ id: 'mine', folders: [array.path] })
    const allow = (from: number, held: readonly number[]) =>
      writeFileSync(join(array.path, MARK_FILE), JSON.stringify({ id: 'mine', leases: { from, held } }))
    allow(2, [])
    await assert.rejects(writer.during(1, nothing), { code: 'RUN_LOCKED', message: /given to another one/ })
    const writing = writer.during(2, async (taken) => {
      allow(4, [3])
      await new Promise((_, reject) => taken.addEventListener('abort', () => reject(new Error('stopped'))))
    })
    const awake = setInterval(() => {}, 1000)
    await assert.rejects(writing, { code: 'RUN_LOCKED', message: /given to another one/ })
    clearInterval(awake)
    for (const valid of [3, 4, undefined]) await writer.during(valid, nothing)
  })

  it('are forgotten when they have ended, on other machines after two minutes', async () => {
    using array = markedArray()
    mkdirSync(array.writers)
    const ended = { ...newHolder({ record: 'mine' }), processStart: '1' }
    const far = { ...newHolder({ record: 'mine' }), machine: 'far', host: 'far' }
    for (const holder of [ended, far]) writeFileSync(join(array.writers, holder.token), JSON.stringify(holder))
    const late = await lateWriters(array.path, () => true)
    assert.deepEqual(late, [{ host: 'far', pids: [process.pid], isLeft: false }])
    utimesSync(join(array.writers, far.token), old, old)
    assert.deepEqual(await lateWriters(array.path, () => true), [])
    assert.equal(existsSync(array.writers), false)
  })

  it('never lead to the removal of other files, also if a link is in place of their folder', async () => {
    using array = markedArray()
    const precious = join(array.home, 'precious')
    mkdirSync(precious)
    for (const [name, text] of [
      ['thesis.txt', 'text'],
      ['a.json', JSON.stringify({ ...newHolder({}), processStart: '1' })],
    ] as const) {
      writeFileSync(join(precious, name), text)
      utimesSync(join(precious, name), old, old)
    }
    symlinkSync(precious, array.writers)
    assert.deepEqual(await lateWriters(array.path, () => true), [])
    assert.deepEqual(await lateWriters(join(array.home), () => true), [])
    assert.equal(readdirSync(precious).length, 2)
    mkdirSync(join(array.home, WRITERS_FOLDER))
    writeFileSync(join(array.home, WRITERS_FOLDER, 'thesis.txt'), 'text')
    utimesSync(join(array.home, WRITERS_FOLDER, 'thesis.txt'), old, old)
    await lateWriters(array.home, () => true)
    assert.deepEqual(readdirSync(join(array.home, WRITERS_FOLDER)), ['thesis.txt'])
  })
  it('make and change nothing through a link in place of their folder or their file', async () => {
    using array = markedArray()
    const precious = join(array.home, 'precious')
    mkdirSync(precious)
    symlinkSync(precious, array.writers)
    {
      using writer = new OutputWriter({ id: 'mine', folders: [array.path] })
      await writer.during(1, async () => assert.deepEqual(readdirSync(precious), []))
    }
    writeFileSync(join(precious, 'thesis.txt'), 'text')
    const link = join(array.home, 'link')
    symlinkSync(join(precious, 'thesis.txt'), link)
    await assert.rejects(touch(link))
    assert.equal(readFileSync(join(precious, 'thesis.txt'), 'utf8'), 'text')
  })
})
