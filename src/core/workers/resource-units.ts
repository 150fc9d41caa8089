import type { ResourceBudget, Resources } from './resources.ts'

/** Which of the things of a name are meant, counted from 0: `{ gpu: [3] }` is the fourth GPU. */
export type Units = Readonly<Record<string, readonly number[]>>

/** Amounts of these are shared out, and no part of them is another than the rest. */
const AMOUNTS = new Set(['cpu', 'memoryGb'])

/**
 * Which unit of a resource is whose: of eight GPUs, each worker that needs one has its own. Resources of a name that all
 * tasks require in whole numbers have units, as far as the budget says how many there are.
 */
export class ResourceUnits {
  /** Of each resource with units, those that were given back, the smallest first, and the first that never was taken. */
  readonly #units = new Map<string, { returned: number[]; next: number }>()

  constructor({ amounts }: ResourceBudget, requirements: readonly Resources[]) {
    for (const name of Object.keys(amounts)) {
      const isCounted = requirements.every((requires) => Number.isInteger(requires[name] ?? 0))
      if (isCounted && !AMOUNTS.has(name)) this.#units.set(name, { returned: [], next: 0 })
    }
  }

  /** The smallest that are free. @param needs what there is enough of, as the ledger says */
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
