import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InfrastructureError, messageOf } from '../../core/errors.ts'
import type { WorkerExit } from '../../core/workers/worker-state.ts'
import type { LaunchedWorker, WorkerLauncher } from '../../ports/worker-launcher.ts'
import { ranOutOfMemory, readEnd } from './log-file.ts'
import { describeEnd, oomKills } from './process-end.ts'

const OUT_OF_MEMORY =
  'out of memory: its JavaScript heap reached the limit, which NODE_OPTIONS=--max-old-space-size=<MB> sets'

export interface ProcessLauncherOptions {
  /** The program of a worker. */
  readonly program: URL
  /** A file that every worker holds a share of while it lives, so that it can be known when all are gone. */
  readonly lockFile: string
  /** What lets a worker in. It is passed in the environment, where other users of the machine do not see it. */
  readonly context: string
  /** Where a worker's own output goes. */
  logFileOf(workerId: string): string
  /** @default this process's */
  readonly cwd?: string
}

/** Workers that are processes of this machine; they come in through the run's listener, as workers from elsewhere do. */
export function processLauncher(options: ProcessLauncherOptions): WorkerLauncher {
  const children = new Map<ChildProcess, Promise<unknown>>()
  // Whatever ends this process in its own way (a second Ctrl-C, an error) takes its workers along.
  const killAll = () => {
    for (const child of children.keys()) child.kill('SIGKILL')
  }
  process.on('exit', killAll)
  return {
    async launch(workerId, session): Promise<LaunchedWorker> {
      const logFile = options.logFileOf(workerId)
      mkdirSync(dirname(logFile), { recursive: true })
      // The worker writes to the file itself, so that what it says last is there however it ends.
      const log = openSync(logFile, 'a+')
      const begin = fstatSync(log).size
      const child = spawn(process.execPath, [...process.execArgv, fileURLToPath(options.program)], {
        stdio: ['ignore', log, log],
        env: {
          ...process.env,
          BELLIS_CONTEXT: options.context,
          BELLIS_WORKER: `${workerId}:${session}`,
          BELLIS_LOCK: options.lockFile,
          BELLIS_PARENT: String(process.pid),
        },
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      })
      const exited = watchExit(child).then((end): WorkerExit => {
        children.delete(child)
        const [reason, lastOutput] = ranOutOfMemory(log, begin) ? [OUT_OF_MEMORY, ''] : [end, readEnd(log, begin)]
        closeSync(log)
        return { reason, lastOutput }
      })
      children.set(child, exited)
      await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => fail(workerId, error))])
      return { logFile, exited, kill: () => void child.kill('SIGKILL') }
    },
    async [Symbol.asyncDispose]() {
      killAll()
      await Promise.all(children.values())
      process.off('exit', killAll)
    },
  }
}

function fail(workerId: string, error: unknown): never {
  throw new InfrastructureError('WORKER_DIED', `Worker ${workerId} can't be started: ${messageOf(error)}`, {
    cause: error,
  })
}

/** Resolves with how it ended. */
function watchExit(child: ChildProcess): Promise<string> {
  const killsBefore = oomKills()
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(describeEnd(code, signal, oomKills() - killsBefore)))
    child.on('error', (error) => {
      if (child.pid === undefined) resolve(error.message)
    })
  })
}
