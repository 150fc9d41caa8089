import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CommandRelay } from '../../../../src/entry/command-relay.ts'
import { type ManualWorker, settle } from '../../../support/fake-network.ts'
import { eventsOf, line, startLaunched } from '../../../support/manual-run.ts'

const ERROR = { code: 'BLOCK_FAILED', message: 'no such neuron' } as const

/** A run of two workers and no retries; each reports the set-up of its task when it has a lease. */
async function startRetriable(options: Parameters<typeof startLaunched>[1] = {}) {
  const commands = new CommandRelay()
  const first = line({ blocks: 3 }, { id: 'first' })
  const run = await startLaunched([first, line({ blocks: 3 }, { id: 'second', after: [first] })], {
    commands,
    workers: 2,
    maxRetries: 0,
    ...options,
  })
  const retry = (taskId?: string, keepWorkers = false) =>
    commands.carryOut({ type: 'retry', ...(taskId === undefined ? {} : { taskId }), keepWorkers })
  return { ...run, retry }
}

async function answer(worker: ManualWorker, what: 'done' | 'failed'): Promise<void> {
  const { lease, taskId, blocks } = worker.last('lease')
  worker.send({ type: 'task-ready', taskId })
  const outcome = what === 'done' ? { status: 'done', ms: 1000 } : { status: 'failed', ms: 1000, error: ERROR }
  worker.send({ type: 'outcomes', lease, outcomes: blocks.map(() => outcome as never) })
  await settle()
}

describe('the command to try failed blocks again', () => {
  it('has them done, and what was orphaned by them; their failures are forgotten', async () => {
    const { seen, started, connect, retry, result } = await startRetriable()
    const one = await connect(started[0]!)
    const two = await connect(started[1]!)
    const failing = two.last('lease').blocks[0]
    await answer(two, 'failed')
    assert.deepEqual(await retry('first', true), {
      type: 'retried',
      taskId: 'first',
      tasks: [
        { id: 'first', failed: 1, released: 0 },
        { id: 'second', failed: 0, released: 1 },
      ],
    })
    await settle()
    for (let turn = 0; turn < 8; turn++) {
      for (const worker of [one, two]) if (worker.unfinished !== undefined) worker.finish(worker.unfinished)
      await settle()
    }
    for (const [at, worker] of [one, two].entries()) {
      await worker.leave()
      started[at]!.exit('exit code 0')
    }
    const { ok, tasks } = await result
    assert.ok(ok || assert.fail(JSON.stringify(tasks)))
    assert.deepEqual(
      tasks.map(({ completed, failures }) => [completed, failures.length]),
      [
        [3, 0],
        [3, 0],
      ],
    )
    const leases = eventsOf(seen, 'blocks-leased').filter(
      ({ taskId, indices }) => taskId === 'first' && indices.includes(failing!),
    )
    assert.equal(leases.length, 2)
    assert.deepEqual(
      eventsOf(seen, 'retried').map(({ taskId }) => taskId),
      ['first'],
    )
  })

  it('replaces the workers that have the task set up, once their running block has ended, so that mended code is loaded', async () => {
    const { started, connect, retry, clock } = await startRetriable()
    const one = await connect(started[0]!)
    const two = await connect(started[1]!)
    one.send({ type: 'task-ready', taskId: 'first' })
    await answer(two, 'failed')
    await retry()
    await settle()
    assert.deepEqual([one.all('drain').length, two.all('drain').length], [1, 1])
    const before = two.all('lease').length
    await two.leave()
    started[1]!.exit('exit code 0')
    await clock.pass(100)
    assert.equal(started.length, 3)
    const three = await connect(started[2]!)
    assert.equal(three.last('lease').taskId, 'first')
    assert.equal(two.all('lease').length, before, 'the old one got no further block')
  })

  it('keeps the workers if it is told to, and workers without that code', async () => {
    const { started, connect, retry } = await startRetriable()
    const one = await connect(started[0]!)
    const two = await connect(started[1]!)
    await answer(two, 'failed')
    await retry('first', true)
    await settle()
    assert.deepEqual([one.all('drain').length, two.all('drain').length], [0, 0])
    await retry('second')
    assert.deepEqual([one.all('drain').length, two.all('drain').length], [0, 0])
  })

  it('takes up a task again that was abandoned', async () => {
    const { seen, started, connect, retry } = await startRetriable({ maxFailures: 1, workers: 2 })
    const one = await connect(started[0]!)
    const two = await connect(started[1]!)
    await answer(two, 'failed')
    assert.deepEqual(
      eventsOf(seen, 'task-abandoned').map(({ taskId }) => taskId),
      ['first'],
    )
    const retried = await retry(undefined, true)
    assert.equal(retried.type, 'retried')
    assert.equal(retried.type === 'retried' && retried.tasks[0]?.failed, 1)
    await settle()
    const counts = eventsOf(seen, 'progress').at(-1)?.tasks
    assert.deepEqual(
      counts?.map(({ failed, orphaned }) => failed + orphaned),
      [0, 0],
    )
    assert.ok(one.unfinished)
  })

  it('changes nothing if no block has failed, and is refused for a task that does not exist', async () => {
    const { seen, started, connect, retry } = await startRetriable()
    const one = await connect(started[0]!)
    assert.deepEqual(await retry(), { type: 'retried', tasks: [] })
    await assert.rejects(retry('third'), { code: 'UNKNOWN_TASK', message: /the tasks are "first", "second"/ })
    assert.equal(one.all('drain').length, 0)
    assert.equal(eventsOf(seen, 'retried').length, 1)
  })
})
