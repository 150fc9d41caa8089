import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RunEvent } from '../../../src/core/events.ts'
import { LEAST_STALL_MS, StallWatch } from '../../../src/core/progress/stall.ts'

const started: RunEvent = { type: 'run-started', tasks: [], workers: 1 }
const done = (taskId: string, ...ms: number[]): RunEvent => ({
  type: 'blocks-done',
  taskId,
  indices: ms.map((_, index) => index),
  ms,
  workerId: 'w1',
})

describe('a stall', () => {
  it('is told once, after ten minutes without a finished block, and again after a further block', () => {
    const stall = new StallWatch()
    assert.equal(stall.check(1e9), undefined, 'the run has not started')
    stall.receive(started, 0)
    assert.equal(stall.check(LEAST_STALL_MS - 1), undefined)
    assert.equal(stall.check(LEAST_STALL_MS), LEAST_STALL_MS)
    assert.equal(stall.check(LEAST_STALL_MS + 5), undefined)
    stall.receive(done('a', 10), LEAST_STALL_MS + 10)
    assert.equal(stall.check(2 * LEAST_STALL_MS), undefined)
    assert.equal(stall.check(2 * LEAST_STALL_MS + 10), LEAST_STALL_MS)
  })

  it('takes ten times the mean of the slowest task; skipped blocks do not count', () => {
    const stall = new StallWatch()
    stall.receive(started, 0)
    stall.receive(done('a', 1000), 0)
    stall.receive(done('b', 100_000, 0, 200_000), 0)
    assert.equal(stall.limitMs, 1_500_000)
    assert.equal(stall.check(1_499_999), undefined)
    assert.equal(stall.check(1_500_000), 1_500_000)
  })

  it('takes the time that was given, and is over with the run', () => {
    const stall = new StallWatch(50)
    stall.receive(started, 0)
    stall.receive(done('a', 1e6), 10)
    assert.equal(stall.check(60), 50)
    stall.receive(done('a', 1), 70)
    stall.receive({ type: 'run-finished', ok: true, seconds: 1, tasks: [] }, 80)
    assert.equal(stall.check(1e9), undefined)
  })
})
