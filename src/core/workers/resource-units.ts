import type { ResourceBudget, Resources } from './resources.ts'

/** Units of resources by name, numbered from 0: `{ gpu: [3] }` is the fourth GPU. */
export type Units = Readonly<Record<string, readonly number[]>>

/** These are amounts without units: no part of them differs from another. */
const AMOUNTS = new Set(['cpu', 'memoryGb'])

/**
 * Assigns units of resources: of eight GPUs, each worker that needs one gets its own. A resource has units if all tasks require
 * whole numbers of it and the budget limits it.
 */
export class ResourceUnits {
  /** For each resource with units: those that were returned, in ascending order, and the first that was never taken. */
  readonly #units = new Map<string, { returned: number[]; next: number }>()

  constructor({ amounts }: ResourceBudget, requirements: readonly Resources[]) {
    for (const name of Object.keys(amounts)) {
      const isCounted = requirements.every((requires) => Number.isInteger(requires[name] ?? 0))
      if (isCounted && !AMOUNTS.has(name)) this.#units.set(name, { returned: [], next: 0 })
    }
  }

  /** Takes the free units with the smallest numbers. @param needs amounts that the ledger has left */
  take(needs: Resources): Units {
    const taken: Record<string, readonly number[]> = {}
    for (const [name, amount] of Object.entries(needs)) {
      const units = this.#units.get(name)
      if (units === undefined || amount === 0) continue
      const again = units.returned.splice(0, amount)
      const first = Array.from({ length: amount - again.length }, () => units.next++)
      taken[name] = [...again, ...first]
    }
    return taken
  }

  give(taken: Units): void {
    for (const [name, numbers] of Object.entries(taken)) {
      const units = this.#units.get(name)
      if (units !== undefined) units.returned = [...units.returned, ...numbers].sort((a, b) => a - b)
    }
  }
}
