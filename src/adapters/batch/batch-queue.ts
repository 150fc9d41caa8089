import { spawn } from 'node:child_process'
import { ConfigError, InfrastructureError, messageOf } from '../../core/errors.ts'
import { quoteShell } from '../../core/shell-words.ts'
import type { JobQueue, JobState } from '../../ports/job-queue.ts'
import { perCall } from './batch-calls.ts'
import { BatchFolder } from './batch-folder.ts'
import type { BatchSystem } from './batch-system.ts'
import type { ProgramResult } from './run-program.ts'

/** What every batch system's queue is made with. */
export interface BatchQueueOptions {
  /** The run's folder, on a file system that the nodes see: the script, the workers' names and their logs go there. */
  readonly folder: string
  /** The name of all jobs of this start of the run, and of no others: what is left at the end is cancelled by it. */
  readonly jobName: string
  /** What starts a worker that finds the run by its folder: program and arguments, the same on every node. */
  readonly command: readonly string[]
  /** Options of the program that submits, in one text, such as `--partition=short --time=4:00:00 --mem=4G`. @default '' */
  readonly options?: string
  /** Where workers run. @default the current folder */
  readonly workFolder?: string
  /** Seconds before a job's time limit at which its worker is told to leave. @default 60 */
  readonly noticeSeconds?: number
  /** What one call of the system's programs may take. @default 20000, and three times that for a submission */
  readonly callTimeoutMs?: number
}

/** A job queue that people use by hand, too. */
export interface BatchQueue extends JobQueue {
  /** Writes the script that workers are started with. @returns the command that adds some while the run is on, to be copied */
  commandFor(workers: number): string
  /** Cancels all jobs of this run that are left, without waiting for it: for a process that is about to exit. */
  cancelOnExit(): void
}

/** What the call that cancels what is left may take: the run's end waits for it. */
const LAST_CALL_MS = 4000

/** The jobs of a run, in a batch system that is asked through its own programs. Nothing is done yet. */
export function batchQueue(system: BatchSystem, { folder }: BatchQueueOptions): BatchQueue {
  return new ProgramQueue(system, folder)
}

class ProgramQueue implements BatchQueue {
  readonly name: string
  readonly #system: BatchSystem
  readonly #folder: BatchFolder

  constructor(system: BatchSystem, folder: string) {
    this.name = system.calls.system
    this.#system = system
    this.#folder = new BatchFolder(folder, system.folderName)
  }

  commandFor(workers: number): string {
    this.#writeScript()
    return [...this.#system.byHand(workers), this.#folder.script].map(quoteShell).join(' ')
  }

  #writeScript(): void {
    this.#folder.writeScript(() => this.#system.scriptText(this.#folder.logs))
  }

  async check(): Promise<void> {
    const { calls, check } = this.#system
    let result: ProgramResult
    try {
      result = await calls.run(check, calls.submitTimeoutMs)
    } catch (error) {
      if (!(error instanceof Error) || !/was not found/.test(error.message)) return
      throw new ConfigError('JOB_REFUSED', error.message, { cause: error })
    }
    if (result.exitCode === 0 || calls.isTemporary(result)) return
    const said = calls.lastWords(result)
    throw new ConfigError('JOB_REFUSED', `${this.name} won't take workers with these options: ${said}`)
  }

  async submit(workerIds: readonly string[]): Promise<readonly string[]> {
    const { calls } = this.#system
    this.#writeScript()
    const names = this.#folder.writeNames(workerIds)
    const [program, ...args] = this.#system.submission(workerIds.length)
    const command = [program, ...args, this.#folder.script, names.path] as const
    const result = await calls.run(command, calls.submitTimeoutMs).catch((error: unknown) => {
      // It may have been taken all the same: without their names these jobs end as they begin.
      names.remove()
      throw error
    })
    const ids = result.exitCode === 0 ? this.#system.jobIdsIn(result.stdout, workerIds.length) : undefined
    if (ids !== undefined) return ids
    names.remove()
    throw new InfrastructureError(
      calls.isTemporary(result) ? 'QUEUE_UNAVAILABLE' : 'JOB_REFUSED',
      `${program} did not take ${workerIds.length} jobs: ${calls.lastWords(result)}`,
    )
  }

  async status(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobState>> {
    return jobIds.length === 0 ? new Map() : this.#system.status(jobIds)
  }

  async cancel(jobIds: readonly string[]): Promise<void> {
    for (const ids of perCall(jobIds)) await this.#system.cancel(ids)
  }

  logFileOf(jobId: string): string {
    return this.#folder.logFileOf(jobId)
  }

  lastOutputOf(jobId: string): Promise<string> {
    return this.#folder.lastOutputOf(jobId)
  }

  cancelOnExit(): void {
    if (this.#folder.isWritten && !this.#system.calls.isEnded) this.#cancelAlone()
  }

  /** By a process that outlives this one. */
  #cancelAlone(): void {
    const [program, ...args] = this.#system.cancelAll
    spawn(program, args, { detached: true, stdio: 'ignore' })
      .on('error', () => {})
      .unref()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { calls, cancelAll } = this.#system
    if (calls.isEnded) return
    try {
      // Also those that were submitted by hand. What runs leaves by itself, or was cancelled by its id.
      if (this.#folder.isWritten) await this.#system.cancelWaiting(Math.min(LAST_CALL_MS, calls.timeoutMs))
    } catch (error) {
      this.#cancelAlone()
      const command = cancelAll.map(quoteShell).join(' ')
      const message = `${messageOf(error)}; should jobs of this run be left, end them: ${command}`
      throw new InfrastructureError('QUEUE_UNAVAILABLE', message, { cause: error })
    } finally {
      calls.end()
    }
  }
}
