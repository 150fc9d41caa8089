import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { connectWorker, isConnected, stepWorker, waitOf } from '../../../src/core/workers/worker-life.ts'
import {
  isKillable,
  type WorkerDecision,
  type WorkerEvent,
  type WorkerFacts,
  type WorkerOrigin,
  type WorkerState,
} from '../../../src/core/workers/worker-state.ts'

const ORIGINS: readonly WorkerOrigin[] = ['launched', 'joined', 'launched-earlier', 'joined-earlier']
const STATUSES = ['starting', 'ready', 'away', 'leaving', 'ending', 'exited', 'over']
const BROKEN = { code: 'BLOCK_FAILED', message: 'no model' } as const
const EXIT = { reason: 'exit code 1', lastOutput: 'oops' }
const STARTING: WorkerState = { status: 'starting' }
const READY: WorkerState = { status: 'ready' }

const factsOf = (more: Partial<WorkerFacts> = {}): WorkerFacts => ({
  id: 'w1',
  host: 'node1',
  origin: 'launched',
  isRemote: true,
  holdsBlocks: false,
  isRunActive: true,
  reconnectMs: 100,
  ...more,
})

/** Applies some events in turn. @returns the last state, and all decisions */
function follow(start: WorkerState, events: readonly (WorkerEvent | 'connect' | 'timer')[], facts = factsOf()) {
  let state = start
  const decisions: WorkerDecision[] = []
  for (const event of events) {
    if (event === 'connect') {
      state = connectWorker(state).state
      continue
    }
    const due = event === 'timer' ? waitOf(state)?.event : event
    if (due === undefined) continue
    const step = stepWorker(state, due, facts)
    state = step.state
    decisions.push(...step.decisions)
  }
  return { state, decisions, types: decisions.map(({ type }) => type) }
}

describe('the life of a worker', () => {
  it('ends a lost worker that does not reconnect in time, and gives up on it if killing does not help', () => {
    const away = follow(STARTING, ['connect', { type: 'disconnected' }])
    assert.deepEqual([away.state.status, waitOf(away.state)?.ms], ['away', 100])
    const ending = follow(away.state, ['timer'])
    assert.deepEqual([ending.state.status, ending.types], ['ending', ['kill']])
    const over = follow(ending.state, ['timer'])
    assert.deepEqual([over.state.status, over.types], ['over', ['bury']])
    assert.match(JSON.stringify(over.decisions), /"how":"ended".*did not reconnect within 0.1 s.*"mayStillRun":true/)
  })

  it('waits for the last messages of a remote worker that has exited, but not for those of a local one', () => {
    const remote = follow(READY, [{ type: 'exited', exit: EXIT }])
    assert.equal(remote.state.status, 'exited')
    assert.deepEqual(follow(remote.state, [{ type: 'disconnected' }]).types, ['note-disconnected', 'bury'])
    const local = follow(READY, [{ type: 'exited', exit: EXIT }], factsOf({ isRemote: false }))
    assert.deepEqual(local.decisions, [{ type: 'bury', exit: EXIT, fate: { how: 'died' }, mayStillRun: false }])
  })

  it('does not blame a worker that says goodbye, even if its exit is known already', () => {
    const exited = follow(READY, [{ type: 'exited', exit: EXIT }, { type: 'goodbye' }, { type: 'disconnected' }])
    assert.deepEqual(exited.state, { status: 'over', exit: EXIT, fate: { how: 'left' } })
    const joined = follow(READY, [{ type: 'goodbye' }, { type: 'disconnected' }], factsOf({ origin: 'joined' }))
    assert.deepEqual(joined.types, ['take-blocks', 'note-disconnected', 'bury'])
  })

  it('kills a worker that does not exit after its goodbye, and does not blame it', () => {
    const events = [{ type: 'goodbye' }, { type: 'disconnected' }, 'timer'] as const
    const { state, types } = follow(READY, events)
    assert.deepEqual(types, ['take-blocks', 'note-disconnected', 'kill'])
    const over = follow(state, [{ type: 'exited', exit: EXIT }]).state
    assert.deepEqual(over, { status: 'over', exit: EXIT, fate: { how: 'left' } })
  })

  it('keeps the first reason for which a worker was ended, and refuses it when it reconnects', () => {
    const reason = { code: 'BLOCK_TIMEOUT', message: 'too slow' } as const
    const { state } = follow(READY, [
      { type: 'end', reason },
      { type: 'end', reason: BROKEN },
    ])
    assert.deepEqual(connectWorker(state).answer, { type: 'refuse', reason })
  })

  it('declares a joined worker that could not set up its task dead as soon as it disconnects', () => {
    const events = [{ type: 'setup-failed', error: BROKEN }, { type: 'disconnected' }] as const
    const { state } = follow(READY, events, factsOf({ origin: 'joined', holdsBlocks: true }))
    assert.equal(state.status === 'over' && state.fate.how, 'ended')
  })

  it('gives up a worker that stays connected after it could not set up its task, so that others get its blocks', () => {
    const facts = factsOf({ origin: 'joined', holdsBlocks: true })
    const { state, types } = follow(READY, [{ type: 'setup-failed', error: BROKEN }, 'timer', 'timer'], facts)
    assert.deepEqual(types, ['kill', 'bury'])
    assert.equal(state.status === 'over' && state.fate.how, 'ended')
  })

  it('kills a process that has started only after its worker was ended', () => {
    const events = [{ type: 'end', reason: BROKEN }, { type: 'launched' }] as const
    assert.deepEqual(follow(STARTING, events).types, ['kill', 'kill'])
  })

  it('does not blame a worker of an earlier start that never reconnects', () => {
    const missed: WorkerState = {
      status: 'away',
      isMissed: true,
      wait: { ms: 100, event: { type: 'give-up', exit: EXIT } },
    }
    const { state } = follow(missed, ['timer'], factsOf({ origin: 'launched-earlier', holdsBlocks: true }))
    assert.deepEqual(state, { status: 'over', exit: EXIT, fate: { how: 'missed' } })
  })
})

const anyEvent = fc.constantFrom<WorkerEvent | 'connect' | 'timer'>(
  'connect',
  'timer',
  { type: 'launched' },
  { type: 'disconnected' },
  { type: 'goodbye' },
  { type: 'setup-failed', error: BROKEN },
  { type: 'exited', exit: EXIT },
  { type: 'drain' },
  { type: 'end', reason: BROKEN },
  { type: 'exit-overdue' },
  { type: 'give-up', exit: EXIT },
)
const anyFacts = fc
  .record({
    origin: fc.constantFrom(...ORIGINS),
    isRemote: fc.boolean(),
    holdsBlocks: fc.boolean(),
    isRunActive: fc.boolean(),
  })
  // Only a process that the run has started has a local connection.
  .map((facts) => factsOf({ ...facts, isRemote: facts.isRemote || !isKillable(facts.origin) }))
const anyHistory = fc.record({ facts: anyFacts, events: fc.array(anyEvent, { maxLength: 12 }) })

describe('any sequence of events of a worker', () => {
  it('leads to a valid state, and ends the worker at most once', () => {
    fc.assert(
      fc.property(anyHistory, ({ facts, events }) => {
        let state: WorkerState = STARTING
        let burials = 0
        for (const event of events) {
          const wasOver = state.status === 'over'
          const next = follow(state, [event], facts)
          assert.ok(STATUSES.includes(next.state.status))
          if (wasOver) assert.equal(next.state, state)
          burials += next.types.filter((type) => type === 'bury').length
          state = next.state
        }
        assert.equal(burials, state.status === 'over' ? 1 : 0)
      }),
    )
  })

  it('never leaves a worker stuck: after it has disconnected, its timers or the exit of its process end it', () => {
    fc.assert(
      fc.property(anyHistory, ({ facts, events }) => {
        const reached = follow(STARTING, events, facts).state
        // A joined worker is connected from the start; a launched one connects or exits.
        if (reached.status === 'starting') return
        const alone = follow(reached, [{ type: 'disconnected' }, 'timer', 'timer', 'timer'], facts).state
        assert.ok(!isConnected(alone))
        if (facts.isRemote) assert.equal(alone.status, 'over')
        assert.equal(follow(alone, [{ type: 'exited', exit: EXIT }], facts).state.status, 'over')
      }),
    )
  })

  it('can be followed by an end: the worker is over then, or its timer ends it', () => {
    fc.assert(
      fc.property(anyHistory, ({ facts, events }) => {
        const { state } = follow(STARTING, [...events, { type: 'end', reason: BROKEN }], facts)
        assert.equal(follow(state, ['timer']).state.status, 'over')
      }),
    )
  })
})
