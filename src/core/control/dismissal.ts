/** A started worker, as far as it matters for whether it is dismissed. */
export interface Dismissable {
  /** Counts up over all workers of the run. */
  readonly number: number
  /** `starting`: it has not connected. */
  readonly activity: 'starting' | 'idle' | 'busy'
}

const FIRST = { starting: 0, idle: 1, busy: 2 } as const

/**
 * Chooses the workers to dismiss: those that have not begun, then idle ones, then those that are busy; the last started first, since the
 * others have more set up.
 */
export const chooseDismissed = <Worker extends Dismissable>(workers: readonly Worker[], count: number): Worker[] =>
  workers.toSorted((a, b) => FIRST[a.activity] - FIRST[b.activity] || b.number - a.number).slice(0, Math.max(0, count))
