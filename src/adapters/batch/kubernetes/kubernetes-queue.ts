import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { messageOf } from '../../../core/errors.ts'
import { quoteShell } from '../../../core/shell-words.ts'
import type { JobState } from '../../../ports/job-queue.ts'
import { BatchCalls, type BatchWords, type Command } from '../batch-calls.ts'
import { type BatchQueue, type BatchQueueOptions, batchQueue } from '../batch-queue.ts'
import type { BatchSystem, Submission } from '../batch-system.ts'
import type { ProgramResult } from '../run-program.ts'
import { INDEX_LABEL, JOB_LABEL, jobManifest, START } from './job-manifest.ts'
import { type Fields, type PodOptions, parsePodOptions } from './pod-options.ts'
import { FAILED_CREATE, idOf, lacksPods, parseStates, partsOf, withRefusals, workersOf } from './pod-states.ts'
import { nameByHand, startIn, workerScript } from './worker-script.ts'

const WORDS: BatchWords = {
  system: 'Kubernetes',
  temporary:
    /Unable to connect|connection (to the server .* was )?refused|connection reset|timed? ?out|timeout|deadline exceeded|etcdserver|ServiceUnavailable|InternalError|TooManyRequests|currently unable|try again|\bEOF\b/i,
  permanent: /NotFound|Forbidden|Unauthorized|Invalid|BadRequest|x509|unknown authority/,
  noise: /^(error: |Warning: .*$|[EWI]\d{4} .*$)/,
}

/** An Indexed Job of more pods would have more names than fit into one variable. */
const WORKERS_PER_JOB = 500
/** A worker that is killed gets no time to finish its block: others do it already. */
const KILLED = ['--grace-period=1', '--wait=false', '--ignore-not-found']
/** How much of a pod's log is kept. */
const LOG_LINES = 10_000

/**
 * A queue of the pods of Indexed Jobs, through the program of Kubernetes: `kubectl`, with the user's own access to the cluster. Does
 * not run it yet; checks the options.
 * @throws ConfigError `INVALID_CONFIG`, `NO_SUCH_FILE` for options that can't be used
 */
export function kubernetesQueue(options: BatchQueueOptions): BatchQueue {
  return batchQueue(new Kubernetes(options), options)
}

class Kubernetes implements BatchSystem {
  readonly folderName = 'kubernetes'
  readonly workersPerSubmission = WORKERS_PER_JOB
  readonly calls: BatchCalls
  readonly cancelAll: Command
  readonly byHand = lineByHand
  readonly #options: BatchQueueOptions
  readonly #pods: PodOptions
  /** The label of all jobs of this start of the run, and the first part of their names. */
  readonly #start: string
  #avoided: readonly string[] = []

  constructor(options: BatchQueueOptions) {
    this.#options = options
    this.#pods = parsePodOptions(options.options ?? '')
    this.#start = nameOfStart(options.jobName)
    this.calls = new BatchCalls(WORDS, options.callTimeoutMs)
    this.cancelAll = this.#deleteOf(this.#start)
  }

  #kubectl(...words: readonly string[]): Command {
    return ['kubectl', ...this.#pods.kubectl, ...words]
  }

  /** The pods of a job go with it. */
  #deleteOf(start: string): Command {
    const selected = ['delete', 'jobs,secrets', `--selector=${START}=${start}`]
    return this.#kubectl(...selected, '--cascade=background', '--wait=false', '--ignore-not-found')
  }

  #manifest(name: string, workers: number): Fields {
    const { command, workFolder = process.cwd(), noticeSeconds = 60 } = this.#options
    const avoided = this.#avoided
    const [start, options] = [this.#start, this.#pods]
    return jobManifest({ name, start, workers, command, workFolder, noticeSeconds, avoided, options })
  }

  scriptText(): string {
    return workerScript({
      kubectl: this.#kubectl(),
      start: this.#start,
      folder: resolve(this.#options.folder),
      own: join(this.folderName, this.#options.part ?? ''),
      manifest: this.#manifest(nameByHand, 1),
    })
  }

  /** Has the server check a job without keeping it; then removes what an earlier start of the run has left. */
  async check(): Promise<ProgramResult> {
    const folder = mkdtempSync(join(tmpdir(), 'bellis-kubernetes-'))
    try {
      const file = join(folder, 'job.json')
      writeFileSync(file, JSON.stringify(this.#manifest(this.#start, 1)))
      const create = this.#kubectl('create', '--dry-run=server', '-o', 'name', '-f', file)
      const result = await this.calls.run(create, this.calls.submitTimeoutMs)
      if (result.exitCode === 0) await this.#removeEarlier()
      return result
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }

  /** A start of the run that was killed could not cancel its jobs. Its workers know only the address and the token of that start. */
  async #removeEarlier(): Promise<void> {
    const { folder, part = '' } = this.#options
    let script: string
    try {
      script = readFileSync(resolve(folder, this.folderName, part, 'worker.sh'), 'utf8')
    } catch {
      return
    }
    const start = startIn(script)
    if (start !== undefined && start !== this.#start) await this.calls.run(this.#deleteOf(start)).catch(() => {})
  }

  submission({ workers, script, names }: Submission): Command {
    const job = this.#jobOf(names)
    writeFileSync(`${names}.json`, JSON.stringify(this.#manifest(job, workers)), { mode: 0o600 })
    return ['/bin/sh', script, String(workers), job, names]
  }

  /** The name of a submission's job: it can be found again without any answer. */
  #jobOf(names: string): string {
    return idOf(this.#start, /\d+$/.exec(names)?.[0] ?? '0')
  }

  avoid(nodes: readonly string[]): boolean {
    this.#avoided = nodes
    return true
  }

  jobIdsIn(printed: string, workers: number): string[] | undefined {
    const [, job] = /^job\.batch\/(\S+)$/m.exec(printed) ?? []
    return job === undefined ? undefined : Array.from({ length: workers }, (_, index) => idOf(job, index))
  }

  async submittedWith(names: string): Promise<string[]> {
    const job = this.#jobOf(names)
    const text = await this.#answerOf(this.#kubectl('get', 'job', job, '--ignore-not-found', '-o', 'json'))
    return Array.from({ length: workersOf(text) }, (_, index) => idOf(job, index))
  }

  async status(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobState>> {
    const asked = this.#kubectl('get', 'pods,jobs', `--selector=${START}=${this.#start}`, '-o', 'json')
    const text = await this.#answerOf(asked)
    let states: ReadonlyMap<string, JobState>
    try {
      states = parseStates(text, jobIds)
    } catch (error) {
      throw this.calls.unavailable(asked, { exitCode: 0, stdout: '', stderr: messageOf(error) })
    }
    return lacksPods(states) ? await this.#withReasons(states) : states
  }

  /** Events have no labels, and the user may not be allowed to read them: then there are no reasons. */
  async #withReasons(states: ReadonlyMap<string, JobState>): Promise<ReadonlyMap<string, JobState>> {
    const selector = `--field-selector=involvedObject.kind=Job,reason=${FAILED_CREATE}`
    try {
      return withRefusals(states, await this.#answerOf(this.#kubectl('get', 'events', selector, '-o', 'json')))
    } catch {
      return states
    }
  }

  async #answerOf(asked: Command): Promise<string> {
    const result = await this.calls.run(asked)
    if (result.exitCode === 0) return result.stdout
    throw this.calls.unavailable(asked, result)
  }

  async cancel(jobIds: readonly string[]): Promise<void> {
    const byJob = new Map<string, string[]>()
    for (const id of jobIds) {
      const [job, index] = partsOf(id)
      byJob.set(job, [...(byJob.get(job) ?? []), index])
    }
    for (const [job, indices] of byJob) {
      const selector = `${JOB_LABEL}=${job},${INDEX_LABEL} in (${indices.join(',')})`
      await this.calls.runToEnd(this.#kubectl('delete', 'pods', `--selector=${selector}`, ...KILLED))
    }
  }

  async cancelWaiting(timeoutMs: number): Promise<void> {
    // Pods that run are asked to end, and have the time to do so: their workers are leaving anyway.
    await this.calls.runToEnd(this.cancelAll, timeoutMs)
  }

  async saveLog(jobId: string, file: string): Promise<void> {
    const [job, index] = partsOf(jobId)
    const selector = `${JOB_LABEL}=${job},${INDEX_LABEL}=${index}`
    const asked = this.#kubectl('logs', `--selector=${selector}`, `--tail=${LOG_LINES}`)
    const result = await this.calls.run(asked)
    if (result.exitCode === 0 && result.stdout !== '') writeFileSync(file, result.stdout)
  }
}

const lineByHand = (workers: number, script: string): string =>
  ['sh', script, String(workers)].map(quoteShell).join(' ')

/** The longest start of a name: pods add their index and a random word to it, up to 63 characters. */
const MAX_NAME = 40

/** A name that Kubernetes allows, with the same end, which is that of no other start. */
const nameOfStart = (jobName: string): string =>
  jobName
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^(.{1,33}).*(-[^-]*)$/, (whole, first: string, last: string) =>
      whole.length <= MAX_NAME ? whole : `${first}${last}`,
    )
    .slice(-MAX_NAME)
    .replace(/^[^a-z]+/, '')
    .replace(/-+/g, '-')
    .replace(/-$/, '')
