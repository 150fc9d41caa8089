import assert from 'node:assert/strict'
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { RunFollower, versionOf } from '../../../src/entry/run-folder/history/run-follower.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { type ReportedRun, reportRun } from '../../support/reported-run.ts'

/** Leaves the files of a start that did some blocks and was killed. */
function start(
  folder: string,
  options: Parameters<typeof reportRun>[2] & { blocks?: number },
  reportEvents: (run: ReportedRun) => void,
) {
  using run = reportRun(folder, [{ shape: [options.blocks ?? 20] }], options)
  reportEvents(run)
}

const seen = ({ picture }: RunFollower) => {
  const { condition, tasks, workerCounts } = picture.summary(Date.now(), 0)
  const { total, completed, processing } = tasks[0] as (typeof tasks)[number]
  return { condition, total, completed, processing, workers: workerCounts }
}

describe('a follower of a run', () => {
  it('keeps the events of a run without a record, and knows of no busy worker once it has ended', async () => {
    using folder = temporaryFolder()
    start(folder.path, {}, (run) => {
      run.done([0, 1])
      run.report({ type: 'blocks-leased', taskId: 'a', indices: [2, 3], workerId: 'w1' })
    })
    using follower = new RunFollower(folder.path)
    await follower.catchUp()
    const workers = { busy: 0, idle: 0, ended: 1 }
    assert.deepEqual(seen(follower), { condition: 'interrupted', total: 20, completed: 2, processing: 0, workers })
  })

  it('knows that a run has ended even if its record can’t be reached', async () => {
    using folder = temporaryFolder()
    start(folder.path, { progress: 'nowhere://' }, (run) => run.done([0]))
    using follower = new RunFollower(folder.path)
    await assert.rejects(follower.catchUp(), /Invalid place for progress/)
    assert.equal(follower.picture.condition, 'interrupted')
  })

  it('starts from scratch if a start that overwrites has another grid', async () => {
    using folder = temporaryFolder()
    start(folder.path, {}, (run) => run.done([0, 1, 2]))
    using follower = new RunFollower(folder.path)
    await follower.catchUp()
    const before = versionOf(follower.document)
    start(folder.path, { blocks: 7, overwrite: true }, (run) => run.done([5]))
    await follower.catchUp()
    assert.notEqual(versionOf(follower.document), before)
    const { total, completed } = seen(follower)
    assert.deepEqual({ total, completed }, { total: 7, completed: 1 })
  })

  it('reports that the folder was removed, and continues when it is back', async () => {
    using folder = temporaryFolder()
    const run = join(folder.path, 'run')
    start(run, {}, (run) => run.done([0, 1, 2]))
    using follower = new RunFollower(run)
    await follower.catchUp()
    renameSync(run, join(folder.path, 'elsewhere'))
    await follower.catchUp()
    assert.equal(follower.picture.isRemoved, true)
    start(run, {}, (run) => run.done([0, 1, 2, 3]))
    await follower.catchUp()
    assert.equal(follower.picture.isRemoved, false)
    assert.equal(seen(follower).completed, 4)
  })

  it('reports the blocks of an abandoned task as orphaned, also after the end', async () => {
    using folder = temporaryFolder()
    start(folder.path, { progress: 'sqlite' }, (run) => {
      run.report({ type: 'task-abandoned', taskId: 'a', error: { code: 'SETUP_FAILED', message: 'no module' } })
      run.report({ type: 'run-finished', ok: false, seconds: 1, tasks: [] })
    })
    using follower = new RunFollower(folder.path)
    await follower.catchUp()
    assert.equal(follower.picture.condition, 'failed')
    assert.equal(follower.picture.board.counts[0]?.orphaned, 20)
  })
})
