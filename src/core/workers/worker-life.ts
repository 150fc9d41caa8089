import type { WireError } from '../errors.ts'
import {
  type Answer,
  isKillable,
  type Wait,
  type WorkerDecision,
  type WorkerEvent,
  type WorkerExit,
  type WorkerFacts,
  type WorkerFate,
  type WorkerState,
} from './worker-state.ts'

/** How long the last messages of a worker may take to arrive after its process ended. */
const LAST_MESSAGES_MS = 1000
/** How long a worker may take to reconnect so that it learns of the run's end. */
const FAREWELL_MS = 2000
/** How long a worker may take to exit after it was killed or said goodbye. */
const EXIT_MS = 5000

/** How long a worker may stay connected after its goodbye, for example to free what its tasks have set up. */
const LEAVE_MS = 30_000

export interface WorkerStep {
  readonly state: WorkerState
  readonly decisions: readonly WorkerDecision[]
}

export const isConnected = (state: WorkerState): boolean =>
  state.status === 'ready' || state.status === 'exited' || ('isConnected' in state && state.isConnected)

/** The timer that runs in a state. */
export const waitOf = (state: WorkerState): Wait | undefined => ('wait' in state ? state.wait : undefined)

/**
 * The life of a worker: the effects of an event.
 * Every state except `over` is left eventually: by its timer, or by an event of its process or its connection.
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
    case 'exit-overdue':
      return exitOverdue(state)
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
    // The process was started again after its goodbye.
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

/** A worker that is no longer wanted when its process has started is killed only now: earlier there was no process. */
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
      return to(
        { status: 'away', isMissed: false, wait: isRemote ? reconnectWait(facts) : deafWait(facts) },
        note(false),
      )
    case 'leaving':
      if (!state.isConnected) return to(state)
      if (!isKillable(origin)) return first(note(true), over(state, LEFT))
      // It should be about to exit, but something in it may prevent that.
      return to({ ...state, isConnected: false, ...(isRemote ? { wait: EXIT_WAIT } : {}) }, note(true))
    case 'ending': {
      if (!state.isConnected) return to(state)
      const decision = note(state.hasSaidGoodbye)
      if (!isKillable(origin)) return first(decision, over(state, exitOf(state.reason)))
      return to({ ...state, isConnected: false, wait: state.wait ?? EXIT_WAIT }, decision)
    }
    case 'exited':
      return first(note(state.fate.how === 'left'), over(state, state.exit))
    default:
      return state satisfies never
  }
}

const LEAVE_WAIT: Wait = { ms: LEAVE_MS, event: { type: 'exit-overdue' } }
const EXIT_WAIT: Wait = { ms: EXIT_MS, event: { type: 'exit-overdue' } }

const reconnectWait = ({ id, host, reconnectMs }: WorkerFacts): Wait => {
  const message = `Worker ${id} on ${host} was lost: its connection ended and it did not reconnect within ${reconnectMs / 1000} s.`
  return { ms: reconnectMs, event: { type: 'end', reason: { code: 'WORKER_DIED', message } } }
}

/** A channel in memory can't be made again: its worker should be about to exit. */
const deafWait = ({ id }: WorkerFacts): Wait => {
  const message = `Worker ${id} closed its connection, but did not exit within ${EXIT_MS / 1000} s.`
  return { ms: EXIT_MS, event: { type: 'end', reason: { code: 'WORKER_DIED', message } } }
}

/**
 * A worker whose connection broke just at the end would try to reconnect for minutes; if it returns soon, it learns that the
 * run has ended.
 */
const farewell = (state: Alive): Alive => {
  const wait = giveUpAfter(FAREWELL_MS, RUN_ENDED)
  if (state.status === 'starting') return { status: 'starting', wait }
  return { status: 'away', isMissed: state.status === 'away' && state.isMissed, wait }
}

function saidGoodbye(state: Alive): WorkerStep {
  switch (state.status) {
    case 'ready':
      return to({ status: 'leaving', isConnected: true, wait: LEAVE_WAIT }, { type: 'take-blocks' })
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

/** The worker is expected to exit by itself: it has reported the reason, and the task is at fault. Until then it keeps its blocks. */
function setupFailed(state: Alive, reason: WireError): WorkerStep {
  switch (state.status) {
    case 'ready':
      return to({ status: 'ending', reason, isConnected: true, hasSaidGoodbye: false, wait: EXIT_WAIT })
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
  // A worker that has never connected holds no blocks, so it need not finish starting.
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

/** Something in the worker keeps it from exiting. Killing it changes nothing about why it ends. */
function exitOverdue(state: Alive): WorkerStep {
  if (state.status !== 'leaving' && state.status !== 'ending') return to(state)
  const exit = state.status === 'leaving' ? LEFT : exitOf(state.reason)
  return to({ ...state, wait: giveUpAfter(EXIT_MS, exit) }, { type: 'kill' })
}
