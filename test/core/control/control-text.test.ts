import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { describeControl } from '../../../src/core/control/control-text.ts'

describe('what a command did', () => {
  it('is said in words', () => {
    const retried = (tasks: readonly (readonly [string, number, number])[], taskId?: string) =>
      describeControl({
        type: 'retried',
        ...(taskId === undefined ? {} : { taskId }),
        tasks: tasks.map(([id, failed, released]) => ({ id, failed, released })),
      })
    assert.equal(retried([['smooth', 3, 0]]), '3 blocks of smooth will be tried again')
    assert.equal(
      retried([
        ['smooth', 1, 0],
        ['label', 2, 4],
        ['count', 0, 1],
      ]),
      '1 block of smooth and 2 blocks of label will be tried again, and 5 blocks are no longer orphaned',
    )
    assert.equal(retried([['smooth', 0, 1]]), '1 block is no longer orphaned')
    assert.equal(retried([]), 'no block has failed')
    assert.equal(retried([], 'smooth'), 'no block of smooth has failed')
    const scaled = (workers: number, before: number, most?: number) =>
      describeControl({ type: 'scaled', workers, before, ...(most === undefined ? {} : { most }) })
    assert.equal(scaled(4, 4), '4 workers, as before')
    assert.equal(scaled(4, 1, 2), '4 workers instead of 1; its resources are enough for 2 at the same time')
    assert.equal(scaled(1, 2), '1 worker instead of 2; the other leaves when its running block has ended')
    const reset = (tasks: readonly (readonly [string, number, number, number])[]) =>
      describeControl({
        type: 'reset',
        tasks: tasks.map(([id, completed, failed, running]) => ({ id, completed, failed, running, boxes: [] })),
      })
    assert.equal(reset([]), 'no block has been started there')
    assert.equal(
      reset([
        ['smooth', 3, 1, 1],
        ['label', 1, 0, 0],
      ]),
      '5 blocks of smooth and 1 block of label will be done again; 1 is running and is interrupted',
    )
    assert.match(reset([['smooth', 0, 0, 2]]), /; 2 are running and are interrupted$/)
  })
})
