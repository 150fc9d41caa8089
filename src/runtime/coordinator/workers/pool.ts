import type { WireError } from '../../../core/errors.ts'
import type { BlockFailure } from '../../../core/events.ts'
import type { Durations } from '../../../core/workers/durations.ts'
import type { FailureStreak } from '../../../core/workers/failure-streak.ts'
import type { Resources } from '../../../core/workers/resources.ts'
import type { WorkerOrigin } from '../../../core/workers/worker-state.ts'
import type { WorkerLauncher } from '../../../ports/worker-launcher.ts'
import type { PlannedTask } from '../../tasks/planned-task.ts'

/** How often in a row workers have died. */
export interface Deaths {
  /** Deaths that count: those of workers that die together count once. */
  restartsInARow: number
  /** All of them. */
  deathsInARow: number
  /** The number of the first worker that was started after the last counted death. */
  countsFrom: number
}

/** A task of a running pipeline. */
export interface RunningTask extends Deaths {
  readonly planned: PlannedTask
  readonly id: string
  /** Its index in the scheduler. */
  readonly number: number
  readonly pool: Pool
  /** What a worker needs for it. */
  readonly requires: Resources
  /** Moving average of the time that a block takes, ms; undefined before the first. */
  averageMs?: number
  readonly failures: BlockFailure[]
  readonly durations: Durations
  /** When its first block started and its last one ended, ms by the run's clock; undefined before the first has ended. */
  span?: { readonly start: number; readonly end: number }
  /** Blocks of which one killed a worker; they are leased one by one. */
  readonly suspects: Set<number>
  /** Its failed attempts since a block of it was last completed. */
  readonly streak: FailureStreak<WireError>
  /** The length of a streak at which it is abandoned. */
  readonly maxFailures: number
  /** How many times the memory a block gets that ran out of it. */
  readonly memoryRetry: number | undefined
  /** Why it was abandoned. */
  error?: WireError
  /** Whether the user was warned that the task is further ahead than `maxAhead`. */
  hasWarnedAhead: boolean
}

/**
 * Workers that do the same tasks: those that one launcher starts, and those that join. Deaths of workers without blocks
 * count for their pool.
 */
export interface Pool extends Deaths {
  /** Absent if no workers are started. */
  readonly launcher: WorkerLauncher | undefined
  readonly tasks: RunningTask[]
  /** Workers that the run asked for and that have not ended. */
  readonly requested: Set<Worker>
  /** Workers that joined and have not ended. */
  readonly joined: Set<Worker>
}

export function createPool(launcher: WorkerLauncher | undefined): Pool {
  return {
    launcher,
    tasks: [],
    requested: new Set(),
    joined: new Set(),
    restartsInARow: 0,
    deathsInARow: 0,
    countsFrom: 0,
  }
}

/** The identity of a worker. Its state is in `WorkerLives`; every other fact about it belongs to the class that writes it. */
export interface Worker {
  readonly id: string
  /** Counts up over all workers of the run. */
  readonly number: number
  /** The secret that it shows when it reconnects. */
  readonly key: string
  readonly pool: Pool
  readonly origin: WorkerOrigin
}

export const createWorker = (number: number, key: string, pool: Pool, origin: WorkerOrigin): Worker => ({
  id: `w${number}`,
  number,
  key,
  pool,
  origin,
})
