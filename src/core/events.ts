import type { WireError } from './errors.ts'
import type { Roi } from './geometry/roi.ts'
import type { IndexBox } from './grid/index-box.ts'
import type { BadHost } from './workers/host-health.ts'
import type { WorkerRange } from './workers/pool-size.ts'
import type { Stall, StallAction } from './workers/stall.ts'

// What happens during a run, in one vocabulary for the library, --events, --json, the page and the run's history.

/** A task's blocks by state: total = pending + ready + processing + completed + failed + orphaned + leftOut, at every moment. */
export interface TaskCounts {
  readonly id: string
  readonly total: number
  readonly pending: number
  readonly ready: number
  readonly processing: number
  readonly completed: number
  /** counted inside `completed` */
  readonly skipped: number
  /** outside the mask, so that nothing was to be done; counted inside `skipped`; absent for a task without a mask */
  readonly masked?: number
  /** not to be done by this start of the run, because of `--only`; not part of `completed`; absent without it */
  readonly leftOut?: number
  readonly failed: number
  readonly orphaned: number
}
/**
 * The condition of a run. `waiting`: no start has begun. `running`: a process runs it. After that: `done` (every block is completed), `failed`
 * (blocks failed or were orphaned), `stopped` (it ended before all blocks were done, and reported that), or `interrupted` (it ended
 * unexpectedly, for example because its coordinator was killed).
 */
export type RunCondition = 'waiting' | 'running' | 'done' | 'failed' | 'stopped' | 'interrupted'

/** A block that failed for good. */
export interface BlockFailure {
  /** `task/index`, for users. */
  readonly block: string
  readonly index: number
  readonly readRoi: Roi
  readonly writeRoi: Roi
  /** The error of the last attempt. */
  readonly error: WireError
  /** The number of attempts. */
  readonly attempts: number
  readonly workerId: string
  readonly logFile?: string
}

/** The state of a run's workers in a batch system. */
export interface JobsReport {
  /** The batch system: `SLURM`. */
  readonly queue: string
  /** Workers that could not be submitted yet. */
  readonly waiting: number
  readonly pending: number
  readonly running: number
  /** Why jobs are pending, the most frequent reason first. Only jobs that have been pending for some seconds are counted. */
  readonly reasons: readonly { readonly reason: string; readonly count: number }[]
  /** Jobs that have been running for a while without their worker connecting, and the log of one of them. */
  readonly absent?: { readonly count: number; readonly logFile: string }
  /** A current problem of the batch system itself. */
  readonly trouble?: string
}

/** What one worker did between joining the run and its end. */
export interface WorkerUse {
  readonly workerId: string
  readonly host: string
  /** Blocks that it completed or skipped. */
  readonly blocks: number
  /** How long it was connected, and how much of that time it spent in blocks. */
  readonly seconds: number
  readonly workingSeconds: number
  /** Bytes of voxels read and written. */
  readonly readBytes: number
  readonly writtenBytes: number
  /**
   * Peak memory of its process, including the program of a command task, bytes; 0 if unknown. For a thread: peak memory of the process
   * that contains it.
   */
  readonly peakMemory: number
}

/** What the workers of a run have used together. */
export interface UsedResources {
  /** Bytes of voxels read and written. */
  readonly readBytes: number
  readonly writtenBytes: number
  /** The peak memory of the largest worker, bytes; 0 if none has reported it. */
  readonly peakMemory: number
}

/** What happens during a run. Progress events are merged if they come fast; failures are never dropped. */
export type RunEvent =
  | { readonly type: 'run-started'; readonly tasks: readonly TaskCounts[]; readonly workers: number }
  | {
      readonly type: 'progress'
      readonly tasks: readonly TaskCounts[]
      readonly seconds: number
      readonly busyWorkers: number
      /** What all workers have used so far, as far as they have reported it. */
      readonly used?: UsedResources
    }
  /** Blocks leased to a worker, which processes them in this order. */
  | {
      readonly type: 'blocks-leased'
      readonly taskId: string
      readonly indices: readonly number[]
      readonly workerId: string
    }
  /** `ms` is the duration of each block, in the same order; 0 for a skipped block. */
  | {
      readonly type: 'blocks-done'
      readonly taskId: string
      readonly indices: readonly number[]
      readonly ms: readonly number[]
      readonly workerId: string
    }
  /** Blocks taken back from a worker that left, died or was too slow. They have no outcome, do not count as attempts and go to other workers. */
  | {
      readonly type: 'blocks-returned'
      readonly taskId: string
      readonly indices: readonly number[]
      readonly workerId: string
    }
  /** A failed attempt that will be retried. */
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
  /** A worker gets no blocks for a while, since it finished none of the blocks of its last `leases` leases. The pauses grow. */
  | {
      readonly type: 'worker-paused'
      readonly workerId: string
      readonly leases: number
      readonly pauseMs: number
    }
  /** A worker holds blocks and does not advance; what is done about it. */
  | ({ readonly type: 'worker-stalled'; readonly action: StallAction } & Stall)
  /** More fails on a host than on the others. `isLeftOut`: further workers are started elsewhere. */
  | ({ readonly type: 'host-failing'; readonly isLeftOut: boolean } & BadHost)
  /** A worker left or died; `worker-died` comes first if it died. Emitted once for every worker that started. */
  | ({ readonly type: 'worker-ended' } & WorkerUse)
  /** What a worker has used so far, by its own report: the first one, and when its peak memory has grown since. */
  | ({ readonly type: 'worker-usage'; readonly workerId: string } & UsedResources)
  | ({ readonly type: 'jobs' } & JobsReport)
  /** The progress store became unreachable, so no block is leased, or it is reachable again. */
  | ({ readonly type: 'store' } & Exclude<StoreStatus, { readonly status: 'slow' }>)
  /** About `changed-inputs`: an input has changed since blocks were done that are recorded as done. */
  | { readonly type: 'warning'; readonly message: string; readonly about?: 'changed-inputs' }
  /** The file of an output, such as a zip file, is being written from its blocks, all of which are done. */
  | { readonly type: 'packing'; readonly path: string }
  | { readonly type: 'packed'; readonly path: string; readonly bytes: number; readonly seconds: number }
  | { readonly type: 'task-abandoned'; readonly taskId: string; readonly error: WireError }
  | ControlEvent
  | {
      readonly type: 'run-finished'
      readonly ok: boolean
      readonly seconds: number
      readonly tasks: readonly TaskCounts[]
    }

/** What a command of the user did to the running run. */
export type ControlEvent =
  /** No more blocks are handed out; with `now`, running blocks are ended, too. */
  | { readonly type: 'stopping'; readonly now: boolean }
  /**
   * The run starts workers, or lets some leave. `most` is how many of them can run blocks at the same time; it is absent if the resources
   * of the run are enough for all. `range`: the number follows the work from now on. `isByItself`: it did.
   */
  | {
      readonly type: 'scaled'
      readonly workers: number
      readonly before: number
      readonly most?: number
      readonly range?: WorkerRange
      readonly isByItself?: true
    }
  /** Failed blocks are attempted again: those of the task `taskId`, or of all tasks. `tasks` are those of which there are any. */
  | { readonly type: 'retried'; readonly taskId?: string; readonly tasks: readonly RetriedTask[] }
  /** Blocks of a region (`offset:shape` in nm), or all blocks, are done again, with those that depend on them. `tasks` are those of which there are any. */
  | { readonly type: 'reset'; readonly roi?: string; readonly tasks: readonly ResetTask[] }

/** What was forgotten of a task, and is done again. */
export interface ResetTask {
  readonly id: string
  readonly completed: number
  readonly failed: number
  /** Blocks that were running: their workers give them back. */
  readonly running: number
  /** The forgotten blocks, as boxes of the task's grid, which may overlap. */
  readonly boxes: readonly IndexBox[]
}

/** What is done again of a task. */
export interface RetriedTask {
  readonly id: string
  /** Failed blocks that are attempted again. */
  readonly failed: number
  /** Other blocks that are no longer orphaned. */
  readonly released: number
}

/** Whether the record of a run can be reached; `message` is for users. `slow` has no message. */
export type StoreStatus =
  | { readonly status: 'slow' }
  | { readonly status: 'lost'; readonly message: string }
  | { readonly status: 'back'; readonly message: string }
