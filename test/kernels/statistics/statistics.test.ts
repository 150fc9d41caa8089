import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { binEdges } from '../../../src/kernels/statistics/bins.ts'
import { SOURCE_SHA256 } from '../../../src/kernels/statistics/moments.generated.ts'
import { hasMoments, momentsOf } from '../../../src/kernels/statistics/moments-module.ts'
import { plainStatistics } from '../../../src/kernels/statistics/plain-statistics.ts'
import { mergeStatistics, voxelStatistics } from '../../../src/kernels/statistics/statistics.ts'
import { hash32, seededVoxels } from '../../support/seeded-voxels.ts'

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

  it('is the same in WebAssembly as in plain TypeScript, also next to edges, with NaN, -0, infinities and large integers', () => {
    const types = ['int32', 'uint32', 'int64', 'uint64', 'float32', 'float64']
    const anyBins = fc.record({
      count: fc.integer({ min: 1, max: 70 }),
      low: fc.constantFrom(-3, 0, 0.1, -1e9),
      wide: fc.constantFrom(0.3, 1, 4, 256, 4096, 1e19),
    })
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.constantFrom(0, 1, 100, 40_000, 2 ** 15),
        fc.option(anyBins, { nil: undefined }),
        fc.constantFrom('noise', 'edges', 'special'),
        fc.nat(),
        (dtype, length, given, kind, seed) => {
          const range = given && { count: given.count, low: given.low, high: given.low + given.wide }
          const data = seededVoxels(dtype, length, seed)
          const isBig = /int64/.test(dtype)
          const edges = range === undefined ? [0] : [...binEdges(range)]
          const special = [-0, 0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, -1, 1e-45]
          for (let i = 0; i < length; i++) {
            if (kind === 'noise') continue
            const value = kind === 'edges' ? edges[hash32(i, seed) % edges.length]! : special[hash32(i, seed) % 7]!
            if (!isBig) data[i] = value as never
            else if (Number.isFinite(value)) data[i] = BigInt(Math.floor(value)) as never
          }
          assert.ok(hasMoments(data, range))
          const { squares, ...actual } = momentsOf(data, range)
          const { squares: expectedSquares, ...expected } = plainStatistics(data, range)
          assert.deepEqual(actual, expected)
          // The engine may compute a square as a power, whose last bit can differ.
          assert.ok(Object.is(squares, expectedSquares) || Math.abs(squares / expectedSquares - 1) < 1e-12)
        },
      ),
      { numRuns: 200 },
    )
    assert.equal(hasMoments(new Float64Array(1), { count: 2, low: 1, high: 1 }), false)
    assert.equal(hasMoments(new Float64Array(1), { count: 2, low: 1, high: Number.POSITIVE_INFINITY }), false)
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

describe('the compiled statistics', () => {
  it('were built from their current source (run scripts/build-kernels.mjs after a change)', () => {
    const source = readFileSync(new URL('../../../src/kernels/statistics/moments.as', import.meta.url))
    assert.equal(SOURCE_SHA256, createHash('sha256').update(source).digest('hex'))
  })
})
