import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ManualWorker, settle } from '../../support/fake-network.ts'
import { line, startManual } from '../../support/manual-run.ts'

describe('the time of a task', () => {
  it('is from the start of its first block to the end of its last, as are its rates', async () => {
    const before = line({ blocks: 1, size: 4 }, { id: 'before' })
    const behind = line({ blocks: 4 }, { id: 'behind', after: [before] })
    const { clock, join, result } = await startManual([behind])
    const worker = await join()
    const finishAfter = async (seconds: number, ms: number) => {
      await clock.pass(seconds * 1000)
      worker.finish(worker.unfinished as NonNullable<ManualWorker['unfinished']>, ms)
      await settle()
    }
    // The worker sets up the task for the rest of this second.
    await finishAfter(1, 200)
    while (worker.unfinished !== undefined) await finishAfter(0.5, 100)
    await worker.leave()
    const { seconds, tasks } = await result
    assert.equal(tasks[0]?.seconds, 0.2)
    assert.equal(tasks[0]?.blocksPerSecond, 5)
    const own = tasks[1]?.seconds ?? 0
    assert.ok(own > 0 && own <= seconds - 1, `${own} of ${seconds}`)
    assert.equal(tasks[1]?.blocksPerSecond, 4 / own)
  })

  it('is 0 for a task without a block, and never longer than the run, whatever a worker reports', async () => {
    const { clock, join, result } = await startManual([line({ blocks: 1 }, { id: 'one' })])
    const worker = await join()
    await clock.pass(1000)
    worker.finish(worker.unfinished as NonNullable<ManualWorker['unfinished']>, 1e12)
    await settle()
    await worker.leave()
    const { seconds, tasks } = await result
    assert.deepEqual([tasks[0]?.seconds, seconds], [1, 1])
  })
})
