import type { RunCondition } from '../events.ts'

/** What is known of a run from its lock, its record, its history and its live state. */
export interface RunFacts {
  /** Whether a process runs it now. */
  readonly isHeld: boolean
  /**
   * How its last start ended: `ok` and `incomplete` were reported, `unreported` means that it ended without a report (or has not ended),
   * `unknown` means that no start was seen.
   */
  readonly lastEnd: 'ok' | 'incomplete' | 'unreported' | 'unknown'
  /** Whether the counts come from a record, which takes precedence over the report. */
  readonly isRecorded: boolean
  readonly tasks: readonly {
    readonly total: number
    readonly completed: number
    readonly failed: number
    /** @default 0 */
    readonly orphaned?: number
    /** Blocks that the last start left and that could be done, as far as it reported them. @default 0 */
    readonly waiting?: number
  }[]
}

/** The condition of a run. */
export function conditionOf({ isHeld, lastEnd, isRecorded, tasks }: RunFacts): RunCondition {
  if (isHeld) return 'running'
  if (tasks.every(({ completed, total }) => completed === total)) return 'done'
  if (lastEnd === 'ok' && !isRecorded) return 'done'
  if (lastEnd === 'unreported') return 'interrupted'
  if (tasks.some(({ waiting = 0 }) => waiting > 0)) return 'stopped'
  if (tasks.some(({ failed, orphaned = 0 }) => failed + orphaned > 0)) return 'failed'
  return lastEnd === 'unknown' && tasks.every(({ completed }) => completed === 0) ? 'waiting' : 'stopped'
}
