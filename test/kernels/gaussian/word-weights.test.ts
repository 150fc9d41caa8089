import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { gaussianFilter } from '../../../src/kernels/gaussian/gaussian.ts'
import { gaussianRadius, gaussianWeights } from '../../../src/kernels/gaussian/gaussian-weights.ts'
import { wordWeights } from '../../../src/kernels/gaussian/word-weights.ts'

const halfOf = (sigma: number) => gaussianWeights(sigma).slice(gaussianRadius(sigma))
const anySigma = fc.integer({ min: 130, max: 60_000 }).map((thousandths) => thousandths / 1000)
const { fround } = Math

/** The sum of float32 as the module computes it, the outermost pair first. */
function floatSum(pairs: readonly number[], floats: Float32Array): number {
  let sum = 0
  for (let tap = floats.length - 1; tap >= 0; tap--) sum = fround(sum + fround(pairs[tap]! * floats[tap]!))
  return sum
}

describe('wordWeights', () => {
  it('bounds how far a float32 sum of any centred values is from the float64 sum', () => {
    let closest = 1
    fc.assert(
      fc.property(
        anySigma,
        fc.integer({ min: 1, max: 32_768 }),
        fc.integer({ min: 0, max: 32_767 }),
        fc.integer(),
        fc.constantFrom('random', 'extreme', 'edge'),
        (sigma, most, middle, seed, kind) => {
          const weights = halfOf(sigma)
          const { floats, slope, floor } = wordWeights(weights)!
          let state = seed
          const value = () => {
            state = (Math.imul(state, 1664525) + 1013904223) | 0
            if (kind === 'extreme') return state < 0 ? -most : most
            return kind === 'edge'
              ? most - ((state >>> 24) & 1)
              : Math.floor(((state >>> 0) / 2 ** 32) * (2 * most + 1)) - most
          }
          const pairs = Array.from(weights, (_, tap) => (tap === 0 ? value() : value() + value()))
          let exact = (pairs[0]! + middle) * weights[0]!
          for (let tap = weights.length - 1; tap > 0; tap--) exact += (pairs[tap]! + 2 * middle) * weights[tap]!
          const bound = fround(slope * (most + 1) + floor)
          const sum = floatSum(pairs, floats)
          assert.ok(fround(sum - bound) + middle < exact && exact < fround(sum + bound) + middle)
          if (most > 1000) closest = Math.min(closest, 1 - Math.abs(sum + middle - exact) / bound)
        },
      ),
      { numRuns: 3000 },
    )
    assert.ok(closest < 0.8, `no sum is nearer to the bound than ${closest} of it`)
  })

  it('refuses weights that do not fit', () => {
    for (const weights of [[1], [0.2, 0.3], [Number.NaN, 0.4], [1.2, -0.1]]) {
      assert.equal(wordWeights(Float64Array.from(weights)), undefined, weights.join())
    }
  })

  it('gives the voxels that float64 sums give, where they vary, repeat, are flat and have another sign', () => {
    const anyVolume = fc.record({
      sigma: fc.integer({ min: 2, max: 80 }).map((tenths) => tenths / 10),
      type: fc.constantFrom(Int8Array, Int16Array, Uint16Array),
      values: fc.array(fc.constantFrom(-32_768, -300, -1, 0, 1, 127, 255, 32_767, 65_535), {
        minLength: 1,
        maxLength: 4,
      }),
      noise: fc.constantFrom(0, 0, 1, 200),
      run: fc.integer({ min: 1, max: 900 }),
      mode: fc.constantFrom('reflect' as const, 'constant' as const, 'nearest' as const, 'wrap' as const),
      cval: fc.constantFrom(0, 9, 127),
      shape: fc.constantFrom([9, 21, 43], [40, 5, 16], [3, 2, 70]),
    })
    fc.assert(
      fc.property(anyVolume, ({ sigma, type, values, noise, run, mode, cval, shape }) => {
        const count = shape.reduce((product, length) => product * length, 1)
        let state = run
        const data = (type as Uint16ArrayConstructor).from({ length: count }, (_, i) => {
          state = (Math.imul(state, 1664525) + 1013904223) | 0
          return values[Math.floor(i / run) % values.length]! + (noise === 0 ? 0 : (state >>> 16) % noise)
        })
        // Wider integers are summed in float64.
        const expected = gaussianFilter({ data: Int32Array.from(data), shape }, { sigma, mode, cval }).data
        assert.deepEqual(gaussianFilter({ data, shape }, { sigma, mode, cval }).data, type.from(expected as Int32Array))
      }),
      { numRuns: 300 },
    )
  })
})
