import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { byteWeights } from '../../../src/kernels/gaussian/byte-weights.ts'
import { gaussianFilter } from '../../../src/kernels/gaussian/gaussian.ts'
import { gaussianRadius, gaussianWeights } from '../../../src/kernels/gaussian/gaussian-weights.ts'

const halfOf = (sigma: number) => gaussianWeights(sigma).slice(gaussianRadius(sigma))
const anySigma = fc.integer({ min: 130, max: 60_000 }).map((thousandths) => thousandths / 1000)

/** The 16-bit weights, unpacked. */
const integersOf = (pairs: Int32Array, count: number) =>
  Array.from({ length: count }, (_, tap) => (pairs[tap >> 1]! << (tap % 2 === 0 ? 16 : 0)) >> 16)

describe('byteWeights', () => {
  it('bounds the float64 sum of any bytes, and tightly', () => {
    let closest = 1
    fc.assert(
      fc.property(anySigma, fc.integer(), fc.constantFrom('most', 'least', 'random', 'flat'), (sigma, seed, kind) => {
        const weights = halfOf(sigma)
        const { pairs, shift, low, high } = byteWeights(weights)!
        const integers = integersOf(pairs, weights.length)
        let state = seed
        const byte = (tap: number) => {
          state = (Math.imul(state, 1664525) + 1013904223) | 0
          const error = weights[tap]! * 2 ** shift - integers[tap]!
          if (kind === 'random') return state >>> 24
          if (kind === 'flat') return seed & 255
          return error > 0 === (kind === 'most') ? 255 : 0
        }
        const values = integers.map((_, tap) => byte(tap) * (tap === 0 ? 1 : 2))
        let sum = values[0]! * weights[0]!
        for (let tap = weights.length - 1; tap > 0; tap--) sum += values[tap]! * weights[tap]!
        const integer = values.reduce((total, value, tap) => total + value * integers[tap]!, 0)
        const exact = sum * 2 ** shift
        assert.ok(integer + low < exact && exact < integer + high, `${integer + low} < ${exact} < ${integer + high}`)
        assert.ok(integer + high < 2 ** 31)
        if (kind === 'most' && high > 50) closest = Math.min(closest, (integer + high - exact) / high)
      }),
      { numRuns: 2000 },
    )
    assert.ok(closest < 0.05, `the upper bound is ${closest} too high`)
  })

  it('refuses weights that do not fit', () => {
    assert.equal(byteWeights(Float64Array.of(1)), undefined)
    assert.equal(byteWeights(Float64Array.of(0.2, 0.4)), undefined)
    assert.equal(byteWeights(Float64Array.of(Number.NaN, 0.4)), undefined)
  })

  it('gives the voxels that float64 sums give, where they vary, repeat and are flat', () => {
    const anyVolume = fc.record({
      sigma: fc.integer({ min: 2, max: 80 }).map((tenths) => tenths / 10),
      values: fc.array(fc.constantFrom(0, 1, 77, 128, 254, 255), { minLength: 1, maxLength: 3 }),
      run: fc.integer({ min: 1, max: 60 }),
      mode: fc.constantFrom('reflect' as const, 'constant' as const, 'nearest' as const),
      cval: fc.constantFrom(0, 9, 255, 0.5, -1),
    })
    fc.assert(
      fc.property(anyVolume, ({ sigma, values, run, mode, cval }) => {
        const shape = [9, 21, 43]
        const data = Uint8Array.from({ length: 9 * 21 * 43 }, (_, i) => values[Math.floor(i / run) % values.length]!)
        // Wider integers are summed in float64.
        const expected = gaussianFilter({ data: Int32Array.from(data), shape }, { sigma, mode, cval }).data
        const actual = gaussianFilter({ data, shape }, { sigma, mode, cval }).data
        if (mode === 'constant' && cval < 0) return
        assert.deepEqual(actual, Uint8Array.from(expected))
      }),
      { numRuns: 200 },
    )
  })
})
