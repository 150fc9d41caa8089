import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { InfrastructureError } from '../../core/errors.ts'
import { inheritedEnvironment } from '../../core/inherited-environment.ts'
import type { ServerMessage } from '../../core/protocol/messages.ts'
import { lastOutput } from '../../core/workers/last-output.ts'
import type { WorkerExit } from '../../core/workers/worker-state.ts'
import type { LogReader } from '../../ports/log-reader.ts'
import type { LaunchedWorker, WorkerLauncher } from '../../ports/worker-launcher.ts'
import { killProgramsLeftBy, newWorkerKey, WORKER_KEY_VARIABLE } from '../files/left-programs.ts'
import { WorkerLog } from '../files/logs/worker-log.ts'
import { portChannel } from './port-channel.ts'
import { noteStuckThreads } from './stuck-threads.ts'

export interface ThreadLauncherOptions {
  /** The program of a worker. */
  readonly program: URL
  /** The file for a worker's own output. */
  logFileOf(workerId: string): string
  readonly readLog: LogReader
  /** Largest size of a log. @default no limit */
  readonly maxLogBytes?: number | undefined
}

/**
 * A thread that reaches its heap limit gets 16 MB more to shut down. A garbage collection with more than that in young
 * objects can exhaust them; V8 then ends the process, and the run with it.
 */
const LIMITS = { maxYoungGenerationSizeMb: 16 }

/** How long threads may take to end. One that waits for a file that does not answer never ends. */
const LAST_MS = 2000

/** Starts workers as threads of this process, connected by their message ports. */
export function threadLauncher(options: ThreadLauncherOptions): WorkerLauncher {
  const threads = new Set<Worker>()
  return {
    async launch(workerId): Promise<LaunchedWorker> {
      const logFile = options.logFileOf(workerId)
      const log = new WorkerLog(logFile, options.maxLogBytes)
      const start = log.end
      const key = newWorkerKey()
      const thread = new Worker(options.program, {
        stdout: true,
        stderr: true,
        resourceLimits: LIMITS,
        env: { ...inheritedEnvironment(process.env), [WORKER_KEY_VARIABLE]: key },
      })
      threads.add(thread)
      const { ended, written, kill } = followThread(thread, log)
      const exited = Promise.all([ended, written]).then(async ([reason]): Promise<WorkerExit> => {
        threads.delete(thread)
        await killProgramsLeftBy(key)
        const output = await options.readLog(logFile, log.placeOf(start)).catch(() => '')
        log[Symbol.dispose]()
        return { reason, lastOutput: lastOutput(output) }
      })
      const channel = portChannel<ServerMessage>(thread, ended)
      await Promise.race([
        once(thread, 'online'),
        ended.then((reason) => {
          throw new InfrastructureError('WORKER_DIED', `Worker ${workerId} could not be started: ${reason}`)
        }),
      ])
      return { channel, runsApart: true, logFile, exited, kill }
    },
    async [Symbol.asyncDispose]() {
      const stuck = new Set(threads)
      const end = (thread: Worker) => thread.terminate().then(() => stuck.delete(thread))
      await Promise.race([Promise.all([...threads].map(end)), delay(LAST_MS, undefined, { ref: false })])
      noteStuckThreads(stuck.size)
    },
  }
}

interface FollowedThread {
  /** Resolves with a description, for users, of how it ended. */
  readonly ended: Promise<string>
  /** Resolves when all its output is in the log; some may arrive after its end. */
  readonly written: Promise<unknown>
  kill(): void
}

/** Writes a thread's output to its log, and reports how it ends. */
function followThread(thread: Worker, log: WorkerLog): FollowedThread {
  const { promise: ended, resolve: end } = Promise.withResolvers<string>()
  let isKilled = false
  let isOutOfMemory = false
  for (const output of [thread.stdout, thread.stderr]) output.on('data', (text: Buffer) => log.write(text))
  // An uncaught error ends the thread. It belongs in the output, where a process would print it.
  thread.on('error', (error) => {
    // The stack of this one is Node's own.
    isOutOfMemory = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY'
    if (isOutOfMemory) return
    log.write(Buffer.from(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`))
  })
  thread.on('exit', (code) => end(isKilled ? 'ended' : isOutOfMemory ? 'out of memory' : `exit code ${code}`))
  const written = Promise.allSettled([finished(thread.stdout), finished(thread.stderr)])
  const kill = () => {
    isKilled = true
    void thread.terminate()
  }
  return { ended, written, kill }
}
