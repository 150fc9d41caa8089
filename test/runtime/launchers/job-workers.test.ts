import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RunEvent } from '../../../src/core/events.ts'
import { jobLauncher } from '../../../src/runtime/launchers/job-launcher.ts'
import { ManualClock } from '../../support/fake-network.ts'
import { line, startManual } from '../../support/manual-run.ts'
import { MemoryQueue } from '../../support/memory-queue.ts'

/** A run whose only worker is a job, on a manual clock. The batch system does not answer questions about jobs. */
async function startRun(blocks: number, options: Parameters<typeof startManual>[1] = {}) {
  const [clock, queue] = [new ManualClock(), new MemoryQueue()]
  const launcher = jobLauncher({ queue, clock })
  const run = await startManual([line({ blocks })], { clock, launcherOf: () => launcher, ...options })
  queue.hanging.add('status')
  await clock.pass(100)
  /** Starts the worker of the last submitted job. */
  const begin = async () => {
    const [worker, session] = ([...queue.workers.values()].at(-1) as string).split(':') as [string, string]
    const started = await run.join({ worker, session })
    started.send({ type: 'task-ready', taskId: 'line' })
    return started
  }
  return { ...run, queue, begin }
}

const deathsIn = (seen: readonly RunEvent[]) => seen.filter(({ type }) => type === 'worker-died')

describe('a run whose workers are jobs', () => {
  it('submits a new job as soon as a worker leaves, without asking the batch system', async () => {
    const { clock, queue, seen, begin } = await startRun(4)
    const worker = await begin()
    const { lease } = worker.last('lease')
    worker.send({ type: 'outcomes', lease, outcomes: [{ status: 'done', ms: 1 }] })
    await worker.leave()
    await clock.pass(100)
    assert.equal(queue.submissions.length, 2)
    assert.deepEqual([queue.cancelled, deathsIn(seen)], [[], []])
  })

  it('is over when its workers have left, without asking the batch system', async () => {
    const { result, begin } = await startRun(3)
    const worker = await begin()
    await worker.finishAll()
    assert.equal((await result).ok, true)
  })

  it('polls a job soon after its connection broke, and reports how it ended', async () => {
    const { clock, queue, seen, begin } = await startRun(4)
    queue.hanging.clear()
    const worker = await begin()
    queue.states.set('1_0', { status: 'running', host: 'n1' })
    await clock.pass(600_000)
    queue.states.set('1_0', { status: 'ended', reason: "its job's node failed" })
    worker.channel.close()
    await clock.pass(2000)
    const [death] = deathsIn(seen)
    assert.match(death?.type === 'worker-died' ? death.reason : '', /its job's node failed; memory job 1_0/)
    await clock.pass(1000)
    assert.equal(queue.submissions.length, 2)
  })

  it('receives the last messages of a worker that is still connected although its job has ended', async () => {
    const { clock, queue, seen, begin } = await startRun(4)
    queue.hanging.clear()
    const worker = await begin()
    queue.states.set('1_0', { status: 'ended', reason: 'its job ended' })
    await clock.pass(2500)
    assert.deepEqual(deathsIn(seen), [])
    worker.finish(worker.last('lease'))
    await worker.leave()
    await clock.pass(1000)
    assert.deepEqual(deathsIn(seen), [])
    assert.ok(seen.some(({ type }) => type === 'blocks-done'))
  })

  it('cancels a job that does not reconnect, and submits another', async () => {
    const { clock, queue, seen, begin } = await startRun(4)
    const worker = await begin()
    worker.channel.close()
    await clock.pass(9000)
    assert.deepEqual(queue.cancelled, [])
    await clock.pass(2000)
    assert.deepEqual(queue.cancelled, [['1_0']])
    assert.equal(deathsIn(seen).length, 1)
    assert.equal(queue.submissions.length, 2)
  })
})
