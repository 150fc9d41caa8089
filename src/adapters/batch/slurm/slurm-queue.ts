import type { JobState } from '../../../ports/job-queue.ts'
import { BatchCalls, type BatchWords, type Command } from '../batch-calls.ts'
import { type BatchQueue, type BatchQueueOptions, batchQueue } from '../batch-queue.ts'
import type { BatchSystem } from '../batch-system.ts'
import type { ProgramResult } from '../run-program.ts'
import { parseSbatchOptions } from './sbatch-options.ts'
import { type ListedJobs, parseSqueueJson, parseSqueueText, SQUEUE_FORMAT } from './squeue-output.ts'
import { workerScript } from './worker-script.ts'

const WORDS: BatchWords = {
  system: 'SLURM',
  temporary:
    /Socket timed out|Unable to contact|Connection refused|Communication connection|temporarily|Zero Bytes|try again|slurm_persist_conn|backup|in standby|timeout/i,
  noise: /^\w+: (error: )?/,
  // Without this, squeue cuts long lists of array tasks.
  env: { SLURM_BITSTR_LEN: '0' },
}

/**
 * A queue of SLURM jobs, through its own programs: `sbatch`, `squeue`, `scancel`. Runs none of them yet; checks the options.
 * @throws ConfigError `INVALID_CONFIG` for options that can't be used
 */
export function slurmQueue(options: BatchQueueOptions): BatchQueue {
  return batchQueue(new Slurm(options), options)
}

class Slurm implements BatchSystem {
  readonly folderName = 'slurm'
  readonly calls: BatchCalls
  readonly check: Command
  readonly cancelAll: Command
  readonly #options: BatchQueueOptions
  readonly #sbatchOptions: readonly string[]
  readonly #byName: readonly string[]
  #listing: 'json' | 'text' = 'json'

  constructor(options: BatchQueueOptions) {
    this.#options = options
    this.#sbatchOptions = parseSbatchOptions(options.options ?? '')
    this.#byName = [`--name=${options.jobName}`, `--user=${process.getuid?.()}`]
    this.calls = new BatchCalls(WORDS, options.callTimeoutMs)
    this.check = ['sbatch', '--test-only', ...this.#sbatchOptions, '--wrap=true']
    this.cancelAll = ['scancel', '--quiet', ...this.#byName]
  }

  scriptText(logFolder: string): string {
    const { jobName, command, workFolder = process.cwd(), noticeSeconds = 60 } = this.#options
    return workerScript({ jobName, command, workFolder, noticeSeconds, logFolder, options: this.#sbatchOptions })
  }

  byHand(workers: number): Command {
    return ['sbatch', `--array=1-${workers}`]
  }

  submission(workers: number): Command {
    return ['sbatch', '--parsable', `--array=0-${workers - 1}`]
  }

  jobIdsIn(printed: string, workers: number): string[] | undefined {
    const [line = ''] = printed.trim().split('\n').slice(-1)
    // In a federation the id is `id;cluster`.
    const id = /^(\d+)(;.*)?$/.exec(line)?.[1]
    return id === undefined ? undefined : Array.from({ length: workers }, (_, task) => `${id}_${task}`)
  }

  async status(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobState>> {
    const listed = await this.#list(jobIds)
    return new Map(jobIds.map((id) => [id, listed.get(id) ?? FORGOTTEN]))
  }

  async #list(jobIds: readonly string[]): Promise<ListedJobs> {
    const arrays = [...new Set(jobIds.map(arrayOf))]
    const all = ['--states=all', `--jobs=${arrays.join(',')}`]
    if (this.#listing === 'json') {
      const asked: Command = ['squeue', '--json', ...all]
      const result = await this.calls.run(asked)
      if (isUnknownJob(result)) return new Map()
      const jobs = attempt(() => parseSqueueJson(result.stdout))
      const wanted = new Set(arrays)
      const isOnlyOurs = jobs !== undefined && [...jobs.keys()].every((id) => wanted.has(arrayOf(id)))
      if (isOnlyOurs && result.exitCode === 0) return jobs
      if (this.calls.isTemporary(result)) throw this.calls.unavailable(asked, result)
      // Older versions have no JSON. Up to 22.05, JSON output contains every job of the cluster, despite any filter.
      this.#listing = 'text'
    }
    const asked: Command = ['squeue', '--noheader', '--array', `--format=${SQUEUE_FORMAT}`, ...all]
    const result = await this.calls.run(asked)
    if (isUnknownJob(result)) return new Map()
    const jobs = result.exitCode === 0 ? attempt(() => parseSqueueText(result.stdout)) : undefined
    if (jobs === undefined) throw this.calls.unavailable(asked, result)
    return jobs
  }

  /**
   * Kills the workers of running jobs first: if SLURM only cancels them, it sends a signal and waits half a minute. Then
   * removes the jobs that have not started.
   */
  async cancel(jobIds: readonly string[]): Promise<void> {
    await this.calls.runToEnd(['scancel', '--quiet', '--signal=KILL', '--batch', '--state=RUNNING', ...jobIds])
    await this.calls.runToEnd(['scancel', '--quiet', ...jobIds])
  }

  cancelWaiting(timeoutMs: number): Promise<void> {
    return this.calls.runToEnd(['scancel', '--quiet', '--state=PENDING', ...this.#byName], timeoutMs)
  }
}

const FORGOTTEN: JobState = { status: 'ended', reason: 'its job is no longer in the queue' }

const arrayOf = (jobId: string): string => jobId.replace(/_.*$/, '')

const isUnknownJob = ({ exitCode, stderr }: ProgramResult): boolean =>
  exitCode !== 0 && /Invalid job id specified/.test(stderr)

function attempt<Value>(action: () => Value): Value | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}
