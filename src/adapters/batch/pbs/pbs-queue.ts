import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { quoteShell } from '../../../core/shell-words.ts'
import type { JobState } from '../../../ports/job-queue.ts'
import { BatchCalls, type BatchWords, type Command, perCall } from '../batch-calls.ts'
import { workerLines } from '../batch-folder.ts'
import { type BatchQueue, type BatchQueueOptions, batchQueue } from '../batch-queue.ts'
import type { BatchSystem, Submission } from '../batch-system.ts'
import type { ProgramResult } from '../run-program.ts'
import { type ListedJob, numberOf, parseQstat, toJobState } from './qstat-output.ts'
import { parsePbsOptions } from './qsub-options.ts'

const WORDS: BatchWords = {
  system: 'PBS',
  temporary:
    /cannot connect|connection (refused|timed out)|timeout|try again|Invalid credential|No Permission.*server/i,
  permanent: /unknown queue|illegal|invalid partition/i,
  noise: /^(qsub: |qstat: |qdel: |option -S is ignored.*)/,
}

/**
 * A queue of PBS jobs (Torque, OpenPBS, PBS Professional), through its own programs: `qsub`, `qstat`, `qdel`. Runs none of them
 * yet; checks the options.
 * @throws ConfigError `INVALID_CONFIG` for options that can't be used
 */
export function pbsQueue(options: BatchQueueOptions): BatchQueue {
  return batchQueue(new Pbs(options), options)
}

/** One job per worker: arrays have other options and ids in each kind of PBS, and are often not allowed. */
class Pbs implements BatchSystem {
  readonly folderName = 'pbs'
  readonly workersPerSubmission = 1
  readonly calls: BatchCalls
  readonly cancelAll: Command
  readonly #options: BatchQueueOptions
  readonly #qsubOptions: readonly string[]

  constructor(options: BatchQueueOptions) {
    this.#options = options
    this.#qsubOptions = parsePbsOptions(options.options ?? '')
    this.calls = new BatchCalls(WORDS, options.callTimeoutMs)
    // PBS has no program that ends jobs by their name.
    const ids = `awk '/^Job Id:/ { id = $3 } $1 == "Job_Name" && index($3, "${options.jobName}.") == 1 { print id }'`
    this.cancelAll = ['/bin/sh', '-c', `qdel $(timeout 10 qstat -f | ${ids})`]
  }

  /** The shell sets the folder and the log, since PBS's own options can't express every path. */
  scriptText(logFolder: string): string {
    const { command, workFolder = process.cwd() } = this.#options
    const log = `exec >> ${quoteShell(join(logFolder, 'pbs-'))}"\${number%%.*}.log" 2>&1`
    return [
      '#!/bin/sh',
      '# Written by Bellis. While the run is running, this adds a worker to it: qsub and this file, in its folder.',
      "# Each worker reads the token of the run from the run's folder, so that it is in no script.",
      // Torque over SLURM sets no PBS_JOBID.
      'number="$' + '{PBS_JOBID:-$SLURM_JOB_ID}"',
      log,
      `cd ${quoteShell(workFolder)} || exit 1`,
      `[ -z "$BELLIS_NAMES" ] || set -- ${quoteShell(join(dirname(logFolder), this.#folder))}/"$BELLIS_NAMES"`,
      ...workerLines('1', command),
    ].join('\n')
  }

  get #folder(): string {
    return join(this.folderName, this.#options.part ?? '')
  }

  #submit(name: string): Command {
    // The shell of the script is named, since PBS takes the user's. Both outputs are in the worker's log already.
    const own = ['-N', name, '-j', 'oe', '-o', '/dev/null', '-r', 'n', '-S', '/bin/sh']
    return ['qsub', ...own, ...this.#qsubOptions]
  }

  /** PBS can't only check options, so a job that is held is submitted and removed again. */
  async check(): Promise<ProgramResult> {
    const folder = mkdtempSync(join(tmpdir(), 'bellis-pbs-'))
    try {
      writeFileSync(join(folder, 'check.sh'), '#!/bin/sh\ntrue\n')
      const command = [...this.#submit(`${this.#options.jobName}.0`), '-h', 'check.sh'] as unknown as Command
      const result = await this.calls.run(command, this.calls.submitTimeoutMs, folder)
      const id = result.exitCode === 0 ? idIn(result.stdout) : undefined
      if (id !== undefined) await this.cancel([id])
      return result
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }

  byHand(workers: number, script: string): string {
    const submit = [...this.#submit(`${this.#options.jobName}.h`), '-V', basename(script)].map(quoteShell).join(' ')
    const times = Array.from({ length: workers }, (_, index) => index + 1).join(' ')
    return `(cd ${quoteShell(dirname(script))} && for i in ${times}; do ${submit}; done)`
  }

  submission({ script, names }: Submission): Command {
    return [
      ...this.#submit(this.#nameOf(names)),
      '-V',
      '-v',
      `BELLIS_NAMES=${basename(names)}`,
      basename(script),
    ] as unknown as Command
  }

  /** `bellis-…-a1b2c3.7` for the file `workers-7`: the name tells submissions apart. */
  #nameOf(names: string): string {
    return `${this.#options.jobName}.${names.replace(/^.*-/, '')}`
  }

  jobIdsIn(printed: string): string[] | undefined {
    const id = idIn(printed)
    return id === undefined ? undefined : [id]
  }

  async submittedWith(names: string): Promise<string[]> {
    return (await this.#ours()).filter(({ name }) => name === this.#nameOf(names)).map(({ id }) => id)
  }

  async status(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobState>> {
    const states = new Map<string, JobState>()
    for (const ids of perCall(jobIds)) {
      const listed = new Map((await this.#list(ids)).map((job) => [numberOf(job.id), job]))
      for (const id of ids) states.set(id, toJobState(listed.get(numberOf(id))))
    }
    return states
  }

  async #list(jobIds: readonly string[], timeoutMs?: number): Promise<ListedJob[]> {
    const asked: Command = ['qstat', '-f', ...jobIds]
    const result = await this.calls.run(asked, timeoutMs)
    // 153 and 35: it does not know some of the jobs, or they have ended.
    const isAnswer = [0, 153, 35].includes(result.exitCode) && !this.calls.isTemporary(result)
    if (isAnswer || /Unknown Job|has finished/i.test(result.stderr)) return parseQstat(result.stdout)
    throw this.calls.unavailable(asked, result)
  }

  /** The jobs of this start of the run that PBS still lists. */
  async #ours(timeoutMs?: number): Promise<ListedJob[]> {
    return (await this.#list([], timeoutMs)).filter(({ name }) => name.startsWith(`${this.#options.jobName}.`))
  }

  cancel(jobIds: readonly string[]): Promise<void> {
    return this.calls.runToEnd(['qdel', ...jobIds])
  }

  async cancelWaiting(timeoutMs: number): Promise<void> {
    const waiting = (await this.#ours(timeoutMs)).filter((job) => toJobState(job).status === 'pending')
    for (const ids of perCall(waiting.map(({ id }) => id))) await this.calls.runToEnd(['qdel', ...ids], timeoutMs)
  }
}

/** The id in what qsub and a site's own programs print; undefined if there is none, or if there are several. */
function idIn(printed: string): string | undefined {
  const ids = [...printed.matchAll(/^\s*(\d+(?:\.[A-Za-z][\w.-]*)?)\s*$/gm)].map(([, id]) => id)
  return new Set(ids).size === 1 ? ids[0] : undefined
}
