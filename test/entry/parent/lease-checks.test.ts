import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type { Outcome, ServerMessage, WorkerMessage } from '../../../src/core/protocol/messages.ts'
import { type AskDone, LeaseChecks } from '../../../src/entry/parent/lease-checks.ts'

const DONE: Outcome = { status: 'done', ms: 1 }
const SKIPPED: Outcome = { status: 'skipped' }
const lease = (id: number, ...blocks: number[]) => ({ type: 'lease', lease: id, taskId: 't', blocks }) as const
const outcomes = (id: number, ...of: Outcome[]) => ({ type: 'outcomes', lease: id, outcomes: of }) as const

/** A worker's ends, and what arrived at them. */
function ends(isDone: (block: number) => boolean, { isAsked = true } = {}) {
  const worker: ServerMessage[] = []
  const coordinator: WorkerMessage[] = []
  const ask: AskDone = ({ blocks }) => (isAsked ? Promise.resolve(blocks.map(isDone)) : undefined)
  const checks = new LeaseChecks(ask, {
    toWorker: (message) => worker.push(message),
    toCoordinator: (message) => coordinator.push(message),
  })
  return { checks, worker, coordinator }
}

describe('checks of leases', () => {
  it('give the worker the blocks that are not done, and report the others in their places', async () => {
    const { checks, worker, coordinator } = ends((block) => block % 2 === 0)
    checks.send(lease(1, 0, 1, 2, 3, 4))
    await turn()
    assert.deepEqual(worker, [lease(1, 1, 3)])
    assert.deepEqual(coordinator, [outcomes(1, SKIPPED)])
    checks.receive(outcomes(1, DONE))
    checks.receive(outcomes(1, DONE))
    assert.deepEqual(coordinator.slice(1), [outcomes(1, DONE, SKIPPED), outcomes(1, DONE, SKIPPED)])
  })

  it('report a lease of blocks that are all done when the lease before it is reported', async () => {
    const { checks, worker, coordinator } = ends((block) => block >= 10)
    checks.send(lease(1, 0))
    checks.send(lease(2, 10, 11))
    await turn()
    assert.deepEqual(worker, [lease(1, 0)])
    assert.deepEqual(coordinator, [])
    checks.receive(outcomes(1, DONE))
    assert.deepEqual(coordinator, [outcomes(1, DONE), outcomes(2, SKIPPED, SKIPPED)])
  })

  it('answer a revocation themselves if the worker has not got the lease', async () => {
    const { checks, worker, coordinator } = ends(() => false)
    checks.send(lease(1, 0))
    checks.send({ type: 'revoked', lease: 1 })
    await turn()
    assert.deepEqual(worker, [])
    assert.deepEqual(coordinator, [{ type: 'dropped', lease: 1 }])
  })

  it('tell a worker that has connected again how many of its own blocks are reported', async () => {
    const { checks, worker, coordinator } = ends((block) => block === 0)
    checks.send(lease(1, 0, 1, 2))
    await turn()
    checks.receive(outcomes(1, DONE))
    checks.receive({ type: 'join', protocol: 2, leases: [1], pid: 1, host: 'here' })
    const welcome = { type: 'welcome', protocol: 2, workerId: 'w1', session: 's', heartbeatMs: 0 } as const
    checks.send({ ...welcome, leases: [{ lease: 1, reported: 2 }] })
    assert.deepEqual(worker.at(-1), { ...welcome, leases: [{ lease: 1, reported: 1 }] })
    checks.receive(outcomes(1, DONE))
    assert.deepEqual(coordinator.at(-1), outcomes(1, DONE))
  })

  it('forget a lease that never reached a worker which has connected again', async () => {
    const { checks, worker, coordinator } = ends(() => true)
    checks.send(lease(1, 0))
    checks.receive({ type: 'join', protocol: 2, leases: [], pid: 1, host: 'here' })
    await turn()
    assert.deepEqual(worker, [])
    assert.deepEqual(
      coordinator.map(({ type }) => type),
      ['join'],
    )
  })

  it('report every block once and in order, however it is reported and whichever are done', async () => {
    const block = fc.record({ isDone: fc.boolean(), endsReport: fc.boolean() })
    const leases = fc.array(fc.array(block, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(leases, fc.boolean(), async (given, isAsked) => {
        const all = given.flat()
        const { checks, worker, coordinator } = ends((at) => all[at]?.isDone ?? false, { isAsked })
        let first = 0
        for (const [id, blocks] of given.entries()) {
          checks.send(lease(id, ...blocks.map((_, at) => first + at)))
          first += blocks.length
        }
        await turn()
        for (const message of worker) {
          if (message.type !== 'lease') continue
          let part: Outcome[] = []
          for (const [at, number] of message.blocks.entries()) {
            part.push({ status: 'done', ms: number })
            if (!all[number]?.endsReport && at + 1 < message.blocks.length) continue
            checks.receive(outcomes(message.lease, ...part))
            part = []
          }
        }
        const reports = coordinator.flatMap((message) => (message.type === 'outcomes' ? [message] : []))
        const reported = reports.flatMap((message) => message.outcomes)
        const isSkipped = (number: number) => isAsked && all[number]?.isDone
        assert.deepEqual(
          reported,
          all.map((_, number) => (isSkipped(number) ? SKIPPED : { status: 'done', ms: number })),
        )
        assert.deepEqual(
          reports.map((message) => message.lease),
          reports.map((message) => message.lease).toSorted((a, b) => a - b),
        )
      }),
    )
  })
})
