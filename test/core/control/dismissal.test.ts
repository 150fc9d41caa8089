import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chooseDismissed } from '../../../src/core/control/dismissal.ts'

describe('the workers that are dismissed', () => {
  it('are those that have not begun, then idle ones, then busy ones, and the last started of each', () => {
    const workers = [
      { number: 1, activity: 'busy' },
      { number: 2, activity: 'idle' },
      { number: 3, activity: 'busy' },
      { number: 4, activity: 'idle' },
      { number: 5, activity: 'starting' },
    ] as const
    const chosen = (count: number) => chooseDismissed(workers, count).map(({ number }) => number)
    assert.deepEqual(chosen(9), [5, 4, 2, 3, 1])
    assert.deepEqual(chosen(2), [5, 4])
    assert.deepEqual([...chosen(0), ...chosen(-3)], [])
  })
})
