import type { WireError } from '../../core/errors.ts'
import type { BlockFailure, TaskCounts, WorkerUse } from '../../core/events.ts'
import type { DurationSummary } from '../../core/workers/durations.ts'

/** How a task ended. */
export interface TaskResult extends TaskCounts {
  readonly blocksPerSecond: number
  readonly voxelsPerSecond: number
  /** How long the blocks of this start took, milliseconds. */
  readonly blockMs: DurationSummary
  /** Blocks that failed for good, in the order in which they did; at most `MAX_FAILURES`. */
  readonly failures: readonly BlockFailure[]
  /** Why the task was given up, when it was. */
  readonly error?: WireError
}

/** What the workers of a run did with their time, and what they needed. */
export interface WorkersResult {
  /** How long they were there, all of them together. */
  readonly seconds: number
  /** How much of that they spent in blocks. */
  readonly workingSeconds: number
  /** Bytes of voxels that they read and wrote. */
  readonly readBytes: number
  readonly writtenBytes: number
  /** The most memory that one of them had, bytes; 0 where none has said it. */
  readonly peakMemory: number
  /** Each of them, in the order in which they ended; at most 1000. */
  readonly each: readonly WorkerUse[]
}

/** How a run ended. */
export interface RunResult {
  /** Whether every block of every task is completed: that, and nothing weaker. */
  readonly ok: boolean
  /** Whether it was stopped before its end. */
  readonly interrupted: boolean
  readonly seconds: number
  readonly tasks: readonly TaskResult[]
  readonly workers: WorkersResult
  /** What stopped the run before its end, when that was no one's wish: a full disk. The same run can go on after it. */
  readonly error?: WireError
}
