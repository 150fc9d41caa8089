import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { rowMajorStrides } from '../../../src/core/array/strides.ts'
import { splitIndex } from '../../../src/core/grid/index-box.ts'
import {
  countClearBits,
  countSetBits,
  isBitSet,
  nextClearBit,
  nextSetBit,
} from '../../../src/core/scheduling/bitmap.ts'
import {
  BlockStates,
  COMPLETED,
  PAGE_SIZE,
  PENDING,
  PROCESSING,
  UNTOUCHED,
} from '../../../src/core/scheduling/block-states.ts'
import { IndexQueue } from '../../../src/core/scheduling/ready/index-queue.ts'
import { boxesOutside, TileSweep } from '../../../src/core/scheduling/ready/tile-sweep.ts'

const bitmapOf = (bits: readonly boolean[]): Uint8Array => {
  const bitmap = new Uint8Array(Math.ceil(bits.length / 8))
  for (const [index, bit] of bits.entries()) if (bit) bitmap[index >> 3]! |= 1 << (index & 7)
  return bitmap
}

describe('a bitmap', () => {
  it('finds and counts the same bits as a search bit by bit', () => {
    const anyBits = fc.array(fc.boolean(), { minLength: 1, maxLength: 300 })
    fc.assert(
      fc.property(anyBits, fc.nat(), fc.nat(), (bits, a, b) => {
        const bitmap = bitmapOf(bits)
        const [from, end] = [a % (bits.length + 1), b % (bits.length + 1)].sort((x, y) => x - y) as [number, number]
        const clear = bits.flatMap((bit, index) => (!bit && index >= from && index < end ? [index] : []))
        assert.equal(nextClearBit(bitmap, from, end), clear[0] ?? end)
        const set = bits.findIndex((bit, index) => bit && index >= from && index < end)
        assert.equal(nextSetBit(bitmap, from, end), set < 0 ? end : set)
        assert.equal(countClearBits(bitmap, from, end), clear.length)
        assert.equal(countSetBits(bitmap, end), bits.slice(0, end).filter(Boolean).length)
        assert.deepEqual(
          bits.map((_, index) => isBitSet(bitmap, index)),
          bits,
        )
      }),
    )
  })
})

describe('the queue of indices', () => {
  it('returns what was pushed, in order, for any sequence of pushes and shifts', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 400 }), (steps) => {
        const queue = new IndexQueue()
        const model: number[] = []
        for (const [n, step] of steps.entries()) {
          if (step === 0 && model.length > 0) assert.equal(queue.shift(), model.shift())
          else {
            queue.push(2 ** 40 + n)
            model.push(2 ** 40 + n)
          }
          assert.equal(queue.size, model.length)
        }
      }),
    )
  })
})

describe('the states of blocks', () => {
  it('are stored from the first change until all blocks of a page are completed, and are correct before, meanwhile and after', () => {
    const count = 3 * PAGE_SIZE + 100
    const done = new Uint8Array(Math.ceil(count / 8))
    done[0] = 0b101
    const states = new BlockStates(count, 26, done)
    assert.equal(states.bytesInUse, 0)
    assert.deepEqual(
      [0, 1, 2, 3].map((index) => states.peek(index)),
      [COMPLETED, UNTOUCHED, COMPLETED, UNTOUCHED],
    )
    states.set(1, PENDING + 26)
    assert.deepEqual(
      [0, 1, 2, 3].map((index) => states.get(index)),
      [COMPLETED, PENDING + 26, COMPLETED, UNTOUCHED],
    )
    assert.equal(states.bytesInUse, PAGE_SIZE)
    states.set(count - 1, PROCESSING)
    for (let index = 0; index < PAGE_SIZE; index++) if (index !== 0 && index !== 2) states.complete(index)
    assert.equal(states.bytesInUse, PAGE_SIZE)
    for (const index of [0, 1, PAGE_SIZE - 1]) assert.equal(states.peek(index), COMPLETED)
    assert.equal(states.peek(PAGE_SIZE), UNTOUCHED)
    // The finished page is cleared and used again.
    assert.equal(states.get(PAGE_SIZE), UNTOUCHED)
    assert.equal(states.peek(count - 1), PROCESSING)
    assert.ok(!states.markReleasing(count) && !states.markReleasing(-1) && !states.markReleasing(count - 1.5))
    assert.ok(states.markReleasing(count - 1) && !states.markReleasing(count - 1))
  })

  it('count up to the requested number of dependencies per block, in as few bytes as possible', () => {
    for (const [most, bytes] of [
      [248, 1],
      [249, 2],
      [65_528, 2],
      [65_529, 4],
      [2 ** 33, 8],
    ] as const) {
      const states = new BlockStates(8, most, undefined)
      states.set(3, PENDING + most)
      assert.equal(states.get(3), PENDING + most)
      assert.equal(states.bytesPerBlock, bytes)
    }
  })

  it('opens completed blocks again, in the page of this block alone', () => {
    const states = new BlockStates(3 * PAGE_SIZE, 26, undefined)
    for (let index = 0; index < 2 * PAGE_SIZE; index++) {
      states.page(Math.floor(index / PAGE_SIZE))
      states.complete(index)
    }
    assert.deepEqual([states.isFinished(0), states.isFinished(1), states.isFinished(2)], [true, true, false])
    states.reopen(PAGE_SIZE + 7, PENDING + 1)
    assert.deepEqual([states.isFinished(0), states.isFinished(1)], [true, false])
    assert.deepEqual(
      [7, PAGE_SIZE + 6, PAGE_SIZE + 7].map((index) => states.peek(index)),
      [COMPLETED, COMPLETED, PENDING + 1],
    )
    assert.equal(states.bytesInUse, PAGE_SIZE)
    states.complete(PAGE_SIZE + 7)
    assert.ok(states.isFinished(1))
    assert.equal(states.bytesInUse, 0)
  })
})

describe('the sweep by tiles', () => {
  const anyLattice = fc
    .integer({ min: 1, max: 4 })
    .chain((rank) =>
      fc.tuple(
        fc.array(fc.integer({ min: 1, max: [0, 700, 40, 20, 9][rank]! }), { minLength: rank, maxLength: rank }),
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: rank, maxLength: rank }),
      ),
    )

  const visited = (points: readonly number[], step: readonly number[]) => {
    const shape = points.map((count, axis) => count * step[axis]!)
    const strides = rowMajorStrides(shape)
    const box = { start: points.map(() => 0), end: points }
    const sweep = new TileSweep(
      [box],
      step.map((s) => s - 1),
      step,
      strides,
    )
    const order: number[] = []
    while (sweep.next()) {
      for (let n = 0; n < sweep.runLength; n++) order.push(sweep.runStart + n * step.at(-1)!)
    }
    return { order, shape }
  }

  it('visits every point of the lattice once', () => {
    fc.assert(
      fc.property(anyLattice, ([points, step]) => {
        const { order, shape } = visited(points, step)
        assert.equal(
          order.length,
          points.reduce((product, count) => product * count, 1),
        )
        assert.equal(new Set(order).size, order.length)
        const at = new Array<number>(shape.length)
        for (const index of order) {
          splitIndex(index, shape, at)
          assert.ok(at.every((k, axis) => k % step[axis]! === step[axis]! - 1))
        }
      }),
      { numRuns: 60 },
    )
  })

  it('has most neighbours within 512 steps of each other, along the slowest axis too', () => {
    const { order } = visited([40, 40, 40], [1, 1, 1])
    const when = new Map(order.map((index, time) => [index, time]))
    const near = order.filter((index) => Math.abs((when.get(index + 1600) ?? Number.NaN) - when.get(index)!) < 512)
    assert.ok(near.length > 0.8 * 39 * 1600, `${near.length} of ${39 * 1600}`)
  })

  it('leaves exactly what lies outside the removed boxes, in boxes that do not overlap', () => {
    const anyBox = fc
      .tuple(fc.nat({ max: 7 }), fc.nat({ max: 7 }), fc.nat({ max: 6 }), fc.nat({ max: 6 }))
      .map(([y, x, h, w]) => ({ start: [y, x], end: [y + h, x + w] }))
    fc.assert(
      fc.property(fc.array(anyBox, { maxLength: 4 }), (taken) => {
        const cells = Array.from({ length: 48 }, (_, n) => [Math.floor(n / 8), n % 8] as const)
        const within = (boxes: readonly { start: readonly number[]; end: readonly number[] }[], y: number, x: number) =>
          boxes.filter(({ start, end }) => y >= start[0]! && y < end[0]! && x >= start[1]! && x < end[1]!).length
        const left = boxesOutside([6, 8], taken)
        for (const [y, x] of cells) assert.equal(within(left, y, x), within(taken, y, x) > 0 ? 0 : 1)
      }),
    )
  })
})
