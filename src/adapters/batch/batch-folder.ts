import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { quoteShell } from '../../core/shell-words.ts'

const LAST_OUTPUT_BYTES = 4096
const LAST_OUTPUT_LINES = 10

/** What a run has on the disk for its jobs: the script, the names of the workers, their logs. */
export class BatchFolder {
  readonly script: string
  readonly logs: string
  readonly #name: string
  readonly #folder: string
  #isWritten = false
  #submissions = 0

  /** @param folder the run's @param name of the one in it; its logs begin with it */
  constructor(folder: string, name: string) {
    this.#name = name
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

  /** Where a job's output goes. */
  logFileOf(jobId: string): string {
    return join(this.logs, `${this.#name}-${jobId}.log`)
  }

  /** The last lines of a job's log; empty where it never began, or its node could not write there. */
  async lastOutputOf(jobId: string): Promise<string> {
    try {
      await using file = await open(this.logFileOf(jobId))
      const { size } = await file.stat()
      const from = Math.max(0, size - LAST_OUTPUT_BYTES)
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
      return buffer.toString('utf8', 0, bytesRead).trim().split('\n').slice(-LAST_OUTPUT_LINES).join('\n')
    } catch {
      return ''
    }
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
