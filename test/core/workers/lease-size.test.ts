import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { leaseSize } from '../../../src/core/workers/lease-size.ts'

/** The number of leases needed to hand out all blocks. */
function countLeases(blocks: number, workers: number, blockMs: number): number {
  let count = 0
  for (let ready = blocks; ready > 0; ready -= leaseSize(ready, workers, blockMs)) count++
  return count
}

describe('the size of a lease', () => {
  it('is one block until the time of a block is known, and if a block takes longer than a lease should', () => {
    assert.equal(leaseSize(1e6, 2), 1)
    assert.equal(leaseSize(1e6, 2, 40), 1)
    assert.equal(leaseSize(1e6, 2000, 3.6e6), 1)
  })

  it('is about 30 ms of work while there are many blocks, and at most 1024 blocks', () => {
    assert.equal(leaseSize(1e6, 2, 10), 3)
    assert.equal(leaseSize(1e6, 2, 0.3), 100)
    assert.equal(leaseSize(1e6, 2, 0), 1024)
  })

  it('shrinks towards the end, so that all workers get blocks', () => {
    assert.equal(leaseSize(40, 2, 1), 10)
    assert.equal(leaseSize(4, 2, 1), 1)
    assert.equal(leaseSize(1, 2, 0), 1)
  })

  it('does not shrink so far for many workers that messages would take longer than blocks', () => {
    for (const blockMs of [0, 0.01, 0.3]) {
      const few = countLeases(1e6, 100, blockMs)
      for (const workers of [500, 2000, 100_000]) {
        const many = countLeases(1e6, workers, blockMs)
        assert.ok(
          many < 1.1 * few + 50,
          `${many} leases for ${workers} workers, ${few} for 100, blocks of ${blockMs} ms`,
        )
      }
    }
  })

  it('is a row of four blocks if neighbours read the same, unless these take long or are too few for all workers', () => {
    assert.equal(leaseSize(64, 2, 100, true), 4)
    assert.equal(leaseSize(64, 2, 150, true), 2)
    assert.equal(leaseSize(64, 2, 1000, true), 1)
    assert.equal(leaseSize(64, 2, undefined, true), 1)
    assert.equal(leaseSize(16, 2, 100, true), 2)
    assert.equal(leaseSize(2000, 2000, 100, true), 1)
    assert.equal(leaseSize(1e6, 2, 0.3, true), 100)
  })

  it('distributes long blocks over all workers', () => {
    assert.equal(leaseSize(2000, 2000, 100), 1)
    assert.ok(leaseSize(10_000, 2000, 5) <= 8)
  })
})
