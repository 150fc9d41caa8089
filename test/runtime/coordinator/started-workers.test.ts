import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { settle } from '../../support/fake-network.ts'
import { eventsOf, line, type Started, startLaunched } from '../../support/manual-run.ts'

/** A run of tasks with these numbers of blocks, which starts its own workers. */
const startRun = (blocks: Readonly<Record<string, number>>, options: Parameters<typeof startLaunched>[1] = {}) =>
  startLaunched(
    Object.entries(blocks).map(([id, count]) => line({ blocks: count }, { id })),
    options,
  )

describe('a task that no worker can set up', () => {
  it('is abandoned alone: another task of the same workers continues, even if none of its blocks was done yet', async () => {
    const { clock, seen, started, result, connect } = await startRun({ bad: 3, good: 2 })
    for (let turn = 0; turn < 6; turn++) {
      const one = started.at(-1) as Started
      const worker = await connect(one)
      assert.equal(worker.last('lease').taskId, 'bad')
      worker.send({ type: 'setup-failed', taskId: 'bad', error: { code: 'SETUP_FAILED', message: 'no model' } })
      await worker.leave()
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
    await (await connect(started.at(-1) as Started)).finishAll()
    started.at(-1)?.exit('exit code 0')
    const [bad, good] = (await result).tasks
    assert.deepEqual([bad?.orphaned, good?.completed], [3, 2])
    assert.equal(good?.error, undefined)
  })
})

describe('a machine on which a task can’t be set up', () => {
  for (const how of ['finishes', 'dies'] as const) {
    it(`does not end the task while a worker on another machine has a block of it, which later ${how}`, async () => {
      const { clock, seen, started, result, connect } = await startRun({ a: 4 }, { workers: 2, maxRetries: 0 })
      const [first] = started as [Started]
      const busy = await connect(first)
      busy.send({ type: 'task-ready', taskId: 'a' })
      const failThere = async () => {
        const there = started.at(-1) as Started
        const worker = await connect(there)
        worker.send({ type: 'setup-failed', taskId: 'a', error: { code: 'SETUP_FAILED', message: 'no /data' } })
        await worker.leave()
        there.exit('exit code 1')
        await clock.pass(30_000)
        busy.send({ type: 'heartbeat' })
      }
      for (let turn = 0; turn < 12; turn++) await failThere()
      assert.equal(eventsOf(seen, 'worker-died').length, 12)
      assert.deepEqual(eventsOf(seen, 'task-abandoned'), [])
      if (how === 'finishes') {
        await busy.finishAll()
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

describe('workers that die without a block', () => {
  it('do not end a run whose blocks are being done, even if a task has not started yet', async () => {
    const { clock, seen, started, result, connect } = await startRun({ a: 30, b: 5 }, { workers: 2 })
    const busy = await connect(started[0] as Started)
    for (let turn = 0; turn < 12; turn++) {
      const lease = busy.unfinished
      assert.equal(lease?.taskId, 'a')
      if (lease !== undefined) busy.finish(lease, 1000)
      await settle()
      // It never joined.
      started.at(-1)?.exit('killed by SIGKILL')
      await clock.pass(30_000)
    }
    assert.equal(eventsOf(seen, 'worker-died').length, 12)
    assert.deepEqual(eventsOf(seen, 'task-abandoned'), [])
    await busy.finishAll()
    for (const { exit } of started) exit('exit code 0')
    assert.ok((await result).ok)
  })

  it('end a run in which no block is being done', async () => {
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
  it('gets no further block, since that block would be blamed for its end', async () => {
    const { clock, seen, started, result, connect } = await startRun({ a: 3 }, { timeoutMs: 1000 })
    const slow = await connect(started[0] as Started)
    slow.send({ type: 'task-ready', taskId: 'a' })
    await clock.pass(1001)
    assert.equal(started[0]?.isKilled, true)
    // The worker had just finished its block.
    slow.finish(slow.last('lease'), 1000)
    await settle()
    assert.equal(slow.all('lease').length, 1)
    started[0]?.exit('killed by SIGKILL')
    await clock.pass(2000)
    await (await connect(started.at(-1) as Started)).finishAll()
    started.at(-1)?.exit('exit code 0')
    assert.ok((await result).ok)
    assert.deepEqual(eventsOf(seen, 'block-retried'), [])
    assert.equal(eventsOf(seen, 'blocks-done').flatMap(({ indices }) => indices).length, 3)
  })

  it('is ignored after it has sent an invalid message, and refused if it reconnects', async () => {
    const { clock, seen, started, result, connect } = await startRun({ a: 2 }, { maxRetries: 0 })
    const [one] = started as [Started]
    const bad = await connect(one)
    bad.send({ type: 'nonsense' } as never)
    await bad.closed
    assert.equal(bad.last('refused').code, 'PROTOCOL_ERROR')
    assert.equal(one.isKilled, true)
    const again = await connect(one)
    assert.deepEqual(
      again.received.map(({ type }) => type),
      ['refused'],
    )
    one.exit('killed by SIGKILL')
    await clock.pass(2000)
    await (await connect(started.at(-1) as Started)).finishAll()
    started.at(-1)?.exit('exit code 0')
    assert.ok((await result).ok)
    assert.match(eventsOf(seen, 'worker-died')[0]?.reason ?? '', /"type" is "nonsense"/)
  })
})
