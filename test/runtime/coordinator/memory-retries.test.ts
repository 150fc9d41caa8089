import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { settle } from '../../support/fake-network.ts'
import { eventsOf, line, type Started, startLaunched } from '../../support/manual-run.ts'

type Options = Parameters<typeof startLaunched>[1]

/** A run of two workers, which have connected and set up the task; the first one has the first block. */
async function startTwo(options: Options, blocks = 4) {
  const run = await startLaunched([line({ blocks })], { workers: 2, memoryRetry: 2, ...options })
  const connect = async (started: Started | undefined) => {
    assert.ok(started)
    const worker = await run.connect(started)
    worker.send({ type: 'task-ready', taskId: 'line' })
    await settle()
    return worker
  }
  const [first, second] = [await connect(run.started[0]), await connect(run.started[1])]
  const larger = () => run.started.filter(({ factor }) => factor > 1)
  /** The worker dies because it needs more memory. */
  const exhaust = async (started: Started | undefined) => {
    started?.exit('out of memory', { outOfMemory: { asked: '--mem=4G', used: 4e9 } })
    await run.clock.pass(20_000)
  }
  const leasedTo = (id: string) =>
    eventsOf(run.seen, 'blocks-leased')
      .filter(({ workerId }) => workerId === id)
      .flatMap(({ indices }) => indices)
  return { ...run, connect, first, second, larger, exhaust, leasedTo }
}

describe('a block whose worker ran out of memory', () => {
  it('is kept for a worker with more memory, which gets this block and no other, and then leaves', async () => {
    const run = await startTwo({})
    const [culprit] = run.first.last('lease').blocks
    await run.exhaust(run.started[0])
    assert.deepEqual(
      run.larger().map(({ factor }) => factor),
      [2],
    )
    const [retried] = eventsOf(run.seen, 'block-retried')
    assert.equal(retried?.error.code, 'OUT_OF_MEMORY')
    assert.match(retried?.error.message ?? '', /out of memory; it had --mem=4G, and it used 4(\.0+)? GB/)
    await run.second.finishAll()
    const larger = await run.connect(run.larger()[0])
    assert.deepEqual(larger.last('lease').blocks, [culprit])
    assert.deepEqual(run.leasedTo('w2').includes(culprit as number), false)
    larger.finish(larger.last('lease'))
    await settle()
    run.larger()[0]?.exit('exit code 0')
    for (const started of run.started) started.exit('exit code 0')
    await run.clock.pass(60_000)
    const result = await run.result
    assert.deepEqual([result.ok, run.larger().length], [true, 1])
  })

  it('gets as many times that if it was not enough, until its retries are used up', async () => {
    const run = await startTwo({}, 2)
    await run.exhaust(run.started[0])
    await run.second.finishAll()
    for (const at of [0, 1]) {
      await run.connect(run.larger()[at])
      await run.exhaust(run.larger()[at])
    }
    assert.deepEqual(
      run.larger().map(({ factor }) => factor),
      [2, 4],
    )
    const [failed] = eventsOf(run.seen, 'block-failed')
    assert.deepEqual([failed?.failure.attempts, failed?.failure.error.code], [3, 'OUT_OF_MEMORY'])
    for (const started of run.started) started.exit('exit code 0')
    await run.clock.pass(60_000)
    assert.equal((await run.result).ok, false)
  })

  it('has the memory of other workers where they share a machine: they get no block meanwhile', async () => {
    const run = await startTwo({ sharesMemory: true })
    await run.exhaust(run.started[0])
    const before = run.leasedTo('w2').length
    run.second.finish(run.second.last('lease'))
    await settle()
    assert.equal(run.leasedTo('w2').length, before)
    const larger = await run.connect(run.larger()[0])
    larger.finish(larger.last('lease'))
    await settle()
    assert.equal(run.leasedTo('w2').length, before + 1)
    await run.second.finishAll()
    for (const started of run.started) started.exit('exit code 0')
    await run.clock.pass(60_000)
    assert.equal((await run.result).ok, true)
  })

  it('goes to the others if there can be no worker with more memory', async () => {
    const run = await startTwo({})
    const [culprit] = run.first.last('lease').blocks
    await run.exhaust(run.started[0])
    run.larger()[0]?.exit('sbatch did not accept 1 jobs', { isRefused: true })
    await run.clock.pass(1000)
    assert.match(
      eventsOf(run.seen, 'warning').at(-1)?.message ?? '',
      /^No worker with 2 times the memory can be had \(sbatch did not accept 1 jobs\); blocks/,
    )
    await run.second.finishAll()
    assert.ok(run.leasedTo('w2').includes(culprit as number))
    for (const started of run.started) started.exit('exit code 0')
    await run.clock.pass(60_000)
    assert.equal((await run.result).ok, true)
  })

  it('holds up neither a stop nor a reset', async () => {
    const stopping = new AbortController()
    const run = await startTwo({ signal: stopping.signal })
    await run.exhaust(run.started[0])
    stopping.abort()
    await settle()
    for (const started of run.started) started.exit('killed')
    await run.clock.pass(60_000)
    const { stopped, tasks } = await run.result
    assert.deepEqual([stopped, tasks[0]?.processing], [true, 0])
  })
})
