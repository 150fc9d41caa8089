import { ConfigError } from '../errors.ts'

/** Amounts by name, such as `{ cpu: 1, gpu: 1, memoryGb: 4 }`. `memoryGb` counts 10^9 bytes; the others what their name says. */
export type Resources = Readonly<Record<string, number>>

/** What a run has for all its workers together. */
export interface ResourceBudget {
  readonly amounts: Resources
  /** Resources that `amounts` does not name are without limit; otherwise there are none of them. */
  readonly isOpen: boolean
}

/** Sums of decimals are as good as this. */
const EPSILON = 1e-9

/**
 * Amounts as a user wrote them.
 * @param what they are, for the message
 * @throws ConfigError `INVALID_CONFIG`
 */
export function checkResources(value: unknown, what: string): Resources {
  const entries = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : []
  const wrong = entries.find(
    ([name, amount]) => !/^[A-Za-z][\w-]*$/.test(name) || !(Number.isFinite(amount) && (amount as number) >= 0),
  )
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && wrong === undefined) {
    return value as Resources
  }
  const found = wrong === undefined ? JSON.stringify(value) : `${wrong[0]}: ${String(wrong[1])}`
  throw new ConfigError(
    'INVALID_CONFIG',
    `${what} has ${found}; it takes names with amounts from 0 on, such as { cpu: 2, gpu: 1, memoryGb: 8 }.`,
  )
}

/**
 * Refuses tasks of which not even one worker fits.
 * @throws ConfigError `INVALID_CONFIG` naming all that lacks
 */
export function assertFits(
  tasks: readonly { readonly id: string; readonly requires: Resources }[],
  budget: ResourceBudget,
): void {
  const least: Record<string, number> = {}
  const lacks = tasks.flatMap(({ id, requires }) =>
    Object.entries(requires).flatMap(([name, amount]) => {
      const there = amountOf(budget, name)
      if (amount <= there + EPSILON) return []
      least[name] = Math.max(least[name] ?? 0, amount)
      return [`a worker of "${id}" needs ${name} ${amount}, and the run has ${there}`]
    }),
  )
  if (lacks.length === 0) return
  const enough = Object.entries(least).map(([name, amount]) => `${name}=${amount}`)
  throw new ConfigError(
    'INVALID_CONFIG',
    `${lacks.join('; ')}: give the run enough (--resources ${enough.join(',')}), or let the task require less.`,
  )
}

/** How many workers could be at a task at the same time. */
export const countFitting = (requires: Resources, budget: ResourceBudget): number =>
  Math.min(
    ...Object.entries(requires).map(([name, amount]) =>
      amount === 0 ? Number.POSITIVE_INFINITY : Math.floor(amountOf(budget, name) / amount + EPSILON),
    ),
    Number.POSITIVE_INFINITY,
  )

const amountOf = ({ amounts, isOpen }: ResourceBudget, name: string): number =>
  amounts[name] ?? (isOpen ? Number.POSITIVE_INFINITY : 0)

/** What is left of a budget while workers take parts of it. */
export class ResourceLedger {
  readonly #budget: ResourceBudget
  readonly #used = new Map<string, number>()

  constructor(budget: ResourceBudget) {
    this.#budget = budget
  }

  /** The resources of which less is left than needed. */
  lacking(needs: Resources): string[] {
    return Object.entries(needs).flatMap(([name, amount]) => {
      const left = amountOf(this.#budget, name) - (this.#used.get(name) ?? 0)
      return amount > left + EPSILON ? [name] : []
    })
  }

  take(needs: Resources): void {
    for (const [name, amount] of Object.entries(needs)) this.#used.set(name, (this.#used.get(name) ?? 0) + amount)
  }

  give(needs: Resources): void {
    for (const [name, amount] of Object.entries(needs)) {
      const used = (this.#used.get(name) ?? 0) - amount
      this.#used.set(name, used < EPSILON ? 0 : used)
    }
  }
}
