import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { z } from 'zod'
import type { RunEvent } from '../../../src/core/events.ts'
import { isBitSet } from '../../../src/core/scheduling/bitmap.ts'
import { systemClock } from '../../../src/entry/clock.ts'
import type { ChunkedArray } from '../../../src/ports/chunked-array.ts'
import type { RunRecord } from '../../../src/ports/progress-store.ts'
import { EventStream } from '../../../src/runtime/coordinator/event-stream.ts'
import { ProgressRecorder, readCompleted } from '../../../src/runtime/coordinator/progress-recorder.ts'
import { runPipeline } from '../../../src/runtime/coordinator/run-pipeline.ts'
import { defineTask } from '../../../src/runtime/tasks/define-task.ts'
import { planPipeline } from '../../../src/runtime/tasks/plan-pipeline.ts'
import type { ClosureTask } from '../../../src/runtime/tasks/task-node.ts'
import { describeVolume, volumeArray } from '../../../src/runtime/volumes/volume-array.ts'
import { FakeNetwork, ManualClock, ManualWorker, settle } from '../../support/fake-network.ts'
import { line, noArrays, runInline } from '../../support/inline-run.ts'
import { memoryArray } from '../../support/memory-array.ts'
import { memoryProgress } from '../../support/memory-progress.ts'
import { memoryStore } from '../../support/memory-store.ts'

/** An array whose written voxels are at least 1, with the maximum number of its stored chunks. */
function watchedArray(path: string, length: number, chunk: number) {
  const data = new Uint32Array(length)
  const array = memoryArray({ shape: [length], dtype: 'uint32', chunkShape: [chunk], data, path })
  let stored = 0
  let most = 0
  const watched: ChunkedArray = {
    ...array,
    async writeVoxels(box, values, options) {
      await array.writeVoxels(box, values, options)
      stored = data.reduce((count, value) => count + Number(value > 0), 0)
      most = Math.max(most, stored)
    },
  }
  return { watched, data, most: () => most }
}

interface Shape {
  readonly count: number
  readonly up: number
  readonly down: number
  readonly chunk: number
  readonly context: number
}

/**
 * A task that writes an array in blocks of `up` voxels, and one that sums it around each voxel in blocks of `down`.
 * A chunk holds `chunk` blocks of the first task. If that is more than 1, these blocks are ordered.
 */
function sums({ count, up, down, chunk, context }: Shape, options: Partial<ClosureTask>) {
  const between = watchedArray('between', count, chunk * up)
  const result = memoryArray({ shape: [count], dtype: 'uint32', chunkShape: [down], path: 'result' })
  const [middle, end] = [volumeArray(between.watched), volumeArray(result)]
  const first: ClosureTask = {
    id: 'first',
    totalRoi: { offset: [chunk > 1 ? -up * (chunk - 1) : 0], shape: [count + (chunk > 1 ? 2 * up * (chunk - 1) : 0)] },
    readRoi: { offset: [chunk > 1 ? -up * (chunk - 1) : 0], shape: [up * (chunk > 1 ? 2 * chunk - 1 : 1)] },
    writeRoi: { offset: [0], shape: [up] },
    readWriteConflict: chunk > 1,
    fit: 'shrink',
    writes: [describeVolume(between.watched)],
    async process({ writeRoi }) {
      const [start] = writeRoi.offset as [number]
      await setImmediate()
      await middle.write(
        writeRoi,
        Uint32Array.from({ length: writeRoi.shape[0] as number }, (_, n) => start + n + 1),
      )
    },
    ...options,
  }
  const second: ClosureTask = {
    id: 'second',
    totalRoi: { offset: [-context], shape: [count + 2 * context] },
    readRoi: { offset: [-context], shape: [down + 2 * context] },
    writeRoi: { offset: [0], shape: [down] },
    readWriteConflict: false,
    fit: 'shrink',
    after: [first],
    writes: [describeVolume(result)],
    async process({ readRoi, writeRoi }) {
      await setImmediate()
      const { data } = await middle.read(readRoi)
      const around = (n: number) => (data as Uint32Array).subarray(n, n + 2 * context + 1)
      const values = Uint32Array.from({ length: writeRoi.shape[0] as number }, (_, n) =>
        around(n).reduce((sum, value) => sum + value, 0),
      )
      await end.write(writeRoi, values)
    },
  }
  const expected = Array.from({ length: count }, (_, n) => {
    let sum = 0
    for (let at = Math.max(0, n - context); at <= Math.min(count - 1, n + context); at++) sum += at + 1
    return sum
  })
  const voxels = async () => Array.from((await end.read(end.roi)).data as Uint32Array)
  return { second, between, expected, voxels, arrays: memoryStore({ between: between.watched, result }) }
}

/** A record whose last sync is known: the blocks of the second task that were done then. */
async function syncedRecord() {
  const task = (id: string) => ({ id, blockCount: 40, grid: '{}', config: '{}' })
  const record = await memoryProgress().open({ run: 'r', tasks: [task('first'), task('second')] })
  let synced: Uint8Array = new Uint8Array(5)
  const watched: RunRecord = {
    ...record,
    async sync() {
      await record.sync()
      synced = await readCompleted(record, 1)
    },
  }
  const recorder = await ProgressRecorder.load(watched, { clock: systemClock, onError: assert.fail })
  const progress = { recorder, failed: new AbortController().signal, onRecordStatus() {} }
  return { progress, isSynced: (block: number) => isBitSet(synced, block) }
}

describe('the array of a transient task', () => {
  it('R7: loses a chunk only after the disk has the record of the blocks that replace it', async () => {
    const { second, between, arrays } = sums({ count: 40, up: 1, down: 1, chunk: 1, context: 0 }, { transient: true })
    const { progress, isSynced } = await syncedRecord()
    const remove = between.watched.removeChunks?.bind(between.watched) as NonNullable<ChunkedArray['removeChunks']>
    let removed = 0
    between.watched.removeChunks = async (box) => {
      const [begin] = box.offset as [number]
      const [length] = box.shape as [number]
      for (let block = begin; block < begin + length; block++) assert.ok(isSynced(block), `block ${block}`)
      removed++
      await remove(box)
    }
    assert.ok((await runInline([second], { arrays, progress })).ok)
    assert.ok(removed >= 1)
    assert.ok(between.data.every((value) => value === 0))
  })

  it('is complete for every block that reads it, and empty at the end, for any blocks and chunks', async () => {
    const shape = fc.record({
      count: fc.integer({ min: 1, max: 60 }),
      up: fc.integer({ min: 1, max: 4 }),
      down: fc.integer({ min: 1, max: 5 }),
      chunk: fc.integer({ min: 1, max: 3 }),
      context: fc.nat(4),
    })
    await fc.assert(
      fc.asyncProperty(shape, fc.integer({ min: 1, max: 4 }), async (shape, workers) => {
        const { second, between, expected, voxels, arrays } = sums(shape, { transient: true })
        const result = await runInline([second], { workers, arrays })
        assert.ok(result.ok)
        assert.deepEqual(await voxels(), expected)
        assert.ok(between.data.every((value) => value === 0))
      }),
      { numRuns: 60 },
    )
  })

  it('never stores much more than the lead that its task may have', async () => {
    const shape = { count: 2000, up: 1, down: 1, chunk: 1, context: 1 }
    const { second, between, expected, voxels, arrays } = sums(shape, { transient: true, maxAhead: { blocks: 20 } })
    assert.ok((await runInline([second], { workers: 8, arrays })).ok)
    assert.deepEqual(await voxels(), expected)
    // The rest waits to be removed: at most 64 blocks, and those of one lease per worker.
    assert.ok(between.most() <= 200, `${between.most()} of 2000 chunks were there at once`)
  })

  it('exceeds the lead of its task if the run could not continue otherwise, with a single warning', async () => {
    const write = { offset: [0, 0], shape: [1, 1] }
    const plane = { writeRoi: write, readWriteConflict: false, process: () => setImmediate() }
    const messages = async (blocks: number): Promise<string[]> => {
      const up = {
        ...plane,
        id: 'up',
        totalRoi: { offset: [0, 0], shape: [12, 12] },
        readRoi: write,
        maxAhead: { blocks },
      }
      const around = { totalRoi: { offset: [-1, -1], shape: [14, 14] }, readRoi: { offset: [-1, -1], shape: [3, 3] } }
      const warnings: string[] = []
      const onEvent = (event: RunEvent) => void (event.type === 'warning' && warnings.push(event.message))
      const result = await runInline([{ ...plane, ...around, id: 'down', after: [up] }], { workers: 4, onEvent })
      assert.ok(result.ok)
      return warnings
    }
    const [warning, ...more] = await messages(9)
    assert.match(
      warning ?? '',
      /^up: more than 9 of its blocks \(maxAhead\) are held for later tasks, since the run could not continue/,
    )
    assert.deepEqual(more, [])
    assert.deepEqual(await messages(100), [])
  })

  it('keeps what a failed block needs, since the next start retries it', async () => {
    const shape = { count: 12, up: 1, down: 1, chunk: 1, context: 1 }
    const { second, between, arrays } = sums(shape, { transient: true })
    const failing: ClosureTask = {
      ...second,
      process: (block, context) =>
        block.index === 6 ? Promise.reject(new Error('no')) : second.process(block, context),
    }
    const result = await runInline([failing], { workers: 2, arrays, maxRetries: 0 })
    assert.equal(result.ok, false)
    assert.deepEqual(Array.from(between.data), [0, 0, 0, 0, 0, 6, 7, 8, 0, 0, 0, 0])
  })

  it('keeps what a lost worker may still be reading', async () => {
    const data = new Uint32Array(4).fill(1)
    const between = memoryArray({ shape: [4], dtype: 'uint32', chunkShape: [1], data, path: 'between' })
    const one = { offset: [0], shape: [1] }
    const cut = { totalRoi: { offset: [0], shape: [4] }, readRoi: one, writeRoi: one, readWriteConflict: false }
    const config = z.object({})
    const setup = () => () => {}
    const up = defineTask({ name: 'up', config, setup, plan: () => ({ ...cut, writes: [describeVolume(between)] }) })
    const down = defineTask({ name: 'down', config, setup, plan: () => cut })
    const pipeline = await planPipeline([down({}, { after: [up({}, { transient: true })] })], { arrays: noArrays })
    const [network, clock] = [new FakeNetwork(), new ManualClock()]
    const arrays = memoryStore({ between })
    const warnings: string[] = []
    const events = new EventStream()
    events.listen((event) => void (event.type === 'warning' && warnings.push(event.message)))
    const options = { workers: 1, clock, launcherOf: () => undefined, listener: network, arrays, events }
    const result = runPipeline(pipeline, options)
    const lost = new ManualWorker(network)
    await settle()
    while (lost.unfinished?.taskId === 'up') {
      lost.finish(lost.unfinished)
      await settle()
    }
    const [stray] = lost.last('lease').blocks as [number]
    lost.channel.close()
    await clock.pass(10_000)
    const other = new ManualWorker(network)
    await settle()
    for (let lease = other.unfinished; lease !== undefined; lease = other.unfinished) {
      other.finish(lease)
      await settle()
    }
    other.send({ type: 'goodbye' })
    other.channel.close()
    await clock.pass(1000)
    assert.ok((await result).ok)
    assert.deepEqual(
      Array.from(data),
      [0, 1, 2, 3].map((index) => Number(index === stray)),
    )
    assert.match(
      warnings.join(),
      /transient chunks could not be removed .* a worker whose connection was lost may still read them/,
    )
  })

  it('is refused if something else needs it', async () => {
    const shape = { count: 8, up: 1, down: 1, chunk: 1, context: 0 }
    const refused = async (tasks: readonly ClosureTask[], message: RegExp) => {
      await assert.rejects(runInline(tasks), { code: 'INVALID_TASK', message })
    }
    const { second } = sums(shape, { transient: true })
    const [first] = second.after as [ClosureTask]
    await refused([first], /"first" can't be transient: no task comes after it/)
    await refused([{ ...second, after: [{ ...first, writes: [] }] }], /it writes no array/)
    await refused([{ ...second, isDone: () => false }], /"second" has an isDone, which could ask/)
    await refused([{ ...second, writes: first.writes ?? [] }], /"second" writes between, too/)
  })

  it('is refused if it is also the input of its task', async () => {
    const given = memoryArray({ shape: [8], dtype: 'uint8', chunkShape: [1], path: 'given' })
    const inPlace = defineTask({
      name: 'inPlace',
      config: z.object({}),
      async plan(_, { arrays }) {
        const array = await arrays.open('given')
        const block = { offset: [0], shape: [1] }
        return { totalRoi: array.roi, readRoi: block, writeRoi: block, readWriteConflict: false, writes: [array] }
      },
      setup: () => () => {},
    })
    const chain = (transient: boolean) => {
      const first = inPlace({}, { id: 'first', transient })
      return planPipeline([line('second', 8, () => {}, { after: [first] })], { arrays: memoryStore({ given }) })
    }
    await chain(false)
    const message = /"first" can't be transient: it reads given, too/
    await assert.rejects(chain(true), { code: 'INVALID_TASK', message })
  })

  it('is refused with an invalid lead, or one that is smaller than what one block needs', async () => {
    const shape = { count: 8, up: 1, down: 1, chunk: 1, context: 2 }
    const refused = async (maxAhead: ClosureTask['maxAhead'], message: string) => {
      const { second } = sums(shape, { ...(maxAhead === undefined ? {} : { maxAhead }) })
      await assert.rejects(runInline([second]), {
        code: 'INVALID_CONFIG',
        message: `Task "first": maxAhead is ${message}`,
      })
    }
    await refused(
      { blocks: 4 },
      '4 blocks, but a block of "second" needs 5 of its blocks at once; set it to at least 5 blocks.',
    )
    await refused(
      { bytes: 19 },
      '19 bytes, but a block of "second" needs 5 of its blocks at once; set it to at least 20 bytes.',
    )
    await refused({ blocks: 0.5 }, '0.5 blocks; expected { blocks } or { bytes }, a whole number from 1.')
    await refused(3 as never, '3; expected { blocks } or { bytes }, a whole number from 1.')
  })
})
