/** What a batch system says of one job. */
export type JobState =
  /** `reason`: why it has not begun, for people. */
  | { readonly status: 'pending'; readonly reason: string }
  | { readonly status: 'running'; readonly host: string }
  /** `reason`: how it ended, for people; a batch system forgets jobs after a while, and then it says that. */
  | { readonly status: 'ended'; readonly reason: string }

/**
 * A batch system that runs workers as jobs: SLURM; LSF, SGE or PBS would be one such adapter each. Every call is bounded in
 * time by the adapter, and may fail: what to do then is its caller's part (`runtime/launchers/job-launcher.ts`). Disposing cancels
 * all jobs of the run that have not begun.
 */
export interface JobQueue extends AsyncDisposable {
  /** For messages: `SLURM`. */
  readonly name: string
  /**
   * Asks whether the system is there and would take a job of the options that were given.
   * @throws ConfigError `JOB_REFUSED` with the system's own words. Returns when the system can't be reached just now
   */
  check(): Promise<void>
  /**
   * Submits one job per worker.
   * @param workerIds at least one; what the job's worker calls itself
   * @returns the id of each job, in the same order
   * @throws InfrastructureError `JOB_REFUSED`: it won't take them, as they are or so many; `QUEUE_UNAVAILABLE`: try later
   */
  submit(workerIds: readonly string[]): Promise<readonly string[]>
  /**
   * What is known of these jobs now; every id has an entry.
   * @throws InfrastructureError `QUEUE_UNAVAILABLE`
   */
  status(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobState>>
  /** Ends these jobs at once, pending or running; one that has ended is no error. @throws InfrastructureError `QUEUE_UNAVAILABLE` */
  cancel(jobIds: readonly string[]): Promise<void>
  /** Where a job's output goes. */
  logFileOf(jobId: string): string
  /** The last lines of a job's output; empty when there are none. */
  lastOutputOf(jobId: string): Promise<string>
}
