import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ConfigError, InfrastructureError, messageOf } from '../../../core/errors.ts'
import type { JobState } from '../../../ports/job-queue.ts'
import {
  BatchFolder,
  type BatchQueue,
  type BatchQueueOptions,
  IDS_PER_CALL,
  LAST_CALL_MS,
  lastLinesOf,
  lastWords as lastWordsOf,
  leftBehind,
  quoteShell,
} from '../batch-queue.ts'
import { type ProgramResult, runProgram } from '../run-program.ts'
import { parseSbatchOptions } from './sbatch-options.ts'
import { type ListedJobs, parseSqueueJson, parseSqueueText, SQUEUE_FORMAT } from './squeue-output.ts'
import { workerScript } from './worker-script.ts'

/** What SLURM says when it can't answer just now. */
const TEMPORARY =
  /Socket timed out|Unable to contact|Connection refused|Communication connection|temporarily|Zero Bytes|try again|slurm_persist_conn|backup|in standby|timeout/i

/**
 * Jobs of SLURM, through its own programs: `sbatch`, `squeue`, `scancel`. Does nothing yet but look at the options.
 * @throws ConfigError `INVALID_CONFIG` for options that can't be
 */
export function slurmQueue(options: BatchQueueOptions): BatchQueue {
  return new SlurmQueue(options)
}

class SlurmQueue implements BatchQueue {
  readonly name = 'SLURM'
  readonly #options: BatchQueueOptions
  readonly #sbatchOptions: readonly string[]
  readonly #folder: BatchFolder
  readonly #callTimeoutMs: number
  readonly #submitTimeoutMs: number
  readonly #ending = new AbortController()
  #listing: 'json' | 'text' = 'json'

  constructor(options: BatchQueueOptions) {
    this.#options = options
    this.#callTimeoutMs = options.callTimeoutMs ?? 20_000
    this.#submitTimeoutMs = 3 * this.#callTimeoutMs
    this.#folder = new BatchFolder(options, 'slurm')
    this.#sbatchOptions = parseSbatchOptions(options.options ?? '')
  }

  commandFor(workers: number): string {
    this.#writeScript()
    return `sbatch --array=1-${workers} ${quoteShell(this.#folder.script)}`
  }

  #writeScript(): void {
    const { jobName, command, workFolder = process.cwd(), noticeSeconds = 60 } = this.#options
    const { logs: logFolder } = this.#folder
    const options = this.#sbatchOptions
    this.#folder.writeScript(() => workerScript({ jobName, command, workFolder, noticeSeconds, logFolder, options }))
  }

  async check(): Promise<void> {
    let result: ProgramResult
    try {
      result = await this.#run('sbatch', ['--test-only', ...this.#sbatchOptions, '--wrap=true'], this.#submitTimeoutMs)
    } catch (error) {
      if (!(error instanceof Error) || !/was not found/.test(error.message)) return
      throw new ConfigError('JOB_REFUSED', error.message, { cause: error })
    }
    const said = lastWords(result)
    if (result.exitCode === 0 || TEMPORARY.test(said)) return
    throw new ConfigError('JOB_REFUSED', `SLURM won't take workers with these options: ${said}`)
  }

  async submit(workerIds: readonly string[]): Promise<readonly string[]> {
    this.#writeScript()
    const names = this.#folder.writeNames(workerIds)
    const args = ['--parsable', `--array=0-${workerIds.length - 1}`, this.#folder.script, names.path]
    const result = await this.#run('sbatch', args, this.#submitTimeoutMs).catch((error: unknown) => {
      // It may have been taken all the same: without their names these jobs end as they begin.
      names.remove()
      throw error
    })
    const [line = ''] = result.stdout.trim().split('\n').slice(-1)
    // On a federation `id;cluster`.
    const id = /^(\d+)(;.*)?$/.exec(line)?.[1]
    if (result.exitCode === 0 && id !== undefined) return workerIds.map((_, task) => `${id}_${task}`)
    names.remove()
    const said = lastWords(result)
    throw new InfrastructureError(
      TEMPORARY.test(said) ? 'QUEUE_UNAVAILABLE' : 'JOB_REFUSED',
      `sbatch did not take ${workerIds.length} jobs: ${said}`,
    )
  }

  async status(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobState>> {
    if (jobIds.length === 0) return new Map()
    const listed = await this.#list(jobIds)
    return new Map(jobIds.map((id) => [id, listed.get(id) ?? FORGOTTEN]))
  }

  async #list(jobIds: readonly string[]): Promise<ListedJobs> {
    const arrays = [...new Set(jobIds.map(arrayOf))]
    if (this.#listing === 'json') {
      const result = await this.#run('squeue', ['--json', '--states=all', `--jobs=${arrays.join(',')}`])
      if (isUnknownJob(result)) return new Map()
      const jobs = attempt(() => parseSqueueJson(result.stdout))
      const wanted = new Set(arrays)
      const isOnlyOurs = jobs !== undefined && [...jobs.keys()].every((id) => wanted.has(arrayOf(id)))
      if (isOnlyOurs && result.exitCode === 0) return jobs
      if (TEMPORARY.test(lastWords(result))) throw unavailable(result)
      // Older ones have no JSON; up to 22.05 it lists every job of the cluster, whatever is asked for: much to read.
      this.#listing = 'text'
    }
    const format = ['--noheader', '--array', '--states=all', `--format=${SQUEUE_FORMAT}`]
    const result = await this.#run('squeue', [...format, `--jobs=${arrays.join(',')}`])
    if (isUnknownJob(result)) return new Map()
    const jobs = result.exitCode === 0 ? attempt(() => parseSqueueText(result.stdout)) : undefined
    if (jobs === undefined) throw unavailable(result)
    return jobs
  }

  async cancel(jobIds: readonly string[]): Promise<void> {
    for (let from = 0; from < jobIds.length; from += IDS_PER_CALL) {
      await this.#cancel(jobIds.slice(from, from + IDS_PER_CALL))
    }
  }

  /**
   * First the worker of a job that runs is killed: being cancelled, SLURM would tell it so, and end it half a minute later.
   * Then what has not begun is taken out.
   */
  async #cancel(which: readonly string[]): Promise<void> {
    await this.#cancelJobs(['--signal=KILL', '--batch', '--state=RUNNING', ...which])
    await this.#cancelJobs(which)
  }

  async #cancelJobs(args: readonly string[], timeoutMs?: number): Promise<void> {
    const result = await this.#run('scancel', ['--quiet', ...args], timeoutMs)
    // A job that has ended can't be cancelled, and is as it should be.
    if (result.exitCode !== 0 && TEMPORARY.test(lastWords(result))) throw unavailable(result)
  }

  logFileOf(jobId: string): string {
    return join(this.#folder.logs, `slurm-${jobId}.log`)
  }

  lastOutputOf(jobId: string): Promise<string> {
    return lastLinesOf(this.logFileOf(jobId))
  }

  cancelOnExit(): void {
    if (this.#folder.isWritten && !this.#ending.signal.aborted) this.#cancelAlone()
  }

  /** By a process that outlives this one. */
  #cancelAlone(): void {
    spawn('scancel', ['--quiet', ...this.#byName()], { detached: true, stdio: 'ignore' })
      .on('error', () => {})
      .unref()
  }

  #byName(): string[] {
    return [`--name=${this.#options.jobName}`, `--user=${process.getuid?.()}`]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ending.signal.aborted) return
    try {
      // Also those that were submitted by hand. What runs leaves by itself, or was cancelled by its id.
      const ms = Math.min(LAST_CALL_MS, this.#callTimeoutMs)
      if (this.#folder.isWritten) await this.#cancelJobs(['--state=PENDING', ...this.#byName()], ms)
    } catch (error) {
      this.#cancelAlone()
      throw leftBehind(messageOf(error), ['scancel', ...this.#byName()], error)
    } finally {
      // What else is under way would keep this process.
      this.#ending.abort()
    }
  }

  #run(program: string, args: readonly string[], timeoutMs = this.#callTimeoutMs): Promise<ProgramResult> {
    // Unset, squeue cuts long lists of array tasks.
    const env = { ...process.env, SLURM_BITSTR_LEN: '0' }
    return runProgram(program, args, { timeoutMs, signal: this.#ending.signal, env, system: this.name })
  }
}

const FORGOTTEN: JobState = { status: 'ended', reason: 'its job is gone from the queue' }

const arrayOf = (jobId: string): string => jobId.replace(/_.*$/, '')

const isUnknownJob = ({ exitCode, stderr }: ProgramResult): boolean =>
  exitCode !== 0 && /Invalid job id specified/.test(stderr)

const unavailable = (result: ProgramResult): InfrastructureError =>
  new InfrastructureError('QUEUE_UNAVAILABLE', `SLURM did not answer: ${lastWords(result)}`)

const lastWords = (result: ProgramResult): string => lastWordsOf(result, /^\w+: (error: )?/)

function attempt<Value>(action: () => Value): Value | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}
