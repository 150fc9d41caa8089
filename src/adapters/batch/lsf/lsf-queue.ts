import { join } from 'node:path'
import { quoteShell } from '../../../core/shell-words.ts'
import type { JobState } from '../../../ports/job-queue.ts'
import { BatchCalls, type BatchWords, type Command, perCall } from '../batch-calls.ts'
import { workerLines } from '../batch-folder.ts'
import { type BatchQueue, type BatchQueueOptions, batchQueue } from '../batch-queue.ts'
import { type BatchSystem, FORGOTTEN, type Submission } from '../batch-system.ts'
import type { ProgramResult } from '../run-program.ts'
import { BJOBS_FORMAT, COMMAND_FORMAT, parseBjobs, parseCommands, type SubmittedJob } from './bjobs-output.ts'
import { parseBsubOptions, warningOf } from './bsub-options.ts'

const WORDS: BatchWords = {
  system: 'LSF',
  temporary:
    /LSF is down|please wait|not responding|Cannot (connect|open connection)|timed? ?out|try (again|later)|busy/i,
  permanent: /no such queue|bad |illegal|cannot use|not a member/i,
  noise: /^(Job not submitted\.$)/,
}

/**
 * A queue of LSF jobs, through its own programs: `bsub`, `bjobs`, `bkill`. Runs none of them yet; checks the options.
 * @throws ConfigError `INVALID_CONFIG` for options that can't be used
 */
export function lsfQueue(options: BatchQueueOptions): BatchQueue {
  return batchQueue(new Lsf(options), options)
}

class Lsf implements BatchSystem {
  readonly folderName = 'lsf'
  readonly calls: BatchCalls
  readonly cancelAll: Command
  readonly #options: BatchQueueOptions
  readonly #bsubOptions: readonly string[]
  #avoided: readonly string[] = []

  constructor(options: BatchQueueOptions) {
    const words = parseBsubOptions(options.options ?? '')
    this.#options = options
    this.#bsubOptions = [...words, ...warningOf(words, options.noticeSeconds ?? 60)]
    this.calls = new BatchCalls(WORDS, options.callTimeoutMs)
    this.cancelAll = ['bkill', '-J', options.jobName, '0']
  }

  /** The shell sets the folder and the log, since LSF's own options can't express every path. */
  scriptText(logFolder: string): string {
    const { command, workFolder = process.cwd() } = this.#options
    return [
      '#!/bin/sh',
      '# Written by Bellis. While the run is running, each job of this script is one more worker.',
      "# Each worker reads the token of the run from the run's folder, so that it is in no script.",
      `exec >> ${quoteShell(join(logFolder, 'lsf-'))}"\${LSB_JOBID}[\${LSB_JOBINDEX}].log" 2>&1`,
      `cd ${quoteShell(workFolder)} || exit 1`,
      ...workerLines('$((LSB_JOBINDEX))', command),
    ].join('\n')
  }

  #submit(workers: number, name = this.#options.jobName): string[] {
    // -rn: Bellis replaces workers itself, so a job that LSF restarts under its old id would be one too many.
    return ['bsub', '-J', `${name}[1-${workers}]`, '-o', '/dev/null', '-rn', ...this.#bsubOptions]
  }

  /** LSF can't only check options, so a job that is held is submitted and removed again. */
  async check(): Promise<ProgramResult> {
    const command = [...this.#submit(1, `${this.#options.jobName}-check`), '-H', 'true'] as unknown as Command
    const result = await this.calls.run(command, this.calls.submitTimeoutMs)
    const [id] = result.exitCode === 0 ? (this.jobIdsIn(result.stdout, 1) ?? []) : []
    if (id !== undefined) await this.cancel([id])
    return result
  }

  byHand(workers: number, script: string): string {
    // A shell reads the command once more on the node.
    return [...this.#submit(workers), quoteShell(script)].map(quoteShell).join(' ')
  }

  submission({ workers, script, names }: Submission): Command {
    return [
      ...this.#submit(workers),
      ...this.#avoided,
      `${quoteShell(script)} ${quoteShell(names)}`,
    ] as unknown as Command
  }

  avoid(nodes: readonly string[]): boolean {
    // LSF joins several requirements.
    this.#avoided = nodes.length === 0 ? [] : ['-R', `select[${nodes.map((node) => `hname!='${node}'`).join(' && ')}]`]
    return true
  }

  jobIdsIn(printed: string, workers: number): string[] | undefined {
    const numbers = new Set([...printed.matchAll(/\bJob <(\d+)> is submitted\b/g)].map(([, number]) => number))
    const [number] = numbers
    return numbers.size === 1 ? Array.from({ length: workers }, (_, index) => `${number}[${index + 1}]`) : undefined
  }

  async submittedWith(names: string): Promise<string[]> {
    const submitted = (await this.#ours()).filter(({ command }) => command.endsWith(` ${quoteShell(names)}`))
    const indexOf = (id: string) => Number(/\[(\d+)\]/.exec(id)?.[1])
    return submitted.map(({ id }) => id).sort((a, b) => indexOf(a) - indexOf(b))
  }

  async status(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobState>> {
    const listed = new Map<string, JobState>()
    for (const numbers of perCall([...new Set(jobIds.map((id) => id.replace(/\[.*$/, '')))])) {
      const text = await this.#bjobs(BJOBS_FORMAT, numbers)
      for (const [id, state] of parseBjobs(text)) listed.set(id, state)
    }
    return new Map(jobIds.map((id) => [id, listed.get(id) ?? FORGOTTEN]))
  }

  async #bjobs(format: string, which: readonly string[], timeoutMs?: number): Promise<string> {
    const asked: Command = ['bjobs', '-a', '-noheader', '-o', format, ...which]
    const result = await this.calls.run(asked, timeoutMs)
    // It fails if it does not know one of the jobs, and prints the others.
    const isUnknown = /is not found|No (matching )?jobs? found|No unfinished job/i.test(result.stderr)
    if (result.exitCode === 0 || (isUnknown && !this.calls.isTemporary(result))) return result.stdout
    throw this.calls.unavailable(asked, result)
  }

  async #ours(timeoutMs?: number): Promise<SubmittedJob[]> {
    return parseCommands(await this.#bjobs(COMMAND_FORMAT, ['-J', this.#options.jobName], timeoutMs))
  }

  /** Kills running workers at once: without a signal, LSF lets them time to end. Then removes the jobs that have not started. */
  async cancel(jobIds: readonly string[]): Promise<void> {
    await this.calls.runToEnd(['bkill', '-s', 'KILL', ...jobIds])
    await this.calls.runToEnd(['bkill', ...jobIds])
  }

  async cancelWaiting(timeoutMs: number): Promise<void> {
    const waiting = (await this.#ours(timeoutMs)).filter(({ state }) => /^(PEND|PSUSP|WAIT)$/.test(state.trim()))
    for (const ids of perCall(waiting.map(({ id }) => id))) await this.calls.runToEnd(['bkill', ...ids], timeoutMs)
  }
}
