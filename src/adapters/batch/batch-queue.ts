import { spawn } from 'node:child_process'
import { dirname, resolve } from 'node:path'
import { ConfigError, InfrastructureError, messageOf } from '../../core/errors.ts'
import { quoteShell } from '../../core/shell-words.ts'
import { lastOutput } from '../../core/workers/last-output.ts'
import type { JobQueue, JobState } from '../../ports/job-queue.ts'
import type { LogReader } from '../../ports/log-reader.ts'
import { perCall } from './batch-calls.ts'
import { BatchFolder } from './batch-folder.ts'
import type { BatchSystem } from './batch-system.ts'
import type { ProgramResult } from './run-program.ts'

/** Options of a queue, for any batch system. */
export interface BatchQueueOptions {
  /** The run's folder, on a file system that the nodes see. The script, the workers' names and their logs are written there. */
  readonly folder: string
  /** The part of the run that the jobs are for, a file name: its script is kept apart. @default all of it */
  readonly part?: string
  /** The name of all jobs of this start of the run, and of no others. Jobs that are left at the end are cancelled by it. */
  readonly jobName: string
  /** Program and arguments of a worker that finds the run by its folder; the same on every node. */
  readonly command: readonly string[]
  /** Options of the submitting program, in one text: `--partition=short --time=4:00:00 --mem=4G`. @default '' */
  readonly options?: string
  /** Where workers run. @default the current folder */
  readonly workFolder?: string
  readonly readLog: LogReader
  /** How long before its job's time limit a worker is asked to leave, in seconds. @default 60 */
  readonly noticeSeconds?: number
  /** Time limit for one call of the system's programs, in milliseconds; three times that for a submission. @default 20000 */
  readonly callTimeoutMs?: number
}

/** A job queue to which users can also submit workers by hand. */
export interface BatchQueue extends JobQueue {
  /** Writes the workers' job script. @returns the command that adds workers while the run is running, to be copied */
  commandFor(workers: number): string
  /** Cancels all remaining jobs of this run without waiting for the result: for a process that is about to exit. */
  cancelOnExit(): void
}

/** After this many answers without a job, a submission without an answer was lost itself. */
const MAX_EMPTY_ANSWERS = 5

/** Time limit for cancelling the remaining jobs, in milliseconds: the end of the run waits for it. */
const LAST_CALL_MS = 4000

/**
 * The jobs of a run in a batch system, which is controlled through its own programs. Runs none of them yet.
 * @throws ConfigError `INVALID_CONFIG` for a folder with a line break
 */
export function batchQueue(system: BatchSystem, options: BatchQueueOptions): BatchQueue {
  const { folder, workFolder = process.cwd(), command } = options
  // What follows a line break could be a directive of the script, wherever it is quoted for the shell.
  for (const word of [resolve(folder), workFolder, ...command]) {
    if (!/[\r\n]/.test(word)) continue
    const message = `${JSON.stringify(word)}: folders of jobs can't have line breaks; rename the folder.`
    throw new ConfigError('INVALID_CONFIG', message)
  }
  return new ProgramQueue(system, options)
}

class ProgramQueue implements BatchQueue {
  readonly name: string
  readonly #system: BatchSystem
  readonly #folder: BatchFolder
  readonly #readLog: LogReader
  /** The files of names of submissions without an answer, whose jobs may still appear, and how often the system knew of none. */
  #isAvoiding = false
  readonly #unclear = new Map<string, number>()

  constructor(system: BatchSystem, { folder, part = '', readLog }: BatchQueueOptions) {
    this.name = system.calls.system
    this.#system = system
    this.#folder = new BatchFolder(folder, system.folderName, part)
    this.#readLog = readLog
  }

  commandFor(workers: number): string {
    this.#writeScript()
    return this.#system.byHand(workers, this.#folder.script)
  }

  #writeScript(): void {
    this.#folder.writeScript(() => this.#system.scriptText(this.#folder.logs))
  }

  async check(): Promise<void> {
    const { calls } = this.#system
    let result: ProgramResult
    try {
      result = await this.#system.check()
    } catch (error) {
      if (!(error instanceof Error) || !/was not found/.test(error.message)) return
      throw new ConfigError('JOB_REFUSED', error.message, { cause: error })
    }
    if (result.exitCode === 0 || calls.isTemporary(result)) return
    const said = calls.lastWords(result)
    throw new ConfigError('JOB_REFUSED', `${this.name} rejects workers with these options: ${said}`)
  }

  async submit(workerIds: readonly string[]): Promise<readonly string[]> {
    this.#writeScript()
    await this.#cancelStrays()
    const { workersPerSubmission: most = workerIds.length } = this.#system
    const accepted: string[] = []
    for (let from = 0; from < workerIds.length; from += most) {
      try {
        accepted.push(...(await this.#submitTogether(workerIds.slice(from, from + most))))
      } catch (error) {
        await this.cancel(accepted).catch(() => {})
        throw error
      }
    }
    return accepted
  }

  async #submitTogether(workerIds: readonly string[]): Promise<readonly string[]> {
    const { calls } = this.#system
    const names = this.#folder.writeNames(workerIds)
    const { script, logs } = this.#folder
    const command = this.#system.submission({ workers: workerIds.length, script, names: names.path, logFolder: logs })
    const [program] = command
    const result = await calls
      .run(command, calls.submitTimeoutMs, dirname(script))
      .catch((error: unknown) => error as Error)
    const hasAnswer = !(result instanceof Error)
    const ids = hasAnswer && result.exitCode === 0 ? this.#system.jobIdsIn(result.stdout, workerIds.length) : undefined
    const found = ids ?? (await this.#foundAnyway(names.path, workerIds.length))
    if (found !== undefined) return found
    // If the system accepts the jobs even later, they exit as soon as they start, without the file of names.
    names.remove()
    const isRefused = hasAnswer && result.exitCode !== 0 && !calls.isTemporary(result)
    if (!isRefused) this.#unclear.set(names.path, 0)
    // What is left of the cluster may not be enough: then all nodes count again.
    if (isRefused && this.#isAvoiding) this.#isAvoiding = this.#system.avoid?.([]) !== true
    if (!hasAnswer) throw result
    throw new InfrastructureError(
      isRefused ? 'JOB_REFUSED' : 'QUEUE_UNAVAILABLE',
      `${program} did not accept ${workerIds.length} jobs: ${calls.lastWords(result)}`,
    )
  }

  /** The jobs of a submission without an answer that could be understood; undefined if there are none. Never leaves some of them. */
  async #foundAnyway(names: string, workers: number): Promise<readonly string[] | undefined> {
    if (this.#system.calls.isEnded) return undefined
    try {
      const found = await this.#system.submittedWith(names)
      if (found.length === workers) return found
      await this.cancel(found)
    } catch {
      this.#unclear.set(names, 0)
    }
    return undefined
  }

  /** Ends jobs of earlier submissions that the system has accepted late. */
  async #cancelStrays(): Promise<void> {
    for (const [names, empty] of this.#unclear) {
      const found = await this.#system.submittedWith(names)
      await this.cancel(found)
      // Those that start even later end at once.
      if (found.length > 0 || empty + 1 >= MAX_EMPTY_ANSWERS) this.#unclear.delete(names)
      else this.#unclear.set(names, empty + 1)
    }
  }

  avoid(hosts: readonly string[]): boolean {
    // They go to programs as words of options.
    const nodes = hosts.filter((host) => /^[\w.-]+$/.test(host))
    this.#isAvoiding = nodes.length > 0 && this.#system.avoid?.(nodes) === true
    return this.#isAvoiding
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

  async lastOutputOf(jobId: string): Promise<string> {
    // There is no log when the job never started, or its node can't write there.
    const file = this.logFileOf(jobId)
    if (!this.#system.calls.isEnded) await this.#system.saveLog?.(jobId, file).catch(() => {})
    const output = await this.#readLog(file).catch(() => '')
    return lastOutput(output)
  }

  cancelOnExit(): void {
    if (this.#folder.isWritten && !this.#system.calls.isEnded) this.#cancelDetached()
  }

  /** Cancels in a process that outlives this one. */
  #cancelDetached(): void {
    const [program, ...args] = this.#system.cancelAll
    spawn(program, args, { detached: true, stdio: 'ignore', env: this.#system.calls.environment() })
      .on('error', () => {})
      .unref()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { calls, cancelAll } = this.#system
    if (calls.isEnded) return
    try {
      // This includes jobs submitted by hand. Running workers leave by themselves, or were cancelled by id.
      if (this.#folder.isWritten) await this.#system.cancelWaiting(Math.min(LAST_CALL_MS, calls.timeoutMs))
    } catch (error) {
      this.#cancelDetached()
      const command = cancelAll.map(quoteShell).join(' ')
      const message = `${messageOf(error)}; jobs of this run may remain. Cancel them with: ${command}`
      throw new InfrastructureError('QUEUE_UNAVAILABLE', message, { cause: error })
    } finally {
      calls.end()
    }
  }
}
