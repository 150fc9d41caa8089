import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { growRoi, intersectRoi, type Roi, roi, roiEnd } from '../../../src/core/geometry/roi.ts'
import { type BlockGrid, createBlockGrid } from '../../../src/core/grid/block-grid.ts'
import { carryOver, type GrowingTask } from '../../../src/core/growth/chain-growth.ts'
import { carriedBits, gridGrowth } from '../../../src/core/growth/grid-growth.ts'
import { isBitSet } from '../../../src/core/scheduling/bitmap.ts'

/** One task: each voxel is made of those of what it reads within its context, and of what lies outside. */
interface Stage {
  readonly step: readonly [number, number]
  readonly context: readonly [number, number]
  readonly fit: 'shrink' | 'overhang'
  readonly isTransient: boolean
  /** Of the tasks before it, the one that it reads; that before the first is the input. */
  readonly reads: number
}

interface Growth {
  readonly size: readonly [number, number]
  readonly added: readonly [number, number]
  readonly stages: readonly Stage[]
  /** Which blocks were done before, by random numbers. */
  readonly done: readonly number[]
}

const pair = (least: number, most: number) =>
  fc.tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most }))

const anyGrowth: fc.Arbitrary<Growth> = fc.record({
  size: pair(1, 14),
  added: pair(0, 9),
  stages: fc.array(
    fc.record({
      step: pair(1, 4),
      context: pair(0, 3),
      fit: fc.constantFrom('shrink' as const, 'overhang' as const),
      isTransient: fc.boolean(),
      reads: fc.nat(2),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  done: fc.array(fc.nat(99), { minLength: 1, maxLength: 40 }),
})

const gridOf = ({ step, context, fit }: Stage, size: readonly number[]): BlockGrid => {
  const write = roi([0, 0], step)
  const [lower, upper] = [
    [context[0], 0],
    [0, context[1]],
  ]
  return createBlockGrid({
    totalRoi: growRoi(roi([0, 0], size), lower, upper),
    readRoi: growRoi(write, lower, upper),
    writeRoi: write,
    fit,
    readWriteConflict: false,
  })
}

type Voxels = Map<string, number>
const REMOVED = -1e9
const key = (z: number, y: number): string => `${z},${y}`

function* positions({ offset, shape }: Roi): Generator<[number, number]> {
  const [z0, y0] = offset as unknown as [number, number]
  for (let z = z0; z < z0 + (shape[0] as number); z++) {
    for (let y = y0; y < y0 + (shape[1] as number); y++) yield [z, y]
  }
}

const inputOf = (size: readonly number[]): Voxels =>
  new Map([...positions(roi([0, 0], size))].map(([z, y]) => [key(z, y), 1 + z * 31 + y * 7]))

/** Writes a block: the weighted sum of its context, in which what is not there has a value of its own. */
function doBlock(grid: BlockGrid, index: number, from: Voxels, into: Voxels, size: readonly number[]): void {
  const { writeRoi } = grid.block(index)
  const { lower, upper } = grid.context
  for (const [z, y] of positions(intersectRoi(writeRoi, roi([0, 0], size)))) {
    const area = growRoi(roi([z, y], [1, 1]), lower, upper)
    let sum = 0
    for (const [a, b] of positions(area)) sum += (from.get(key(a, b)) ?? 0.5) * (1 + 3 * (a - z) + 5 * (b - y) + 20)
    into.set(key(z, y), sum)
  }
}

const after = (number: number, { reads }: Stage): number => Math.min(reads, number) - 1
const upstreamOf = (stages: readonly Stage[], number: number): number[] => {
  const before = after(number, stages[number] as Stage)
  return before < 0 ? [] : [before]
}
const readersOf = (stages: readonly Stage[], number: number): number[] =>
  [...stages.keys()].filter((other) => upstreamOf(stages, other).includes(number))

/** Does the blocks of all tasks that are not done; each after all that it waits for. */
function runChain(
  stages: readonly Stage[],
  size: readonly number[],
  arrays: Voxels[],
  done: (task: number, index: number) => boolean,
) {
  for (const [number, stage] of stages.entries()) {
    const grid = gridOf(stage, size)
    const before = after(number, stage)
    const from = before < 0 ? inputOf(size) : (arrays[before] as Voxels)
    for (const { index } of grid.blocks())
      if (!done(number, index)) doBlock(grid, index, from, arrays[number] as Voxels, size)
  }
}

const meets = (a: Roi, b: Roi): boolean => intersectRoi(a, b).shape.every((length) => length > 0)

/** What a run has left behind: closed under what blocks wait for, and without the chunks of transient tasks that all readers have read. */
function earlierRun({ size, stages, done }: Growth) {
  const grids = stages.map((stage) => gridOf(stage, size))
  const isDone: boolean[][] = []
  for (const [number, grid] of grids.entries()) {
    isDone.push(
      [...grid.blocks()].map(
        ({ index, readRoi }) =>
          (done[(index * 7 + number * 13) % done.length] as number) < 80 &&
          upstreamOf(stages, number).every((up) =>
            [...(grids[up] as BlockGrid).blocks()].every(
              (other) => !meets(other.writeRoi, readRoi) || (isDone[up] as boolean[])[other.index],
            ),
          ),
      ),
    )
  }
  const arrays: Voxels[] = stages.map(() => new Map())
  runChain(stages, size, arrays, (task, index) => !(isDone[task] as boolean[])[index])
  for (const [number, stage] of stages.entries()) {
    const readers = readersOf(stages, number)
    if (!stage.isTransient || readers.length === 0) continue
    for (const { index, writeRoi } of (grids[number] as BlockGrid).blocks()) {
      const isNeeded = readers.some((reader) =>
        [...(grids[reader] as BlockGrid).blocks()].some(
          (other) => meets(other.readRoi, writeRoi) && !(isDone[reader] as boolean[])[other.index],
        ),
      )
      if (isNeeded || !(isDone[number] as boolean[])[index]) continue
      for (const [z, y] of positions(writeRoi)) {
        if ((arrays[number] as Voxels).has(key(z, y))) (arrays[number] as Voxels).set(key(z, y), REMOVED)
      }
    }
  }
  const bitmaps = isDone.map((list) => {
    const bits = new Uint8Array(Math.ceil(list.length / 8))
    for (const [index, set] of list.entries()) if (set) bits[index >> 3]! |= 1 << (index & 7)
    return bits
  })
  return { arrays, bitmaps }
}

const growingTasks = ({ size, added, stages }: Growth): GrowingTask[] => {
  const larger = size.map((length, axis) => length + (added[axis] as number))
  return stages.map((stage, number) => ({
    id: String(number),
    before: gridOf(stage, size),
    after: gridOf(stage, larger),
    upstream: upstreamOf(stages, number),
    isTransient: stage.isTransient && readersOf(stages, number).length > 0,
    isGrowable: true,
    inputs: [],
  }))
}

/** @returns the record after the growth */
function recordAfter(growth: Growth, bitmaps: readonly Uint8Array[]): Uint8Array[] {
  const tasks = growingTasks(growth)
  const carried = carryOver(tasks)
  assert.ok(!('reason' in carried))
  return carried.map((task, number) => carriedBits(task.growth, task.box, bitmaps[number] as Uint8Array))
}

describe('a chain whose volume has grown', () => {
  it('has the voxels of a run from scratch, if what is carried over stays and the rest is done', () => {
    fc.assert(
      fc.property(anyGrowth, (growth) => {
        const { size, added, stages } = growth
        const larger = size.map((length, axis) => length + (added[axis] as number))
        const scratch: Voxels[] = stages.map(() => new Map())
        runChain(stages, larger, scratch, () => false)
        const { arrays, bitmaps } = earlierRun(growth)
        const record = recordAfter(growth, bitmaps)
        runChain(stages, larger, arrays, (task, index) => isBitSet(record[task] as Uint8Array, index))
        for (const [number, { isTransient }] of stages.entries()) {
          if (isTransient && readersOf(stages, number).length > 0) continue
          assert.deepEqual(arrays[number], scratch[number])
        }
      }),
      { numRuns: 500 },
    )
  })

  it('carries over all that was done if nothing has grown', () => {
    fc.assert(
      fc.property(anyGrowth, (growth) => {
        const { bitmaps } = earlierRun(growth)
        const isKept = growth.stages.every(({ isTransient }) => !isTransient)
        fc.pre(isKept)
        assert.deepEqual(recordAfter({ ...growth, added: [0, 0] }, bitmaps), bitmaps)
      }),
      { numRuns: 200 },
    )
  })

  it('does only those blocks of one task again that read what is new, wherever it has grown', () => {
    fc.assert(
      fc.property(pair(1, 12), pair(0, 3), pair(0, 6), pair(1, 3), pair(0, 2), (size, blocks, added, step, context) => {
        const stage: Stage = { step, context, fit: 'shrink', isTransient: false, reads: 0 }
        const start = blocks.map((count, axis) => -count * (step[axis] as number))
        const end = size.map((length, axis) => length + (added[axis] as number))
        const write = roi([0, 0], step)
        const [lower, upper] = [
          [context[0], 0],
          [0, context[1]],
        ]
        const larger = createBlockGrid({
          totalRoi: growRoi(
            roi(
              start,
              end.map((last, axis) => last - (start[axis] as number)),
            ),
            lower,
            upper,
          ),
          readRoi: growRoi(write, lower, upper),
          writeRoi: write,
          fit: 'shrink',
          readWriteConflict: false,
        })
        const before = gridOf(stage, size)
        const tasks = [
          { id: 'a', before, after: larger, upstream: [], isTransient: false, isGrowable: true, inputs: [] },
        ]
        const carried = carryOver(tasks)
        assert.ok(!('reason' in carried))
        const all = new Uint8Array(Math.ceil(before.blockCount / 8)).fill(255)
        const bits = carriedBits(carried[0]!.growth, carried[0]!.box, all)
        const old = before.totalWriteRoi
        for (const { index, readRoi, writeRoi } of larger.blocks()) {
          const read = intersectRoi(readRoi, larger.totalWriteRoi)
          const isOld =
            read.offset.every((low, axis) => low >= (old.offset[axis] as number)) &&
            roiEnd(read).every((high, axis) => high <= (roiEnd(old)[axis] as number))
          assert.equal(isBitSet(bits, index), isOld, `block ${index}, which reads ${JSON.stringify(readRoi)}`)
          if (isOld)
            assert.ok(
              before
                .blocksMeeting(writeRoi)
                .some((other) => String(before.block(other).writeRoi.offset) === String(writeRoi.offset)),
            )
        }
      }),
      { numRuns: 500 },
    )
  })

  it('does blocks again that read beyond the end that an input had, also if the volume that is written has not grown there', () => {
    const grid = gridOf({ step: [4, 4], context: [0, 2], fit: 'shrink', isTransient: false, reads: 0 }, [8, 16])
    const inputs = [{ before: roi([0, 0], [8, 12]), after: roi([0, 0], [8, 20]) }]
    const tasks = [{ id: 'a', before: grid, after: grid, upstream: [], isTransient: false, isGrowable: true, inputs }]
    const carried = carryOver(tasks)
    assert.ok(!('reason' in carried))
    assert.deepEqual([...carriedBits(carried[0]!.growth, carried[0]!.box, Uint8Array.of(255))], [0b00110011])
  })

  it('is refused if the blocks of a task depend on more than what they read', () => {
    const grid = gridOf({ step: [2, 2], context: [0, 0], fit: 'shrink', isTransient: false, reads: 0 }, [4, 4])
    const task = { before: grid, after: grid, upstream: [], isTransient: false, inputs: [] }
    const carried = carryOver([
      { ...task, id: 'a', isGrowable: true },
      { ...task, id: 'b', isGrowable: false },
    ])
    assert.ok('reason' in carried)
    assert.equal(carried.task, 'b')
    assert.match(carried.reason, /its blocks depend on more than what they read/)
  })

  it('is refused with the reason if its blocks do not lie where they lay', () => {
    const stage: Stage = { step: [4, 4], context: [1, 1], fit: 'shrink', isTransient: false, reads: 0 }
    const before = gridOf(stage, [8, 8])
    const reason = (after: BlockGrid) => {
      const found = gridGrowth(before, after)
      return typeof found === 'string' ? found : ''
    }
    assert.match(reason(gridOf({ ...stage, step: [2, 4] }, [8, 8])), /writes blocks of \(2, 4\) now, not \(4, 4\)/)
    assert.match(
      reason(gridOf({ ...stage, context: [2, 1] }, [8, 8])),
      /reads below each block \(2, 0\) now, not \(1, 0\)/,
    )
    assert.match(reason(gridOf({ ...stage, fit: 'overhang' }, [8, 8])), /fit was shrink, and is now overhang/)
    assert.match(reason(gridOf(stage, [8, 6])), /it wrote 0,0:8,8, which is not inside 0,0:8,6/)
    const shifted = createBlockGrid({ ...before, totalRoi: growRoi(before.totalRoi, [2, 0], [0, 0]) })
    assert.match(reason(shifted), /\(2, 0\) were added at the start, which are not whole blocks of \(4, 4\)/)
    assert.equal(reason(createBlockGrid({ ...before, totalRoi: growRoi(before.totalRoi, [4, 8], [3, 0]) })), '')
  })
})
