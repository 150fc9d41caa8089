import type { JobState } from '../../ports/job-queue.ts'
import type { BatchCalls, Command } from './batch-calls.ts'
import type { ProgramResult } from './run-program.ts'

/** Workers to submit. */
export interface Submission {
  readonly workers: number
  readonly script: string
  /** The file of their names. */
  readonly names: string
  readonly logFolder: string
}

/** The state of a job that its system no longer lists. */
export const FORGOTTEN: JobState = { status: 'ended', reason: 'its job is no longer in the queue' }

/** The parts that differ between batch systems. {@link batchQueue} implements what they share. */
export interface BatchSystem {
  readonly calls: BatchCalls
  /** The name of the subfolder for its files in the run's folder, and the prefix of its logs. */
  readonly folderName: string
  /** The script of a worker's job. Its only argument is optional: a file with one worker's name per line. */
  scriptText(logFolder: string): string
  /** Checks whether it would accept a worker, without leaving one. */
  check(): Promise<ProgramResult>
  /** Submits workers by hand: a line for a shell. */
  byHand(workers: number, script: string): string
  /** How many workers one submission may have. @default any number */
  readonly workersPerSubmission?: number
  /** Submits workers. It runs in the folder of the script and of the file of names. */
  submission(submission: Submission): Command
  /** Has further submissions leave out these nodes; none: no node any more. @returns whether it can do that */
  avoid?(nodes: readonly string[]): boolean
  /** The job ids that a submission printed, in the order of the names; undefined if they can't be told from other numbers. */
  jobIdsIn(printed: string, workers: number): readonly string[] | undefined
  /**
   * The ids of all jobs that were submitted with this file of names, in the order of the names, even if the system's answer was lost;
   * empty if there are none. @throws InfrastructureError `QUEUE_UNAVAILABLE`
   */
  submittedWith(names: string): Promise<readonly string[]>
  /** The state of at least one job; every id has an entry. @throws InfrastructureError `QUEUE_UNAVAILABLE` */
  status(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobState>>
  /** Ends these jobs; there is at least one, and there are no more than fit into one call. @throws InfrastructureError `QUEUE_UNAVAILABLE` */
  cancel(jobIds: readonly string[]): Promise<void>
  /** Cancels all jobs of the run that have not started. @param timeoutMs of each call @throws InfrastructureError `QUEUE_UNAVAILABLE` */
  cancelWaiting(timeoutMs: number): Promise<void>
  /** Saves a job's output in this file, if no job writes there itself. @throws InfrastructureError `QUEUE_UNAVAILABLE` */
  saveLog?(jobId: string, file: string): Promise<void>
  /** Ends all jobs of the run. */
  readonly cancelAll: Command
}
