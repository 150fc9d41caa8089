import type { WireError } from '../errors.ts'

/** How long the last messages of a worker may take to arrive after its process ended. */
export const LAST_MESSAGES_MS = 1000
/** How long a worker may take to reconnect so that it learns of the run's end. */
export const FAREWELL_MS = 2000
/** How long a worker may take to exit after it was killed or said goodbye. */
export const EXIT_MS = 5000

/**
 * Where a worker comes from. A coordinator that is started again expects the workers of its earlier start: it did not start
 * their processes, so it cannot kill them.
 */
export type WorkerOrigin = 'launched' | 'joined' | 'launched-earlier' | 'joined-earlier'

/** Whether a run asked for the worker: it counts towards the number of workers, and is replaced when it ends. */
export const isRequested = (origin: WorkerOrigin): boolean => origin === 'launched' || origin === 'launched-earlier'

/** Whether the run can end the worker's process; otherwise it can only disconnect. */
export const isKillable = (origin: WorkerOrigin): boolean => origin === 'launched'

/** How a worker ended. */
export interface WorkerExit {
  /** For people: `exit code 1`, `killed by SIGKILL`. */
  readonly reason: string
  /** The last lines of its own output. */
  readonly lastOutput: string
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

/** A timer, and the event that follows when it expires. A state that keeps the same object keeps its timer running. */
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
  /** The run asks all workers to finish what they have. */
  | { readonly type: 'drain' }
  /** The coordinator ends it. */
  | { readonly type: 'end'; readonly reason: WireError }
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
      /** Nobody has seen it end, so it may still run blocks that others are given. */
      readonly mayStillRun: boolean
    }

/** What a worker that connects is answered. `isFirst`: this start of the run has not seen it before. */
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

export interface WorkerStep {
  readonly state: WorkerState
  readonly decisions: readonly WorkerDecision[]
}

export const isConnected = (state: WorkerState): boolean =>
  state.status === 'ready' || state.status === 'exited' || ('isConnected' in state && state.isConnected)

/** The timer that runs in a state. */
export const waitOf = (state: WorkerState): Wait | undefined => ('wait' in state ? state.wait : undefined)

/**
 * The life of a worker: what follows from an event.
 * From every state but `over` something leads on: its timer, or an event that its process or its connection brings.
 */
export function stepWorker(state: WorkerState, event: WorkerEvent, facts: WorkerFacts): WorkerStep {
  if (state.status === 'over') return to(state)
  switch (event.type) {
    case 'launched':
      return launched(state, facts)
    case 'disconnected':
      return disconnected(state, facts)
    case 'goodbye':
      return saidGoodbye(state)
    case 'setup-failed':
      return setupFailed(state, event.error)
    case 'exited':
      return exited(state, event.exit, facts)
    case 'drain':
      return drained(state, facts)
    case 'end':
      return ended(state, event.reason, facts)
    case 'give-up':
      return over(state, event.exit)
    default:
      return event satisfies never
  }
}

/** A worker connects, for the first time or again. */
export function connectWorker(state: WorkerState): { readonly state: WorkerState; readonly answer: Answer } {
  switch (state.status) {
    case 'starting':
    case 'ready':
    case 'away':
    // A process that was started again after its goodbye.
    case 'leaving': {
      const isFirst = state.status === 'starting' || (state.status === 'away' && state.isMissed)
      return { state: { status: 'ready' }, answer: { type: 'welcome', isFirst } }
    }
    case 'exited':
      // It connected before it exited, and what it sent is still arriving.
      return { state: { ...state, wait: { ...state.wait } }, answer: { type: 'welcome', isFirst: false } }
    case 'ending':
      return { state, answer: { type: 'refuse', reason: state.reason } }
    case 'over': {
      const message = `It has ended: ${state.exit.reason}.`
      return { state, answer: { type: 'refuse', reason: { code: 'PROTOCOL_ERROR', message } } }
    }
    default:
      return state satisfies never
  }
}

type Alive = Exclude<WorkerState, { readonly status: 'over' }>

const to = (state: WorkerState, ...decisions: readonly WorkerDecision[]): WorkerStep => ({ state, decisions })

const over = (state: Alive, exit: WorkerExit, hasExited = state.status === 'exited'): WorkerStep => {
  const fate = fateOf(state)
  const mayStillRun = !hasExited && state.status !== 'leaving'
  return to({ status: 'over', exit, fate }, { type: 'bury', exit, fate, mayStillRun })
}

function fateOf(state: Alive): WorkerFate {
  switch (state.status) {
    case 'starting':
    case 'ready':
      return { how: 'died' }
    case 'away':
      return { how: state.isMissed ? 'missed' : 'died' }
    case 'leaving':
      return { how: 'left' }
    case 'ending':
      return { how: 'ended', reason: state.reason }
    case 'exited':
      return state.fate
    default:
      return state satisfies never
  }
}

const exitOf = (reason: WireError): WorkerExit => ({ reason: reason.message, lastOutput: '' })
const giveUpAfter = (ms: number, exit: WorkerExit): Wait => ({ ms, event: { type: 'give-up', exit } })
const LEFT: WorkerExit = { reason: 'it left', lastOutput: '' }
const RUN_ENDED: WorkerExit = { reason: 'the run ended', lastOutput: '' }

/** One that is no longer wanted when its process has started is killed only now: before, there was nothing to kill. */
function launched(state: Alive, { isRunActive }: WorkerFacts): WorkerStep {
  const isUnwanted = !isRunActive || state.status === 'ending'
  return isUnwanted ? to(state, { type: 'kill' }) : to(state)
}

function disconnected(state: Alive, facts: WorkerFacts): WorkerStep {
  const { origin, isRemote, isRunActive, holdsBlocks } = facts
  const note = (hasLeft: boolean): WorkerDecision => ({ type: 'note-disconnected', hasLeft })
  const first = (decision: WorkerDecision, step: WorkerStep): WorkerStep => to(step.state, decision, ...step.decisions)
  switch (state.status) {
    case 'starting':
    case 'away':
      return to(state)
    case 'ready':
      if (!isKillable(origin) && !isRunActive && !holdsBlocks) return to(farewell(state), note(false))
      return to({ status: 'away', isMissed: false, ...(isRemote ? { wait: reconnectWait(facts) } : {}) }, note(false))
    case 'leaving':
      if (!state.isConnected) return to(state)
      if (!isKillable(origin)) return first(note(true), over(state, LEFT))
      // It should be about to exit, but something in it may prevent that.
      return to({ ...state, isConnected: false, ...(isRemote ? { wait: exitWait(LEFT_LATE) } : {}) }, note(true))
    case 'ending': {
      if (!state.isConnected) return to(state)
      const decision = note(state.hasSaidGoodbye)
      if (!isKillable(origin)) return first(decision, over(state, exitOf(state.reason)))
      return to({ ...state, isConnected: false, wait: state.wait ?? exitWait(state.reason) }, decision)
    }
    case 'exited':
      return first(note(state.fate.how === 'left'), over(state, state.exit))
    default:
      return state satisfies never
  }
}

const LEFT_LATE: WireError = { code: 'WORKER_DIED', message: 'It said goodbye and did not exit.' }
const exitWait = (reason: WireError): Wait => ({ ms: EXIT_MS, event: { type: 'end', reason } })

const reconnectWait = ({ id, host, reconnectMs }: WorkerFacts): Wait => {
  const message = `Worker ${id} on ${host} was lost: its connection ended and it did not reconnect within ${reconnectMs / 1000} s.`
  return { ms: reconnectMs, event: { type: 'end', reason: { code: 'WORKER_DIED', message } } }
}

/** One whose connection broke just at the end would look for the run for minutes: it learns of the end if it reconnects soon. */
const farewell = (state: Alive): Alive => {
  const wait = giveUpAfter(FAREWELL_MS, RUN_ENDED)
  if (state.status === 'starting') return { status: 'starting', wait }
  return { status: 'away', isMissed: state.status === 'away' && state.isMissed, wait }
}

function saidGoodbye(state: Alive): WorkerStep {
  switch (state.status) {
    case 'ready':
      return to({ status: 'leaving', isConnected: true }, { type: 'take-blocks' })
    case 'ending':
      return to({ ...state, hasSaidGoodbye: true }, { type: 'take-blocks' })
    case 'exited':
      return to(state.fate.how === 'ended' ? state : { ...state, fate: { how: 'left' } }, { type: 'take-blocks' })
    case 'starting':
    case 'away':
    case 'leaving':
      return to(state)
    default:
      return state satisfies never
  }
}

/** The worker exits by itself: it has said why, and the task is to blame. */
function setupFailed(state: Alive, reason: WireError): WorkerStep {
  switch (state.status) {
    case 'ready':
      return to({ status: 'ending', reason, isConnected: true, hasSaidGoodbye: false })
    case 'leaving':
      return to({ ...state, status: 'ending', reason, hasSaidGoodbye: true })
    case 'ending':
      return to({ ...state, reason })
    case 'exited':
      return to({ ...state, fate: { how: 'ended', reason } })
    case 'starting':
    case 'away':
      return to(state)
    default:
      return state satisfies never
  }
}

function exited(state: Alive, exit: WorkerExit, { isRemote }: WorkerFacts): WorkerStep {
  if (state.status === 'exited') return to(state)
  if (!isRemote || !isConnected(state)) return over(state, exit, true)
  return to({ status: 'exited', exit, fate: fateOf(state), wait: giveUpAfter(LAST_MESSAGES_MS, exit) })
}

function drained(state: Alive, { origin, holdsBlocks }: WorkerFacts): WorkerStep {
  if (isConnected(state)) return to(state, { type: 'send-drain' })
  // One that has never connected holds nothing, so it need not finish starting.
  if (holdsBlocks && state.status !== 'starting') return to(state)
  return isKillable(origin) ? to(state, { type: 'kill' }) : to(farewell(state))
}

function ended(state: Alive, reason: WireError, { origin }: WorkerFacts): WorkerStep {
  if (state.status === 'exited') {
    const fate: WorkerFate = state.fate.how === 'ended' ? state.fate : { how: 'ended', reason }
    return to({ ...state, fate }, { type: 'kill' })
  }
  const first = state.status === 'ending' ? state.reason : reason
  const isMissed = state.status === 'away' && state.isMissed
  const ending: Alive = {
    status: 'ending',
    reason: first,
    isConnected: isConnected(state),
    hasSaidGoodbye: state.status === 'leaving' || (state.status === 'ending' && state.hasSaidGoodbye),
    wait: giveUpAfter(EXIT_MS, exitOf(first)),
  }
  if (!isKillable(origin)) return over(isMissed ? state : ending, exitOf(first))
  return to(ending, { type: 'kill' })
}
