import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { isBitSet } from '../../../src/core/scheduling/bitmap.ts'
import { RunFollower } from '../../../src/entry/run-folder/history/run-follower.ts'
import { resetRun } from '../../../src/entry/run-folder/reset-run.ts'
import { listRuns, readRunState } from '../../../src/entry/run-folder/run-state.ts'
import { EARLIER, earlierRuns } from '../../support/earlier-runs.ts'

/** The state of the tasks of a run, from its record. */
async function recorded(folder: string) {
  const state = await readRunState(folder)
  assert.ok(state?.isRecorded)
  return state.tasks.map(({ id, total, completed, failed, left }) => ({ id, total, completed, failed, left }))
}

describe('a run folder of version 0.1.0', () => {
  it('is listed among the runs of its home', () => {
    using runs = earlierRuns()
    assert.deepEqual(listRuns(join(runs.path, '.bellis')).sort(), Object.values(EARLIER).sort())
  })

  it('gives the number of done, failed and remaining blocks of each task', async () => {
    using runs = earlierRuns()
    assert.deepEqual(await recorded(runs.folderOf('done')), [
      { id: 'count', total: 12, completed: 12, failed: 0, left: 0 },
    ])
    assert.deepEqual(await recorded(runs.folderOf('failed')), [
      { id: 'first', total: 6, completed: 5, failed: 1, left: 0 },
      { id: 'second', total: 6, completed: 5, failed: 0, left: 1 },
    ])
    assert.deepEqual(await recorded(runs.folderOf('interrupted')), [
      { id: 'count', total: 16, completed: 6, failed: 0, left: 10 },
    ])
  })

  it('has all blocks that a killed coordinator had recorded, including those in the log that it had not merged', async () => {
    using runs = earlierRuns()
    const state = await readRunState(runs.folderOf('interrupted'))
    const [task] = state?.tasks ?? []
    assert.ok(task !== undefined)
    const blocks = Array.from({ length: task.total }, (_, block) => block)
    assert.deepEqual(
      blocks.filter((block) => isBitSet(task.done, block)),
      [0, 1, 2, 3, 4, 5],
    )
    assert.equal(state?.holder, undefined)
  })

  it('keeps every field of a failed attempt', async () => {
    using runs = earlierRuns()
    const state = await readRunState(runs.folderOf('failed'))
    const [failure] = state?.tasks[0]?.failures ?? []
    assert.ok(failure !== undefined)
    const { stack = '', ...error } = failure.error
    assert.deepEqual(error, { code: 'BLOCK_FAILED', message: 'block 3 meets the bug' })
    assert.match(stack, /count\.ts:22/)
    const { block, attempt, isFinal, workerId, host } = failure
    assert.deepEqual(
      { block, attempt, isFinal, workerId, host },
      { block: 3, attempt: 2, isFinal: true, workerId: 'w1', host: 'volume' },
    )
  })

  it('gives the page its blocks, workers and failures from the history', async () => {
    using runs = earlierRuns()
    const summaryOf = async (run: keyof typeof EARLIER) => {
      using follower = new RunFollower(runs.folderOf(run))
      await follower.catchUp()
      const { tasks, workerCounts } = follower.picture.summary(Date.now(), 0)
      return { tasks, workers: workerCounts.ended, condition: follower.picture.condition }
    }
    const done = await summaryOf('done')
    assert.deepEqual([done.tasks[0]?.completed, done.tasks[0]?.total, done.workers], [12, 12, 2])
    const failed = await summaryOf('failed')
    assert.deepEqual(
      failed.tasks.map(({ completed, failed, orphaned }) => [completed, failed, orphaned]),
      [
        [5, 1, 0],
        [5, 0, 1],
      ],
    )
    const interrupted = await summaryOf('interrupted')
    assert.deepEqual([interrupted.tasks[0]?.completed, interrupted.tasks[0]?.processing], [6, 0])
    assert.equal(interrupted.workers, 2)
    assert.deepEqual([done.condition, failed.condition, interrupted.condition], ['done', 'failed', 'interrupted'])
  })

  it('can be reset: completely, in a region with what depends on it, or its failures alone', async () => {
    using runs = earlierRuns()
    assert.deepEqual(await resetRun(runs.folderOf('interrupted'), {}), [{ id: 'count', blocks: 6, failedAttempts: 0 }])
    assert.equal((await recorded(runs.folderOf('interrupted')))[0]?.left, 16)
    assert.deepEqual(await resetRun(runs.folderOf('failed'), { roi: '0:2' }), [
      { id: 'first', blocks: 2, failedAttempts: 0 },
      { id: 'second', blocks: 2, failedAttempts: 0 },
    ])
    assert.deepEqual(await resetRun(runs.folderOf('failed'), { failed: true }), [
      { id: 'first', blocks: 0, failedAttempts: 1 },
      { id: 'second', blocks: 0, failedAttempts: 0 },
    ])
  })
})
