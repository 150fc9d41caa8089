import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TaskSummary } from '../../../src/core/board/summary.ts'
import { remainingSeconds } from '../../../src/core/board/task-pace.ts'

/** A task of 100 blocks, of which 60 took 2 s on average. */
const task = (more: Partial<TaskSummary> = {}): TaskSummary => ({
  ...{ id: 'a', total: 100, pending: 0, ready: 38, processing: 2, completed: 60, failed: 0, orphaned: 0, skipped: 0 },
  ...{ rate: 1, series: [], meanMs: 2000 },
  ...more,
})

describe('the remaining time of a run', () => {
  it('is that of the open blocks, shared by the busy workers', () => {
    assert.equal(remainingSeconds([task()], 2), 40)
    assert.equal(remainingSeconds([task({ failed: 20, orphaned: 10 })], 2), 10)
    assert.equal(remainingSeconds([task({ completed: 100 })], 0), 0)
    assert.equal(remainingSeconds([task({ completed: 0, meanMs: 0 })], 0), undefined)
  })

  it('grows with blocks that take longer than those before, and not with those that have just begun', () => {
    const running = [
      { task: 0, ms: 62_000 },
      { task: 0, ms: 100 },
      { task: 1, ms: 1e9 },
    ]
    // 61 blocks took 182 s: 60 of 2 s, and one of 62 s so far.
    assert.equal(remainingSeconds([task()], 2, running), (40 * (182 / 61)) / 2)
    const hanging = [0, 1].map(() => ({ task: 0, ms: 3_600_000 }))
    assert.ok((remainingSeconds([task()], 2, hanging) ?? 0) > 3600 / 2)
  })
})
