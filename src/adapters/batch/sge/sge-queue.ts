import { spawn } from 'node:child_process'
import { userInfo } from 'node:os'
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
  splitWords,
  workerLines,
} from '../batch-queue.ts'
import { type ProgramResult, runProgram } from '../run-program.ts'

/** What SGE says when it can't answer just now. */
const TEMPORARY =
  /commlib error|unable to (send|contact|connect)|got (select|send|read|receive) error|timeout|try again/i

/**
 * Jobs of Grid Engine (SGE, Open Grid Scheduler, Univa), through its own programs: `qsub`, `qstat`, `qdel`. Does nothing yet
 * but look at the options.
 * @throws ConfigError `INVALID_CONFIG` for options that can't be
 */
export function sgeQueue(options: BatchQueueOptions): BatchQueue {
  return new SgeQueue(options)
}

class SgeQueue implements BatchQueue {
  readonly name = 'SGE'
  readonly #options: BatchQueueOptions
  readonly #qsubOptions: readonly string[]
  readonly #folder: BatchFolder
  readonly #callTimeoutMs: number
  readonly #submitTimeoutMs: number
  readonly #ending = new AbortController()

  constructor(options: BatchQueueOptions) {
    this.#options = options
    this.#callTimeoutMs = options.callTimeoutMs ?? 20_000
    this.#submitTimeoutMs = 3 * this.#callTimeoutMs
    this.#folder = new BatchFolder(options, 'sge')
    const words = parseQsubOptions(options.options ?? '')
    this.#qsubOptions = [...words, ...softLimitOf(words, options.noticeSeconds ?? 60)]
  }

  commandFor(workers: number): string {
    this.#folder.writeScript(() => this.#scriptText())
    return ['qsub', '-t', `1-${workers}`, ...this.#qsubOptions, this.#folder.script].map(quoteShell).join(' ')
  }

  /** Where it works and writes is said in the shell's words: SGE's own can't name every path. */
  #scriptText(): string {
    const { jobName, command, workFolder = process.cwd() } = this.#options
    return [
      '#!/bin/sh',
      // -r n: Bellis replaces a worker itself, and one that came back under its old id would be one too many.
      `#$ -S /bin/sh -N ${jobName} -j y -o /dev/null -r n -V`,
      '# Written by Bellis. While the run is on, this adds four workers to it: qsub -t 1-4 and this file.',
      "# What lets them in is read from the run's folder by the worker itself, and stands in no script.",
      `exec >> ${quoteShell(join(this.#folder.logs, 'sge-'))}"$JOB_ID.$SGE_TASK_ID.log" 2>&1`,
      `cd ${quoteShell(workFolder)} || exit 1`,
      ...workerLines('$((SGE_TASK_ID))', command),
    ].join('\n')
  }

  async check(): Promise<void> {
    let result: ProgramResult
    try {
      result = await this.#run('qsub', ['-w', 'v', ...this.#qsubOptions, '-b', 'y', 'true'], this.#submitTimeoutMs)
    } catch (error) {
      if (!(error instanceof Error) || !/was not found/.test(error.message)) return
      throw new ConfigError('JOB_REFUSED', error.message, { cause: error })
    }
    const said = lastWords(result)
    if (result.exitCode === 0 || TEMPORARY.test(said)) return
    throw new ConfigError('JOB_REFUSED', `SGE won't take workers with these options: ${said}`)
  }

  async submit(workerIds: readonly string[]): Promise<readonly string[]> {
    this.#folder.writeScript(() => this.#scriptText())
    const names = this.#folder.writeNames(workerIds)
    const array = ['-terse', '-t', `1-${workerIds.length}`]
    const args = [...array, ...this.#qsubOptions, this.#folder.script, names.path]
    const result = await this.#run('qsub', args, this.#submitTimeoutMs).catch((error: unknown) => {
      // It may have been taken all the same: without their names these jobs end as they begin.
      names.remove()
      throw error
    })
    // 7.1-3:1, below whatever the site's own scripts have to say.
    const id = /^(\d+)\.[\d:-]+$/m.exec(result.stdout)?.[1]
    if (result.exitCode === 0 && id !== undefined) return workerIds.map((_, task) => `${id}.${task + 1}`)
    names.remove()
    const said = lastWords(result)
    throw new InfrastructureError(
      TEMPORARY.test(said) ? 'QUEUE_UNAVAILABLE' : 'JOB_REFUSED',
      `qsub did not take ${workerIds.length} jobs: ${said}`,
    )
  }

  async status(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobState>> {
    if (jobIds.length === 0) return new Map()
    const listed = new Map((await this.#list()).map((job) => [job.id, job]))
    const waiting = jobIds.find((id) => listed.get(id)?.state === 'qw')
    const reason = waiting === undefined ? '' : await this.#reasonOf(waiting)
    return new Map(jobIds.map((id) => [id, toJobState(listed.get(id), reason)]))
  }

  async #list(which: readonly string[] = [], timeoutMs?: number): Promise<ListedJob[]> {
    const result = await this.#run('qstat', ['-u', userInfo().username, '-g', 'd', ...which, '-xml'], timeoutMs)
    if (result.exitCode === 0 && /<\/job_info>\s*$/.test(result.stdout)) return parseQstatXml(result.stdout)
    throw unavailable('qstat', result)
  }

  /** Why a job waits, in the scheduler's words; those of one stand for all, which ask for the same. */
  async #reasonOf(jobId: string): Promise<string> {
    const result = await this.#run('qstat', ['-j', arrayOf(jobId)]).catch(() => undefined)
    const [, text = ''] = /^scheduling info:(.*)$/m.exec(result?.stdout ?? '') ?? []
    const words = text.replace(/\s+/g, ' ').trim().slice(0, 300)
    return words === '' || words.startsWith('(Collecting') ? 'SGE has not said why' : words
  }

  async cancel(jobIds: readonly string[]): Promise<void> {
    for (let from = 0; from < jobIds.length; from += IDS_PER_CALL) {
      await this.#delete(jobIds.slice(from, from + IDS_PER_CALL))
    }
  }

  async #delete(jobIds: readonly string[], timeoutMs?: number): Promise<void> {
    const result = await this.#run('qdel', jobIds, timeoutMs)
    // A job that has ended can't be deleted, and is as it should be.
    if (result.exitCode !== 0 && TEMPORARY.test(lastWords(result))) throw unavailable('qdel', result)
  }

  logFileOf(jobId: string): string {
    return join(this.#folder.logs, `sge-${jobId}.log`)
  }

  lastOutputOf(jobId: string): Promise<string> {
    return lastLinesOf(this.logFileOf(jobId))
  }

  cancelOnExit(): void {
    if (this.#folder.isWritten && !this.#ending.signal.aborted) this.#deleteAlone()
  }

  /** By a process that outlives this one. */
  #deleteAlone(): void {
    spawn('qdel', [this.#options.jobName], { detached: true, stdio: 'ignore' })
      .on('error', () => {})
      .unref()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ending.signal.aborted) return
    try {
      if (this.#folder.isWritten) await this.#deleteWaiting()
    } catch (error) {
      this.#deleteAlone()
      throw leftBehind(messageOf(error), ['qdel', this.#options.jobName], error)
    } finally {
      // What else is under way would keep this process.
      this.#ending.abort()
    }
  }

  /** Also those that were submitted by hand. What runs leaves by itself, or was cancelled by its id. */
  async #deleteWaiting(): Promise<void> {
    const ms = Math.min(LAST_CALL_MS, this.#callTimeoutMs)
    const pending = await this.#list(['-s', 'p'], ms)
    const waiting = pending.filter(({ name }) => name === this.#options.jobName)
    for (let from = 0; from < waiting.length; from += IDS_PER_CALL) {
      const ids = waiting.slice(from, from + IDS_PER_CALL).map(({ id }) => id)
      await this.#delete(ids, ms)
    }
  }

  #run(program: string, args: readonly string[], timeoutMs = this.#callTimeoutMs): Promise<ProgramResult> {
    return runProgram(program, args, { timeoutMs, signal: this.#ending.signal, system: this.name })
  }
}

// --- options

/** Options of qsub that Bellis gives itself, or after which no worker would come; with what to do instead. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['-t', 'say --workers'],
  ...['-o', '-e', '-j'].map((name) => [name, "a worker's output goes to the run's folder"] as const),
  ['-N', 'Bellis names its jobs, so that it can cancel them'],
  ...['-cwd', '-wd'].map((name) => [name, 'workers run where the run was started'] as const),
  ['-r', 'Bellis replaces a job that ended by a new one'],
  ...['-terse', '-sync', '-verify', '-help', '-b', '-shell', '-S', '-C', '-@'].map(
    (name) => [name, 'a worker could not be submitted with it'] as const,
  ),
])
const WITHOUT_VALUE: ReadonlySet<string> = new Set(['-V', '-notify', '-hard', '-soft', '-clear', '-h'])
const WITH_TWO_VALUES: ReadonlySet<string> = new Set(['-pe'])

/**
 * Splits the text of `--sge` into options.
 * @throws ConfigError `INVALID_CONFIG` for a word that is no option or its value, and one that Bellis gives itself
 */
function parseQsubOptions(text: string): string[] {
  const words = splitWords(text, '--sge')
  let values = 0
  for (const word of words) {
    if (values > 0 && !(word.startsWith('-') && !/^-\d/.test(word))) {
      values--
      continue
    }
    const refused = REFUSED.get(word)
    if (refused !== undefined) {
      throw new ConfigError('INVALID_CONFIG', `"${word}" can't be given in --sge: ${refused}.`)
    }
    if (!word.startsWith('-')) {
      throw new ConfigError(
        'INVALID_CONFIG',
        `"${word}" in --sge is no option of qsub; write options alone, such as --sge "-q short.q -l h_rt=4:00:00".`,
      )
    }
    values = WITHOUT_VALUE.has(word) ? 0 : WITH_TWO_VALUES.has(word) ? 2 : 1
  }
  return words
}

/** The limit at which SGE warns a job (SIGUSR1), some time before the one at which it kills it. */
function softLimitOf(words: readonly string[], noticeSeconds: number): string[] {
  const requests = words.filter((_, index) => words[index - 1] === '-l').join(',')
  const [, limit] = /(?:^|,)h_rt=(\d*(?::\d*){0,2})(?:,|$)/.exec(requests) ?? []
  if (limit === undefined || /(?:^|,)s_rt=/.test(requests)) return []
  const seconds = limit.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
  return ['-l', `s_rt=${Math.max(1, seconds - noticeSeconds)}`]
}

// --- answers

interface ListedJob {
  /** `7.1`: one task of an array. */
  readonly id: string
  readonly name: string
  /** SGE's letters: `qw`, `r`, `Eqw`, `dr`, … */
  readonly state: string
  /** Where it runs; empty before. */
  readonly queue: string
}

/** Reads what `qstat -g d -xml` prints; entries that are no task of an array are others' and left out. */
function parseQstatXml(text: string): ListedJob[] {
  return [...text.matchAll(/<job_list\b[^>]*>([\s\S]*?)<\/job_list>/g)].flatMap(([, entry = '']) => {
    const field = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(entry)?.[1]?.trim() ?? ''
    const [number, task] = [field('JB_job_number'), field('tasks')]
    if (!/^\d+$/.test(number) || !/^\d+$/.test(task)) return []
    return [{ id: `${number}.${task}`, name: field('JB_name'), state: field('state'), queue: field('queue_name') }]
  })
}

function toJobState(job: ListedJob | undefined, reason: string): JobState {
  if (job === undefined) return { status: 'ended', reason: 'its job is gone from the queue' }
  const { id, state, queue } = job
  if (state.includes('E')) return { status: 'ended', reason: `its start failed; qstat -j ${arrayOf(id)} says why` }
  if (state.includes('h')) return { status: 'pending', reason: 'it is held (qrls)' }
  if (state.includes('q')) return { status: 'pending', reason }
  return { status: 'running', host: queue.replace(/^.*@/, '') }
}

const arrayOf = (jobId: string): string => jobId.replace(/\..*$/, '')

const unavailable = (program: string, result: ProgramResult): InfrastructureError =>
  new InfrastructureError('QUEUE_UNAVAILABLE', `${program} did not answer: ${lastWords(result)}`)

const lastWords = (result: ProgramResult): string =>
  lastWordsOf(result, /^(Unable to run job: |Exiting\.|(critical )?error: |qsub: |denied: )/)
