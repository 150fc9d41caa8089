import { spawn } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ConfigError, InfrastructureError, messageOf } from '../../core/errors.ts'
import type { JobQueue, JobState } from '../../ports/job-queue.ts'
import { type ProgramResult, runProgram } from './run-program.ts'
import { parseSbatchOptions } from './sbatch-options.ts'
import { type ListedJobs, parseSqueueJson, parseSqueueText, SQUEUE_FORMAT } from './squeue-output.ts'
import { quoteShell, workerScript } from './worker-script.ts'

export interface SlurmQueueOptions {
  /** The run's folder, on a file system that the nodes see: the script, the workers' names and their logs go there. */
  readonly folder: string
  /** The name of all jobs of this start of the run, and of no others: what is left at the end is cancelled by it. */
  readonly jobName: string
  /** What starts a worker that finds the run by its folder: program and arguments, the same on every node. */
  readonly command: readonly string[]
  /** Options of sbatch in one text, such as `--partition=short --time=4:00:00 --mem=4G`. @default '' */
  readonly options?: string
  /** Where workers run. @default the current folder */
  readonly workFolder?: string
  /** Seconds before a job's time limit at which its worker is told to leave. @default 60 */
  readonly noticeSeconds?: number
  /** What one call of a program of SLURM may take. @default 20000, and three times that for sbatch */
  readonly callTimeoutMs?: number
}

const LAST_OUTPUT_BYTES = 4096
const LAST_OUTPUT_LINES = 10
/** What the call that cancels what is left may take: the run's end waits for it. */
const LAST_CALL_MS = 4000
/** Ids in one call: an argument list has an end. */
const IDS_PER_CALL = 500
/** What SLURM says when it can't answer just now. */
const TEMPORARY =
  /Socket timed out|Unable to contact|Connection refused|Communication connection|temporarily|Zero Bytes|try again|slurm_persist_conn|backup|in standby|timeout/i

/**
 * Jobs of SLURM, through its own programs: `sbatch`, `squeue`, `scancel`. Does nothing yet but look at the options.
 * @throws ConfigError `INVALID_CONFIG` for options that can't be
 */
export function slurmQueue(options: SlurmQueueOptions): SlurmQueue {
  return new SlurmQueue(options)
}

/** @see slurmQueue */
export class SlurmQueue implements JobQueue {
  readonly name = 'SLURM'
  readonly #options: SlurmQueueOptions
  readonly #sbatchOptions: readonly string[]
  readonly #folder: string
  readonly #logFolder: string
  readonly #script: string
  readonly #callTimeoutMs: number
  readonly #submitTimeoutMs: number
  readonly #ending = new AbortController()
  #listing: 'json' | 'text' = 'json'
  #isWritten = false
  #submissions = 0

  constructor(options: SlurmQueueOptions) {
    this.#options = options
    this.#callTimeoutMs = options.callTimeoutMs ?? 20_000
    this.#submitTimeoutMs = 3 * this.#callTimeoutMs
    this.#folder = resolve(options.folder, 'slurm')
    this.#logFolder = resolve(options.folder, 'logs')
    this.#script = join(this.#folder, 'worker.sh')
    this.#sbatchOptions = parseSbatchOptions(options.options ?? '')
  }

  /** Writes the script that workers are started with. @returns the command that adds some while the run is on, to be copied */
  commandFor(workers: number): string {
    this.#writeScript()
    return `sbatch --array=1-${workers} ${quoteShell(this.#script)}`
  }

  #writeScript(): void {
    if (this.#isWritten) return
    const { jobName, command, workFolder = process.cwd(), noticeSeconds = 60 } = this.#options
    const [logFolder, options] = [this.#logFolder, this.#sbatchOptions]
    mkdirSync(logFolder, { recursive: true })
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    // Written anew: the mode is that of a new file alone.
    rmSync(this.#script, { force: true })
    const text = workerScript({ jobName, command, workFolder, noticeSeconds, logFolder, options })
    writeFileSync(this.#script, text, { mode: 0o700 })
    this.#isWritten = true
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
    const names = join(this.#folder, `workers-${++this.#submissions}`)
    rmSync(names, { force: true })
    writeFileSync(names, `${workerIds.join('\n')}\n`, { mode: 0o600 })
    const array = `--array=0-${workerIds.length - 1}`
    const result = await this.#run('sbatch', ['--parsable', array, this.#script, names], this.#submitTimeoutMs).catch(
      (error: unknown) => {
        // It may have been taken all the same: without their names these jobs end as they begin.
        rmSync(names, { force: true })
        throw error
      },
    )
    const [line = ''] = result.stdout.trim().split('\n').slice(-1)
    // On a federation `id;cluster`.
    const id = /^(\d+)(;.*)?$/.exec(line)?.[1]
    if (result.exitCode === 0 && id !== undefined) return workerIds.map((_, task) => `${id}_${task}`)
    rmSync(names, { force: true })
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
    return join(this.#logFolder, `slurm-${jobId}.log`)
  }

  async lastOutputOf(jobId: string): Promise<string> {
    try {
      await using file = await open(this.logFileOf(jobId))
      const { size } = await file.stat()
      const from = Math.max(0, size - LAST_OUTPUT_BYTES)
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
      return buffer.toString('utf8', 0, bytesRead).trim().split('\n').slice(-LAST_OUTPUT_LINES).join('\n')
    } catch {
      // A job that never began has none; nor has one whose node could not write there.
      return ''
    }
  }

  /**
   * Cancels all jobs of this run that are left, without waiting for it: for a process that is about to exit.
   */
  cancelOnExit(): void {
    if (this.#isWritten && !this.#ending.signal.aborted) this.#cancelAlone()
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
      if (this.#isWritten) await this.#cancelJobs(['--state=PENDING', ...this.#byName()], ms)
    } catch (error) {
      this.#cancelAlone()
      const words = ['scancel', ...this.#byName()].join(' ')
      const message = `${messageOf(error)}; should jobs of this run be left, end them: ${words}`
      throw new InfrastructureError('QUEUE_UNAVAILABLE', message, { cause: error })
    } finally {
      // What else is under way would keep this process.
      this.#ending.abort()
    }
  }

  #run(program: string, args: readonly string[], timeoutMs = this.#callTimeoutMs): Promise<ProgramResult> {
    // Unset, squeue cuts long lists of array tasks.
    const env = { ...process.env, SLURM_BITSTR_LEN: '0' }
    return runProgram(program, args, { timeoutMs, signal: this.#ending.signal, env })
  }
}

const FORGOTTEN: JobState = { status: 'ended', reason: 'its job is gone from the queue' }

const arrayOf = (jobId: string): string => jobId.replace(/_.*$/, '')

const isUnknownJob = ({ exitCode, stderr }: ProgramResult): boolean =>
  exitCode !== 0 && /Invalid job id specified/.test(stderr)

const unavailable = (result: ProgramResult): InfrastructureError =>
  new InfrastructureError('QUEUE_UNAVAILABLE', `SLURM did not answer: ${lastWords(result)}`)

/** What a program said of its failure, in one line. */
function lastWords({ stdout, stderr, exitCode }: ProgramResult): string {
  const lines = (stderr.trim() || stdout.trim()).split('\n').map((line) => line.replace(/^\w+: (error: )?/, '').trim())
  const text = lines.slice(-3).join('; ').slice(0, 1000)
  return text === '' ? `exit code ${exitCode}` : text
}

function attempt<Value>(action: () => Value): Value | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}
