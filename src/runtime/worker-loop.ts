import { ConfigError, toWireError, type WireError } from '../core/errors.ts'
import { type BlockGrid, createBlockGrid } from '../core/grid/block-grid.ts'
import {
  type Outcome,
  PROTOCOL_VERSION,
  type ServerMessage,
  type WireTask,
  type WorkerMessage,
} from '../core/protocol/messages.ts'
import { parseServerMessage } from '../core/protocol/parse.ts'
import type { Channel } from '../ports/channel.ts'
import type { Clock } from '../ports/clock.ts'
import type { ProcessBlock, TaskBlock } from './define-task.ts'

/** A task's function, ready to be called in this worker. */
export interface LoadedTask {
  readonly process: ProcessBlock
  readonly isDone?: (block: TaskBlock) => boolean | Promise<boolean>
}

/** What a worker is given by the place where it runs. */
export interface WorkerOptions {
  readonly channel: Channel<WorkerMessage>
  /** Loads the task's module and calls its `setup`. */
  loadTask(task: WireTask, workerId: string): Promise<LoadedTask>
  readonly clock: Clock
  /** Lets what has come in be received: a function that never waits would keep the messages out. */
  readonly breathe: () => Promise<void>
  readonly pid: number
  readonly host: string
  /** Aborted when the worker is ended at once; the running block's function sees it. */
  readonly signal: AbortSignal
  /** Aborted when the worker is told, from where it runs, to finish its block and hand back the rest. */
  readonly drain?: AbortSignal
}

/** Finished blocks are reported at the latest when this has passed and another block begins, and messages let in. */
const REPORT_MS = 5

interface Lease {
  readonly id: number
  readonly taskId: string
  readonly blocks: readonly number[]
}

/**
 * The life of a worker: says hello, does the blocks that it is given, one at a time, reports them, and leaves when it is
 * told to or the link ends. The same in a process and in the coordinator's own.
 */
export async function runWorker(options: WorkerOptions): Promise<void> {
  await new Worker(options).live()
}

class Worker {
  readonly #options: WorkerOptions
  readonly #tasks = new Map<string, { wire: WireTask; grid: BlockGrid; loaded?: LoadedTask }>()
  readonly #leases: Lease[] = []
  #workerId = ''
  #draining = false
  #ended = false
  #wake = () => {}

  constructor(options: WorkerOptions) {
    this.#options = options
  }

  async live(): Promise<void> {
    const { channel, pid, host } = this.#options
    void channel.closed.then(() => this.#end())
    this.#options.signal.addEventListener('abort', () => this.#end())
    this.#options.drain?.addEventListener('abort', () => {
      this.#draining = true
      this.#wake()
    })
    channel.onMessage((message) => this.#receive(parseServerMessage(message)))
    channel.send({ type: 'hello', protocol: PROTOCOL_VERSION, pid, host })
    while (!this.#ended) {
      const lease = this.#leases.shift()
      if (lease !== undefined) {
        if (!(await this.#work(lease))) break
      } else if (this.#draining) {
        break
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
    channel.send({ type: 'goodbye' })
    channel.close()
  }

  #end(): void {
    this.#ended = true
    this.#wake()
  }

  #receive(message: ServerMessage): void {
    switch (message.type) {
      case 'welcome':
        this.#workerId = message.workerId
        break
      case 'task':
        this.#tasks.set(message.task.id, {
          wire: message.task,
          grid: createBlockGrid({ ...message.task.grid, taskId: message.task.id }),
        })
        break
      case 'lease':
        this.#leases.push({ id: message.lease, taskId: message.taskId, blocks: message.blocks })
        break
      case 'drain':
        this.#draining = true
        break
      default:
        message satisfies never
    }
    this.#wake()
  }

  /** Does a lease. @returns false when its task can't be set up: the worker then leaves, for a fresh one to try */
  async #work(lease: Lease): Promise<boolean> {
    const { channel, clock } = this.#options
    const task = this.#tasks.get(lease.taskId)
    if (this.#draining) {
      channel.send({ type: 'outcomes', lease: lease.id, outcomes: lease.blocks.map(() => ({ status: 'returned' })) })
      return true
    }
    try {
      if (task === undefined)
        throw new ConfigError(
          'UNKNOWN_TASK',
          `The coordinator leased blocks of "${lease.taskId}" before it described it.`,
        )
      if (task.loaded === undefined) {
        task.loaded = await this.#options.loadTask(task.wire, this.#workerId)
        channel.send({ type: 'task-ready', taskId: lease.taskId })
      }
    } catch (error) {
      channel.send({ type: 'setup-failed', taskId: lease.taskId, error: toWireError(error, 'SETUP_FAILED') })
      return false
    }
    let outcomes: Outcome[] = []
    let reported = clock.now()
    for (const index of lease.blocks) {
      const now = clock.now()
      if (now - reported > REPORT_MS) {
        if (outcomes.length > 0) channel.send({ type: 'outcomes', lease: lease.id, outcomes })
        outcomes = []
        reported = now
        await this.#options.breathe()
      }
      if (this.#ended) return false
      outcomes.push(
        this.#draining
          ? { status: 'returned' }
          : await this.#doBlock(task.loaded, { ...task.grid.block(index), taskId: lease.taskId }),
      )
    }
    channel.send({ type: 'outcomes', lease: lease.id, outcomes })
    return true
  }

  async #doBlock(task: LoadedTask, block: TaskBlock): Promise<Outcome> {
    const { clock, signal } = this.#options
    const begun = clock.now()
    const failed = (error: WireError): Outcome => ({ status: 'failed', ms: clock.now() - begun, error })
    try {
      if (task.isDone !== undefined && (await this.#check(task.isDone, block))) return { status: 'skipped' }
      await task.process(block, { signal })
      if (task.isDone !== undefined && !(await this.#check(task.isDone, block))) {
        return failed({
          code: 'BLOCK_CHECK_FAILED',
          message: `isDone says that block ${block.taskId}/${block.index} is not done after its function returned.`,
        })
      }
      return { status: 'done', ms: clock.now() - begun }
    } catch (error) {
      return failed(toWireError(error))
    }
  }

  async #check(isDone: NonNullable<LoadedTask['isDone']>, block: TaskBlock): Promise<boolean> {
    try {
      return await isDone(block)
    } catch (error) {
      const { message, stack } = toWireError(error)
      throw Object.assign(new ConfigError('BLOCK_CHECK_FAILED', `isDone threw: ${message}`, { cause: error }), {
        stack,
      })
    }
  }
}
