import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MAX_FUTILE } from '../../../src/core/workers/futile-leases.ts'
import { type ManualWorker, settle } from '../../support/fake-network.ts'
import { eventsOf, line, type Started, startLaunched, startManual } from '../../support/manual-run.ts'

/** Hands back every lease that a worker gets. @returns how many there were */
async function handBack(worker: ManualWorker): Promise<number> {
  let count = 0
  for (let lease = worker.all('lease')[count]; lease !== undefined; lease = worker.all('lease')[count]) {
    count++
    if (count > 1000) return count
    if (worker.isDone(lease.lease)) continue
    worker.report(
      lease.lease,
      lease.blocks.map(() => ({ status: 'returned' })),
    )
    await settle()
  }
  return count
}

describe('a worker that finishes no block', () => {
  it('gets blocks after pauses that grow, and is ended after twelve leases; the run ends with the reason', async () => {
    const { clock, join, result, seen } = await startManual([line({ blocks: 40 })])
    const worker = await join()
    let leases = await handBack(worker)
    assert.equal(leases, 3)
    const pauses: number[] = []
    while (worker.all('refused').length === 0) {
      const paused = eventsOf(seen, 'worker-paused').at(-1)
      assert.deepEqual([paused?.workerId, paused?.leases], ['w1', leases])
      pauses.push(paused?.pauseMs ?? 0)
      await clock.pass((paused?.pauseMs ?? 0) - 1)
      assert.equal(worker.all('lease').length, leases, 'it got blocks before the end of its pause')
      await clock.pass(1)
      leases = await handBack(worker)
      // It is ended in a turn of its own.
      await clock.pass(0)
    }
    assert.equal(leases, MAX_FUTILE)
    assert.deepEqual(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600])
    assert.match(worker.last('refused').message, /^Worker w1 was given blocks 12 times in a row and finished none/)
    const { ok, tasks } = await result
    assert.equal(ok, false)
    assert.match(
      tasks[0]?.error?.message ?? '',
      /^Task "line" was abandoned: the workers that joined finished none of the blocks that they were given; the last one: Worker w1/,
    )
  })

  it('does not keep others from the blocks, and a run with such others goes on', async () => {
    const { clock, join, result, seen } = await startManual([line({ blocks: 40 })])
    const [useless, useful] = [await join(), await join()]
    await handBack(useless)
    assert.equal(eventsOf(seen, 'worker-paused').length, 1)
    await useful.finishAll()
    await clock.pass(20_000)
    useless.channel.close()
    assert.ok((await result).ok)
  })

  it('starts the count again when it finishes one, and when an attempt fails', async () => {
    const { clock, join, seen } = await startManual([line({ blocks: 1000 })], { maxRetries: 1000 })
    const worker = await join()
    for (const outcome of [
      { status: 'done', ms: 1000 },
      { status: 'failed', ms: 1, error: { code: 'IO_ERROR', message: 'no' } },
    ] as const) {
      await handBack(worker)
      await clock.pass(100)
      const lease = worker.last('lease')
      worker.report(
        lease.lease,
        lease.blocks.map(() => outcome),
      )
      await settle()
    }
    await handBack(worker)
    assert.deepEqual(
      eventsOf(seen, 'worker-paused').map(({ leases }) => leases),
      [3, 3, 3],
    )
  })

  it('has to wait, too, if it reconnects without its leases, or takes blocks and leaves, again and again', async () => {
    const { clock, join, seen, result } = await startManual([line({ blocks: 40 })])
    let worker = await join({ host: 'node1' })
    for (let time = 1; time <= 3; time++) {
      const { workerId, session } = worker.last('welcome')
      assert.ok(worker.all('lease').length > 0)
      worker = await join({ host: 'node1', worker: workerId, session, leases: [] })
    }
    assert.equal(worker.all('lease').length, 0)
    await clock.pass(100)
    assert.equal(worker.all('lease').length, 1)
    await worker.leave()
    let leavers = 0
    let welcomed = 0
    const start = clock.now()
    for (; eventsOf(seen, 'task-abandoned').length === 0 && leavers < 100; leavers++) {
      const next = await join({ host: 'node1' })
      while (next.received.length === 0) await clock.pass(50)
      welcomed += next.all('welcome').length
      await next.leave()
    }
    assert.ok(leavers < MAX_FUTILE, `${leavers} of them`)
    assert.equal(welcomed, leavers)
    assert.ok(clock.now() - start > 20_000, `in ${clock.now() - start} ms`)
    assert.equal((await result).ok, false)
  })

  it('makes nobody of another host wait, and nobody of its own once one of them finishes a block', async () => {
    const { clock, join } = await startManual([line({ blocks: 1000 })])
    for (let time = 0; time < 5; time++) {
      const leaver = await join({ host: 'node1' })
      await clock.pass(1000)
      await leaver.leave()
    }
    assert.equal((await join({ host: 'node2' })).all('welcome').length, 1)
    const useful = await join({ host: 'node1' })
    assert.equal(useful.all('welcome').length, 0)
    await clock.pass(1000)
    useful.finish(useful.last('lease'), 10_000)
    await settle()
    assert.equal((await join({ host: 'node1' })).all('welcome').length, 1)
  })

  it('is told that the run is over while it waits for its welcome', async () => {
    const { clock, join, result } = await startManual([line({ blocks: 5 })])
    const useful = await join({ host: 'node2' })
    for (let time = 0; time < 8; time++) {
      const leaver = await join({ host: 'node1' })
      await clock.pass(5000)
      await leaver.leave()
    }
    const waiting = await join({ host: 'node1' })
    assert.deepEqual(waiting.received, [])
    await useful.finishAll()
    assert.ok((await result).ok)
    assert.equal(waiting.last('refused').code, 'RUN_OVER')
  })

  it('is replaced if the run has started it, and the task is abandoned after some of them', async () => {
    const { clock, connect, started, seen, result } = await startLaunched([line({ blocks: 40 })], {
      maxWorkerRestarts: 2,
    })
    for (let number = 0; eventsOf(seen, 'task-abandoned').length === 0; number++) {
      assert.ok(number < 10)
      while (started.length <= number) await clock.pass(100)
      const worker = await connect(started[number] as Started)
      while (worker.all('refused').length === 0) {
        await handBack(worker)
        await clock.pass(1000)
      }
      started[number]?.exit('exit code 1')
      await settle()
    }
    const { tasks } = await result
    assert.match(
      tasks[0]?.error?.message ?? '',
      /its workers ended 3 times in a row without completing a block; .* finished none of them/,
    )
  })
})

describe('the time limit of a block', () => {
  it('does not start again when its worker reconnects', async () => {
    const { clock, join, seen } = await startManual([line({ blocks: 4 })], { timeoutMs: 1000, maxRetries: 0 })
    let worker = await join()
    worker.send({ type: 'task-ready', taskId: 'line' })
    await settle()
    const { lease } = worker.last('lease')
    for (let time = 0; time < 4; time++) {
      await clock.pass(300)
      const { workerId, session } = worker.last('welcome')
      worker = await join({ worker: workerId, session, leases: [lease] })
    }
    assert.equal(eventsOf(seen, 'block-failed')[0]?.failure.error.code, 'BLOCK_TIMEOUT')
  })
})
