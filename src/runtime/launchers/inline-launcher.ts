import { AsyncLocalStorage } from 'node:async_hooks'
import { ConfigError, messageOf } from '../../core/errors.ts'
import type { ServerMessage, WorkerMessage } from '../../core/protocol/messages.ts'
import type { WorkerExit } from '../../core/workers/worker-state.ts'
import type { ArrayStore } from '../../ports/array-store.ts'
import type { Channel } from '../../ports/channel.ts'
import type { Clock } from '../../ports/clock.ts'
import type { LaunchedWorker, WorkerLauncher } from '../../ports/worker-launcher.ts'
import type { PlannedTask } from '../tasks/plan-pipeline.ts'
import type { Traffic } from '../volumes/volume-array.ts'
import { setUpTask } from '../worker/load-task.ts'
import { OpenedArrays } from '../worker/setup-arrays.ts'
import { runWorker } from '../worker/worker-loop.ts'
import type { LoadedTask, WorkerOptions } from '../worker/worker-options.ts'

export interface InlineLauncherOptions {
  /** The tasks of the run: their functions are called as they are, closures too. */
  readonly tasks: readonly PlannedTask[]
  readonly arrays: ArrayStore
  readonly clock: Clock
  readonly breathe: () => Promise<void>
}

/**
 * Workers in this very process: several blocks at a time by async concurrency, one processor. Ending such a worker aborts
 * its signal and forgets it; a function that does not heed the signal runs on, and what it returns then is ignored.
 */
export function inlineLauncher(options: InlineLauncherOptions): WorkerLauncher {
  // Workers share the arrays; what is read and written is that of the one whose block is at it.
  const trafficOfWorker = new AsyncLocalStorage<Traffic>()
  const shared = new OpenedArrays(options.arrays, () => trafficOfWorker.getStore())
  const setUps = new Map<string, Promise<LoadedTask>>()
  const loadTask = async (key: string, start: () => Promise<LoadedTask>): Promise<LoadedTask> => {
    const loading = setUps.get(key) ?? start()
    setUps.set(key, loading)
    // A failed set-up is tried again by the next worker.
    return loading.catch((error: unknown) => {
      setUps.delete(key)
      throw error
    })
  }
  return {
    async launch(workerId): Promise<LaunchedWorker> {
      const [own, theirs] = channelPair<ServerMessage, WorkerMessage>()
      const ending = new AbortController()
      let reason = 'ended'
      const traffic: Traffic = { readBytes: 0, writtenBytes: 0 }
      const worker: WorkerOptions = {
        connect: async () => ({ channel: theirs }),
        clock: options.clock,
        breathe: options.breathe,
        pid: 0,
        host: 'inline',
        signal: ending.signal,
        loadTask: (task) =>
          // Workers that have something of their own, a GPU each, set up for it alone.
          loadTask(`${task.id} ${JSON.stringify(task.resources ?? {})}`, async () => {
            const source = options.tasks.find((planned) => planned.id === task.id)?.source
            if (source === undefined)
              throw new ConfigError('UNKNOWN_TASK', `There is no task "${task.id}" in this run.`)
            return 'kind' in source ? setUpTask(source.definition, task, shared, workerId) : source
          }),
        // The memory is that of the whole process, and says nothing of this worker.
        usage: () => ({ ...traffic, peakMemory: 0 }),
      }
      const working = trafficOfWorker
        .run(traffic, () => runWorker(worker))
        .catch((error: unknown) => {
          reason = messageOf(error)
          theirs.close()
        })
      const killed = new Promise<void>((resolve) => ending.signal.addEventListener('abort', () => resolve()))
      const exited = Promise.race([Promise.all([working, own.closed]), killed]).then(
        (): WorkerExit => ({ reason, lastOutput: '' }),
      )
      return {
        channel: own,
        exited,
        kill: () => {
          own.close()
          ending.abort()
        },
      }
    },
    [Symbol.asyncDispose]: () => shared[Symbol.asyncDispose](),
  }
}

/** Two ends of a link in memory; a message arrives after the sender's turn. */
export function channelPair<A, B>(): [Channel<A>, Channel<B>] {
  const ended = Promise.withResolvers<void>()
  let open = true
  const inbox = (): {
    deliver: (message: unknown) => void
    onMessage: (receive: (message: unknown) => void) => void
  } => {
    const waiting: unknown[] = []
    let receiver: ((message: unknown) => void) | undefined
    const drain = () => {
      if (receiver === undefined) return
      for (const message of waiting.splice(0)) receiver(message)
    }
    return {
      deliver: (message) => {
        waiting.push(message)
        queueMicrotask(drain)
      },
      onMessage: (receive) => {
        receiver = receive
        queueMicrotask(drain)
      },
    }
  }
  const first = inbox()
  const second = inbox()
  const close = () => {
    open = false
    // After what was sent before it.
    queueMicrotask(() => queueMicrotask(ended.resolve))
  }
  const end = (incoming: typeof first, outgoing: typeof first): Channel<unknown> => ({
    send: (message) => {
      if (open) outgoing.deliver(message)
    },
    onMessage: incoming.onMessage,
    closed: ended.promise,
    close,
  })
  return [end(first, second) as Channel<A>, end(second, first) as Channel<B>]
}
