import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { exactExp, fusedMultiplyAdd } from '../../../src/kernels/gaussian/exact-exp.ts'
import { gaussianRadius, gaussianWeights } from '../../../src/kernels/gaussian/gaussian-weights.ts'
import { hash32 } from '../../support/seeded-voxels.ts'

const { weights } = JSON.parse(readFileSync(new URL('../fixtures/scipy-gaussian.json', import.meta.url), 'utf8')) as {
  weights: { sha256: string; large: number[]; largeSha256: string }
}

function digestWeights(sigmas: readonly number[]): string {
  const digest = createHash('sha256')
  for (const sigma of sigmas) digest.update(new Uint8Array(gaussianWeights(sigma).buffer))
  return digest.digest('hex')
}

describe('gaussianWeights', () => {
  it('equals the weights of SciPy to the last bit, for 3400 sigmas from 0.05 to 30', () => {
    const steps = Array.from({ length: 400 }, (_, i) => Math.round((i + 1) * 5) / 100)
    const noise = Array.from({ length: 3000 }, (_, i) => 0.3 + (29.7 * hash32(i, 5)) / 2 ** 32)
    assert.equal(digestWeights([...steps, ...noise]), weights.sha256)
  })

  it('sums more than 128 weights pairwise, as NumPy does', () => {
    assert.equal(digestWeights(weights.large), weights.largeSha256)
  })

  it('is a single weight of 1 if the radius is 0, however small sigma is', () => {
    for (const sigma of [0, 1e-300, 0.1, 0.1249]) assert.deepEqual(gaussianWeights(sigma), Float64Array.of(1))
    assert.deepEqual(gaussianWeights(3, 0), Float64Array.of(1))
  })
})

describe('gaussianRadius', () => {
  it('is truncate times sigma, rounded half up', () => {
    assert.deepEqual(
      [0, 0.1, 0.125, 1, 2, 5, 1.6].map((sigma) => gaussianRadius(sigma)),
      [0, 0, 1, 4, 8, 20, 6],
    )
    assert.equal(gaussianRadius(2, 2.5), 5)
    assert.equal(gaussianRadius(3, 0.5), 2)
  })
})

describe('fusedMultiplyAdd', () => {
  it('rounds the exact a · b + c only once', () => {
    const anyFactor = fc.double({ min: -1e3, max: 1e3, noNaN: true }).filter((x) => Math.abs(x) > 1e-30)
    const anyTerm = fc.tuple(anyFactor, fc.integer({ min: -60, max: 60 })).map(([x, power]) => x * 2 ** power)
    fc.assert(
      fc.property(anyFactor, anyFactor, anyTerm, fc.boolean(), (a, b, term, cancel) => {
        const c = cancel ? -(a * b) + (term * (a * b)) / 2 ** 110 : term // the result is mostly the rounding error of a · b
        assert.equal(fusedMultiplyAdd(a, b, c), roundExact(a, b, c))
      }),
      { numRuns: 3000 },
    )
  })
})

describe('exactExp', () => {
  it('is the nearest double or one next to it', () => {
    for (let x = -699; x < 699; x += 0.37) {
      const error = Math.abs(exactExp(x) / Math.exp(x) - 1)
      assert.ok(error <= 2 * Number.EPSILON, `exp(${x})`)
    }
    assert.equal(exactExp(0), 1)
    assert.equal(exactExp(-800), 0)
  })
})

/** a · b + c in integers of unit 2^-e, then rounded to the nearest double, ties to even. */
function roundExact(a: number, b: number, c: number): number {
  const [x, y, z] = [a, b, c].map(parts) as [Parts, Parts, Parts]
  const exponent = Math.min(x.exponent + y.exponent, z.exponent)
  const sum =
    ((x.mantissa * y.mantissa) << BigInt(x.exponent + y.exponent - exponent)) +
    (z.mantissa << BigInt(z.exponent - exponent))
  return Number(sum) * 2 ** exponent // Number(bigint) rounds to the nearest, ties to even
}

interface Parts {
  readonly mantissa: bigint
  readonly exponent: number
}

function parts(value: number): Parts {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  const bits = view.getBigUint64(0)
  const biased = Number((bits >> 52n) & 2047n)
  const mantissa = (bits & (2n ** 52n - 1n)) | (biased > 0 ? 2n ** 52n : 0n)
  return { mantissa: value < 0 ? -mantissa : mantissa, exponent: Math.max(biased, 1) - 1075 }
}
