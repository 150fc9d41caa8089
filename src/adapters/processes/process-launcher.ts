import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs'
import { dirname } from 'node:path'
import { InfrastructureError, messageOf } from '../../core/errors.ts'
import type { ServerMessage } from '../../core/protocol/messages.ts'
import type { Channel } from '../../ports/channel.ts'
import type { LaunchedWorker, WorkerExit, WorkerLauncher } from '../../ports/worker-launcher.ts'

export interface ProcessLauncherOptions {
  /** The program of a worker: a file or its URL. */
  readonly program: string | URL
  /** Where a worker's own output goes. */
  logFileOf(workerId: string): string
  /** @default this process's */
  readonly cwd?: string
}

const LAST_OUTPUT_BYTES = 4096
const LAST_OUTPUT_LINES = 10

/** Workers that are processes of this machine, linked to this one by Node's own channel. */
export function processLauncher(options: ProcessLauncherOptions): WorkerLauncher {
  const children = new Set<ChildProcess>()
  // Whatever ends this process in its own way (a second Ctrl-C, an error) takes its workers along.
  const killAll = () => {
    for (const child of children) child.kill('SIGKILL')
  }
  process.on('exit', killAll)
  return {
    async launch(workerId): Promise<LaunchedWorker> {
      const logFile = options.logFileOf(workerId)
      mkdirSync(dirname(logFile), { recursive: true })
      // The worker writes to the file itself, so that what it says last is there however it ends.
      const log = openSync(logFile, 'a+')
      const begin = fstatSync(log).size
      const child = fork(options.program, [], {
        stdio: ['ignore', log, log, 'ipc'],
        serialization: 'advanced',
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      })
      children.add(child)
      const exited = watchExit(child).then((reason): WorkerExit => {
        children.delete(child)
        const lastOutput = readEnd(log, begin)
        closeSync(log)
        return { reason, lastOutput }
      })
      const channel = childChannel(child)
      await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => fail(workerId, error))])
      return { channel, logFile, exited, kill: () => void child.kill('SIGKILL') }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(
        [...children].map(async (child) => {
          const gone = watchExit(child)
          child.kill('SIGKILL')
          await gone
        }),
      )
      process.off('exit', killAll)
    },
  }
}

function fail(workerId: string, error: unknown): never {
  throw new InfrastructureError('WORKER_DIED', `Worker ${workerId} can't be started: ${messageOf(error)}`, {
    cause: error,
  })
}

/** Resolves with how it ended, once its link is closed too: nothing it sent is missed then. */
async function watchExit(child: ChildProcess): Promise<string> {
  const { promise: unlinked, resolve: unlink } = Promise.withResolvers<void>()
  if (child.connected) child.once('disconnect', unlink)
  else unlink()
  const { promise: ended, resolve: end } = Promise.withResolvers<string>()
  if (child.exitCode !== null || child.signalCode !== null) end(describeExit(child.exitCode, child.signalCode))
  child.once('exit', (code, signal) => end(describeExit(code, signal)))
  child.once('error', (error) => {
    if (child.pid !== undefined) return
    unlink()
    end(error.message)
  })
  const [reason] = await Promise.all([ended, unlinked])
  return reason
}

const describeExit = (code: number | null, signal: NodeJS.Signals | null): string =>
  signal === null ? `exit code ${code}` : `killed by ${signal}`

/** The last lines that a worker wrote, from where it began in its file. */
function readEnd(file: number, begin: number): string {
  const end = fstatSync(file).size
  const from = Math.max(begin, end - LAST_OUTPUT_BYTES)
  const bytes = Buffer.alloc(end - from)
  readSync(file, bytes, 0, bytes.length, from)
  return bytes.toString('utf8').trim().split('\n').slice(-LAST_OUTPUT_LINES).join('\n')
}

function childChannel(child: ChildProcess): Channel<ServerMessage> {
  const waiting: unknown[] = []
  let receiver = (message: unknown): void => void waiting.push(message)
  child.on('message', (message) => receiver(message))
  return {
    send: (message) => {
      // The end of the link is told by `closed`; a message that meets it is lost with it.
      if (child.connected) child.send(message, () => {})
    },
    onMessage: (receive) => {
      receiver = receive
      for (const message of waiting.splice(0)) receive(message)
    },
    closed: new Promise((resolve) => void child.once('disconnect', () => resolve())),
    close: () => {
      if (child.connected) child.disconnect()
    },
  }
}
