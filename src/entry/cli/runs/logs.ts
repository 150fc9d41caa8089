import { lstatSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Command } from 'commander'
import { ConfigError } from '../../../core/errors.ts'
import { printableLine } from '../../../core/text/printable.ts'
import { RunFollower } from '../../run-folder/history/run-follower.ts'
import { findRunFolder } from '../../run-folder/run-context.ts'
import { runHolderOf } from '../../run-folder/run-folder.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { wholeNumber } from '../option-values.ts'
import { type CommonOptions, commonOptions, RUN_ARGUMENT } from '../options.ts'
import { printJson } from '../output.ts'
import { LogTail } from './log-tail.ts'

interface LogsFlags extends CommonOptions {
  readonly runDir?: string
  readonly follow?: boolean
  readonly lines?: number
}

const FOLLOW_MS = 500
/** How many lines of each log are printed if there are several. */
const FEW_LINES = 10

/** `bellis logs` */
export function logsCommand(): Command {
  const command = new Command('logs')
    .description('Prints what the workers of a run printed: one of them, or the last lines of each.')
    .argument('<run>', RUN_ARGUMENT)
    .argument('[worker]', 'a worker such as w3, the job of one such as 4711_2, or the name of a log (default: all)')
    .option('--follow', 'go on until the run has ended, also with the logs of new workers')
    .option('--lines <n>', 'print only the last lines of each log (default: all of one, 10 of several)', wholeNumber(0))
    .option('--run-dir <folder>', 'folder that contains the runs (default: .bellis)')
  return commonOptions(command).addHelpText('after', '\nExample:\n  $ bellis logs last w3 --follow').action(showLogs)
}

async function showLogs(run: string, worker: string | undefined, flags: LogsFlags): Promise<void> {
  if (flags.follow && flags.json) {
    throw new ConfigError(
      'INVALID_CONFIG',
      '--follow: expected without --json, which prints one document; leave out one of them.',
    )
  }
  const folder = findRunFolder(run, runsHome(flags.runDir))
  using follower = new RunFollower(folder)
  const logs = new RunLogs(follower, worker, flags.lines)
  await logs.look()
  if (flags.json) return printJson({ run: follower.run, logs: logs.documents() })
  for (;;) {
    const isOver = !flags.follow || runHolderOf(folder) === undefined
    if (isOver && flags.follow) await logs.look()
    for (const line of logs.lines(isOver)) process.stdout.write(`${line}\n`)
    if (isOver) return
    await wait(FOLLOW_MS)
    await logs.look()
  }
}

/** The logs of a run that were asked for. */
class RunLogs {
  readonly #follower: RunFollower
  readonly #worker: string | undefined
  readonly #last: number | undefined
  readonly #tails = new Map<string, LogTail>()

  constructor(follower: RunFollower, worker: string | undefined, last: number | undefined) {
    this.#follower = follower
    this.#worker = worker
    this.#last = last
  }

  /** Looks for further logs. @throws ConfigError `NO_SUCH_FILE` if the worker has none and never had */
  async look(): Promise<void> {
    await this.#follower.catchUp()
    const folder = join(this.#follower.folder, 'logs')
    const names = logsIn(folder)
    const wanted = this.#worker === undefined ? names : this.#logOf(this.#worker, names)
    const last = this.#last ?? (this.#worker === undefined ? FEW_LINES : undefined)
    const isFirst = this.#tails.size === 0
    for (const name of wanted) {
      // Of a worker that has only just started, nothing is left out.
      if (!this.#tails.has(name))
        this.#tails.set(name, new LogTail(this.#follower.folder, name, isFirst ? last : undefined))
    }
  }

  #logOf(worker: string, names: readonly string[]): string[] {
    const own = this.#follower.picture.logFile(worker)
    const wanted = own === undefined ? [worker, `${worker}.log`] : [basename(own)]
    const found = names.filter((name) => wanted.includes(name) || name.replace(/^[a-z]+-/, '') === `${worker}.log`)
    if (found.length > 0 || this.#tails.size > 0) return found
    const some = names.slice(0, 5).map((name) => name.slice(0, -4))
    const others =
      some.length === 0 ? 'the run has no logs' : `there are logs of ${some.join(', ')}${names.length > 5 ? ', …' : ''}`
    throw new ConfigError(
      'NO_SUCH_FILE',
      `${worker}: expected a worker of the run ${this.#follower.run} with a log; ${others}.`,
    )
  }

  /** The lines that were not read before, each after the name of its log if all logs were asked for. */
  *lines(isOver: boolean): Generator<string> {
    for (const [name, tail] of this.#tails) {
      const before = this.#worker === undefined ? `${name.slice(0, -4)} | ` : ''
      for (const line of tail.read(isOver)) yield before + printableLine(line)
    }
  }

  documents(): object[] {
    return [...this.#tails].map(([log, tail]) => ({ log, lines: tail.read(true) }))
  }
}

/** The names of the logs in a folder, which may be that of another user: links, which may lead anywhere, are none. */
function logsIn(folder: string): string[] {
  if (!lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.log'))
    .map(({ name }) => name)
    .sort(inOrder)
}

/** `w2` before `w10`. */
const inOrder = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true })
