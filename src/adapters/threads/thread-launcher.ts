import { once } from 'node:events'
import { closeSync, fstatSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { finished } from 'node:stream/promises'
import { Worker } from 'node:worker_threads'
import { InfrastructureError } from '../../core/errors.ts'
import type { ServerMessage } from '../../core/protocol/messages.ts'
import type { WorkerExit } from '../../core/workers/worker-state.ts'
import type { LaunchedWorker, WorkerLauncher } from '../../ports/worker-launcher.ts'
import { readEnd } from './log-file.ts'
import { portChannel } from './port-channel.ts'

export interface ThreadLauncherOptions {
  /** The program of a worker. */
  readonly program: URL
  /** Where a worker's own output goes. */
  logFileOf(workerId: string): string
}

/**
 * A thread that reaches the limit of its heap is given 16 MB more to end in. One collection of larger young objects can take
 * these at once: then V8 ends the process, and the run with it.
 */
const LIMITS = { maxYoungGenerationSizeMb: 16 }

/** Workers that are threads of this process, linked to it by their message ports. */
export function threadLauncher(options: ThreadLauncherOptions): WorkerLauncher {
  const threads = new Set<Worker>()
  return {
    async launch(workerId): Promise<LaunchedWorker> {
      const logFile = options.logFileOf(workerId)
      mkdirSync(dirname(logFile), { recursive: true })
      const log = openSync(logFile, 'a+')
      const begin = fstatSync(log).size
      const thread = new Worker(options.program, { stdout: true, stderr: true, resourceLimits: LIMITS })
      threads.add(thread)
      for (const output of [thread.stdout, thread.stderr]) output.on('data', (text: Buffer) => writeSync(log, text))
      const { promise: ended, resolve: end } = Promise.withResolvers<string>()
      let killed = false
      let outOfMemory = false
      // An error that nobody caught ends the thread; what it was is in its output, as a process would have it.
      thread.on('error', (error) => {
        // Its stack is Node's own.
        outOfMemory = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY'
        if (outOfMemory) return
        writeSync(log, `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
      })
      thread.on('exit', (code) => end(killed ? 'ended' : outOfMemory ? 'out of memory' : `exit code ${code}`))
      // What it said last may come after its end.
      const said = Promise.allSettled([finished(thread.stdout), finished(thread.stderr)])
      const exited = Promise.all([ended, said]).then(([reason]): WorkerExit => {
        threads.delete(thread)
        const lastOutput = readEnd(log, begin)
        closeSync(log)
        return { reason, lastOutput }
      })
      const channel = portChannel<ServerMessage>(thread, ended)
      await Promise.race([
        once(thread, 'online'),
        ended.then((reason) => {
          throw new InfrastructureError('WORKER_DIED', `Worker ${workerId} can't be started: ${reason}`)
        }),
      ])
      const kill = () => {
        killed = true
        void thread.terminate()
      }
      return { channel, logFile, exited, kill }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...threads].map((thread) => thread.terminate()))
    },
  }
}
