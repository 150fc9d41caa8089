import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync } from 'node:fs'
import type { Socket } from 'node:net'
import { finished } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { InfrastructureError, messageOf } from '../../core/errors.ts'
import { inheritedEnvironment } from '../../core/inherited-environment.ts'
import { HEAP_IS_FULL, isHeapFull } from '../../core/workers/full-heap.ts'
import { lastOutput } from '../../core/workers/last-output.ts'
import type { WorkerExit } from '../../core/workers/worker-state.ts'
import type { LogReader } from '../../ports/log-reader.ts'
import type { LaunchedWorker, WorkerLauncher } from '../../ports/worker-launcher.ts'
import { killProgramsLeftBy, killProgramsOf, newWorkerKey, WORKER_KEY_VARIABLE } from '../files/left-programs.ts'
import { WorkerLog } from '../files/logs/worker-log.ts'
import { openLog } from '../files/open-file.ts'
import { heapLimitMb, youngLimit } from './heap-limit.ts'
import { describeEnd, isOutOfMemory, oomKills } from './process-end.ts'

/** How long the output of a worker that has ended is waited for: what it has started may go on printing. */
const LAST_OUTPUT_MS = 1000
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
  /** Largest size of a log; with a limit, this process writes the logs. @default no limit: workers write them themselves */
  readonly maxLogBytes?: number | undefined
  /** @default this process's */
  readonly cwd?: string
  /** How many times the heap of JavaScript its workers have that they would have otherwise. @default 1 */
  readonly memoryFactor?: number
}

/** Starts workers as processes of this machine. They connect through the run's listener, like workers on other machines. */
export function processLauncher(options: ProcessLauncherOptions): WorkerLauncher {
  return new ProcessLauncher(options)
}

class ProcessLauncher implements WorkerLauncher {
  readonly sharesMemory = true
  readonly #options: ProcessLauncherOptions
  /** Launchers of workers with more memory, by the factor. */
  readonly #larger = new Map<number, ProcessLauncher>()
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
    const key = newWorkerKey()
    const { child, outputStart } = this.#startWithLog(`${workerId}:${session}`, key, logFile)
    const exited = watchExit(child).then(async (end): Promise<WorkerExit> => {
      // A worker that ends by itself has ended its programs. After another end they may still write, and its block goes to another worker.
      if (child.exitCode !== 0) await killProgramsLeftBy(key)
      this.#children.delete(child)
      const output = await readLog(logFile, await outputStart()).catch(() => '')
      if (isHeapFull(output)) {
        return { reason: HEAP_IS_FULL, lastOutput: '', outOfMemory: { asked: `a heap of ${this.#heapMb()} MB` } }
      }
      return { lastOutput: lastOutput(output), ...end }
    })
    this.#children.set(child, { key, exited })
    await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error))])
    return { logFile, exited, kill: () => void child.kill('SIGKILL') }
  }

  /** @returns the worker, and after its end, where in the log its output starts */
  #startWithLog(name: string, key: string, logFile: string) {
    const { maxLogBytes } = this.#options
    if (maxLogBytes !== undefined) {
      const log = new WorkerLog(logFile, maxLogBytes)
      const start = log.end
      let child: ChildProcess
      try {
        child = this.#start(name, key, 'pipe')
      } catch (error) {
        log[Symbol.dispose]()
        throw error
      }
      const written = writeOutput(child, log)
      return {
        child,
        async outputStart() {
          await Promise.race([written, delay(LAST_OUTPUT_MS, undefined, { ref: false })])
          return log.placeOf(start)
        },
      }
    }
    // The worker writes to the file itself, so that its last output is there however it ends.
    const log = openLog(logFile)
    try {
      const start = fstatSync(log).size
      return { child: this.#start(name, key, log), outputStart: async () => start }
    } finally {
      closeSync(log)
    }
  }

  withMemory(factor: number): WorkerLauncher {
    const known = this.#larger.get(factor)
    const launcher = known ?? new ProcessLauncher({ ...this.#options, memoryFactor: factor })
    this.#larger.set(factor, launcher)
    return launcher
  }

  #heapMb(): number {
    return Math.ceil(heapLimitMb() * (this.#options.memoryFactor ?? 1))
  }

  #start(name: string, key: string, log: number | 'pipe'): ChildProcess {
    const { program, context, lockFile, cwd } = this.#options
    // A worker has a processor of its own at most: collecting garbage in several threads takes longer in all. Of young objects, V8 would
    // let up to 100 MB gather, which a worker then keeps.
    const heap = this.#options.memoryFactor === undefined ? [] : [`--max-old-space-size=${this.#heapMb()}`]
    const call = [...process.execArgv, '--single-threaded-gc', ...youngLimit(), ...heap, fileURLToPath(program)]
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
    await Promise.all([...this.#larger.values()].map((launcher) => launcher[Symbol.asyncDispose]()))
    await Promise.all([...this.#children.values()].map(({ exited }) => exited))
    process.off('exit', this.#killAllAtExit)
  }
}

/** Writes what a worker prints to its log. @returns resolves when nothing can print to it any more: neither the worker nor what it has started */
async function writeOutput(child: ChildProcess, log: WorkerLog): Promise<void> {
  using _ = log
  const outputs = [child.stdout, child.stderr].filter((output): output is Socket => output !== null)
  for (const output of outputs) {
    output.on('data', (text: Buffer) => log.write(text))
    // Programs that outlive a worker do not keep this process.
    output.unref()
  }
  await Promise.allSettled(outputs.map((output) => finished(output)))
}

/** Whether the system could not start a process at this moment. */
const isShortage = (error: unknown): boolean =>
  ['EMFILE', 'ENFILE', 'EAGAIN'].includes((error as NodeJS.ErrnoException | undefined)?.code ?? '')

function fail(workerId: string, error: unknown): never {
  throw new InfrastructureError('WORKER_DIED', `Worker ${workerId} could not be started: ${messageOf(error)}`, {
    cause: error,
  })
}

/** Resolves with how it ended. */
function watchExit(child: ChildProcess): Promise<Omit<WorkerExit, 'lastOutput'>> {
  const killsBefore = oomKills()
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      const kills = oomKills() - killsBefore
      const reason = describeEnd(code, signal, kills)
      resolve(isOutOfMemory(signal, kills) ? { reason, outOfMemory: {} } : { reason })
    })
    child.on('error', (error) => {
      if (child.pid === undefined) resolve({ reason: error.message })
    })
  })
}
