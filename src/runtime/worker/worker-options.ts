import type { WireError } from '../../core/errors.ts'
import type { WireTask, WorkerMessage, WorkerUsage } from '../../core/protocol/messages.ts'
import type { Channel } from '../../ports/channel.ts'
import type { Clock } from '../../ports/clock.ts'
import type { ProcessBlock, TaskBlock } from '../tasks/define-task.ts'

/** What a block's function gives when the worker leaves with the block undone: it is handed back, and no try. */
export const RETURNED = Symbol('returned')

/** A task's function, ready to be called in this worker. */
export interface LoadedTask {
  process(...args: Parameters<ProcessBlock>): ReturnType<ProcessBlock> | Promise<undefined | typeof RETURNED>
  readonly isDone?: (block: TaskBlock) => boolean | Promise<boolean>
}

/** A link to a coordinator, and what lets this worker in there. */
export interface WorkerLink {
  readonly channel: Channel<WorkerMessage>
  readonly token?: string
}

/** The name of a worker, with what shows that it is its own. */
export interface WorkerIdentity {
  readonly worker: string
  readonly session: string
}

/** What a worker is given by the place where it runs. */
export interface WorkerOptions {
  /** Called at the start, and again when the link has ended. @throws ConfigError when trying again is of no use */
  connect(): Promise<WorkerLink>
  /** How long to try to reach the coordinator, at first and when the link has ended. @default 0: its end is the worker's */
  readonly reconnectMs?: number
  /** The name that this worker was started with. */
  readonly identity?: WorkerIdentity
  /** Loads the task's module and calls its `setup`. */
  loadTask(task: WireTask, workerId: string): Promise<LoadedTask>
  /** What this worker has needed so far. @default it does not say */
  readonly usage?: () => WorkerUsage
  readonly clock: Clock
  /** From 0 to 1: spreads the workers that come back at the same time. @default 0.5 */
  readonly random?: () => number
  /** Lets what has come in be received: a function that never waits would keep the messages out. */
  readonly breathe: () => Promise<void>
  readonly pid: number
  readonly host: string
  /** Leases are to come with the Rois of their blocks. @default false */
  readonly rois?: boolean
  /** Aborted when the worker is ended at once; the running block's function sees it. */
  readonly signal: AbortSignal
  /** Aborted when the worker is told, from where it runs, to finish its block and hand back the rest. */
  readonly drain?: AbortSignal
  /** Tells what happens to the link, for people; that it was not made or is lost once until it is there again. */
  readonly onConnection?: (event: 'welcome' | 'lost', detail: string) => void
}

/** How a worker ended. */
export interface WorkerEnd {
  /** Blocks done or skipped. */
  readonly blocks: number
  /** The task that could not be set up, when that was it. */
  readonly setupError?: WireError
}
