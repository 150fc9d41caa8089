import type { WorkerExit } from '../../core/workers/worker-state.ts'
import type { JobState } from '../../ports/job-queue.ts'

/** One worker that is a job, from its request to its end. */
export interface JobSlot {
  /** `<worker>:<session>`, with which the worker will connect. */
  readonly name: string
  /** When it was requested, in milliseconds of the run's clock. */
  readonly since: number
  readonly exit: PromiseWithResolvers<WorkerExit>
  /** Set once the batch system has accepted the job. */
  jobId?: string
  /** The last known state of the job. */
  state: JobState
  /** When its job was first seen running. */
  runningSince?: number
  isConnected: boolean
  wasConnected: boolean
  isOver: boolean
}
