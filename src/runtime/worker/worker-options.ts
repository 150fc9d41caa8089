import type { WireError } from '../../core/errors.ts'
import type { WireTask, WorkerMessage, WorkerUsage } from '../../core/protocol/messages.ts'
import type { Channel } from '../../ports/channel.ts'
import type { Clock } from '../../ports/clock.ts'
import type { ProcessBlock, TaskBlock } from '../tasks/task-options.ts'

/** Returned by a block's function when the worker leaves without doing the block: it is returned, and no attempt is counted. */
export const RETURNED = Symbol('returned')

/** How a function takes blocks that come later in a lease together with the one before. */
export interface Ahead {
  /** Called before a block: it may begin those that follow in the lease, too. */
  offer(index: number, following: () => Iterable<TaskBlock>): void
  /** Whether it has begun a block, which therefore can't be returned. */
  has(index: number): boolean
}

/** The property of an error of which the worker's log tells already. */
export const NOTED = Symbol('noted')

/** The property of a block's function that has its {@link Ahead}. */
export const AHEAD = Symbol('ahead')

/** A task's function, ready to be called in this worker. */
export interface LoadedTask {
  process(...args: Parameters<ProcessBlock>): ReturnType<ProcessBlock> | Promise<undefined | typeof RETURNED>
  readonly isDone?: (block: TaskBlock) => boolean | Promise<boolean>
  /** Absent if it does one block at a time. */
  readonly ahead?: Ahead
}

/** The name of a worker, and the session that proves it. */
export interface WorkerIdentity {
  readonly worker: string
  readonly session: string
}

/** What the surrounding program provides to a worker. */
export interface WorkerOptions {
  /**
   * Opens a channel to a coordinator that this worker may trust. Called at the start, and again after the connection was lost.
   * @param signal aborted when the worker ends
   * @throws ConfigError if trying again is of no use
   */
  connect(signal: AbortSignal): Promise<Channel<WorkerMessage>>
  /**
   * How long to try to reach the coordinator, at first and after the connection was lost, in milliseconds.
   * @default 0: the worker ends with its connection
   */
  readonly reconnectMs?: number
  /** The name that this worker was started with. */
  readonly identity?: WorkerIdentity
  /** Loads the task's module and calls its `setup`. */
  loadTask(task: WireTask, workerId: string): Promise<LoadedTask>
  /** Called with an attempt that failed, for the worker's log. @param block `smooth/3` */
  readonly onBlockFailed?: (block: string, error: WireError) => void
  /** The resources that this worker has used so far. @default not reported */
  readonly usage?: () => WorkerUsage
  readonly clock: Clock
  /** From 0 to 1: spreads workers that reconnect at the same time. @default 0.5 */
  readonly random?: () => number
  /** Lets the event loop receive messages: a block's function that never awaits would block them. */
  readonly breathe: () => Promise<void>
  readonly pid: number
  readonly host: string
  /** Asks for the Rois of the blocks in every lease. @default false */
  readonly rois?: boolean
  /** Ends the worker at once when aborted; the function of the running block sees it. */
  readonly signal: AbortSignal
  /** When aborted, the worker finishes its block, returns the others and leaves. */
  readonly drain?: AbortSignal
  /** Reports changes of the connection, for users. A loss, or a failure to connect, is reported once until the next welcome. */
  readonly onConnection?: (event: 'welcome' | 'lost', detail: string) => void
}

/** How a worker ended. */
export interface WorkerEnd {
  /** Blocks done or skipped. */
  readonly blocks: number
  /** Set if the worker ended because a task could not be set up. */
  readonly setupError?: WireError
}
