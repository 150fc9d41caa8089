import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ManualWorker, settle } from '../../support/fake-network.ts'
import { eventsOf, line, startLaunched } from '../../support/manual-run.ts'

async function doNext(worker: ManualWorker, isGood: boolean): Promise<void> {
  const lease = worker.unfinished
  if (lease === undefined) return
  const error = { code: 'BLOCK_FAILED', message: 'no such file' } as const
  if (isGood) worker.finish(lease, 100)
  else
    worker.report(
      lease.lease,
      lease.blocks.map(() => ({ status: 'failed', error, ms: 100 }) as const),
    )
  await settle()
}

describe('a host on which blocks fail that others do', () => {
  it('is named, and its worker leaves and is replaced by one elsewhere', async () => {
    const run = await startLaunched([line({ blocks: 200 })], { workers: 2, maxRetries: 50 })
    const [one, two] = run.started
    assert.ok(one && two)
    const [good, bad] = [await run.connectAt(one, 'n1'), await run.connectAt(two, 'n2')]
    for (const worker of [good, bad]) worker.send({ type: 'task-ready', taskId: 'line' })
    await settle()
    for (let count = 0; count < 12; count++) await doNext(good, true)
    for (let count = 0; count < 4; count++) await doNext(bad, false)
    assert.deepEqual([eventsOf(run.seen, 'host-failing'), run.avoided], [[], []])
    for (let count = 0; count < 3; count++) await doNext(bad, false)
    const [failing, ...more] = eventsOf(run.seen, 'host-failing')
    assert.deepEqual([failing?.host, failing?.isLeftOut, more.length, run.avoided], ['n2', true, 0, [['n2']]])
    assert.equal(bad.all('drain').length, 1)
    await doNext(bad, false)
    await bad.leave()
    two.exit('exit code 0')
    await run.clock.pass(1000)
    const three = run.started[2]
    assert.ok(three)
    const other = await run.connectAt(three, 'n3')
    other.send({ type: 'task-ready', taskId: 'line' })
    await settle()
    for (let open = true; open; ) {
      open = [good, other].some((worker) => worker.unfinished !== undefined)
      for (const worker of [good, other]) await doNext(worker, true)
    }
    for (const worker of [good, other]) await worker.leave()
    for (const { exit } of run.started) exit('exit code 0')
    await run.clock.pass(60_000)
    assert.equal((await run.result).ok, true)
  })
})
