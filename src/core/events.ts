import type { WireError } from './errors.ts'
import type { Roi } from './geometry/roi.ts'

// What happens during a run, in one vocabulary: that of the library, --events, --json, the page, and the run's history.

/** A task's blocks by state: total = pending + ready + processing + completed + failed + orphaned, at every moment. */
export interface TaskCounts {
  readonly id: string
  readonly total: number
  readonly pending: number
  readonly ready: number
  readonly processing: number
  readonly completed: number
  /** counted inside `completed` */
  readonly skipped: number
  readonly failed: number
  readonly orphaned: number
}

/** One block that failed for good. */
export interface BlockFailure {
  /** `task/index`, as people see it. */
  readonly block: string
  readonly index: number
  readonly readRoi: Roi
  readonly writeRoi: Roi
  /** The error of the last try. */
  readonly error: WireError
  /** How often it was tried. */
  readonly attempts: number
  readonly workerId: string
  readonly logFile?: string
}

/** What a batch system makes of a run's workers. */
export interface JobsReport {
  /** The batch system: `SLURM`. */
  readonly queue: string
  /** Workers that could not be submitted yet. */
  readonly waiting: number
  readonly pending: number
  readonly running: number
  /** Why jobs have not begun, the most frequent reason first; told only of those that are pending for some seconds. */
  readonly reasons: readonly { readonly reason: string; readonly count: number }[]
  /** Jobs that run for a while whose workers have never come in, and the log of one of them. */
  readonly absent?: { readonly count: number; readonly logFile: string }
  /** What is wrong with the batch system itself, as long as it is. */
  readonly trouble?: string
}

/** What one worker did, from when it came in to its end. */
export interface WorkerUse {
  readonly workerId: string
  readonly host: string
  /** Blocks that it has done or skipped. */
  readonly blocks: number
  /** How long it was there, and how much of that it spent in blocks. */
  readonly seconds: number
  readonly workingSeconds: number
  /** Bytes of voxels that it read and wrote. */
  readonly readBytes: number
  readonly writtenBytes: number
  /** The most memory that its process had, with its program of a command task, bytes; 0 where it has not said; of a thread that of its program. */
  readonly peakMemory: number
}

/** What happens during a run. Counts coalesce when they come fast; failures never drop. */
export type RunEvent =
  | { readonly type: 'run-started'; readonly tasks: readonly TaskCounts[]; readonly workers: number }
  | {
      readonly type: 'progress'
      readonly tasks: readonly TaskCounts[]
      readonly seconds: number
      readonly busyWorkers: number
    }
  /** Handed to a worker, to be done in this order. */
  | {
      readonly type: 'blocks-leased'
      readonly taskId: string
      readonly indices: readonly number[]
      readonly workerId: string
    }
  /** `ms` per block, in the same order; a block that was skipped has 0. */
  | {
      readonly type: 'blocks-done'
      readonly taskId: string
      readonly indices: readonly number[]
      readonly ms: readonly number[]
      readonly workerId: string
    }
  /** Taken back from a worker without an outcome, which is no try: it left, died or was too slow, and others get them. */
  | {
      readonly type: 'blocks-returned'
      readonly taskId: string
      readonly indices: readonly number[]
      readonly workerId: string
    }
  /** A try that failed and will be repeated. */
  | {
      readonly type: 'block-retried'
      readonly taskId: string
      readonly index: number
      readonly workerId: string
      readonly attempt: number
      readonly error: WireError
    }
  | { readonly type: 'block-failed'; readonly taskId: string; readonly failure: BlockFailure }
  | {
      readonly type: 'worker-started'
      readonly workerId: string
      readonly pid: number
      readonly host: string
      readonly logFile?: string
    }
  | {
      readonly type: 'worker-died'
      readonly workerId: string
      readonly reason: string
      readonly lastOutput: string
      readonly taskId?: string
      readonly restartMs?: number
    }
  /** It is gone, whether it has left or died (`worker-died` says so, before). Every worker that has started ends. */
  | ({ readonly type: 'worker-ended' } & WorkerUse)
  | ({ readonly type: 'jobs' } & JobsReport)
  /** Where progress is kept is out of reach, and no block is handed out, or it is back. */
  | ({ readonly type: 'store' } & Exclude<StoreStatus, { readonly status: 'slow' }>)
  | { readonly type: 'warning'; readonly message: string }
  | { readonly type: 'task-abandoned'; readonly taskId: string; readonly error: WireError }
  | {
      readonly type: 'run-finished'
      readonly ok: boolean
      readonly seconds: number
      readonly tasks: readonly TaskCounts[]
    }

/** Whether the record of a run can be reached; `message` is for people. `slow`: it takes its time, which nobody needs to be told. */
export type StoreStatus =
  | { readonly status: 'slow' }
  | { readonly status: 'lost'; readonly message: string }
  | { readonly status: 'back'; readonly message: string }
