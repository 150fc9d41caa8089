import type { MemoryDeath } from '../core/workers/worker-state.ts'

/** The state of one job in a batch system. */
export type JobState =
  /** `reason`: why it has not started, for users. */
  | { readonly status: 'pending'; readonly reason: string }
  | { readonly status: 'running'; readonly host: string }
  /** `reason`: how it ended, for users; or that the batch system no longer knows the job. */
  | {
      readonly status: 'ended'
      readonly reason: string
      /** It ended because it ran out of memory. */
      readonly outOfMemory?: MemoryDeath
    }

/**
 * A batch system that runs workers as jobs, such as SLURM or SGE. The adapter limits the time of every call. A call may
 * fail; the caller decides what to do then (`runtime/launchers/job-launcher.ts`). Disposing cancels all jobs of the run that
 * have not started.
 */
export interface JobQueue extends AsyncDisposable {
  /** For messages: `SLURM`. */
  readonly name: string
  /**
   * Checks whether the system is installed and accepts jobs with the given options. Returns normally if the system can't be
   * reached at the moment.
   * @throws ConfigError `JOB_REFUSED` with the system's own message
   */
  check(): Promise<void>
  /**
   * Submits one job per worker.
   * @param workerIds at least one; the name that the job's worker connects with
   * @returns the id of each job, in the same order
   * @throws InfrastructureError `JOB_REFUSED`: it rejects these jobs, or that many; `QUEUE_UNAVAILABLE`: try again later
   */
  submit(workerIds: readonly string[]): Promise<readonly string[]>
  /**
   * The current state of these jobs; every id has an entry.
   * @throws InfrastructureError `QUEUE_UNAVAILABLE`
   */
  status(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobState>>
  /** Has further jobs run on other nodes than these. @returns whether it can do that @default it can't */
  avoid?(hosts: readonly string[]): boolean
  /** Ends these jobs at once, pending or running. A job that has ended is ignored. @throws InfrastructureError `QUEUE_UNAVAILABLE` */
  cancel(jobIds: readonly string[]): Promise<void>
  /** The file for a job's output. */
  logFileOf(jobId: string): string
  /** The last lines of a job's output; empty if there are none. */
  lastOutputOf(jobId: string): Promise<string>
}
