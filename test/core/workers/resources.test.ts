import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { assertFits, checkResources, countFitting, ResourceLedger } from '../../../src/core/workers/resources.ts'

describe('resources', () => {
  it('refuses tasks that need more than the budget for a single worker, in one error with the amounts that they need', () => {
    const tasks = [
      { id: 'cut', requires: { cpu: 1 } },
      { id: 'infer', requires: { cpu: 4, gpu: 1 } },
      { id: 'merge', requires: { cpu: 2, gpu: 2 } },
    ]
    const message =
      'a worker of "infer" needs cpu 4, and the run has 2; a worker of "infer" needs gpu 1, and the run has 0; a worker of "merge" needs gpu 2, and the run has 0: give the run more (--resources cpu=4,gpu=2), or let the task require less.'
    assert.throws(() => assertFits(tasks, { amounts: { cpu: 2 }, isOpen: false }), { code: 'INVALID_CONFIG', message })
    assertFits(tasks, { amounts: { cpu: 4 }, isOpen: true })
    assertFits(tasks, { amounts: { cpu: 4, gpu: 2 }, isOpen: false })
  })

  it('refuses invalid amounts', () => {
    for (const wrong of [{ gpu: -1 }, { gpu: Number.NaN }, { gpu: '1' }, { '': 1 }, [1], 3, null]) {
      assert.throws(() => checkResources(wrong, 'Task "a": "requires"'), /^ConfigError: Task "a": "requires" has /)
    }
    assert.deepEqual(checkResources({ cpu: 0.5, my_licence: 2 }, ''), { cpu: 0.5, my_licence: 2 })
  })

  it('can be taken as often as countFitting predicts, and are all free again when they are returned', () => {
    const amount = fc.integer({ min: 1, max: 30 }).map((tenths) => tenths / 10)
    fc.assert(
      fc.property(amount, amount, fc.integer({ min: 0, max: 90 }), (cpu, gpu, budget) => {
        const needs = { cpu, gpu }
        const all = { amounts: { cpu: 20, gpu: budget / 10 }, isOpen: false }
        const ledger = new ResourceLedger(all)
        for (let round = 0; round < 2; round++) {
          let count = 0
          while (ledger.lacking(needs).length === 0) {
            ledger.take(needs)
            count++
          }
          assert.equal(count, countFitting(needs, all))
          for (; count > 0; count--) ledger.give(needs)
        }
      }),
    )
  })
})
