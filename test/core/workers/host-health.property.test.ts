import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { HostHealth } from '../../../src/core/workers/host-health.ts'

const notes = fc.array(fc.tuple(fc.nat(7), fc.boolean()), { maxLength: 2000 })

describe('the health of hosts', () => {
  it('leaves out at most half of the hosts, and each once', () => {
    fc.assert(
      fc.property(notes, (all) => {
        const health = new HostHealth()
        const named: string[] = []
        for (const [host, isDone] of all) {
          const bad = health.note(`n${host}`, isDone ? { done: 1 } : { failed: 1 })
          if (bad !== undefined) named.push(bad.host)
        }
        const hosts = new Set(all.map(([host]) => host))
        assert.ok(named.length * 2 <= hosts.size)
        assert.deepEqual(named.toSorted(), health.bad.toSorted())
        assert.equal(new Set(named).size, named.length)
      }),
    )
  })

  it('names no host if as much fails on all of them', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 20 }), fc.integer({ min: 1, max: 10 }), (hosts, period) => {
        const health = new HostHealth()
        for (let at = 0; at < 40 * period; at++) {
          const outcome = at % period === 0 ? { failed: 1 } : { done: 1 }
          for (let host = 0; host < hosts; host++) assert.equal(health.note(`n${host}`, outcome), undefined)
        }
      }),
    )
  })

  it('names a host on which everything fails, while others work', () => {
    const health = new HostHealth()
    for (let block = 0; block < 30; block++) for (const host of ['n1', 'n2', 'n3']) health.note(host, { done: 1 })
    for (let block = 0; block < 4; block++) assert.equal(health.note('n4', { failed: 1 }), undefined)
    assert.deepEqual(health.note('n4', { failed: 1 }), {
      ...{ host: 'n4', done: 0, failed: 5, others: { done: 90, failed: 0 } },
    })
    // Also one that has worked for long.
    for (let block = 0; block < 3000; block++) health.note('n1', { done: 1 })
    let count = 0
    while (health.note('n1', { failed: 1 }) === undefined) count++
    assert.ok(count < 1000, String(count))
  })

  it('names nothing where there is only one host, or where the others have done little', () => {
    const health = new HostHealth()
    for (let block = 0; block < 50; block++) assert.equal(health.note('n1', { failed: 1 }), undefined)
    health.note('n2', { done: 9 })
    assert.equal(health.note('n1', { failed: 1 }), undefined)
    health.note('n2', { done: 1 })
    assert.equal(health.note('n1', { failed: 1 })?.host, 'n1')
  })
})
