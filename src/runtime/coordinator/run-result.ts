import type { WireError } from '../../core/errors.ts'
import type { BlockFailure, TaskCounts, WorkerUse } from '../../core/events.ts'
import type { DurationSummary } from '../../core/workers/durations.ts'

/** How a task ended. */
export interface TaskResult extends TaskCounts {
  /** From the start of its first block to the end of its last, in this start of the run; the rates are those of this time. */
  readonly seconds: number
  readonly blocksPerSecond: number
  readonly voxelsPerSecond: number
  /** How long the blocks took in this start of the run, ms. */
  readonly blockMs: DurationSummary
  /** Blocks that failed for good, sorted by their index; at most `MAX_FAILURES`. */
  readonly failures: readonly BlockFailure[]
  /** Why the task was abandoned, if it was. */
  readonly error?: WireError
}

/** How the workers of a run spent their time, and the resources that they used. */
export interface WorkersResult {
  /** How long they were connected, summed over all of them. */
  readonly seconds: number
  /** How much of that time they spent in blocks. */
  readonly workingSeconds: number
  /** Bytes of voxels that they read and wrote. */
  readonly readBytes: number
  readonly writtenBytes: number
  /** The peak memory of the largest worker, bytes; 0 if none has reported it. */
  readonly peakMemory: number
  /** The workers, in the order in which they ended; at most 1000. */
  readonly each: readonly WorkerUse[]
}

/** How a run ended. */
export interface RunResult {
  /** Whether every block of every task is completed. */
  readonly ok: boolean
  /** Whether it was stopped on request before its end. */
  readonly stopped: boolean
  readonly seconds: number
  readonly tasks: readonly TaskResult[]
  readonly workers: WorkersResult
  /** The error that stopped the run, for example a full disk. The run can be resumed. */
  readonly error?: WireError
}
