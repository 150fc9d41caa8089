import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualWorker, settle } from '../../support/fake-network.ts'
import { eventsOf, line, startManual } from '../../support/manual-run.ts'

/** A run that starts no workers, on a manual clock. */
async function startRemote(blocks: number, options: Parameters<typeof startManual>[1] = {}) {
  const run = await startManual([line({ blocks })], options)
  /** Has a worker finish all remaining blocks, so that the run ends. */
  const finishAll = async (worker: ManualWorker) => {
    await worker.finishAll()
    return run.result
  }
  return { ...run, finishAll }
}

const box = (offset: number) => ({ offset: [offset], shape: [1] })

describe('workers that join', () => {
  it('do a run that starts no workers, and leave when it is over', async () => {
    const { join, finishAll, seen } = await startRemote(5)
    const worker = await join({ rois: true })
    assert.equal(worker.last('welcome').workerId, 'w1')
    assert.equal(worker.last('task').task.name, 'line')
    assert.deepEqual(worker.last('lease').blocks, [0])
    const result = await finishAll(worker)
    assert.ok(result.ok)
    assert.equal(worker.all('drain').length, 1)
    assert.deepEqual(eventsOf(seen, 'worker-died'), [])
  })

  it('get the Rois of their blocks if they ask for them', async () => {
    const { network } = await startRemote(3)
    const asking = new ManualWorker(network, { rois: true })
    const knowing = new ManualWorker(network)
    await settle()
    const [block] = asking.last('lease').blocks
    const rois = { read: box(block as number), write: box(block as number) }
    assert.deepEqual(asking.last('lease').rois, [rois])
    assert.equal(knowing.last('lease').rois, undefined)
  })

  it('can be more than the number of workers of the run', async () => {
    const { join } = await startRemote(10)
    const workers = await Promise.all([join(), join(), join()])
    for (const worker of workers) assert.equal(worker.all('lease').length, 1)
    assert.equal(new Set(workers.map((worker) => worker.last('lease').blocks[0])).size, 3)
  })

  it('are believed about their usage only up to a limit', async () => {
    const { join, finishAll } = await startRemote(1)
    const worker = await join()
    const most = Number.MAX_SAFE_INTEGER
    worker.send({ type: 'usage', readBytes: most, writtenBytes: 7, peakMemory: most })
    const { workers } = await finishAll(worker)
    assert.ok(workers.readBytes > 1e9 && workers.readBytes < 1e13, `${workers.readBytes}`)
    assert.deepEqual([workers.writtenBytes, workers.peakMemory], [7, 2 ** 46])
  })

  it('return their blocks at once if they leave in order, without counting an attempt', async () => {
    const { join, finishAll, seen } = await startRemote(4)
    const leaving = await join()
    const [block] = leaving.last('lease').blocks
    leaving.send({ type: 'task-ready', taskId: 'line' })
    leaving.send({ type: 'outcomes', lease: leaving.last('lease').lease, outcomes: [{ status: 'returned' }] })
    await leaving.leave()
    const result = await finishAll(await join())
    assert.ok(result.ok)
    assert.deepEqual(eventsOf(seen, 'block-retried'), [])
    assert.ok(eventsOf(seen, 'blocks-done').some(({ indices }) => indices.includes(block as number)))
  })

  it('are refused with RUN_OVER when the run is over', async () => {
    const { join, finishAll } = await startRemote(1)
    await finishAll(await join())
    const late = await join()
    assert.equal(late.last('refused').code, 'RUN_OVER')
  })

  it('are refused with the reason if they send an invalid message, and the others continue', async () => {
    const { join, finishAll, seen } = await startRemote(4)
    const good = await join()
    for (const [number, wrong] of [
      { type: 'nonsense' },
      { type: 'outcomes', lease: 99, outcomes: [] },
      { type: 'outcomes', lease: 'x', outcomes: [] },
      { type: 'join', protocol: 2, pid: 1, host: 'again' },
    ].entries()) {
      const bad = await join({ host: `node${number}` })
      bad.send(wrong as never)
      await bad.closed
      assert.equal(bad.last('refused').code, 'PROTOCOL_ERROR', JSON.stringify(wrong))
    }
    const greedy = await join()
    const { lease } = greedy.last('lease')
    greedy.send({ type: 'outcomes', lease, outcomes: new Array(100).fill({ status: 'done', ms: 1 }) })
    await greedy.closed
    assert.equal(greedy.last('refused').code, 'PROTOCOL_ERROR')
    const result = await finishAll(good)
    assert.ok(result.ok)
    assert.equal(eventsOf(seen, 'worker-died').length, 5)
  })

  it('are lost if they are idle and silent for long, but not while they do a block', async () => {
    const { join, clock, seen, finishAll } = await startRemote(1)
    const busy = await join()
    const idle = await join()
    assert.equal(idle.all('lease').length, 0)
    const alive = await join()
    for (let passed = 0; passed < 120_000; passed += 10_000) {
      alive.send({ type: 'heartbeat' })
      await clock.pass(10_000)
    }
    assert.ok(alive.all('heartbeat').length >= 12)
    await idle.closed
    assert.deepEqual(
      eventsOf(seen, 'worker-died').map(({ workerId }) => workerId),
      ['w2'],
    )
    await alive.leave()
    assert.ok((await finishAll(busy)).ok)
  })
})

describe('a worker whose connection broke', () => {
  it('reports what it finished meanwhile if it reconnects in time, and nothing is done twice', async () => {
    const { join, clock, seen, finishAll } = await startRemote(6)
    const before = await join()
    before.send({ type: 'task-ready', taskId: 'line' })
    const { workerId, session } = before.last('welcome')
    const lease = before.last('lease')
    before.channel.close()
    await clock.pass(9_000)
    const after = await join({ worker: workerId, session, leases: [lease.lease] })
    assert.deepEqual(after.last('welcome').leases, [{ lease: lease.lease, reported: 0 }])
    assert.equal(after.last('welcome').workerId, workerId)
    after.finish(lease)
    await settle()
    assert.ok((await finishAll(after)).ok)
    const done = eventsOf(seen, 'blocks-done').flatMap(({ indices }) => indices)
    assert.deepEqual(
      done.toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 5],
    )
    assert.deepEqual([eventsOf(seen, 'worker-died').length, eventsOf(seen, 'block-retried').length], [0, 0])
    assert.equal(eventsOf(seen, 'worker-started').length, 1)
  })

  it('learns on reconnecting how many outcomes of each lease have arrived', async () => {
    const { join, seen, finishAll } = await startRemote(100)
    const before = await join()
    // Fast blocks: the next leases have several.
    before.finish(before.last('lease'), 0.5)
    await settle()
    const lease = before.all('lease').find(({ blocks }) => blocks.length > 5)
    assert.ok(lease !== undefined)
    before.send({
      type: 'outcomes',
      lease: lease.lease,
      outcomes: [
        { status: 'done', ms: 1 },
        { status: 'done', ms: 1 },
      ],
    })
    await settle()
    const { workerId, session } = before.last('welcome')
    const held = before.all('lease').filter(({ lease: id }) => id >= lease.lease)
    before.channel.close()
    await settle()
    const after = await join({ worker: workerId, session, leases: held.map((each) => each.lease) })
    const known = after.last('welcome').leases
    assert.deepEqual(known[0], { lease: lease.lease, reported: 2 })
    for (const { lease: id, reported } of known) {
      const { blocks } = held.find((each) => each.lease === id) as { blocks: readonly number[] }
      after.send({
        type: 'outcomes',
        lease: id,
        outcomes: blocks.slice(reported).map(() => ({ status: 'done', ms: 1 })),
      })
      await settle()
    }
    assert.ok((await finishAll(after)).ok)
    const done = eventsOf(seen, 'blocks-done').flatMap(({ indices }) => indices)
    assert.equal(done.length, 100)
    assert.equal(new Set(done).size, 100)
  })

  it('gets the blocks of a lease that never reached it in a new lease', async () => {
    const { join, finishAll } = await startRemote(2)
    const before = await join()
    const { workerId, session } = before.last('welcome')
    before.channel.close()
    await settle()
    const after = await join({ worker: workerId, session, leases: [] })
    assert.deepEqual(after.last('welcome').leases, [])
    assert.notEqual(after.last('lease').lease, before.last('lease').lease)
    assert.ok((await finishAll(after)).ok)
  })

  it('reconnects too late: its blocks are given to others, and its outcomes change nothing', async () => {
    const { join, clock, seen, finishAll } = await startRemote(3)
    const before = await join()
    before.send({ type: 'task-ready', taskId: 'line' })
    await settle()
    const { workerId, session } = before.last('welcome')
    const lease = before.last('lease')
    before.channel.close()
    await clock.pass(10_001)
    assert.deepEqual(
      eventsOf(seen, 'worker-died').map((event) => event.workerId),
      [workerId],
    )
    assert.equal(eventsOf(seen, 'block-retried').length, 1)
    const other = await join()
    const late = await join({ worker: workerId, session, leases: [lease.lease] })
    assert.notEqual(late.last('welcome').workerId, workerId)
    assert.deepEqual(late.last('welcome').leases, [])
    const counted = eventsOf(seen, 'blocks-done').length
    late.finish(lease)
    await settle()
    assert.equal(eventsOf(seen, 'blocks-done').length, counted)
    assert.equal(late.all('lease').length, 0, 'no new lease before it has dropped the old one')
    late.send({ type: 'dropped', lease: lease.lease })
    await late.leave()
    const result = await finishAll(other)
    assert.ok(result.ok)
    assert.equal(eventsOf(seen, 'blocks-done').flatMap(({ indices }) => indices).length, 3)
  })

  it('can only be replaced by a connection with its name and its session', async () => {
    const { join, finishAll } = await startRemote(3)
    const one = await join()
    const thief = await join({ worker: one.last('welcome').workerId, session: 'guessed', leases: [] })
    assert.notEqual(thief.last('welcome').workerId, one.last('welcome').workerId)
    await thief.leave()
    one.send({ type: 'heartbeat' })
    await settle()
    assert.equal(one.all('heartbeat').length, 1)
    assert.ok((await finishAll(one)).ok)
  })

  it('replaces its old connection if the coordinator has not noticed the break', async () => {
    const { join, finishAll, seen } = await startRemote(3)
    const before = await join()
    const { workerId, session } = before.last('welcome')
    const lease = before.last('lease')
    const after = await join({ worker: workerId, session, leases: [lease.lease] })
    await before.closed
    assert.deepEqual(after.last('welcome').leases, [{ lease: lease.lease, reported: 0 }])
    after.finish(lease)
    await settle()
    assert.ok((await finishAll(after)).ok)
    assert.deepEqual(eventsOf(seen, 'worker-died'), [])
  })

  it('is asked to leave if the run ended before it reconnected', async () => {
    const { join, finishAll, clock } = await startRemote(1)
    const busy = await join()
    const idle = await join()
    const { workerId, session } = idle.last('welcome')
    idle.channel.close()
    await settle()
    const result = finishAll(busy)
    await settle()
    const back = await join({ worker: workerId, session, leases: [] })
    assert.equal(back.all('drain').length, 1)
    await back.leave()
    assert.ok((await result).ok)
    assert.equal(clock.now(), 0)
  })

  it('counts as dead if it starts again under its old name: an attempt of its block is counted', async () => {
    const { join, finishAll, seen } = await startRemote(2)
    const before = await join()
    before.send({ type: 'task-ready', taskId: 'line' })
    await settle()
    const { workerId, session } = before.last('welcome')
    const after = await join({ worker: workerId, session })
    assert.equal(eventsOf(seen, 'block-retried').length, 1)
    assert.ok((await finishAll(after)).ok)
  })
})

describe('a block that exceeds its time limit at a joined worker', () => {
  it('is revoked and tried by another worker, and its late outcome changes nothing', async () => {
    const { join, clock, seen, finishAll } = await startRemote(3, { timeoutMs: 1000 })
    const frozen = await join()
    frozen.send({ type: 'task-ready', taskId: 'line' })
    await clock.pass(500)
    const lease = frozen.last('lease')
    const other = await join()
    const second = other.last('lease')
    await clock.pass(600)
    assert.equal(frozen.last('revoked').lease, lease.lease)
    const [retried] = eventsOf(seen, 'block-retried')
    assert.equal(retried?.error.code, 'BLOCK_TIMEOUT')
    other.finish(second)
    await settle()
    frozen.finish(lease)
    await settle()
    const done = () => eventsOf(seen, 'blocks-done').flatMap(({ indices }) => indices)
    assert.ok(!done().includes(lease.blocks[0] as number))
    assert.equal(frozen.all('lease').length, 1)
    frozen.send({ type: 'dropped', lease: lease.lease })
    await settle()
    await frozen.leave()
    assert.ok((await finishAll(other)).ok)
    assert.equal(done().length, 3)
  })
})

describe('a worker that makes no progress', () => {
  it('gains no time by repeating that it is ready, or by reporting no outcomes', async () => {
    const { join, clock, seen, finishAll } = await startRemote(1, { timeoutMs: 1000 })
    const slow = await join()
    const { lease } = slow.last('lease')
    for (let passed = 0; passed < 1500; passed += 300) {
      slow.send({ type: 'task-ready', taskId: 'line' })
      slow.send({ type: 'outcomes', lease, outcomes: [] })
      await clock.pass(300)
    }
    assert.equal(slow.all('revoked').length, 1)
    assert.equal(eventsOf(seen, 'block-retried')[0]?.error.code, 'BLOCK_TIMEOUT')
    await slow.leave()
    assert.ok((await finishAll(await join())).ok)
  })
})

describe('the setup of a task', () => {
  for (const [options, limitMs] of [
    [{ timeoutMs: 1000 }, 600_000],
    [{ timeoutMs: 3_600_000 }, 3_600_000],
    [{ timeoutMs: 1000, setupTimeoutMs: 5000 }, 5000],
    [{ setupTimeoutMs: 5000 }, 5000],
  ] as const) {
    it(`may take ${limitMs / 1000} s with ${JSON.stringify(options)}, and exceeding that counts no attempt`, async () => {
      const { join, clock, seen, finishAll } = await startRemote(1, { maxRetries: 0, ...options })
      const slow = await join()
      await clock.pass(limitMs - 1)
      assert.deepEqual(slow.all('revoked'), [])
      slow.send({ type: 'heartbeat' })
      await clock.pass(2)
      assert.equal(slow.all('revoked').length, 1)
      await slow.leave()
      assert.ok((await finishAll(await join())).ok)
      assert.deepEqual(eventsOf(seen, 'block-retried'), [])
    })
  }

  it('does not count towards the time of the first block', async () => {
    const { join, clock, seen } = await startRemote(1, { timeoutMs: 1000 })
    const worker = await join()
    await clock.pass(5000)
    worker.send({ type: 'task-ready', taskId: 'line' })
    await clock.pass(900)
    assert.deepEqual(eventsOf(seen, 'block-retried'), [])
    await clock.pass(200)
    assert.equal(eventsOf(seen, 'block-retried').length, 1)
  })

  it('takes the blocks from a joined worker if it fails, as soon as the worker disconnects', async () => {
    const { join, seen, finishAll } = await startRemote(1, { maxRetries: 0 })
    const broken = await join()
    broken.send({ type: 'setup-failed', taskId: 'line', error: { code: 'BLOCK_FAILED', message: 'no model' } })
    broken.channel.close()
    await settle()
    assert.equal(eventsOf(seen, 'worker-died')[0]?.reason, 'no model')
    assert.ok((await finishAll(await join())).ok)
  })
})
