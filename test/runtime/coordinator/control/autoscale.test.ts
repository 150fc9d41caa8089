import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CommandRelay } from '../../../../src/entry/command-relay.ts'
import { settle } from '../../../support/fake-network.ts'
import { eventsOf, line, startLaunched } from '../../../support/manual-run.ts'

/** A run of two to eight workers; every worker that was started is connected at once. */
async function startRange(blocks: number) {
  const commands = new CommandRelay()
  const run = await startLaunched([line({ blocks })], { workers: 8, minWorkers: 2, commands })
  const workers = new Map<string, Awaited<ReturnType<typeof run.connect>>>()
  const connectAll = async () => {
    for (const started of run.started) {
      if (workers.has(started.worker)) continue
      const worker = await run.connect(started)
      worker.send({ type: 'task-ready', taskId: 'line' })
      workers.set(started.worker, worker)
    }
    await settle()
  }
  /** Lets time pass; workers send heartbeats. */
  const pass = async (seconds: number) => {
    for (let passed = 0; passed < seconds; passed += 5) {
      for (const worker of workers.values()) worker.send({ type: 'heartbeat' })
      await run.clock.pass(5000)
    }
  }
  const sizes = () => eventsOf(run.seen, 'scaled').map(({ workers: size }) => size)
  const left = () => [...workers.values()].filter((worker) => worker.all('drain').length > 0).length
  const finish = async () => {
    await connectAll()
    for (const worker of workers.values()) await worker.finishAll()
    for (const { exit } of run.started) exit('exit code 0')
    await run.clock.pass(60_000)
    return run.result
  }
  return { ...run, commands, workers, connectAll, pass, sizes, left, finish }
}

describe('a run whose number of workers may vary', () => {
  it('starts with the fewest, grows while blocks wait, and shrinks when they do not, busy ones stay', async () => {
    const run = await startRange(40)
    assert.equal(run.started.length, 2)
    await run.connectAll()
    // The first blocks take long, and 38 wait.
    await run.pass(20)
    assert.deepEqual(run.sizes(), [4, 8])
    assert.ok(eventsOf(run.seen, 'scaled').every(({ isByItself }) => isByItself))
    await run.connectAll()
    assert.equal(run.started.length, 8)
    // All blocks but one are done: six workers have nothing to do, and leave after a minute.
    const [last] = run.workers.values()
    for (let open = true; open; ) {
      open = false
      for (const worker of run.workers.values()) {
        const lease = worker === last ? undefined : worker.unfinished
        if (lease === undefined) continue
        worker.finish(lease)
        open = true
      }
      await settle()
    }
    await run.pass(50)
    assert.equal(run.left(), 0)
    await run.pass(30)
    assert.deepEqual([run.sizes(), run.left()], [[4, 8, 2], 6])
    assert.equal(last?.all('drain').length, 0)
    assert.equal((await run.finish()).ok, true)
  })

  it('gives up workers that have not started when no block waits for them', async () => {
    const run = await startRange(4)
    await run.connectAll()
    await run.pass(10)
    assert.deepEqual(run.sizes(), [4])
    assert.equal(run.started.length, 4)
    // The jobs of two workers wait in a queue, while the others do all blocks but their last.
    for (const worker of run.workers.values()) worker.finish(worker.last('lease'))
    await settle()
    await run.pass(20)
    assert.deepEqual(
      run.started.map(({ isKilled }) => isKilled),
      [false, false, true, true],
    )
    assert.equal(run.sizes().at(-1), 2)
    assert.equal((await run.finish()).ok, true)
  })

  it('can be given another range, or one number, while it is running', async () => {
    const run = await startRange(40)
    await run.connectAll()
    const scaled = await run.commands.carryOut({ type: 'scale', workers: 6, least: 3 })
    assert.deepEqual(scaled, { type: 'scaled', workers: 3, before: 2, range: { least: 3, most: 6 } })
    await run.connectAll()
    await run.pass(20)
    assert.deepEqual(run.sizes(), [3, 6])
    await run.commands.carryOut({ type: 'scale', workers: 5 })
    await run.pass(100)
    assert.deepEqual(run.sizes(), [3, 6, 5])
    assert.equal((await run.finish()).ok, true)
  })
})
