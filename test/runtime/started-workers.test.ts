import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { z } from 'zod'
import type { WorkerExit, WorkerLauncher } from '../../src/ports/worker-launcher.ts'
import { defineTask } from '../../src/runtime/define-task.ts'
import { planPipeline } from '../../src/runtime/plan-pipeline.ts'
import { EventStream, type RunEvent } from '../../src/runtime/run-events.ts'
import { type RunPipelineOptions, runPipeline } from '../../src/runtime/run-pipeline.ts'
import { noArrays } from '../support/inline-run.ts'
import { FakeNetwork, ManualClock, ManualWorker, settle } from './fake-network.ts'

const box = (offset: number, length: number) => ({ offset: [offset], shape: [length] })
const line = defineTask({
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

/** A worker that the run has started. */
interface Started {
  readonly worker: string
  readonly session: string
  isKilled: boolean
  readonly exit: (reason: string) => void
}

/** A run of tasks of some blocks each, the first waited for by the second where that is said, in a test's time. */
async function startRun(blocks: Readonly<Record<string, number>>, options: Partial<RunPipelineOptions> = {}) {
  const [network, clock, events] = [new FakeNetwork(), new ManualClock(), new EventStream()]
  const seen: RunEvent[] = []
  events.listen((event) => seen.push(event))
  const started: Started[] = []
  const launcher: WorkerLauncher = {
    async launch(worker, session) {
      const exited = Promise.withResolvers<WorkerExit>()
      const exit = (reason: string) => exited.resolve({ reason, lastOutput: '' })
      const one: Started = { worker, session, isKilled: false, exit }
      started.push(one)
      return {
        exited: exited.promise,
        kill: () => {
          one.isKilled = true
        },
      }
    },
    async [Symbol.asyncDispose]() {},
  }
  const tasks = Object.entries(blocks).map(([id, count]) => line({ blocks: count }, { id }))
  const pipeline = await planPipeline(tasks, { arrays: noArrays })
  const result = runPipeline(pipeline, {
    workers: 1,
    clock,
    events,
    launcherOf: () => launcher,
    listener: network,
    ...options,
  })
  await settle()
  /** One of the started workers comes in. */
  const comeIn = async ({ worker, session }: Started): Promise<ManualWorker> => {
    const manual = new ManualWorker(network, { worker, session })
    await settle()
    return manual
  }
  /** Does blocks until there are none left, and leaves. */
  const finishAll = async (manual: ManualWorker) => {
    for (let lease = manual.unfinished; lease !== undefined; lease = manual.unfinished) {
      manual.send({ type: 'task-ready', taskId: lease.taskId })
      manual.finish(lease)
      await settle()
    }
    manual.send({ type: 'goodbye' })
    manual.channel.close()
    await settle()
  }
  return { clock, seen, started, result, comeIn, finishAll }
}

const eventsOf = <Type extends RunEvent['type']>(seen: readonly RunEvent[], type: Type) =>
  seen.filter((event): event is Extract<RunEvent, { type: Type }> => event.type === type)

describe('a task that no worker can set up', () => {
  it('is given up alone: another that the same workers do goes on, though it has done no block yet', async () => {
    const { clock, seen, started, result, comeIn, finishAll } = await startRun({ bad: 3, good: 2 })
    for (let turn = 0; turn < 6; turn++) {
      const one = started.at(-1) as Started
      const worker = await comeIn(one)
      assert.equal(worker.last('lease').taskId, 'bad')
      worker.send({ type: 'setup-failed', taskId: 'bad', error: { code: 'SETUP_FAILED', message: 'no model' } })
      worker.send({ type: 'goodbye' })
      worker.channel.close()
      await settle()
      one.exit('exit code 1')
      await clock.pass(30_000)
    }
    assert.deepEqual(
      eventsOf(seen, 'task-abandoned').map(({ taskId }) => taskId),
      ['bad'],
    )
    assert.deepEqual(
      eventsOf(seen, 'worker-died').map(({ taskId, reason }) => `${taskId}: ${reason}`),
      new Array(6).fill('bad: no model'),
    )
    await finishAll(await comeIn(started.at(-1) as Started))
    started.at(-1)?.exit('exit code 0')
    const [bad, good] = (await result).tasks
    assert.deepEqual([bad?.orphaned, good?.completed], [3, 2])
    assert.equal(good?.error, undefined)
  })
})

describe('a machine on which a task can’t be set up', () => {
  for (const how of ['finishes', 'dies'] as const) {
    it(`does not end the task while a worker elsewhere is at its block, and that one ${how}`, async () => {
      const { clock, seen, started, result, comeIn, finishAll } = await startRun(
        { a: 4 },
        { workers: 2, maxRetries: 0 },
      )
      const [first] = started as [Started]
      const busy = await comeIn(first)
      busy.send({ type: 'task-ready', taskId: 'a' })
      const failThere = async () => {
        const there = started.at(-1) as Started
        const worker = await comeIn(there)
        worker.send({ type: 'setup-failed', taskId: 'a', error: { code: 'SETUP_FAILED', message: 'no /data' } })
        worker.send({ type: 'goodbye' })
        worker.channel.close()
        await settle()
        there.exit('exit code 1')
        await clock.pass(30_000)
        busy.send({ type: 'heartbeat' })
      }
      for (let turn = 0; turn < 12; turn++) await failThere()
      assert.equal(eventsOf(seen, 'worker-died').length, 12)
      assert.deepEqual(eventsOf(seen, 'task-abandoned'), [])
      if (how === 'finishes') {
        await finishAll(busy)
        for (const { exit } of started) exit('exit code 0')
        assert.ok((await result).ok)
        return
      }
      first.exit('killed by SIGKILL')
      await clock.pass(2000)
      await failThere()
      assert.equal(eventsOf(seen, 'task-abandoned').length, 1)
      for (const { exit } of started) exit('exit code 0')
      await clock.pass(30_000)
      assert.equal((await result).ok, false)
    })
  }
})

describe('workers that die without a block at hand', () => {
  it('end no run in which blocks get done meanwhile, also where a task has not had its turn yet', async () => {
    const { clock, seen, started, result, comeIn, finishAll } = await startRun({ a: 30, b: 5 }, { workers: 2 })
    const busy = await comeIn(started[0] as Started)
    for (let turn = 0; turn < 12; turn++) {
      const lease = busy.unfinished
      assert.equal(lease?.taskId, 'a')
      if (lease !== undefined) busy.finish(lease, 1000)
      await settle()
      // It never said hello.
      started.at(-1)?.exit('killed by SIGKILL')
      await clock.pass(30_000)
    }
    assert.equal(eventsOf(seen, 'worker-died').length, 12)
    assert.deepEqual(eventsOf(seen, 'task-abandoned'), [])
    await finishAll(busy)
    for (const { exit } of started) exit('exit code 0')
    assert.ok((await result).ok)
  })

  it('end it when none gets done', async () => {
    const { clock, seen, started, result } = await startRun({ a: 30, b: 5 })
    for (let turn = 0; turn < 6; turn++) {
      started.at(-1)?.exit('killed by SIGKILL')
      await clock.pass(30_000)
    }
    assert.equal(started.length, 6)
    const { ok, tasks } = await result
    assert.deepEqual([ok, tasks.map(({ orphaned }) => orphaned)], [false, [30, 5]])
    assert.equal(eventsOf(seen, 'task-abandoned').length, 2)
  })
})

describe('a worker that is being ended', () => {
  it('gets no further block, which would be blamed for its end', async () => {
    const { clock, seen, started, result, comeIn, finishAll } = await startRun({ a: 3 }, { timeoutMs: 1000 })
    const slow = await comeIn(started[0] as Started)
    slow.send({ type: 'task-ready', taskId: 'a' })
    await clock.pass(1001)
    assert.equal(started[0]?.isKilled, true)
    // It had just finished.
    slow.finish(slow.last('lease'), 1000)
    await settle()
    assert.equal(slow.all('lease').length, 1)
    started[0]?.exit('killed by SIGKILL')
    await clock.pass(2000)
    await finishAll(await comeIn(started.at(-1) as Started))
    started.at(-1)?.exit('exit code 0')
    assert.ok((await result).ok)
    assert.deepEqual(eventsOf(seen, 'block-retried'), [])
    assert.equal(eventsOf(seen, 'blocks-done').flatMap(({ indices }) => indices).length, 3)
  })

  it('is not heard any more when it sent what is no message, nor let in again', async () => {
    const { clock, seen, started, result, comeIn, finishAll } = await startRun({ a: 2 }, { maxRetries: 0 })
    const [one] = started as [Started]
    const bad = await comeIn(one)
    bad.send({ type: 'nonsense' } as never)
    await bad.closed
    assert.equal(bad.last('refused').code, 'PROTOCOL_ERROR')
    assert.equal(one.isKilled, true)
    const again = await comeIn(one)
    assert.deepEqual(
      again.received.map(({ type }) => type),
      ['refused'],
    )
    one.exit('killed by SIGKILL')
    await clock.pass(2000)
    await finishAll(await comeIn(started.at(-1) as Started))
    started.at(-1)?.exit('exit code 0')
    assert.ok((await result).ok)
    assert.match(eventsOf(seen, 'worker-died')[0]?.reason ?? '', /"type" is "nonsense"/)
  })
})
