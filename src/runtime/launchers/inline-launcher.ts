import { AsyncLocalStorage } from 'node:async_hooks'
import { ConfigError, messageOf } from '../../core/errors.ts'
import type { ServerMessage, WireTask, WorkerMessage } from '../../core/protocol/messages.ts'
import type { WorkerExit } from '../../core/workers/worker-state.ts'
import type { ArrayStore } from '../../ports/array-store.ts'
import type { Channel } from '../../ports/channel.ts'
import type { Clock } from '../../ports/clock.ts'
import type { LaunchedWorker, WorkerLauncher } from '../../ports/worker-launcher.ts'
import type { PlannedTask } from '../tasks/planned-task.ts'
import { isTaskNode } from '../tasks/task-node.ts'
import type { Traffic } from '../volumes/volume-array.ts'
import { setUpTask } from '../worker/load-task.ts'
import { OpenedArrays } from '../worker/setup-arrays.ts'
import { runWorker } from '../worker/worker-loop.ts'
import type { LoadedTask } from '../worker/worker-options.ts'
import { channelPair } from './memory-channel.ts'

export interface InlineLauncherOptions {
  /** The tasks of the run. Their functions are called directly, so they may be closures. */
  readonly tasks: readonly PlannedTask[]
  readonly arrays: ArrayStore
  readonly clock: Clock
  readonly breathe: () => Promise<void>
  /** Called at the end with how many killed workers are still in a function that has not returned, if there are any. */
  readonly onStuck?: (count: number) => void
}

/**
 * Runs workers in this process: several blocks at a time by async concurrency, on one processor. Killing such a worker aborts
 * its signal and forgets it; a function that ignores the signal keeps running, and its result is ignored.
 */
export function inlineLauncher(options: InlineLauncherOptions): WorkerLauncher {
  return new InlineLauncher(options)
}

class InlineLauncher implements WorkerLauncher {
  readonly #options: InlineLauncherOptions
  /** Workers share the arrays. Bytes read and written count for the worker whose block transfers them. */
  readonly #trafficOfWorker = new AsyncLocalStorage<Traffic>()
  readonly #arrays: OpenedArrays
  readonly #setUps = new Map<string, Promise<LoadedTask>>()
  #working = 0

  constructor(options: InlineLauncherOptions) {
    this.#options = options
    this.#arrays = new OpenedArrays(options.arrays, () => this.#trafficOfWorker.getStore())
  }

  async launch(workerId: string): Promise<LaunchedWorker> {
    const [channel, workerChannel] = channelPair<ServerMessage, WorkerMessage>()
    const ending = new AbortController()
    let reason = 'ended'
    this.#working++
    const working = this.#runWorker(workerId, workerChannel, ending.signal)
      .catch((error: unknown) => {
        reason = messageOf(error)
        workerChannel.close()
      })
      .finally(() => this.#working--)
    const killed = new Promise<void>((resolve) => ending.signal.addEventListener('abort', () => resolve()))
    const exited = Promise.race([Promise.all([working, channel.closed]), killed]).then(
      (): WorkerExit => ({ reason, lastOutput: '' }),
    )
    return {
      channel,
      exited,
      kill: () => {
        channel.close()
        ending.abort()
      },
    }
  }

  #runWorker(workerId: string, channel: Channel<WorkerMessage>, signal: AbortSignal): Promise<unknown> {
    const { clock, breathe } = this.#options
    const traffic: Traffic = { readBytes: 0, writtenBytes: 0 }
    return this.#trafficOfWorker.run(traffic, () =>
      runWorker({
        connect: async () => channel,
        clock,
        breathe,
        pid: 0,
        host: 'inline',
        signal,
        loadTask: (task) => this.#loadTask(task, workerId),
        // The memory of the process belongs to all workers.
        usage: () => ({ ...traffic, peakMemory: 0 }),
      }),
    )
  }

  /** Sets a task up once, for all workers. Workers with their own resources, such as one GPU each, get a set-up each. */
  async #loadTask(task: WireTask, workerId: string): Promise<LoadedTask> {
    const key = `${task.id} ${JSON.stringify(task.resources ?? {})}`
    const loading = this.#setUps.get(key) ?? this.#setUp(task, workerId)
    this.#setUps.set(key, loading)
    // The next worker tries a failed set-up again.
    return loading.catch((error: unknown) => {
      this.#setUps.delete(key)
      throw error
    })
  }

  async #setUp(task: WireTask, workerId: string): Promise<LoadedTask> {
    const source = this.#options.tasks.find((planned) => planned.id === task.id)?.source
    if (source === undefined) throw new ConfigError('UNKNOWN_TASK', `This run has no task "${task.id}".`)
    return isTaskNode(source) ? setUpTask(source.definition, task, this.#arrays, workerId) : source
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#working > 0) await this.#options.breathe()
    if (this.#working > 0) this.#options.onStuck?.(this.#working)
    await this.#arrays[Symbol.asyncDispose]()
  }
}
