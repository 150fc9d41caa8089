import { userInfo } from 'node:os'
import { join } from 'node:path'
import { quoteShell } from '../../../core/shell-words.ts'
import type { JobState } from '../../../ports/job-queue.ts'
import { BatchCalls, type BatchWords, type Command, perCall } from '../batch-calls.ts'
import { workerLines } from '../batch-folder.ts'
import { type BatchQueue, type BatchQueueOptions, batchQueue } from '../batch-queue.ts'
import type { BatchSystem, Submission } from '../batch-system.ts'
import type { ProgramResult } from '../run-program.ts'
import { arrayOf, type ListedJob, parseQstatXml, toJobState } from './qstat-output.ts'
import { parseQsubOptions, softLimitOf } from './qsub-options.ts'

const WORDS: BatchWords = {
  system: 'SGE',
  temporary: /commlib error|unable to (send|contact|connect)|got (select|send|read|receive) error|timeout|try again/i,
  noise: /^(Unable to run job: |Exiting\.|(critical )?error: |qsub: |denied: )/,
}

/**
 * A queue of Grid Engine jobs (SGE, Open Grid Scheduler, Univa), through its own programs: `qsub`, `qstat`, `qdel`. Runs none
 * of them yet; checks the options.
 * @throws ConfigError `INVALID_CONFIG` for options that can't be used
 */
export function sgeQueue(options: BatchQueueOptions): BatchQueue {
  return batchQueue(new Sge(options), options)
}

class Sge implements BatchSystem {
  readonly folderName = 'sge'
  readonly calls: BatchCalls
  readonly cancelAll: Command
  readonly #options: BatchQueueOptions
  readonly #qsubOptions: readonly string[]
  #avoided: readonly string[] = []

  constructor(options: BatchQueueOptions) {
    const words = parseQsubOptions(options.options ?? '')
    this.#options = options
    this.#qsubOptions = [...words, ...softLimitOf(words, options.noticeSeconds ?? 60)]
    this.calls = new BatchCalls(WORDS, options.callTimeoutMs)
    this.cancelAll = ['qdel', options.jobName]
  }

  /** The shell sets the folder and the log, since SGE's own options can't express every path. */
  scriptText(logFolder: string): string {
    const { jobName, command, workFolder = process.cwd() } = this.#options
    return [
      '#!/bin/sh',
      // -r n: Bellis replaces workers itself, so a job that SGE restarts under its old id would be one too many.
      `#$ -S /bin/sh -N ${jobName} -j y -o /dev/null -r n -V`,
      '# Written by Bellis. While the run is running, this adds four workers to it: qsub -t 1-4 and this file.',
      "# Each worker reads the token of the run from the run's folder, so that it is in no script.",
      `exec >> ${quoteShell(join(logFolder, 'sge-'))}"$JOB_ID.$SGE_TASK_ID.log" 2>&1`,
      `cd ${quoteShell(workFolder)} || exit 1`,
      ...workerLines('$((SGE_TASK_ID))', command),
    ].join('\n')
  }

  check(): Promise<ProgramResult> {
    return this.calls.run(['qsub', '-w', 'v', ...this.#qsubOptions, '-b', 'y', 'true'], this.calls.submitTimeoutMs)
  }

  byHand(workers: number, script: string): string {
    return ['qsub', '-t', `1-${workers}`, ...this.#qsubOptions, script].map(quoteShell).join(' ')
  }

  submission({ workers, script, names }: Submission): Command {
    return ['qsub', '-terse', '-t', `1-${workers}`, ...this.#qsubOptions, ...this.#avoided, script, names]
  }

  avoid(nodes: readonly string[]): boolean {
    // A second request for a host would replace that of the user.
    if (this.#qsubOptions.some((word) => /(^|,)(h|hostname)=/.test(word))) return false
    this.#avoided = nodes.length === 0 ? [] : ['-l', `h=!(${nodes.join('|')})`]
    return true
  }

  jobIdsIn(printed: string, workers: number): string[] | undefined {
    // 7.1-3:1, after whatever the site's own scripts print.
    const id = /^(\d+)\.[\d:-]+$/m.exec(printed)?.[1]
    return id === undefined ? undefined : Array.from({ length: workers }, (_, task) => `${id}.${task + 1}`)
  }

  async submittedWith(names: string): Promise<string[]> {
    const ours = (await this.#list()).filter(({ name }) => name === this.#options.jobName)
    const found: string[] = []
    for (const number of new Set(ours.map(({ id }) => arrayOf(id)))) {
      const asked: Command = ['qstat', '-j', number]
      const { stdout } = await this.calls.run(asked)
      const submittedWith = /^job_args:(.*)$/m.exec(stdout)?.[1]?.trim()
      if (submittedWith === names) found.push(...ours.map(({ id }) => id).filter((id) => arrayOf(id) === number))
    }
    return found.sort((a, b) => Number(a.split('.')[1]) - Number(b.split('.')[1]))
  }

  async status(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobState>> {
    const listed = new Map((await this.#list()).map((job) => [job.id, job]))
    const waiting = jobIds.find((id) => listed.get(id)?.state === 'qw')
    const reason = waiting === undefined ? '' : await this.#reasonOf(waiting)
    return new Map(jobIds.map((id) => [id, toJobState(listed.get(id), reason)]))
  }

  async #list(which: readonly string[] = [], timeoutMs?: number): Promise<ListedJob[]> {
    const asked: Command = ['qstat', '-u', userInfo().username, '-g', 'd', ...which, '-xml']
    const result = await this.calls.run(asked, timeoutMs)
    if (result.exitCode === 0 && /<\/job_info>\s*$/.test(result.stdout)) return parseQstatXml(result.stdout)
    throw this.calls.unavailable(asked, result)
  }

  /** Why a job waits, in the scheduler's words. One job stands for all, since all make the same requests. */
  async #reasonOf(jobId: string): Promise<string> {
    const result = await this.calls.run(['qstat', '-j', arrayOf(jobId)]).catch(() => undefined)
    const [, text = ''] = /^scheduling info:(.*)$/m.exec(result?.stdout ?? '') ?? []
    const words = text.replace(/\s+/g, ' ').trim().slice(0, 300)
    return words === '' || words.startsWith('(Collecting') ? 'SGE gives no reason' : words
  }

  cancel(jobIds: readonly string[]): Promise<void> {
    return this.calls.runToEnd(['qdel', ...jobIds])
  }

  async cancelWaiting(timeoutMs: number): Promise<void> {
    const pending = await this.#list(['-s', 'p'], timeoutMs)
    const waiting = pending.filter(({ name }) => name === this.#options.jobName)
    for (const ids of perCall(waiting.map(({ id }) => id))) await this.calls.runToEnd(['qdel', ...ids], timeoutMs)
  }
}
