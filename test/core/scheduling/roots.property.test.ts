import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { roi } from '../../../src/core/geometry/roi.ts'
import { createBlockGrid } from '../../../src/core/grid/block-grid.ts'
import { splitIndex } from '../../../src/core/grid/index-box.ts'
import { isBitSet } from '../../../src/core/scheduling/bitmap.ts'
import { BlockScheduler } from '../../../src/core/scheduling/block-scheduler.ts'
import { createScheduler } from '../../../src/core/scheduling/scheduler.ts'
import type { SchedulerTask } from '../../../src/core/scheduling/scheduler-task.ts'

// Grids of several tiles along each axis, partly done like stopped runs: complete regions, with a few exceptions.

/** The maximum number of blocks per axis, by rank. */
const mostPerAxis = [0, 2500, 60, 18, 9, 6, 4]

/** An axis in blocks of 2 voxels: the number of blocks, and the context of a block below and above. */
const anyAxis = (most: number) =>
  fc.record({
    count: fc.integer({ min: Math.ceil(most / 2), max: most }),
    lower: fc.integer({ min: 0, max: 3 }),
    upper: fc.integer({ min: 0, max: 3 }),
  })

type Region = 'nothing' | 'all' | 'prefix' | 'corner'

const anyDone = fc.record({
  region: fc.constantFrom<Region>('nothing', 'all', 'prefix', 'corner'),
  /** where the region ends along each axis, in 16ths */
  ends: fc.array(fc.integer({ min: 0, max: 16 }), { minLength: 6, maxLength: 6 }),
  /** the share of exceptions among the blocks, in 2^-20 */
  exceptions: fc.array(fc.nat({ max: 2 ** 20 - 1 }), { maxLength: 4 }),
})

const anyTask = (id: string, rank: number): fc.Arbitrary<SchedulerTask> =>
  fc
    .record({
      axes: fc.array(anyAxis(mostPerAxis[rank]!), { minLength: rank, maxLength: rank }),
      done: fc.option(anyDone, { nil: undefined, freq: 3 }),
      readWriteConflict: fc.boolean(),
    })
    .map(({ axes, done, readWriteConflict }) => {
      const task = {
        id,
        totalRoi: roi(
          axes.map(({ lower }) => -lower),
          axes.map(({ count, lower, upper }) => lower + 2 * count + upper),
        ),
        readRoi: roi(
          axes.map(({ lower }) => -lower),
          axes.map(({ lower, upper }) => lower + 2 + upper),
        ),
        writeRoi: roi(
          axes.map(() => 0),
          axes.map(() => 2),
        ),
        readWriteConflict,
      }
      if (done === undefined) return task
      const shape = axes.map(({ count }) => count)
      const total = shape.reduce((product, count) => product * count, 1)
      const bitmap = new Uint8Array(Math.ceil(total / 8))
      const at = shape.map(() => 0)
      const others = new Set(done.exceptions.map((place) => Math.floor((place / 2 ** 20) * total)))
      for (let index = 0; index < total; index++) {
        splitIndex(index, shape, at)
        const isInside = {
          nothing: false,
          all: true,
          prefix: 16 * index < done.ends[0]! * total,
          corner: at.every((k, axis) => 16 * k < done.ends[axis]! * shape[axis]!),
        }[done.region]
        if (isInside !== others.has(index)) bitmap[index >> 3]! |= 1 << (index & 7)
      }
      return { ...task, done: bitmap }
    })

/** One to three tasks; each comes after any of those before it. */
const anyResumed = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 3 })).chain(([rank, count]) => {
  const ids = ['raw', 'once', 'twice'].slice(0, count)
  return fc.tuple(
    ...ids.map((id, number) =>
      fc.tuple(anyTask(id, rank), fc.subarray(ids.slice(0, number))).map(([task, after]) => ({ ...task, after })),
    ),
  )
})

/** The blocks that are ready at the start, computed from the grids: not done, while all that they wait for is done. */
function readyAtStart(tasks: readonly SchedulerTask[]): number[][] {
  const grids = tasks.map(createBlockGrid)
  const isDone = (task: number, index: number) => {
    const { done } = tasks[task]!
    return done !== undefined && isBitSet(done, index)
  }
  return tasks.map(({ after = [] }, task) => {
    const before = after.map((id) => tasks.findIndex((other) => other.id === id))
    return [...grids[task]!.blocks()].flatMap(({ index, readRoi }) =>
      !isDone(task, index) &&
      grids[task]!.dependencies(index).every((other) => isDone(task, other)) &&
      before.every((up) => grids[up]!.blocksMeeting(readRoi).every((other) => isDone(up, other)))
        ? [index]
        : [],
    )
  })
}

describe('the roots of tasks that are partly done', () => {
  const expected = fc.property(anyResumed, fc.boolean(), (tasks, countFirst) => {
    const scheduler = createScheduler(tasks)
    const ready = readyAtStart(tasks)
    const count = () => tasks.map(({ id }) => scheduler.readyCount(id))
    if (countFirst)
      assert.deepEqual(
        count(),
        ready.map(({ length }) => length),
      )
    for (const [task, indices] of ready.entries()) {
      const given = scheduler.acquire(tasks[task]!.id, Number.POSITIVE_INFINITY)
      assert.deepEqual(
        given.map(({ index }) => index).sort((a, b) => a - b),
        indices,
      )
    }
    assert.deepEqual(
      count(),
      tasks.map(() => 0),
    )
  })

  it('are exactly the blocks that are not done and wait only for done ones, each once, and are counted correctly', () => {
    fc.assert(expected, { numRuns: Math.ceil(Number(process.env.BELLIS_TEST_RUNS ?? 1000) / 5) })
  })

  it('are found and counted without asking for each block if complete regions are done or not done', () => {
    const side = 464
    const box = (id: string): SchedulerTask => ({
      id,
      totalRoi: roi([0, 0, 0], [side + 2, side + 2, side + 2]),
      readRoi: roi([0, 0, 0], [3, 3, 3]),
      writeRoi: roi([1, 1, 1], [1, 1, 1]),
    })
    const done = new Uint8Array(side ** 3 / 8)
    done[0] = 1
    // One block of 10^8 is done. Looking at the blocks of the second task one by one took a quarter of a minute.
    const scheduler = createScheduler([
      { ...box('up'), done },
      { ...box('down'), after: ['up'] },
    ])
    const cpu = process.cpuUsage()
    assert.equal(scheduler.acquire()[0]!.taskId, 'up')
    assert.equal(scheduler.readyCount('down'), 0)
    const few = scheduler.readyCount('up')
    assert.ok(few > 0 && few < (side / 2) ** 3 - 1, `${few} of many ready blocks were counted`)
    const { user, system } = process.cpuUsage(cpu)
    assert.ok(user + system < 8e6, `${(user + system) / 1e6} s of processor time`)
  })

  it('are counted by and by if they are many: never as more than there are, as none only if there are none, and exactly in the end', () => {
    const blocks = 2 ** 21
    // Of four parts all blocks but the first of each part are done, of the other four none.
    const done = new Uint8Array(blocks / 8).map((_, at) => (at % (blocks / 32) < blocks / 64 ? 255 : 0))
    for (let part = 0; part < 4; part++) done[(part * blocks) / 32] = 254
    const scheduler = new BlockScheduler([
      {
        ...{ id: 'line', totalRoi: roi([0], [blocks]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]) },
        ...{ readWriteConflict: false, done },
      },
    ])
    const taken = new Float64Array(blocks / 16)
    const seen: boolean[] = []
    for (let left = blocks / 2 + 4; left > 0; ) {
      const { ready, pending, processing, completed, total } = scheduler.counts()[0]!
      assert.ok(ready > 0 && ready <= left, `${ready} of ${left}`)
      assert.equal(ready + pending + processing + completed, total)
      seen.push(ready === left)
      const count = scheduler.acquireInto(0, taken.length, taken)
      scheduler.releaseMany(0, taken, count, 'done')
      left -= count
    }
    assert.ok(!seen[0] && seen.at(-1), seen.join())
    assert.equal(scheduler.task(0).readyCount, 0)
    assert.ok(scheduler.isFinished())
  })
})
