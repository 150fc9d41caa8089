import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { PAGE_BYTES } from '../../src/core/progress/bitmap-pages.ts'
import type { RecordedTask, RunIdentity } from '../../src/core/progress/run-identity.ts'
import { isBitSet } from '../../src/core/scheduling/bitmap.ts'
import type { BitmapPage, FailedAttempt, ProgressStore, RunReader } from '../../src/ports/progress-store.ts'
import { readCompleted, readFailedBlocks } from '../../src/runtime/coordinator/progress-recorder.ts'

/** An empty store for records, and how to open it again. */
export interface StoredPlace {
  /** Opens the store, also repeatedly: as another process would, or the same one later. */
  open(): ProgressStore
  /** The arguments of `progress-writer.ts` for this store; absent if records end with the process. */
  readonly writer?: readonly string[]
  dispose(): Promise<void> | void
}

const grid = (total: number): string => JSON.stringify({ fit: 'shrink', totalRoi: { offset: [0], shape: [total] } })

export const recordedTask = (id: string, blockCount: number, more: Partial<RecordedTask> = {}): RecordedTask => ({
  id,
  blockCount,
  grid: grid(blockCount),
  config: '{"sigma":2}',
  ...more,
})

export const identityOf = (...tasks: RecordedTask[]): RunIdentity => ({ run: 'smooth-0badc0de', tasks })

export const failedAttempt = (more: Partial<FailedAttempt> = {}): FailedAttempt => ({
  task: 0,
  block: 7,
  attempt: 1,
  isFinal: false,
  error: { code: 'BLOCK_FAILED', message: 'σ is 0: "bad"\n$input', stack: 'Error: at block.ts:3\n  at …' },
  workerId: 'w1',
  host: 'node-17',
  durationMs: 12.25,
  time: 1_790_000_000_123,
  ...more,
})

const bits = (length: number, ...ones: number[]): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (const at of ones) bytes[at >> 3]! |= 1 << (at & 7)
  return bytes
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

async function completedBlocks(reader: RunReader, task: number): Promise<number[]> {
  const bitmap = await readCompleted(reader, task)
  const { blockCount = 0 } = reader.identity.tasks[task] ?? {}
  return Array.from({ length: blockCount }, (_, block) => block).filter((block) => isBitSet(bitmap, block))
}

/** The contract of every store of records. @param options `manyRuns`: whether it can keep more than one run */
export function describeProgressStore(
  name: string,
  make: () => Promise<StoredPlace> | StoredPlace,
  options: { readonly manyRuns: boolean },
): void {
  describe(`progress in ${name}`, () => {
    const withPlace = (test: (place: StoredPlace, store: ProgressStore) => Promise<void>) => async () => {
      const place = await make()
      const store = place.open()
      try {
        await test(place, store)
      } finally {
        await store[Symbol.asyncDispose]()
        await place.dispose()
      }
    }
    const identity = identityOf(recordedTask('one', 100), recordedTask('two', 70_000))

    it(
      'a new record has nothing done and nothing failed',
      withPlace(async (_, store) => {
        assert.equal(await store.read(identity.run), undefined)
        const record = await store.open(identity)
        assert.deepEqual(await all(record.completedPages(0)), [])
        assert.deepEqual(await all(record.failedAttempts(1)), [])
        assert.deepEqual(record.identity.tasks, identity.tasks)
        assert.equal((await store.read(identity.run))?.identity.run, identity.run)
      }),
    )

    it(
      'a record returns the finished blocks of each task, also after it was opened again',
      withPlace(async (place, store) => {
        const record = await store.open(identity)
        await record.commit({ pages: [{ task: 0, page: 0, bits: bits(13, 0, 42, 99) }], failedAttempts: [] })
        await record.commit({
          pages: [
            { task: 1, page: 1, bits: bits(558, 4463) },
            { task: 1, page: 0, bits: bits(PAGE_BYTES, 65_535) },
          ],
          failedAttempts: [],
        })
        await record.commit({ pages: [{ task: 0, page: 0, bits: bits(13, 0, 42, 43, 99) }], failedAttempts: [] })
        const check = async (reader: RunReader) => {
          assert.deepEqual(await completedBlocks(reader, 0), [0, 42, 43, 99])
          assert.deepEqual(await completedBlocks(reader, 1), [65_535, 69_999])
        }
        await check(record)
        await record[Symbol.asyncDispose]()
        await using again = place.open()
        await check(await again.open(identity))
      }),
    )

    it(
      'a record is carried over to other grids: with the blocks that are said to be done, its id and its lineage, and no failed attempts',
      withPlace(async (place, store) => {
        const record = await store.open({ ...identity, id: 'the record' })
        await record.commit({
          pages: [{ task: 0, page: 0, bits: bits(13, 0, 42, 99) }],
          failedAttempts: [failedAttempt({ task: 1 })],
        })
        const lineage = { epochs: ['first'], removals: 3 }
        await record.continueAs(lineage)
        await record[Symbol.asyncDispose]()
        const grown = identityOf(recordedTask('one', 70_000), recordedTask('two', 140_000))
        const completed = [bits(8750, 7, 69_999), bits(17_500, 139_999)]
        await using again = place.open()
        await again.carryOver?.(identity.run, grown.tasks, completed)
        const reader = await again.read(identity.run)
        assert.ok(reader !== undefined)
        const open = await again.open(grown)
        for (const found of [reader, open]) {
          assert.deepEqual(found.identity.tasks, grown.tasks)
          assert.deepEqual([found.identity.id, found.identity.lineage], ['the record', lineage])
          assert.deepEqual(await completedBlocks(found, 0), [7, 69_999])
          assert.deepEqual(await completedBlocks(found, 1), [139_999])
          assert.deepEqual([...(await all(found.failedAttempts(1)))], [])
        }
        // A record that is open may keep others out.
        await open[Symbol.asyncDispose]()
        await assert.rejects(again.open(identity), { code: 'GRID_MISMATCH' })
      }),
    )

    it(
      'a record of 10^8 blocks keeps only pages with finished blocks, and returns them in order',
      withPlace(async (_, store) => {
        const record = await store.open(identityOf(recordedTask('huge', 1e8)))
        const sparse = [1525, 3, 700, 0].map((page): BitmapPage => {
          return { task: 0, page, bits: bits(page === 1525 ? 7_232 : PAGE_BYTES, page) }
        })
        await record.commit({ pages: sparse, failedAttempts: [] })
        const found = await all(record.completedPages(0))
        assert.deepEqual(
          found.map(({ page, bits }) => [page, bits.length, isBitSet(bits, page)]),
          [
            [0, PAGE_BYTES, true],
            [3, PAGE_BYTES, true],
            [700, PAGE_BYTES, true],
            [1525, 7_232, true],
          ],
        )
      }),
    )

    it(
      'a record returns more pages and failed attempts than it reads at once',
      withPlace(async (_, store) => {
        const record = await store.open(identityOf(recordedTask('huge', 65_536 * 600)))
        const pages = Array.from({ length: 600 }, (_, page) => ({ task: 0, page, bits: bits(PAGE_BYTES, page) }))
        const failedAttempts = Array.from({ length: 600 }, (_, block) => failedAttempt({ block }))
        await record.commit({ pages, failedAttempts })
        const found = await all(record.completedPages(0))
        assert.ok(found.length === 600 && found.every(({ page, bits }, at) => page === at && isBitSet(bits, at)))
        const attempts = await all(record.failedAttempts(0))
        assert.ok(attempts.length === 600 && attempts.every(({ block }, at) => block === at))
      }),
    )

    it(
      'a record keeps every field of every failed attempt, in the order in which they were recorded',
      withPlace(async (place, store) => {
        const record = await store.open(identity)
        const attempts = [
          failedAttempt(),
          failedAttempt({ attempt: 2, block: 3, time: 1_790_000_000_000, durationMs: 0 }),
          failedAttempt({ attempt: 3, isFinal: true, error: { code: 'BLOCK_TIMEOUT', message: '' } }),
          failedAttempt({
            block: 8,
            error: { code: 'WORKER_DIED', message: 'x'.repeat(100_000) },
            workerId: '',
            host: 'ü',
          }),
          failedAttempt({ block: 9, error: { code: 'BLOCK_FAILED', message: '$&', stack: 'Error: $&, $1\n at $&' } }),
          failedAttempt({ block: 10, error: { code: 'BLOCK_FAILED', message: 'a', stack: 'no mess-ge' } }),
        ]
        const other = failedAttempt({ task: 1, block: 69_999 })
        await record.commit({ pages: [], failedAttempts: attempts.slice(0, 2) })
        await record.commit({ pages: [], failedAttempts: [other, ...attempts.slice(2)] })
        await record[Symbol.asyncDispose]()
        await using again = place.open()
        const reopened = await again.open(identity)
        assert.deepEqual(await all(reopened.failedAttempts(0)), attempts)
        assert.deepEqual(await all(reopened.failedAttempts(1)), [other])
        const later = failedAttempt({ block: 1 })
        await reopened.commit({ pages: [], failedAttempts: [later] })
        assert.deepEqual(await all(reopened.failedAttempts(0)), [...attempts, later])
      }),
    )

    it(
      'a record keeps the last attempt of each number of a block, and its place in the order is that of the last time',
      withPlace(async (place, store) => {
        const first = [1, 2, 3].map((attempt) => failedAttempt({ attempt, isFinal: attempt === 3 }))
        const other = failedAttempt({ block: 8, error: { code: 'BLOCK_FAILED', message: 'other' } })
        const record = await store.open(identity)
        await record.commit({ pages: [], failedAttempts: [...first, other] })
        await record[Symbol.asyncDispose]()
        await using again = place.open()
        const reopened = await again.open(identity)
        const second = failedAttempt({ error: { code: 'IO_ERROR', message: 'now this' }, host: 'node-3', time: 1.8e12 })
        await reopened.commit({ pages: [], failedAttempts: [second] })
        await reopened.commit({ pages: [], failedAttempts: [second] })
        assert.deepEqual(await all(reopened.failedAttempts(0)), [...first.slice(1), other, second])
        const { blocks } = await readFailedBlocks(reopened, 0, await readCompleted(reopened, 0))
        assert.deepEqual(blocks, [], 'its last attempt was not final')
        await reopened.commit({ pages: [], failedAttempts: first })
        assert.deepEqual(await all(reopened.failedAttempts(0)), [other, ...first])
      }),
    )

    it(
      'a record refuses another grid, other tasks or another configuration, and stays unchanged',
      withPlace(async (place, store) => {
        const record = await store.open(identity)
        await record.commit({ pages: [{ task: 0, page: 0, bits: bits(13, 5) }], failedAttempts: [failedAttempt()] })
        await record[Symbol.asyncDispose]()
        const [one, two] = identity.tasks as [RecordedTask, RecordedTask]
        const refused = async (tasks: RecordedTask[], code: string, message: RegExp) => {
          await assert.rejects(store.open({ ...identity, tasks }), { name: 'ConfigError', code, message })
        }
        await refused([{ ...one, grid: grid(101) }, two], 'GRID_MISMATCH', /"one".*totalRoi .*\[100\].*now.*\[101\]/)
        await refused([one, { ...two, blockCount: 5 }], 'GRID_MISMATCH', /"two".* 70000 blocks.*5/)
        await refused([one], 'GRID_MISMATCH', /"one", "two".*"one"/)
        await refused([two, one], 'GRID_MISMATCH', /tasks/)
        await refused([one, { ...two, config: '{"sigma":3}' }], 'CONFIG_MISMATCH', /"two".*sigma 2.*sigma 3/)
        await using again = place.open()
        const kept = await again.open(identity)
        assert.deepEqual(await completedBlocks(kept, 0), [5])
        assert.equal((await all(kept.failedAttempts(0))).length, 1)
      }),
    )

    it(
      'a record can be read while it is written',
      withPlace(async (place, store) => {
        const record = await store.open(identity)
        await using elsewhere = place.open()
        const reader = await elsewhere.read(identity.run)
        assert.ok(reader !== undefined)
        assert.deepEqual(reader.identity, identity)
        for (const block of [3, 50, 99]) {
          const reading = reader.completedPages(1)[Symbol.asyncIterator]()
          await reading.next()
          await record.commit({
            pages: [
              { task: 0, page: 0, bits: bits(13, block) },
              { task: 1, page: 0, bits: bits(PAGE_BYTES, block) },
            ],
            failedAttempts: [failedAttempt({ block })],
          })
          assert.deepEqual(await completedBlocks(reader, 0), [block])
          assert.equal((await all(reader.failedAttempts(0))).at(-1)?.block, block)
        }
        await record[Symbol.asyncDispose]()
        assert.deepEqual(await completedBlocks(reader, 0), [99])
      }),
    )

    it(
      'a record forgets a complete task, or some blocks with their failed attempts, and nothing else',
      withPlace(async (_, store) => {
        const record = await store.open(identity)
        await record.commit({
          pages: [
            { task: 0, page: 0, bits: bits(13, 1, 2, 3) },
            { task: 1, page: 0, bits: bits(PAGE_BYTES, 9, 10, 65_535) },
            { task: 1, page: 1, bits: bits(558, 0, 1) },
          ],
          failedAttempts: [
            failedAttempt({ task: 1, block: 65_536 }),
            failedAttempt({ task: 1, block: 8 }),
            failedAttempt({ task: 1, block: 9 }),
            failedAttempt({ task: 1, block: 131_072 + 9 }),
            failedAttempt({ task: 0, block: 9 }),
          ],
        })
        await record.clear(1, [65_536, 9, 8, 60_000])
        assert.deepEqual(await completedBlocks(record, 1), [10, 65_535, 65_537])
        assert.deepEqual(
          (await all(record.failedAttempts(1))).map(({ block }) => block),
          [131_072 + 9],
        )
        assert.deepEqual(await completedBlocks(record, 0), [1, 2, 3])
        await record.clear(0)
        assert.deepEqual(await completedBlocks(record, 0), [])
        assert.deepEqual(await all(record.failedAttempts(0)), [])
        assert.deepEqual(await completedBlocks(record, 1), [10, 65_535, 65_537])
      }),
    )

    it(
      'a removed record can be started again with another grid',
      withPlace(async (_, store) => {
        await store.remove(identity.run)
        const record = await store.open(identity)
        await record.commit({ pages: [{ task: 0, page: 0, bits: bits(13, 1) }], failedAttempts: [failedAttempt()] })
        await record[Symbol.asyncDispose]()
        await store.remove(identity.run)
        assert.equal(await store.read(identity.run), undefined)
        const again = await store.open(identityOf(recordedTask('one', 101)))
        assert.deepEqual(await completedBlocks(again, 0), [])
        assert.deepEqual(await all(again.failedAttempts(0)), [])
      }),
    )

    it(
      'R1: a record keeps the id that it was made with, and a record made after it was removed gets another one',
      withPlace(async (place, store) => {
        const record = await store.open({ ...identity, id: 'first' })
        assert.equal(record.identity.id, 'first')
        assert.equal((await store.read(identity.run))?.identity.id, 'first')
        await record[Symbol.asyncDispose]()
        await using other = place.open()
        const again = await other.open({ ...identity, id: 'second' })
        assert.equal(again.identity.id, 'first')
        await again[Symbol.asyncDispose]()
        await store.remove(identity.run)
        assert.equal((await store.open({ ...identity, id: 'second' })).identity.id, 'second')
      }),
    )

    it(
      'R1: a record without an id gets one when it is given, and keeps what it has recorded',
      withPlace(async (_, store) => {
        const record = await store.open(identity)
        await record.commit({ pages: [{ task: 0, page: 0, bits: bits(13, 1) }], failedAttempts: [] })
        assert.equal(record.identity.id, undefined)
        await record.identify('later')
        const reader = await store.read(identity.run)
        assert.equal(reader?.identity.id, 'later')
        assert.deepEqual(await completedBlocks(record, 0), [1])
      }),
    )

    it(
      'R10: a record is in the state that it was last given, for every later reader, and keeps what it has recorded',
      withPlace(async (place, store) => {
        const record = await store.open({ ...identity, id: 'first' })
        assert.equal(record.identity.lineage, undefined)
        await record.commit({ pages: [{ task: 0, page: 0, bits: bits(13, 1) }], failedAttempts: [] })
        await record.continueAs({ epochs: ['', 'a'], removals: 0 })
        await record.continueAs({ epochs: ['a'], removals: 7 })
        await record.clear(1)
        assert.deepEqual((await store.read(identity.run))?.identity.lineage, { epochs: ['a'], removals: 7 })
        await record[Symbol.asyncDispose]()
        await using other = place.open()
        const again = await other.open(identity)
        assert.deepEqual(again.identity.lineage, { epochs: ['a'], removals: 7 })
        assert.equal(again.identity.id, 'first')
        assert.deepEqual(await completedBlocks(again, 0), [1])
      }),
    )

    it(
      'R7: a record that was synced has what was committed before, and goes on as before',
      withPlace(async (place, store) => {
        const record = await store.open(identity)
        await record.commit({ pages: [{ task: 0, page: 0, bits: bits(13, 1) }], failedAttempts: [] })
        await record.sync()
        await record.commit({ pages: [{ task: 0, page: 0, bits: bits(13, 1, 2) }], failedAttempts: [] })
        await using other = place.open()
        assert.deepEqual(await completedBlocks((await other.read(identity.run)) as RunReader, 0), [1, 2])
      }),
    )

    it(
      'a closed record or store throws instead of losing what is recorded',
      withPlace(async (place, store) => {
        const closed = { name: 'InfrastructureError', message: /closed/ }
        const record = await store.open(identity)
        await record[Symbol.asyncDispose]()
        await record[Symbol.asyncDispose]()
        const batch = { pages: [{ task: 0, page: 0, bits: bits(13, 1) }], failedAttempts: [] }
        await assert.rejects(record.commit(batch), closed)
        await assert.rejects(all(record.completedPages(0)), closed)
        const another = place.open()
        const open = await another.open(identity)
        await another[Symbol.asyncDispose]()
        await another[Symbol.asyncDispose]()
        await assert.rejects(open.commit(batch), closed)
        await assert.rejects(another.open(identity), closed)
        await assert.rejects(another.read(identity.run), closed)
        assert.deepEqual(await completedBlocks(await store.open(identity), 0), [])
      }),
    )

    it(
      'a record keeps every acknowledged commit when its process is killed',
      withPlace(async (place, store) => {
        if (place.writer === undefined) return
        for (const commits of [1, 40, 7]) {
          const acknowledged = await writeAndKill(place.writer, commits)
          const record = await store.open(identityOf(recordedTask('killed', 1e6)))
          const bitmap = await readCompleted(record, 0)
          assert.ok(acknowledged.length >= commits)
          for (const block of acknowledged) assert.ok(isBitSet(bitmap, block), `block ${block} is lost`)
          const failed = new Set((await all(record.failedAttempts(0))).map(({ block }) => block))
          for (const block of acknowledged) assert.ok(failed.has(block), `the failed try of block ${block} is lost`)
          await record[Symbol.asyncDispose]()
        }
      }),
    )

    if (!options.manyRuns) return
    it(
      'a store keeps the records of several runs apart',
      withPlace(async (_, store) => {
        const [a, b] = ['a-1', 'b-2'].map((run) => ({ ...identity, run })) as [RunIdentity, RunIdentity]
        const first = await store.open(b)
        const second = await store.open({ ...a, tasks: [recordedTask('other', 9)] })
        await first.commit({ pages: [{ task: 0, page: 0, bits: bits(13, 1) }], failedAttempts: [failedAttempt()] })
        await second.commit({
          pages: [{ task: 0, page: 0, bits: bits(2, 8) }],
          failedAttempts: [failedAttempt({ block: 1 })],
        })
        assert.deepEqual(await runsIn(store, 'a-1', 'b-2'), ['a-1', 'b-2'])
        if (store.find !== undefined) {
          assert.deepEqual(await store.find('-1'), ['a-1'])
          assert.deepEqual(await store.find(''), ['a-1', 'b-2'])
          for (const ending of ['a', '.', '.-1', '(']) assert.deepEqual(await store.find(ending), [], ending)
        }
        assert.deepEqual(await completedBlocks(second, 0), [8])
        await second.clear(0)
        assert.deepEqual(await completedBlocks(first, 0), [1])
        await store.remove('a-1')
        assert.deepEqual(await runsIn(store, 'a-1', 'b-2'), ['b-2'])
        assert.equal((await all(first.failedAttempts(0))).length, 1)
      }),
    )
  })
}

/** The ones of some runs that have a record. */
async function runsIn(store: ProgressStore, ...runs: readonly string[]): Promise<string[]> {
  const found = await Promise.all(runs.map(async (run) => (await store.read(run))?.identity.run))
  return found.filter((run) => run !== undefined)
}

/** @returns the blocks that another process reported as recorded before it was killed while writing */
async function writeAndKill(writer: readonly string[], commits: number): Promise<number[]> {
  const script = fileURLToPath(new URL('../support/progress-writer.ts', import.meta.url))
  const child = spawn(process.execPath, [script, ...writer], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => child.once('close', resolve))
  const blocks: number[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    blocks.push(Number(line))
    if (blocks.length === commits) child.kill('SIGKILL')
  }
  await ended
  return blocks
}
