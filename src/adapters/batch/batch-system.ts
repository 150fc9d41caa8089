import type { JobState } from '../../ports/job-queue.ts'
import type { BatchCalls, Command } from './batch-calls.ts'

/** What there is to say of one batch system; the rest of its queue is that of all of them: {@link batchQueue}. */
export interface BatchSystem {
  readonly calls: BatchCalls
  /** The name of the folder of its files in the run's; logs begin with it. */
  readonly folderName: string
  /** The script of a worker's job. Its one argument, if there is one, is a file with a line per worker: what that calls itself. */
  scriptText(logFolder: string): string
  /** Asks whether it would take a worker, and submits none. */
  readonly check: Command
  /** What submits workers by hand, without the script, which comes last. */
  byHand(workers: number): Command
  /** What submits workers; the script and the file of their names come last. */
  submission(workers: number): Command
  /** The ids in what a submission printed, in the order of the names; undefined where there are none. */
  jobIdsIn(printed: string, workers: number): readonly string[] | undefined
  /** What is known of some jobs, at least one; every id has an entry. @throws InfrastructureError `QUEUE_UNAVAILABLE` */
  status(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobState>>
  /** Ends these jobs, as many as go into one call. @throws InfrastructureError `QUEUE_UNAVAILABLE` */
  cancel(jobIds: readonly string[]): Promise<void>
  /** Takes all jobs of the run out that have not begun, in calls of so long. @throws InfrastructureError `QUEUE_UNAVAILABLE` */
  cancelWaiting(timeoutMs: number): Promise<void>
  /** Ends all jobs of the run. */
  readonly cancelAll: Command
}
