import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { connectWorker, stepWorker, waitOf } from '../../../src/core/workers/worker-life.ts'
import type { WorkerEvent, WorkerFacts, WorkerOrigin, WorkerState } from '../../../src/core/workers/worker-state.ts'

const exit = { reason: 'exit code 1', lastOutput: '' }
const error = { code: 'SETUP_FAILED', message: 'no' } as const

/** A worker's state, with what it depends on that is not in it. */
interface Node {
  readonly state: WorkerState
  readonly isRunActive: boolean
  readonly holdsBlocks: boolean
}

interface Setting {
  readonly origin: WorkerOrigin
  readonly isRemote: boolean
}

const SETTINGS: readonly Setting[] = [
  { origin: 'launched', isRemote: false },
  { origin: 'launched', isRemote: true },
  { origin: 'joined', isRemote: true },
  { origin: 'launched-earlier', isRemote: true },
  { origin: 'joined-earlier', isRemote: true },
]

/** The events from outside that can happen, besides a connection. `exited` only where there is a process of the run. */
const outside = ({ origin }: Setting): WorkerEvent[] => [
  { type: 'disconnected' },
  { type: 'goodbye' },
  { type: 'setup-failed', error },
  ...(origin === 'launched' ? ([{ type: 'launched' }, { type: 'exited', exit }] as const) : []),
]
/** What the coordinator itself does to a worker. */
const STOP: readonly WorkerEvent[] = [{ type: 'drain' }, { type: 'end', reason: error }]

const keyOf = (node: Node): string => JSON.stringify(node)

function stepNode({ origin, isRemote }: Setting, node: Node, event: WorkerEvent): Node {
  const { isRunActive, holdsBlocks } = node
  const facts: WorkerFacts = {
    ...{ id: 'w1', host: 'there', reconnectMs: 10_000 },
    ...{ origin, isRemote, holdsBlocks, isRunActive: isRunActive && event.type !== 'drain' },
  }
  const { state, decisions } = stepWorker(node.state, event, facts)
  const loses = decisions.some(({ type }) => type === 'take-blocks' || type === 'bury')
  return { state, isRunActive: facts.isRunActive, holdsBlocks: holdsBlocks && !loses }
}

function nextOf(setting: Setting, node: Node): Node[] {
  const wait = waitOf(node.state)
  const events = [...outside(setting), ...STOP, ...(wait === undefined ? [] : [wait.event])]
  const { state, answer } = connectWorker(node.state)
  return [
    ...events.map((event) => stepNode(setting, node, event)),
    ...(answer.type === 'welcome' ? [{ ...node, state }] : []),
    // Blocks are given only to workers that are ready, and reported by workers that are connected.
    ...(node.state.status === 'ready' && node.isRunActive ? [{ ...node, holdsBlocks: true }] : []),
    ...(node.holdsBlocks && node.state.status === 'ready' ? [{ ...node, holdsBlocks: false }] : []),
  ]
}

/** All states that any sequence of events leads to, with the number of events of the shortest one. */
function reachable(setting: Setting): { readonly nodes: readonly Node[]; readonly longest: number } {
  const reconnect = { ms: 10_000, event: { type: 'give-up', exit } } as const
  const isEarlier = setting.origin.endsWith('earlier')
  const state: WorkerState = isEarlier ? { status: 'away', isMissed: true, wait: reconnect } : { status: 'starting' }
  const seen = new Map<string, Node>()
  let front: Node[] = [{ state, isRunActive: true, holdsBlocks: isEarlier }]
  let depth = 0
  for (; front.length > 0; depth++) {
    const fresh = front.filter((node) => !seen.has(keyOf(node)))
    for (const node of fresh) seen.set(keyOf(node), node)
    front = fresh.flatMap((node) => nextOf(setting, node)).filter((node) => !seen.has(keyOf(node)))
  }
  return { nodes: [...seen.values()], longest: depth - 1 }
}

/** Where the timers of a worker lead, if nothing else happens any more. */
function afterTimers(setting: Setting, start: Node): Node {
  let node = start
  for (let steps = 0; ; steps++) {
    const wait = waitOf(node.state)
    if (wait === undefined) return node
    assert.ok(steps < 10, `timers without end: ${keyOf(start)}`)
    node = stepNode(setting, node, wait.event)
  }
}

describe('the states of a worker, after any sequence of events of any length', () => {
  for (const setting of SETTINGS) {
    const name = `${setting.origin}${setting.isRemote ? '' : ', over a channel in memory'}`
    it(`${name}: each is left by a timer, or by the end of its process or its connection`, (t) => {
      const { nodes, longest } = reachable(setting)
      t.diagnostic(`${name}: ${nodes.length} states, the last one after ${longest} events`)
      assert.ok(nodes.length > 10)
      for (const node of nodes) {
        const rest = afterTimers(setting, node)
        const { status } = rest.state
        // A process may have to wait for a machine; a connection has heartbeats and time limits.
        const mayStay = status === 'starting' || status === 'ready'
        assert.ok(status === 'over' || mayStay, `${keyOf(node)} stays ${status}`)
        const end: WorkerEvent = status === 'starting' ? { type: 'exited', exit } : { type: 'disconnected' }
        const gone = afterTimers(setting, stepNode(setting, rest, end))
        const isOver = gone.state.status === 'over' || (status === 'starting' && setting.origin !== 'launched')
        assert.ok(isOver, `${keyOf(node)} is ${gone.state.status} after its end`)
      }
    })

    it(`${name}: from each, the end of the run ends the worker within its timers, and its blocks are returned`, () => {
      for (const node of reachable(setting).nodes) {
        let last = node
        for (const event of STOP) last = stepNode(setting, last, event)
        last = afterTimers(setting, last)
        assert.equal(last.state.status, 'over', keyOf(node))
        assert.ok(node.state.status === 'over' || !last.holdsBlocks, keyOf(node))
      }
    })
  }
})
