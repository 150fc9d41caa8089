import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { conditionOf, type RunFacts } from '../../../src/core/progress/run-condition.ts'

const facts = (changes: Partial<RunFacts>, counts: Partial<RunFacts['tasks'][number]> = {}): RunFacts => ({
  ...{ isHeld: false, lastEnd: 'incomplete', isRecorded: true },
  tasks: [
    { total: 4, completed: 4, failed: 0 },
    { total: 8, completed: 3, failed: 0, ...counts },
  ],
  ...changes,
})

describe('the condition of a run', () => {
  it('is running while a process holds it, whatever its record says', () => {
    assert.equal(conditionOf(facts({ isHeld: true, lastEnd: 'ok' }, { completed: 8 })), 'running')
  })

  it('is done if every block is completed, however its last start ended', () => {
    for (const lastEnd of ['ok', 'incomplete', 'unreported', 'unknown'] as const) {
      assert.equal(conditionOf(facts({ lastEnd }, { completed: 8 })), 'done')
    }
  })

  it('is taken from the record if there is one, not from what the last start reported', () => {
    assert.equal(conditionOf(facts({ lastEnd: 'ok' })), 'stopped')
    assert.equal(conditionOf(facts({ lastEnd: 'ok', isRecorded: false })), 'done')
  })

  it('is interrupted if its last start ended without a report, stopped if it reported its end', () => {
    assert.equal(conditionOf(facts({ lastEnd: 'unreported' }, { failed: 1 })), 'interrupted')
    assert.equal(conditionOf(facts({})), 'stopped')
  })

  it('is stopped if blocks failed, but others could still be done', () => {
    assert.equal(conditionOf(facts({}, { failed: 1, waiting: 2 })), 'stopped')
    assert.equal(conditionOf(facts({}, { failed: 1, waiting: 0 })), 'failed')
  })

  it('is failed if blocks failed, or were orphaned since their task was abandoned', () => {
    assert.equal(conditionOf(facts({}, { failed: 1 })), 'failed')
    assert.equal(conditionOf(facts({}, { orphaned: 5 })), 'failed')
  })

  it('is waiting if there was no start and no block is done', () => {
    assert.equal(
      conditionOf({ ...facts({ lastEnd: 'unknown' }), tasks: [{ total: 8, completed: 0, failed: 0 }] }),
      'waiting',
    )
    assert.equal(conditionOf(facts({ lastEnd: 'unknown' })), 'stopped')
  })
})
