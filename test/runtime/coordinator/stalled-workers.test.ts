import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ManualClock, ManualWorker } from '../../support/fake-network.ts'
import { settle } from '../../support/fake-network.ts'
import { eventsOf, line, startLaunched, startManual } from '../../support/manual-run.ts'

const ready = (worker: ManualWorker) => worker.send({ type: 'task-ready', taskId: 'line' })

/** Lets time pass while a worker sends heartbeats. */
async function passBeating(clock: ManualClock, ms: number, worker: ManualWorker): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10_000) {
    worker.send({ type: 'heartbeat' })
    await clock.pass(Math.min(10_000, ms - passed))
  }
}

/** A run of a worker that has joined and has its first block. */
async function startOne(options: Parameters<typeof startManual>[1], blocks = 2) {
  const run = await startManual([line({ blocks })], options)
  const worker = await run.join()
  ready(worker)
  await settle()
  const stalls = () => eventsOf(run.seen, 'worker-stalled')
  const end = async () => (await run.join()).finishAll().then(() => run.result)
  return { ...run, worker, stalls, end }
}

describe('a worker that does not advance in its block', () => {
  it('loses it to another worker after --stall, and its late outcome changes nothing', async () => {
    const { worker, clock, seen, stalls, end } = await startOne({ stallMs: 60_000 })
    const lease = worker.last('lease')
    await passBeating(clock, 60_000, worker)
    assert.deepEqual(stalls(), [])
    await passBeating(clock, 20_000, worker)
    assert.deepEqual(
      stalls().map(({ workerId, index, isAlive, action }) => ({ workerId, index, isAlive, action })),
      [{ workerId: 'w1', index: lease.blocks[0], isAlive: true, action: 'move' }],
    )
    assert.equal(worker.last('revoked').lease, lease.lease)
    const [retried] = eventsOf(seen, 'block-retried')
    assert.equal(retried?.error.code, 'BLOCK_STALLED')
    assert.match(
      retried?.error.message ?? '',
      /^Block line\/0 has not advanced for \d+ s although its process still answers/,
    )
    worker.finish(lease)
    await worker.leave()
    assert.ok((await end()).ok)
    assert.deepEqual(
      eventsOf(seen, 'blocks-done').map(({ workerId }) => workerId),
      ['w2', 'w2'],
    )
  })

  it('is said not to answer if it sends no heartbeats either', async () => {
    const { clock, stalls, worker, end } = await startOne({ stallMs: 60_000 })
    await clock.pass(90_000)
    assert.deepEqual([stalls().length, stalls()[0]?.isAlive], [1, false])
    await worker.leave()
    assert.ok((await end()).ok)
  })

  it('is ended if the run has started it, and replaced at once', async () => {
    const run = await startLaunched([line({ blocks: 1 })], { stallMs: 1000 })
    const [first] = run.started
    assert.ok(first)
    ready(await run.connect(first))
    await run.clock.pass(2000)
    assert.equal(first.isKilled, true)
    first.exit('killed by SIGKILL')
    await run.clock.pass(2000)
    const second = run.started[1]
    assert.ok(second)
    const next = await run.connect(second)
    await next.finishAll()
    second.exit('exit code 0')
    await run.clock.pass(10_000)
    assert.ok((await run.result).ok)
    assert.match(eventsOf(run.seen, 'worker-died')[0]?.reason ?? '', /^Block line\/0 has not advanced.*w1 was ended\.$/)
  })

  it('is only reported with onStall report, once, and its outcome counts', async () => {
    const { worker, clock, seen, stalls, result } = await startOne({ stallMs: 60_000, onStall: 'report' }, 1)
    await clock.pass(600_000)
    assert.deepEqual(
      stalls().map(({ action }) => action),
      ['report'],
    )
    assert.deepEqual(worker.all('revoked'), [])
    await worker.finishAll()
    assert.ok((await result).ok)
    assert.deepEqual(eventsOf(seen, 'block-retried'), [])
  })

  it('uses up the attempts of a block that no worker can do, so that the run ends', async () => {
    const { clock, worker, join, result, seen } = await startOne({ stallMs: 1000, maxRetries: 1 }, 1)
    await clock.pass(2000)
    const other = await join()
    ready(other)
    await clock.pass(2000)
    await worker.leave()
    await other.leave()
    assert.equal((await result).ok, false)
    assert.deepEqual(
      eventsOf(seen, 'block-failed').map(({ failure }) => [failure.error.code, failure.attempts]),
      [['BLOCK_STALLED', 2]],
    )
  })
})

describe('a worker that takes long, but advances', () => {
  const signs: readonly [string, (worker: ManualWorker, time: number) => void][] = [
    ['says so', (worker) => worker.send({ type: 'progress' })],
    [
      'goes on reading',
      (worker, time) => worker.send({ type: 'usage', readBytes: time, writtenBytes: 0, peakMemory: 0 }),
    ],
  ]
  for (const [what, show] of signs) {
    it(`has not stalled if it ${what}`, async () => {
      const { worker, clock, stalls, result } = await startOne({ stallMs: 60_000 }, 1)
      for (let passed = 0; passed < 600_000; passed += 30_000) {
        show(worker, passed + 1)
        await clock.pass(30_000)
      }
      assert.deepEqual(stalls(), [])
      await worker.finishAll()
      assert.ok((await result).ok)
    })
  }

  it('has stalled if its usage says that it reads nothing', async () => {
    const { worker, clock, stalls, end } = await startOne({ stallMs: 60_000 })
    for (let passed = 0; passed < 120_000; passed += 10_000) {
      worker.send({ type: 'usage', readBytes: 7, writtenBytes: 0, peakMemory: passed })
      await clock.pass(10_000)
    }
    assert.equal(stalls().length, 1)
    await worker.leave()
    assert.ok((await end()).ok)
  })
})

describe('without --stall', () => {
  it('nothing counts as stalled before a block of the task is done', async () => {
    const { worker, clock, stalls, result } = await startOne({}, 1)
    await clock.pass(3 * 3_600_000)
    assert.deepEqual(stalls(), [])
    await worker.finishAll()
    assert.ok((await result).ok)
  })

  it('a worker has stalled after many times what blocks take, and a block gets longer at each attempt', async () => {
    const { worker, clock, stalls, end, join } = await startOne({})
    worker.finish(worker.last('lease'), 60_000)
    await settle()
    await passBeating(clock, 1_100_000, worker)
    assert.deepEqual(stalls(), [])
    await passBeating(clock, 160_000, worker)
    assert.equal(stalls().length, 1)
    const other = await join()
    ready(other)
    await passBeating(clock, 4_400_000, other)
    assert.equal(stalls().length, 1)
    await passBeating(clock, 600_000, other)
    assert.equal(stalls().length, 2)
    for (const each of [worker, other]) await each.leave()
    assert.ok((await end()).ok)
  })

  it('a short block gets ten minutes', async () => {
    const { worker, clock, stalls, end } = await startOne({})
    worker.finish(worker.last('lease'), 5)
    await settle()
    await passBeating(clock, 590_000, worker)
    assert.deepEqual(stalls(), [])
    await passBeating(clock, 40_000, worker)
    assert.equal(stalls().length, 1)
    await worker.leave()
    assert.ok((await end()).ok)
  })
})

describe('a coordinator that was suspended', () => {
  it('does not take its own absence for that of its workers', async () => {
    const { worker, clock, stalls, result } = await startOne({ stallMs: 60_000 }, 1)
    clock.jump(10 * 3_600_000)
    await clock.pass(20_000)
    assert.deepEqual(stalls(), [])
    await worker.finishAll()
    assert.ok((await result).ok)
  })
})

describe('setting up a task', () => {
  it('may take ten minutes with a short --stall, then the worker has stalled', async () => {
    const run = await startManual([line({ blocks: 1 })], { stallMs: 1000, maxWorkerRestarts: 0 })
    const worker = await run.join()
    await run.clock.pass(599_000)
    assert.deepEqual(eventsOf(run.seen, 'worker-stalled'), [])
    await run.clock.pass(2000)
    const [stall] = eventsOf(run.seen, 'worker-stalled')
    assert.deepEqual([stall?.taskId, stall && 'index' in stall], ['line', false])
    await worker.leave()
    await (await run.join()).finishAll()
    assert.ok((await run.result).ok)
  })
})
