import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ResourceUnits, type Units } from '../../../src/core/workers/resource-units.ts'

const budgetOf = (amounts: Readonly<Record<string, number>>) => ({ amounts, isOpen: false })

describe('the units of a resource', () => {
  it('belong to at most one worker each, are below the budget, and are the smallest free ones', () => {
    const gpu = 6
    fc.assert(
      fc.property(fc.array(fc.record({ needs: fc.integer({ min: 1, max: 3 }), leaves: fc.nat() })), (steps) => {
        const units = new ResourceUnits(budgetOf({ gpu }), [{ gpu: 1 }])
        const held: Units[] = []
        const all = () => held.flatMap((each) => each.gpu ?? [])
        for (const { needs, leaves } of steps) {
          if (all().length + needs > gpu) {
            const [gone] = held.splice(leaves % held.length, 1)
            units.give(gone as Units)
            continue
          }
          const free = Array.from({ length: gpu }, (_, unit) => unit).filter((unit) => !all().includes(unit))
          const taken = units.take({ gpu: needs })
          assert.deepEqual(taken, { gpu: free.slice(0, needs) })
          held.push(taken)
        }
      }),
    )
  })

  it('exist only for countable resources: not for processors, memory, fractional amounts or unlimited resources', () => {
    const [whole, part] = [
      { cpu: 2, memoryGb: 4, gpu: 1, licence: 0, scratchGb: 2, camera: 1 },
      { cpu: 1, scratchGb: 0.5 },
    ]
    const budget = budgetOf({ cpu: 8, memoryGb: 16, gpu: 2, licence: 3, scratchGb: 9 })
    const units = new ResourceUnits(budget, [whole, part])
    assert.deepEqual(units.take(whole), { gpu: [0] })
    assert.deepEqual(units.take(part), {})
  })
})
