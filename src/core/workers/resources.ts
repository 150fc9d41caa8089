import { ConfigError } from '../errors.ts'

/** Amounts by name, such as `{ cpu: 1, gpu: 1, memoryGb: 4 }`. `memoryGb` counts 10^9 bytes. */
export type Resources = Readonly<Record<string, number>>

/** What all workers of a run share. */
export interface ResourceBudget {
  readonly amounts: Resources
  /** Whether resources that `amounts` does not name are unlimited; otherwise the run has none of them. */
  readonly isOpen: boolean
}

/** The rounding error to tolerate in sums of decimals. */
const EPSILON = 1e-9

/**
 * Checks amounts that a user wrote.
 * @param what names them in the message
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
    `${what} has ${found}: expected names with amounts of at least 0, such as { cpu: 2, gpu: 1, memoryGb: 8 }.`,
  )
}

/**
 * Rejects tasks that need more for a single worker than the run has.
 * @throws ConfigError `INVALID_CONFIG`, naming every resource that is too small
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
    `${lacks.join('; ')}: give the run more (--resources ${enough.join(',')}), or let the task require less.`,
  )
}

/** How many workers could do a task at the same time. */
export const countFitting = (requires: Resources, budget: ResourceBudget): number =>
  Math.min(
    ...Object.entries(requires).map(([name, amount]) =>
      amount === 0 ? Number.POSITIVE_INFINITY : Math.floor(amountOf(budget, name) / amount + EPSILON),
    ),
    Number.POSITIVE_INFINITY,
  )

const amountOf = ({ amounts, isOpen }: ResourceBudget, name: string): number =>
  amounts[name] ?? (isOpen ? Number.POSITIVE_INFINITY : 0)

/** Tracks what is left of a budget while workers take parts of it. */
export class ResourceLedger {
  #budget: ResourceBudget
  readonly #used = new Map<string, number>()

  constructor(budget: ResourceBudget) {
    this.#budget = budget
  }

  get budget(): ResourceBudget {
    return this.#budget
  }

  /** From now on there is at least this much of a resource. */
  extend(name: string, amount: number): void {
    if (amountOf(this.#budget, name) >= amount) return
    this.#budget = { ...this.#budget, amounts: { ...this.#budget.amounts, [name]: amount } }
  }

  /** The names of the resources of which less is left than needed. */
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
