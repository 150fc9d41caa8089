import { lstatSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ConfigError } from '../../core/errors.ts'
import { quoteShell } from '../../core/shell-words.ts'

/** The files of a run's jobs: the script, the names of the workers, and their logs. */
export class BatchFolder {
  readonly script: string
  readonly logs: string
  readonly #name: string
  readonly #folder: string
  #isWritten = false
  #submissions = 0

  /** @param folder the run's @param name of the subfolder, and prefix of the logs @param part a folder below the subfolder; none if empty */
  constructor(folder: string, name: string, part = '') {
    this.#name = name
    this.#folder = resolve(folder, name, part)
    this.logs = resolve(folder, 'logs')
    this.script = join(this.#folder, 'worker.sh')
  }

  /** Whether the script exists, so that there may be jobs. */
  get isWritten(): boolean {
    return this.#isWritten
  }

  /** Writes the script, once, readable by this user only. */
  writeScript(text: () => string): void {
    if (this.#isWritten) return
    mkdirSync(this.logs, { recursive: true })
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    assertOwnFolder(this.#folder)
    // A mode applies to new files only.
    rmSync(this.script, { force: true })
    writeFileSync(this.script, text(), { mode: 0o700, flag: 'wx' })
    this.#isWritten = true
  }

  /**
   * Writes the names of a submission's workers, one per line: the file is the only argument of its jobs. Once it is removed,
   * jobs that the system accepted without an answer exit as soon as they start.
   */
  writeNames(workerIds: readonly string[]): { readonly path: string; remove(): void } {
    const path = join(this.#folder, `workers-${++this.#submissions}`)
    rmSync(path, { force: true })
    writeFileSync(path, `${workerIds.join('\n')}\n`, { mode: 0o600, flag: 'wx' })
    return { path, remove: () => rmSync(path, { force: true }) }
  }

  /** The file for a job's output. An id may end in `;` and the name of a cluster. */
  logFileOf(jobId: string): string {
    return join(this.logs, `${this.#name}-${jobId.replace(/;.*$/, '')}.log`)
  }
}

/**
 * Jobs run the script with this user's rights, so nobody else may be able to replace it.
 * @throws ConfigError `INVALID_CONFIG`
 */
function assertOwnFolder(folder: string): void {
  const found = lstatSync(folder)
  const isOwn = found.isDirectory() && found.uid === (process.getuid?.() ?? found.uid)
  if (isOwn && (process.platform === 'win32' || (found.mode & OTHERS_WRITE) === 0)) return
  throw new ConfigError(
    'INVALID_CONFIG',
    `${folder} is a link, belongs to another user, or can be written by others; expected a folder of your own, since jobs run the script in it with your rights. Remove it, and start again.`,
  )
}

const OTHERS_WRITE = 0o022

/** The last lines of a worker's job script. @param task a shell expression for the line of its name in the file, from 1 */
export const workerLines = (task: string, command: readonly string[]): readonly string[] => [
  'if [ -n "$1" ]; then',
  '  # No file: the job was accepted, but the answer came too late. Other jobs do its work.',
  '  [ -r "$1" ] || exit 0',
  `  BELLIS_WORKER=$(sed -n "${task}p" "$1")`,
  '  export BELLIS_WORKER',
  'fi',
  // exec replaces the shell, so that signals reach the worker itself.
  `exec ${command.map(quoteShell).join(' ')}`,
  '',
]
