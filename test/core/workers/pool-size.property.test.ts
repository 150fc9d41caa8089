import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { nextPoolSize, type PoolDemand, type PoolSize, type WorkerRange } from '../../../src/core/workers/pool-size.ts'

const ranges = fc
  .tuple(fc.integer({ min: 1, max: 50 }), fc.nat(400))
  .map(([least, more]): WorkerRange => ({ least, most: least + more }))

const demands = fc.record({
  waiting: fc.oneof(fc.constant(0), fc.nat(100_000)),
  busy: fc.nat(500),
  starting: fc.oneof(fc.constant(0), fc.nat(300)),
  blockMs: fc.option(fc.double({ min: 1, max: 1e7, noNaN: true }), { nil: undefined }),
  startMs: fc.double({ min: 0, max: 3_600_000, noNaN: true }),
})

/** The sizes of a pool while the demand stays the same, every five seconds. */
function follow(size: PoolSize, demand: Omit<PoolDemand, 'now'>, range: WorkerRange, steps: number): number[] {
  const sizes: number[] = []
  let now = size
  for (let step = 0; step < steps; step++) {
    now = nextPoolSize(now, { ...demand, now: step * 5000 }, range)
    sizes.push(now.workers)
  }
  return sizes
}

describe('the size of a pool', () => {
  it('stays in its range, never shrinks while blocks wait, and at most doubles at once', () => {
    fc.assert(
      fc.property(fc.nat(1000), demands, ranges, (workers, demand, range) => {
        const before = Math.min(range.most, Math.max(range.least, workers))
        const { workers: after } = nextPoolSize({ workers }, { ...demand, now: 0 }, range)
        assert.ok(after >= range.least && after <= range.most)
        assert.ok(after <= 2 * before)
        if (demand.waiting > 0) assert.ok(after >= before)
      }),
    )
  })

  it('does not change any more once it has followed a steady demand', () => {
    fc.assert(
      fc.property(fc.nat(1000), demands, ranges, (workers, demand, range) => {
        // Jobs that wait in a queue go as many at a time as there are of them, every three steps: here, always the same number.
        const rounds = demand.starting > 0 ? Math.ceil(range.most / demand.starting) : 0
        const steps = 20 + Math.ceil((2 * demand.startMs + 60_000) / 5000) + 3 * rounds
        const sizes = follow({ workers }, demand, range, Math.min(3000, 2 * steps))
        const last = sizes.slice(steps)
        assert.ok(
          last.every((size) => size === last[0]),
          String(last),
        )
        // Monotonic: a pool that grows does not shrink on its way.
        const changes = sizes.slice(1).map((size, at) => Math.sign(size - (sizes[at] as number)))
        assert.ok(new Set(changes.filter((change) => change !== 0)).size <= 1)
      }),
      { numRuns: 60 },
    )
  })

  it('does not grow for work that ends before another worker has started', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), demands, (workers, demand) => {
        const { blockMs = 0, startMs, waiting, busy } = demand
        fc.pre(busy <= workers && ((waiting + busy) * blockMs) / workers <= startMs)
        const { workers: after } = nextPoolSize({ workers }, { ...demand, now: 0 }, { least: 1, most: 1000 })
        assert.ok(after <= workers)
      }),
    )
  })

  const demand = { waiting: 0, busy: 0, starting: 0, blockMs: 60_000, startMs: 5000 }
  const range = { least: 2, most: 16 }

  it('grows while blocks wait', () => {
    assert.deepEqual(follow({ workers: 2 }, { ...demand, waiting: 1000, busy: 2 }, range, 5), [4, 8, 16, 16, 16])
    // A block needs one worker at most.
    assert.deepEqual(follow({ workers: 2 }, { ...demand, waiting: 3, busy: 2 }, range, 3), [4, 5, 5])
    // The first blocks have not begun: nothing is known.
    assert.deepEqual(follow({ workers: 2 }, { ...demand, waiting: 1000, blockMs: undefined }, range, 3), [2, 2, 2])
  })

  it('shrinks when fewer have been enough for a minute, to the most that were busy meanwhile', () => {
    let size: PoolSize = { workers: 16 }
    const seen: number[] = []
    for (let at = 0; at <= 130; at += 5) {
      // A short lull of half a minute, then work, then an end.
      const busy = at < 30 ? 3 : at < 40 ? 16 : at === 60 ? 7 : 4
      size = nextPoolSize(size, { ...demand, busy, now: at * 1000 }, range)
      seen.push(size.workers)
    }
    assert.deepEqual([seen.slice(0, 20).every((workers) => workers === 16), seen[20], seen.at(-1)], [true, 7, 7])
  })

  it('lets jobs go soon that wait in a queue when no block waits for them', () => {
    const sizes = follow({ workers: 16 }, { ...demand, busy: 4, starting: 10 }, range, 4)
    assert.deepEqual(sizes, [16, 16, 6, 6])
  })
})
