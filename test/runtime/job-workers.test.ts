import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { z } from 'zod'
import { defineTask } from '../../src/runtime/define-task.ts'
import { jobLauncher } from '../../src/runtime/job-launcher.ts'
import { planPipeline } from '../../src/runtime/plan-pipeline.ts'
import { EventStream, type RunEvent } from '../../src/runtime/run-events.ts'
import { type RunPipelineOptions, runPipeline } from '../../src/runtime/run-pipeline.ts'
import { noArrays } from '../support/inline-run.ts'
import { MemoryQueue } from '../support/memory-queue.ts'
import { FakeNetwork, ManualClock, ManualWorker, settle } from './fake-network.ts'

const box = (offset: number, length: number) => ({ offset: [offset], shape: [length] })
const task = defineTask({
  name: 'line',
  config: z.object({ blocks: z.number() }),
  plan: ({ blocks }) => ({
    totalRoi: box(0, blocks),
    readRoi: box(0, 1),
    writeRoi: box(0, 1),
    readWriteConflict: false,
  }),
  setup: () => () => {},
})

/** A run whose one worker is a job, in a test's time. The batch system does not answer about jobs. */
async function startRun(blocks: number, options: Partial<RunPipelineOptions> = {}) {
  const [network, clock, queue, events] = [new FakeNetwork(), new ManualClock(), new MemoryQueue(), new EventStream()]
  const seen: RunEvent[] = []
  events.listen((event) => seen.push(event))
  const launcher = jobLauncher({ queue, clock })
  const pipeline = await planPipeline([task({ blocks })], { arrays: noArrays })
  const result = runPipeline(pipeline, {
    workers: 1,
    clock,
    events,
    launcherOf: () => launcher,
    listener: network,
    ...options,
  })
  queue.hanging.add('status')
  await clock.pass(100)
  /** The worker of the job that was submitted last begins. */
  const begin = async () => {
    const [worker, session] = ([...queue.workers.values()].at(-1) as string).split(':') as [string, string]
    const begun = new ManualWorker(network, { worker, session })
    await settle()
    begun.send({ type: 'task-ready', taskId: 'line' })
    return begun
  }
  return { clock, queue, seen, result, begin }
}

const deathsIn = (seen: readonly RunEvent[]) => seen.filter(({ type }) => type === 'worker-died')

describe('a run whose workers are jobs', () => {
  it('submits a new job as soon as a worker leaves, without asking the batch system', async () => {
    const { clock, queue, seen, begin } = await startRun(4)
    const worker = await begin()
    const { lease } = worker.last('lease')
    worker.send({ type: 'outcomes', lease, outcomes: [{ status: 'done', ms: 1 }] })
    worker.send({ type: 'goodbye' })
    worker.channel.close()
    await clock.pass(100)
    assert.equal(queue.submissions.length, 2)
    assert.deepEqual([queue.cancelled, deathsIn(seen)], [[], []])
  })

  it('is over when its workers have left, without asking the batch system', async () => {
    const { result, begin } = await startRun(3)
    const worker = await begin()
    for (let lease = worker.unfinished; lease !== undefined; lease = worker.unfinished) {
      worker.finish(lease)
      await settle()
    }
    worker.send({ type: 'goodbye' })
    worker.channel.close()
    assert.equal((await result).ok, true)
  })

  it('asks about a job soon after its link broke, and says how it ended', async () => {
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

  it('hears out a worker whose job is said to have ended while its link is there', async () => {
    const { clock, queue, seen, begin } = await startRun(4)
    queue.hanging.clear()
    const worker = await begin()
    queue.states.set('1_0', { status: 'ended', reason: 'its job ended' })
    await clock.pass(2500)
    assert.deepEqual(deathsIn(seen), [])
    worker.finish(worker.last('lease'))
    worker.send({ type: 'goodbye' })
    worker.channel.close()
    await clock.pass(1000)
    assert.deepEqual(deathsIn(seen), [])
    assert.ok(seen.some(({ type }) => type === 'blocks-done'))
  })

  it('cancels a job that does not come back after its link broke, and submits another', async () => {
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
