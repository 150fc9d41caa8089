import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { binEdges, mergeStatistics, voxelStatistics } from '../../src/kernels/statistics.ts'

const bins = { count: 7, low: -3, high: 4 }
const values = fc.array(fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom(Number.NaN, 0.1, -2.5)), {
  maxLength: 40,
})

describe('voxelStatistics', () => {
  it('is the same for an array as for its parts combined', () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const [one, other, whole] = [a, b, [...a, ...b]].map((part) => voxelStatistics(Float64Array.from(part), bins))
        const { mean, squares, ...exact } = mergeStatistics(one!, other!)
        const { mean: wholeMean, squares: wholeSquares, ...wholeExact } = whole!
        assert.deepEqual(exact, wholeExact)
        assert.ok(Math.abs(mean - wholeMean) < 1e-12 && Math.abs(squares - wholeSquares) < 1e-9)
      }),
    )
  })

  it('is the same for integers that are counted first as for wider ones', () => {
    const types = [Uint8Array, Int8Array, Uint16Array, Int16Array] as const
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.integer(), fc.integer({ min: 0, max: 9 }), (type, seed, extra) => {
        let state = seed
        // Enough to be counted for every type, and no multiple of 4.
        const data = new type(2 ** 16 + extra).map(() => {
          state = (Math.imul(state, 1664525) + 1013904223) | 0
          return state >>> 20
        })
        const range = { count: 13, low: -100, high: 200 }
        const { mean, squares, ...exact } = voxelStatistics(data, range)
        const { mean: wideMean, squares: wideSquares, ...wide } = voxelStatistics(Int32Array.from(data), range)
        assert.deepEqual(exact, wide)
        assert.equal(mean, wideMean)
        assert.ok(Math.abs(squares / wideSquares - 1) < 1e-9)
      }),
      { numRuns: 30 },
    )
  })

  it('assigns each value to the bin between whose edges it lies, and the upper end of the range to the last bin', () => {
    const tenths = { count: 10, low: 0, high: 1 }
    assert.deepEqual([...voxelStatistics(binEdges(tenths), tenths).histogram], [1, 1, 1, 1, 1, 1, 1, 1, 1, 2])
    assert.deepEqual([...voxelStatistics(Float64Array.of(-0.1, 1.1, Number.NaN), tenths).histogram].filter(Boolean), [])
    // 3 × 0.1 is above 0.3, and so on, as in NumPy.
    assert.deepEqual(
      [...voxelStatistics(Float64Array.of(0.3, 0.6, 0.7), tenths).histogram],
      [0, 0, 1, 0, 0, 1, 1, 0, 0, 0],
    )
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 50 }), (value, count) => {
        const range = { count, low: 0, high: 1 }
        const edges = binEdges(range)
        const bin = voxelStatistics(Float64Array.of(value), range).histogram.indexOf(1)
        assert.ok(edges[bin]! <= value && (value < edges[bin + 1]! || bin === count - 1))
      }),
    )
  })

  it('has the exact extremes of 64-bit integers, and none for an empty array', () => {
    const { min, max } = voxelStatistics(BigUint64Array.of(2n ** 64n - 1n, 2n ** 64n - 2n))
    assert.deepEqual([min, max], [2n ** 64n - 2n, 2n ** 64n - 1n])
    const nothing = voxelStatistics(Float32Array.of(Number.NaN))
    assert.deepEqual([nothing.count, nothing.nan, nothing.min, nothing.max], [0, 1, undefined, undefined])
    assert.equal(mergeStatistics(nothing, voxelStatistics(Int8Array.of(-3))).min, -3)
  })
})
