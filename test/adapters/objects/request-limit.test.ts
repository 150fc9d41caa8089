import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RequestLimit } from '../../../src/adapters/objects/request-limit.ts'

describe('the bound of requests', () => {
  it('is kept, and every request has its turn', async () => {
    const limit = new RequestLimit()
    let running = 0
    let most = 0
    const request = async () => {
      most = Math.max(most, ++running)
      await new Promise(setImmediate)
      running--
    }
    await Promise.all(Array.from({ length: 100 }, () => limit.during(request)))
    assert.equal(most, limit.most)
    await assert.rejects(limit.during(() => Promise.reject(new Error('no'))))
    await limit.during(request)
  })

  it('grows by one with a round of successes, and is halved once a second at most', () => {
    let now = 0
    const limit = new RequestLimit(() => now)
    const first = limit.most
    for (let i = 0; i < first; i++) limit.noteSuccess()
    assert.equal(limit.most, first + 1)
    for (let i = 0; i < 10_000; i++) limit.noteSuccess()
    assert.equal(limit.most, 48)
    limit.noteSlowDown()
    limit.noteSlowDown()
    assert.equal(limit.most, 24)
    for (let i = 0; i < 10; i++) {
      now += 1000
      limit.noteSlowDown()
    }
    assert.equal(limit.most, 1)
  })
})
