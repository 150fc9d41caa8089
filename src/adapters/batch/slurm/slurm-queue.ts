import { given } from '../../../core/given.ts'
import { quoteShell } from '../../../core/shell-words.ts'
import { requestedMemory } from '../../../core/workers/more-memory.ts'
import type { JobState } from '../../../ports/job-queue.ts'
import { BatchCalls, type BatchWords, type Command } from '../batch-calls.ts'
import { type BatchQueue, type BatchQueueOptions, batchQueue } from '../batch-queue.ts'
import { type BatchSystem, FORGOTTEN, type Submission } from '../batch-system.ts'
import type { ProgramResult } from '../run-program.ts'
import { arrayOf, byCluster, numberIn, onCluster, plainId, taskId, taskOf } from './job-ids.ts'
import { parseSacct, SACCT_FORMAT } from './sacct-output.ts'
import { parseSbatchOptions } from './sbatch-options.ts'
import { isOneUnusable, SINFO_FORMAT } from './sinfo-output.ts'
import { chosenClusters, chosenPartitions, reachesSlurm } from './slurm-environment.ts'
import {
  type ListedJobs,
  parseSqueueJson,
  parseSqueueText,
  parseSubmitted,
  SQUEUE_FORMAT,
  SUBMITTED_FORMAT,
} from './squeue-output.ts'
import { workerOptions, workerScript } from './worker-script.ts'

const WORDS: BatchWords = {
  system: 'SLURM',
  temporary:
    /Socket timed out|Unable to contact|Connection refused|Communication connection|temporarily|Zero Bytes|try again|slurm_persist_conn|backup|in standby|timeout|not available (now|\(down)/i,
  permanent: /invalid|not permitted|denied|violates/i,
  // sbatch waits for other jobs to end, and tries again.
  full: /unable to accept job/,
  noise: /^\w+: (error: )?/,
  passesOn: reachesSlurm,
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
  readonly cancelAll: Command
  readonly #options: BatchQueueOptions
  readonly #sbatchOptions: readonly string[]
  readonly #byName: readonly string[]
  readonly #clusters: string | undefined
  #listing: 'json' | 'text' = 'json'
  #hasAccounting = true
  #avoided: readonly string[] = []

  constructor(options: BatchQueueOptions) {
    this.#options = options
    this.#sbatchOptions = parseSbatchOptions(options.options ?? '')
    this.#clusters = chosenClusters(this.#sbatchOptions, process.env)
    this.#byName = [`--name=${options.jobName}`, `--user=${process.getuid?.()}`]
    this.calls = new BatchCalls(WORDS, options.callTimeoutMs)
    this.cancelAll = ['scancel', '--quiet', ...this.#byName, ...onClusters(this.#clusters)]
  }

  scriptText(logFolder: string): string {
    return workerScript({ ...this.#job(logFolder), command: this.#options.command })
  }

  #job(logFolder: string) {
    const { jobName, workFolder = process.cwd(), noticeSeconds = 60 } = this.#options
    return { jobName, workFolder, noticeSeconds, logFolder, options: this.#sbatchOptions }
  }

  /**
   * `--test-only` also refuses what only has to wait because nodes are drained, down, or not known to the controller yet. Then the
   * submission decides, which SLURM refuses only for what no node has in any state.
   */
  async check(): Promise<ProgramResult> {
    const first = await this.#testOnly()
    if (first.exitCode === 0 || !/node.* not available/i.test(first.stderr)) return first
    const asked = ['sinfo', '--noheader', `--format=${SINFO_FORMAT}`, ...onClusters(this.#clusters)] as const
    const nodes = await this.calls.run(asked)
    const partitions = chosenPartitions(this.#sbatchOptions, process.env)
    if (nodes.exitCode === 0 && isOneUnusable(nodes.stdout, partitions)) return { ...first, exitCode: 0 }
    // A node may have come back between the two answers.
    return this.#testOnly()
  }

  #testOnly(): Promise<ProgramResult> {
    const asked: Command = ['sbatch', '--test-only', ...this.#sbatchOptions, '--wrap=true']
    return this.calls.run(asked, this.calls.submitTimeoutMs)
  }

  byHand(workers: number, script: string): string {
    return ['sbatch', `--array=1-${workers}`, script].map(quoteShell).join(' ')
  }

  submission({ workers, script, names, logFolder }: Submission): Command {
    const array = `--array=0-${workers - 1}`
    const avoided = this.#avoided.length === 0 ? [] : [`--exclude=${this.#avoided.join(',')}`]
    return ['sbatch', '--parsable', array, ...workerOptions(this.#job(logFolder)), ...avoided, script, names]
  }

  avoid(nodes: readonly string[]): boolean {
    // The last --exclude counts, so those of the user are repeated.
    const own = this.#sbatchOptions.flatMap((word, at) => {
      const [, list] = /^(?:--exclude=|-x)(.+)$/.exec(word) ?? []
      return list ?? (/^(--exclude|-x)$/.test(word) ? (this.#sbatchOptions[at + 1] ?? []) : [])
    })
    this.#avoided = nodes.length === 0 ? [] : [...own, ...nodes]
    return true
  }

  jobIdsIn(printed: string, workers: number): string[] | undefined {
    const number = numberIn(printed)
    return number === undefined ? undefined : Array.from({ length: workers }, (_, task) => taskId(number, task))
  }

  async submittedWith(names: string): Promise<string[]> {
    const found: string[] = []
    for (const cluster of this.#clusters?.split(',') ?? [undefined]) {
      const asked: Command = [
        ...(['squeue', '--noheader', '--array', '--states=all', `--format=${SUBMITTED_FORMAT}`] as const),
        ...this.#byName,
        ...onClusters(cluster),
      ]
      const result = await this.calls.run(asked)
      if (result.exitCode !== 0) throw this.calls.unavailable(asked, result)
      found.push(...parseSubmitted(result.stdout, names).map((id) => onCluster(id, cluster)))
    }
    return found.sort((a, b) => taskOf(a) - taskOf(b))
  }

  async status(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobState>> {
    const states = new Map<string, JobState>()
    for (const [cluster, ids] of byCluster(jobIds)) {
      const listed = await this.#list(ids, cluster)
      // For a job that ran out of memory, accounts know how much it used.
      const asked = ids.filter((id) => !listed.has(plainId(id)) || isOutOfMemory(listed.get(plainId(id))))
      const ended = await this.#accountOf(asked, cluster)
      for (const id of ids) {
        const known = listed.get(plainId(id))
        const state = known === undefined || isOutOfMemory(known) ? (ended.get(plainId(id)) ?? known) : known
        states.set(id, this.#withRequest(state ?? FORGOTTEN))
      }
    }
    return states
  }

  /** What a job asked for, where no account says it. */
  #withRequest(state: JobState): JobState {
    if (!isOutOfMemory(state) || state.status !== 'ended') return state
    const asked = requestedMemory('slurm', this.#options.options ?? '')
    return { ...state, outOfMemory: { ...given({ asked }), ...state.outOfMemory } }
  }

  /** How jobs ended that squeue no longer lists, on a cluster that keeps accounts. */
  async #accountOf(jobIds: readonly string[], cluster: string | undefined): Promise<ReadonlyMap<string, JobState>> {
    if (jobIds.length === 0 || !this.#hasAccounting) return new Map()
    const form = ['--noheader', '--parsable2', `--format=${SACCT_FORMAT}`, ...onClusters(cluster)]
    const ids = jobIds.slice(0, MAX_ACCOUNTS).map(plainId)
    const result = await this.calls.run(['sacct', ...form, `--jobs=${ids.join(',')}`]).catch(() => undefined)
    if (result?.exitCode === 0) return parseSacct(result.stdout)
    // Most small clusters keep none; this does not change during a run.
    this.#hasAccounting = false
    return new Map()
  }

  /** @returns jobs by their ids without a cluster */
  async #list(jobIds: readonly string[], cluster: string | undefined): Promise<ListedJobs> {
    const arrays = [...new Set(jobIds.map(arrayOf))]
    const all = ['--states=all', `--jobs=${arrays.join(',')}`, ...onClusters(cluster)]
    if (this.#listing === 'json' && cluster === undefined) {
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
    for (const [cluster, jobs] of byCluster(jobIds)) {
      const ids = [...onClusters(cluster), ...jobs.map(plainId)]
      await this.calls.runToEnd(['scancel', '--quiet', '--signal=KILL', '--batch', '--state=RUNNING', ...ids])
      await this.calls.runToEnd(['scancel', '--quiet', ...ids])
    }
  }

  cancelWaiting(timeoutMs: number): Promise<void> {
    const [program, ...args] = this.cancelAll
    return this.calls.runToEnd([program, '--state=PENDING', ...args], timeoutMs)
  }
}

const isOutOfMemory = (state: JobState | undefined): boolean =>
  state?.status === 'ended' && state.outOfMemory !== undefined

/** The most jobs that accounts are asked for at once: the others are only known to have ended. */
const MAX_ACCOUNTS = 500

const onClusters = (clusters: string | undefined): string[] =>
  clusters === undefined ? [] : [`--clusters=${clusters}`]

const isUnknownJob = ({ exitCode, stderr }: ProgramResult): boolean =>
  exitCode !== 0 && /Invalid job id specified/.test(stderr)

function attempt<Value>(action: () => Value): Value | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}
