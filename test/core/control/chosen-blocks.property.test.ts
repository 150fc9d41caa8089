import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { leftOutBlocks, setBit } from '../../../src/core/control/chosen-blocks.ts'
import { createBlockGrid } from '../../../src/core/grid/block-grid.ts'
import { isBitSet } from '../../../src/core/scheduling/bitmap.ts'
import { BlockScheduler } from '../../../src/core/scheduling/block-scheduler.ts'

/** A row of blocks that read `context` more on both sides. */
const rowOf = (
  id: string,
  count: number,
  size: number,
  context: number,
  readWriteConflict: boolean,
  after: string[],
) => ({
  id,
  after,
  totalRoi: { offset: [-context], shape: [count * size + 2 * context] },
  readRoi: { offset: [-context], shape: [size + 2 * context] },
  writeRoi: { offset: [0], shape: [size] },
  readWriteConflict,
})

const chains = fc.record({
  sizes: fc.array(fc.constantFrom(1, 2, 3, 6), { minLength: 1, maxLength: 3 }),
  context: fc.integer({ min: 0, max: 4 }),
  conflict: fc.boolean(),
  picked: fc.array(fc.nat(999), { maxLength: 8 }),
  done: fc.array(fc.nat(999), { maxLength: 30 }),
})

describe('blocks that are left out of a start', () => {
  it('are never awaited by a block that runs, and every chosen block runs unless it is done', () => {
    fc.assert(
      fc.property(chains, ({ sizes, context, conflict, picked, done }) => {
        const tasks = sizes.map((size, number) =>
          rowOf(String(number), 12 / size, size, context, conflict, number === 0 ? [] : [String(number - 1)]),
        )
        const grids = tasks.map(createBlockGrid)
        const bitsOf = (numbers: readonly number[]) =>
          grids.map(({ blockCount }, task) => {
            const bits = new Uint8Array(Math.ceil(blockCount / 8))
            for (const number of numbers) if (number % grids.length === task) setBit(bits, number % blockCount)
            return bits
          })
        const chosen = bitsOf(picked)
        const settled = bitsOf(done)
        const leftOut = leftOutBlocks(
          tasks.map(({ id }, task) => ({
            id,
            grid: grids[task] as (typeof grids)[number],
            after: task === 0 ? [] : [task - 1],
            chosen: chosen[task] as Uint8Array,
            settled: settled[task],
          })),
        )
        const isSettled = (task: number, index: number) => isBitSet(settled[task] as Uint8Array, index)
        const isOut = (task: number, index: number) => isBitSet(leftOut[task] as Uint8Array, index)
        const isOpen = (task: number, index: number) => !isSettled(task, index) && !isOut(task, index)
        for (const [task, grid] of grids.entries()) {
          for (let index = 0; index < grid.blockCount; index++) {
            if (isBitSet(chosen[task] as Uint8Array, index)) assert.equal(isOut(task, index), false)
            if (isSettled(task, index)) assert.equal(isOut(task, index), false)
            if (!isOpen(task, index)) continue
            for (const before of grid.dependencies(index)) assert.equal(isOut(task, before), false)
            if (task === 0) continue
            const up = grids[task - 1] as (typeof grids)[number]
            for (const before of up.blocksMeeting(grid.block(index).readRoi))
              assert.equal(isOut(task - 1, before), false)
          }
        }
        // The scheduler does exactly the open ones.
        const scheduler = new BlockScheduler(
          tasks.map((task, number) => ({
            ...task,
            done: settled[number] as Uint8Array,
            leftOut: leftOut[number] as Uint8Array,
          })),
        )
        const out = new Float64Array(1)
        let count = 0
        for (let task = scheduler.nextTask(); task >= 0; task = scheduler.nextTask()) {
          scheduler.acquireInto(task, 1, out)
          assert.equal(isOpen(task, out[0] as number), true)
          scheduler.releaseMany(task, out, 1, 'done')
          count++
        }
        const open = grids.flatMap((grid, task) =>
          Array.from({ length: grid.blockCount }, (_, index) => isOpen(task, index)),
        )
        assert.equal(count, open.filter(Boolean).length)
        assert.equal(scheduler.isFinished(), true)
      }),
    )
  })

  it('are all but what chosen blocks wait for, directly or not', () => {
    const tasks = [
      rowOf('a', 12, 1, 0, false, []),
      rowOf('b', 12, 1, 1, false, ['a']),
      rowOf('c', 12, 1, 1, false, ['b']),
    ]
    const chosen = tasks.map(() => new Uint8Array(2))
    setBit(chosen[2] as Uint8Array, 5)
    const leftOut = leftOutBlocks(
      tasks.map((task, number) => ({
        id: task.id,
        grid: createBlockGrid(task),
        after: number === 0 ? [] : [number - 1],
        chosen: chosen[number] as Uint8Array,
        settled: undefined,
      })),
    )
    const open = leftOut.map((bits) =>
      Array.from({ length: 12 }, (_, index) => index).filter((index) => !isBitSet(bits, index)),
    )
    assert.deepEqual(open, [[3, 4, 5, 6, 7], [4, 5, 6], [5]])
  })
})
