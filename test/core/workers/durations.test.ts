import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Durations } from '../../../src/core/workers/durations.ts'

const gathered = (all: readonly number[]) => {
  const durations = new Durations()
  for (const ms of all) durations.add(ms)
  return durations.summary()
}

describe('durations', () => {
  it('are undefined before the first measurement', () => {
    assert.deepEqual(gathered([]), { count: 0, mean: 0, p50: 0, p95: 0, max: 0 })
  })

  it('have an exact mean and maximum, and quantiles to within 5 %', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.01, max: 1e8, noNaN: true }), { minLength: 1 }), (all) => {
        const { count, mean, p50, p95, max } = gathered(all)
        const sorted = all.toSorted((a, b) => a - b)
        const exact = (share: number) => sorted[Math.ceil(share * all.length) - 1] as number
        assert.equal(count, all.length)
        assert.equal(max, sorted.at(-1))
        assert.ok(Math.abs(mean - all.reduce((sum, ms) => sum + ms, 0) / all.length) <= 1e-9 * mean)
        assert.ok(Math.abs(p50 / exact(0.5) - 1) < 0.05, `${p50} is not ${exact(0.5)}`)
        assert.ok(Math.abs(p95 / exact(0.95) - 1) < 0.05, `${p95} is not ${exact(0.95)}`)
      }),
    )
  })
})
