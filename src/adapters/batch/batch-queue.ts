import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import type { JobQueue } from '../../ports/job-queue.ts'
import type { ProgramResult } from './run-program.ts'

/** What every batch system's queue is made with. */
export interface BatchQueueOptions {
  /** The run's folder, on a file system that the nodes see: the script, the workers' names and their logs go there. */
  readonly folder: string
  /** The name of all jobs of this start of the run, and of no others: what is left at the end is cancelled by it. */
  readonly jobName: string
  /** What starts a worker that finds the run by its folder: program and arguments, the same on every node. */
  readonly command: readonly string[]
  /** Options of the program that submits, in one text, such as `--partition=short --time=4:00:00 --mem=4G`. @default '' */
  readonly options?: string
  /** Where workers run. @default the current folder */
  readonly workFolder?: string
  /** Seconds before a job's time limit at which its worker is told to leave. @default 60 */
  readonly noticeSeconds?: number
  /** What one call of the system's programs may take. @default 20000, and three times that for a submission */
  readonly callTimeoutMs?: number
}

/** A job queue that people use by hand, too. */
export interface BatchQueue extends JobQueue {
  /** Writes the script that workers are started with. @returns the command that adds some while the run is on, to be copied */
  commandFor(workers: number): string
  /** Cancels all jobs of this run that are left, without waiting for it: for a process that is about to exit. */
  cancelOnExit(): void
}

/** What the call that cancels what is left may take: the run's end waits for it. */
export const LAST_CALL_MS = 4000
/** Ids in one call: an argument list has an end. */
export const IDS_PER_CALL = 500
const LAST_OUTPUT_BYTES = 4096
const LAST_OUTPUT_LINES = 10

/** What a run has on the disk for its jobs: the script, the names of the workers, their logs. */
export class BatchFolder {
  readonly script: string
  readonly logs: string
  readonly #folder: string
  #isWritten = false
  #submissions = 0

  /** @param name of the folder in the run's folder; its logs begin with it */
  constructor({ folder }: BatchQueueOptions, name: string) {
    this.#folder = resolve(folder, name)
    this.logs = resolve(folder, 'logs')
    this.script = join(this.#folder, 'worker.sh')
  }

  /** Whether there is a script, and so may be jobs. */
  get isWritten(): boolean {
    return this.#isWritten
  }

  /** Writes the script, once, for this user alone. */
  writeScript(text: () => string): void {
    if (this.#isWritten) return
    mkdirSync(this.logs, { recursive: true })
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    // Written anew: the mode is that of a new file alone.
    rmSync(this.script, { force: true })
    writeFileSync(this.script, text(), { mode: 0o700 })
    this.#isWritten = true
  }

  /**
   * Writes a line per worker of a submission: the one argument of its jobs. When it is removed, jobs that the system has
   * taken without saying so end as they begin.
   */
  writeNames(workerIds: readonly string[]): { readonly path: string; remove(): void } {
    const path = join(this.#folder, `workers-${++this.#submissions}`)
    rmSync(path, { force: true })
    writeFileSync(path, `${workerIds.join('\n')}\n`, { mode: 0o600 })
    return { path, remove: () => rmSync(path, { force: true }) }
  }
}

/** The end of the script of a worker's job, in which `task` is the number of its line in the file of names, from 1 on. */
export const workerLines = (task: string, command: readonly string[]): readonly string[] => [
  'if [ -n "$1" ]; then',
  '  # Gone: these jobs were taken without an answer in time, and others do their work.',
  '  [ -r "$1" ] || exit 0',
  `  BELLIS_WORKER=$(sed -n "${task}p" "$1")`,
  '  export BELLIS_WORKER',
  'fi',
  // Takes the place of the shell: signals reach the worker itself.
  `exec ${command.map(quoteShell).join(' ')}`,
  '',
]

/** The last lines of a job's log; empty where it never began, or its node could not write there. */
export async function lastLinesOf(path: string): Promise<string> {
  try {
    await using file = await open(path)
    const { size } = await file.stat()
    const from = Math.max(0, size - LAST_OUTPUT_BYTES)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
    return buffer.toString('utf8', 0, bytesRead).trim().split('\n').slice(-LAST_OUTPUT_LINES).join('\n')
  } catch {
    return ''
  }
}

/**
 * What a program said of its failure, in one line.
 * @param noise what its lines begin with for no one's use
 */
export function lastWords({ stdout, stderr, exitCode }: ProgramResult, noise: RegExp): string {
  const lines = (stderr.trim() || stdout.trim()).split('\n').map((line) => line.replace(noise, '').trim())
  const text = lines
    .filter((line) => line !== '')
    .slice(-3)
    .join('; ')
    .slice(0, 1000)
  return text === '' ? `exit code ${exitCode}` : text
}

/** What could not be cancelled, with the command for it. */
export const leftBehind = (reason: string, command: readonly string[], cause: unknown): InfrastructureError =>
  new InfrastructureError(
    'QUEUE_UNAVAILABLE',
    `${reason}; should jobs of this run be left, end them: ${command.map(quoteShell).join(' ')}`,
    { cause },
  )

/** A word as a shell reads it. */
export const quoteShell = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/**
 * Splits the text of an option as a shell would.
 * @param flag for messages: `--slurm`
 * @throws ConfigError `INVALID_CONFIG` for a quote that does not end, and for a line that does
 */
export function splitWords(text: string, flag: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string
    if (/[\0\r\n]/.test(character)) {
      throw new ConfigError('INVALID_CONFIG', `The text of ${flag} has a line break; write its options in one line.`)
    }
    if (character === '\\' && quote !== "'" && at + 1 < text.length) word = (word ?? '') + text[++at]
    else if (character === quote) quote = ''
    else if (quote === '' && (character === '"' || character === "'")) {
      quote = character
      word ??= ''
    } else if (quote === '' && /\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + character
  }
  if (quote !== '') {
    throw new ConfigError('INVALID_CONFIG', `A quote ${quote} in ${flag} does not end: ${text}`)
  }
  if (word !== undefined) words.push(word)
  return words
}
