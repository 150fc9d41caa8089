import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { InfrastructureError, messageOf } from '../../core/errors.ts'
import { inheritedEnvironment } from '../../core/inherited-environment.ts'
import { lastOutput } from '../../core/workers/last-output.ts'
import type { WorkerExit } from '../../core/workers/worker-state.ts'
import type { LogReader } from '../../ports/log-reader.ts'
import type { LaunchedWorker, WorkerLauncher } from '../../ports/worker-launcher.ts'
import { killProgramsLeftBy, killProgramsOf, newWorkerKey, WORKER_KEY_VARIABLE } from '../files/left-programs.ts'
import { describeEnd, oomKills } from './process-end.ts'

const OUT_OF_MEMORY =
  'out of memory: its JavaScript heap reached its limit; set a higher one with NODE_OPTIONS=--max-old-space-size=<MB>'
/** V8 prints this, and then a native stack trace of some 20 lines, before it ends the process. */
const HEAP_IS_FULL = /^FATAL ERROR: .*heap out of memory$/m

const SHORTAGE_PAUSE_MS = 500
/** How long a worker waits to be started. */
const MAX_SHORTAGE_MS = 60_000

export interface ProcessLauncherOptions {
  /** The program of a worker. */
  readonly program: URL
  /** Every worker holds a shared lock on this file while it lives, so that other processes can tell when all have ended. */
  readonly lockFile: string
  /** How to connect, including the token. It is passed in the environment, which other users of the machine can't read. */
  readonly context: string
  /** The file for a worker's own output. */
  logFileOf(workerId: string): string
  readonly readLog: LogReader
  /** @default this process's */
  readonly cwd?: string
}

/** Starts workers as processes of this machine. They connect through the run's listener, like workers on other machines. */
export function processLauncher(options: ProcessLauncherOptions): WorkerLauncher {
  return new ProcessLauncher(options)
}

class ProcessLauncher implements WorkerLauncher {
  readonly #options: ProcessLauncherOptions
  readonly #children = new Map<ChildProcess, { readonly key: string; readonly exited: Promise<unknown> }>()
  #isClosed = false
  /** When this process exits (after a second Ctrl-C or an error), its workers end with it. */
  readonly #killAll = () => {
    for (const child of this.#children.keys()) child.kill('SIGKILL')
  }
  /** Nothing waits for what happens afterwards. */
  readonly #killAllAtExit = () => {
    this.#killAll()
    killProgramsOf(new Set([...this.#children.values()].map(({ key }) => key)))
  }

  constructor(options: ProcessLauncherOptions) {
    this.#options = options
    process.on('exit', this.#killAllAtExit)
  }

  /** While this machine is short of open files or processes, a worker waits to be started: that is no failure of the worker. */
  async launch(workerId: string, session: string): Promise<LaunchedWorker> {
    for (let waited = 0; ; waited += SHORTAGE_PAUSE_MS) {
      try {
        return await this.#launch(workerId, session)
      } catch (error) {
        if (!isShortage(error) || waited >= MAX_SHORTAGE_MS || this.#isClosed) fail(workerId, error)
      }
      await delay(SHORTAGE_PAUSE_MS)
    }
  }

  async #launch(workerId: string, session: string): Promise<LaunchedWorker> {
    const { logFileOf, readLog } = this.#options
    const logFile = logFileOf(workerId)
    mkdirSync(dirname(logFile), { recursive: true })
    // The worker writes to the file itself, so that its last output is there however it ends.
    const log = openSync(logFile, 'a')
    const key = newWorkerKey()
    let start: number
    let child: ChildProcess
    try {
      start = fstatSync(log).size
      child = this.#start(`${workerId}:${session}`, key, log)
    } finally {
      closeSync(log)
    }
    const exited = watchExit(child).then(async (end): Promise<WorkerExit> => {
      // A worker that ends by itself has ended its programs. After another end they may still write, and its block goes to another worker.
      if (child.exitCode !== 0) await killProgramsLeftBy(key)
      this.#children.delete(child)
      const output = await readLog(logFile, start).catch(() => '')
      return HEAP_IS_FULL.test(output)
        ? { reason: OUT_OF_MEMORY, lastOutput: '' }
        : { reason: end, lastOutput: lastOutput(output) }
    })
    this.#children.set(child, { key, exited })
    await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error))])
    return { logFile, exited, kill: () => void child.kill('SIGKILL') }
  }

  #start(name: string, key: string, log: number): ChildProcess {
    const { program, context, lockFile, cwd } = this.#options
    // A worker has a processor of its own at most: collecting garbage in several threads takes longer in all.
    const call = [...process.execArgv, '--single-threaded-gc', fileURLToPath(program)]
    return spawn(process.execPath, call, {
      stdio: ['ignore', log, log],
      env: {
        ...inheritedEnvironment(process.env),
        BELLIS_CONTEXT: context,
        BELLIS_WORKER: name,
        [WORKER_KEY_VARIABLE]: key,
        BELLIS_LOCK: lockFile,
        BELLIS_PARENT: String(process.pid),
      },
      ...(cwd === undefined ? {} : { cwd }),
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#killAll()
    await Promise.all([...this.#children.values()].map(({ exited }) => exited))
    process.off('exit', this.#killAllAtExit)
  }
}

/** Whether the system could not start a process at this moment. */
const isShortage = (error: unknown): boolean =>
  ['EMFILE', 'ENFILE', 'EAGAIN'].includes((error as NodeJS.ErrnoException | undefined)?.code ?? '')

function fail(workerId: string, error: unknown): never {
  throw new InfrastructureError('WORKER_DIED', `Worker ${workerId} could not be started: ${messageOf(error)}`, {
    cause: error,
  })
}

/** Resolves with a description, for users, of how it ended. */
function watchExit(child: ChildProcess): Promise<string> {
  const killsBefore = oomKills()
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(describeEnd(code, signal, oomKills() - killsBefore)))
    child.on('error', (error) => {
      if (child.pid === undefined) resolve(error.message)
    })
  })
}
