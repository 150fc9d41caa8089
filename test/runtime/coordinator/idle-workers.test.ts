import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Resources } from '../../../src/core/workers/resources.ts'
import { type ManualWorker, settle } from '../../support/fake-network.ts'
import { line, type Started, startLaunched, startManual } from '../../support/manual-run.ts'

const resourcesOf = (amounts: Resources) => ({
  resources: { budget: { amounts, isOpen: false }, countsJoined: true, bindsWorkers: true },
})
const GPU = { requires: { gpu: 1 } }

/** One block, on which two others depend: when it is reported, one of these goes to an idle worker. */
const before = line({ blocks: 1, size: 2 }, { id: 'before' })
const behind = line({ blocks: 2 }, { id: 'behind', after: [before] })

const taskOf = (worker: ManualWorker) => worker.unfinished?.taskId

async function finishOne(worker: ManualWorker): Promise<void> {
  const lease = worker.unfinished
  assert.ok(lease !== undefined)
  worker.finish(lease, 1000)
  await settle()
}

describe('a worker with nothing to do', () => {
  it('gets a block when there are some again; the worker that has waited longest is first', async () => {
    const { join } = await startManual([behind])
    const [busy, first, second] = [await join(), await join(), await join()]
    // A message does not change the order.
    first.send({ type: 'dropped', lease: 99 })
    await settle()
    await finishOne(busy)
    assert.deepEqual([busy, first, second].map(taskOf), ['behind', 'behind', undefined])
  })

  it('gets no block once it has said goodbye', async () => {
    const { join } = await startManual([behind])
    const [busy, leaving, idle] = [await join(), await join(), await join()]
    leaving.send({ type: 'goodbye' })
    await settle()
    await finishOne(busy)
    assert.deepEqual([busy, leaving, idle].map(taskOf), ['behind', undefined, 'behind'])
  })

  it('does blocks that need only processors, even if it has set up another task', async () => {
    const gpu = line({ blocks: 1 }, { id: 'gpu', ...GPU })
    const { started, connect } = await startLaunched([behind, gpu], { workers: 2, ...resourcesOf({ cpu: 2, gpu: 1 }) })
    const workers = await Promise.all(started.map(connect))
    const bound = workers.find((worker) => taskOf(worker) === 'gpu') as ManualWorker
    const other = workers.find((worker) => taskOf(worker) === 'before') as ManualWorker
    await finishOne(bound)
    assert.equal(taskOf(bound), undefined)
    await finishOne(other)
    assert.deepEqual([bound, other].map(taskOf), ['behind', 'behind'])
  })

  it('gets blocks of another task if those of the first need a resource that is used up', async () => {
    const one = line({ blocks: 1, size: 2 }, { id: 'one' })
    const scarce = line({ blocks: 2 }, { id: 'scarce', after: [one], ...GPU })
    const plain = line({ blocks: 2 }, { id: 'plain', after: [one] })
    const { join } = await startManual([scarce, plain], resourcesOf({ cpu: 8, gpu: 1 }))
    const workers = [await join(), await join(), await join(), await join()]
    await finishOne(workers[0] as ManualWorker)
    assert.deepEqual(workers.map(taskOf).toSorted(), ['plain', 'plain', 'scarce', undefined])
  })
})

describe('a worker that holds a resource for which another task waits', () => {
  const slow = line({ blocks: 1 }, { id: 'slow' })
  const own = line({ blocks: 2 }, { id: 'own', after: [slow], ...GPU })
  const other = line({ blocks: 1 }, { id: 'other', ...GPU })

  /** One worker has done a block of `own` and waits for the next, which depends on a block that another worker is doing. */
  async function startWaiting(gpu: number, workers: number) {
    const run = await startLaunched([own, other], { workers, ...resourcesOf({ cpu: 4, gpu }) })
    const [holding, busy] = [await run.connect(run.started[0] as Started), await run.connect(run.started[1] as Started)]
    assert.deepEqual([taskOf(holding), taskOf(busy)], ['own', 'slow'])
    await finishOne(holding)
    assert.equal(taskOf(holding), undefined)
    return { ...run, holding, busy }
  }

  it('leaves after a second without work, and the next worker does that task', async () => {
    const { clock, started, connect, holding } = await startWaiting(1, 2)
    await clock.pass(999)
    assert.deepEqual(holding.all('drain'), [])
    await clock.pass(1)
    assert.equal(holding.all('drain').length, 1)
    await holding.leave()
    started[0]?.exit('exit code 0')
    await clock.pass(1000)
    assert.equal(started.length, 3)
    assert.equal(taskOf(await connect(started[2] as Started)), 'other')
  })

  it('stays if another worker, which holds nothing yet, is about to connect', async () => {
    const { clock, started, connect, holding } = await startWaiting(2, 3)
    await clock.pass(5000)
    assert.deepEqual(holding.all('drain'), [])
    assert.equal(taskOf(await connect(started[2] as Started)), 'other')
  })

  it('leaves at once if its own task is over', async () => {
    const short = line({ blocks: 1 }, { id: 'short', ...GPU })
    const long = line({ blocks: 1 }, { id: 'long', ...GPU })
    const { clock, started, connect } = await startLaunched([slow, short, long], {
      workers: 2,
      ...resourcesOf({ cpu: 2, gpu: 1 }),
    })
    const workers = await Promise.all(started.map(connect))
    const holding = workers.find((worker) => taskOf(worker) !== 'slow') as ManualWorker
    await finishOne(holding)
    assert.equal(holding.all('drain').length, 1)
    assert.equal(clock.now(), 0)
  })

  it('leaves its task for a downstream task that has eight ready blocks and no worker', async () => {
    const up = line({ blocks: 16 }, { id: 'up', ...GPU })
    const down = line({ blocks: 16 }, { id: 'down', after: [up], ...GPU })
    const { started, connect } = await startLaunched([down], resourcesOf({ cpu: 1, gpu: 1 }))
    const worker = await connect(started[0] as Started)
    for (let done = 0; done < 7; done++) await finishOne(worker)
    assert.deepEqual(worker.all('drain'), [])
    await finishOne(worker)
    assert.equal(worker.all('drain').length, 1)
    assert.equal(taskOf(worker), 'up')
  })

  it('stays if the resource that it holds is not the missing one', async () => {
    const memory = line({ blocks: 2 }, { id: 'memory', after: [slow], requires: { memoryGb: 4 } })
    const busyAt = line({ blocks: 1 }, { id: 'at', ...GPU })
    const waiting = line({ blocks: 1 }, { id: 'waiting', ...GPU })
    const { clock, started, connect } = await startLaunched([memory, busyAt, waiting], {
      workers: 4,
      ...resourcesOf({ cpu: 4, gpu: 1, memoryGb: 4 }),
    })
    const workers = []
    for (const one of started) workers.push(await connect(one))
    const holding = workers.find((worker) => taskOf(worker) === 'memory') as ManualWorker
    await finishOne(holding)
    await clock.pass(5000)
    assert.deepEqual(
      workers.map((worker) => worker.all('drain').length),
      [0, 0, 0, 0],
    )
  })
})
