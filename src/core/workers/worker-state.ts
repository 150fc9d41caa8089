import type { WireError } from '../errors.ts'

/**
 * The origin of a worker. A coordinator that is started again expects the workers of its earlier start; it did not start
 * their processes, so it can't kill them.
 */
export type WorkerOrigin = 'launched' | 'joined' | 'launched-earlier' | 'joined-earlier'

/** Whether a run asked for the worker: it counts towards the number of workers, and is replaced when it ends. */
export const isRequested = (origin: WorkerOrigin): boolean => origin === 'launched' || origin === 'launched-earlier'

/** Whether the run can end the worker's process; otherwise it can only disconnect. */
export const isKillable = (origin: WorkerOrigin): boolean => origin === 'launched'

/** What is known of the memory of a worker that ran out of it. */
export interface MemoryDeath {
  /** What it was given, for users: `--mem=4G`, `a heap of 4.2 GB`. */
  readonly asked?: string
  /** The most that it used, bytes. */
  readonly used?: number
}

/** How a worker ended. */
export interface WorkerExit {
  /** For users: `exit code 1`, `killed by SIGKILL`. */
  readonly reason: string
  /** The last lines of its own output. */
  readonly lastOutput: string
  /** It never started, and no other one like it would: it is not replaced. */
  readonly isRefused?: true
  /** It ended because it ran out of memory. */
  readonly outOfMemory?: MemoryDeath
}

/** Why a worker ended. */
export type WorkerFate =
  | { readonly how: 'died' }
  /** It said goodbye. */
  | { readonly how: 'left' }
  /** An earlier start of the run had it, and it did not reconnect to this one. */
  | { readonly how: 'missed' }
  /** The coordinator ended it, or it could not set up its task. */
  | { readonly how: 'ended'; readonly reason: WireError }

/** A timer, and the event when it expires. A state that keeps the same object keeps its timer running. */
export interface Wait {
  readonly ms: number
  readonly event: WorkerEvent
}

/** One stage in the life of a worker, from its start or arrival to its end. */
export type WorkerState =
  /** It has never connected. */
  | { readonly status: 'starting'; readonly wait?: Wait }
  /** It is connected, and may be given blocks. */
  | { readonly status: 'ready' }
  /** Its connection has ended, and it may reconnect. `isMissed`: an earlier start of the run had it, this one has not seen it. */
  | { readonly status: 'away'; readonly isMissed: boolean; readonly wait?: Wait }
  /** It has said goodbye, and is expected to disconnect and to exit. */
  | { readonly status: 'leaving'; readonly isConnected: boolean; readonly wait?: Wait }
  /** It failed, or the coordinator ended it: it gets no more blocks, and is expected to exit. */
  | {
      readonly status: 'ending'
      readonly reason: WireError
      readonly isConnected: boolean
      readonly hasSaidGoodbye: boolean
      readonly wait?: Wait
    }
  /** Its process has ended, and its last messages may still arrive. */
  | { readonly status: 'exited'; readonly exit: WorkerExit; readonly fate: WorkerFate; readonly wait: Wait }
  | { readonly status: 'over'; readonly exit: WorkerExit; readonly fate: WorkerFate }

/** What happens to a worker. */
export type WorkerEvent =
  /** The launcher has started its process. */
  | { readonly type: 'launched' }
  | { readonly type: 'disconnected' }
  | { readonly type: 'goodbye' }
  | { readonly type: 'setup-failed'; readonly error: WireError }
  /** Its process has ended, or could not be started. */
  | { readonly type: 'exited'; readonly exit: WorkerExit }
  /** The run asks all workers to finish their blocks. */
  | { readonly type: 'drain' }
  /** The coordinator ends it. */
  | { readonly type: 'end'; readonly reason: WireError }
  /** It should have exited by now. */
  | { readonly type: 'exit-overdue' }
  /** Nothing more is expected of it. */
  | { readonly type: 'give-up'; readonly exit: WorkerExit }

/** What the coordinator has to do about an event. */
export type WorkerDecision =
  | { readonly type: 'send-drain' }
  /** Give its blocks to others; it holds none any more. */
  | { readonly type: 'take-blocks' }
  /** Do not wake it for further blocks, and note the lost connection. `hasLeft`: it will not reconnect. */
  | { readonly type: 'note-disconnected'; readonly hasLeft: boolean }
  | { readonly type: 'kill' }
  /** It is over: give its blocks to others, replace it, and forget it. */
  | {
      readonly type: 'bury'
      readonly exit: WorkerExit
      readonly fate: WorkerFate
      /** Its end was not observed, so it may still run blocks that are given to others. */
      readonly mayStillRun: boolean
    }

/** The answer to a worker that connects. `isFirst`: this start of the run has not seen it before. */
export type Answer =
  | { readonly type: 'welcome'; readonly isFirst: boolean }
  | { readonly type: 'refuse'; readonly reason: WireError }

/** What a decision depends on besides the state. */
export interface WorkerFacts {
  readonly id: string
  readonly host: string
  readonly origin: WorkerOrigin
  /** Whether its connection comes from the network: then its last messages may arrive after its exit, and it may reconnect. */
  readonly isRemote: boolean
  readonly holdsBlocks: boolean
  /** Whether the run still hands out blocks. */
  readonly isRunActive: boolean
  readonly reconnectMs: number
}
