import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type RunOptions, runBlockwise } from '../../../src/entry/index.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { line } from '../../support/inline-run.ts'

const bytesOf = (path: string): number => statSync(path).size

/** Starts a run of 40 000 blocks, all of which fail. @returns its result, and the bytes of its record and of this start's history */
async function start(folder: string, options: RunOptions) {
  const task = line('a', 40_000, () => {
    throw new Error('no model')
  })
  const { tasks } = await runBlockwise(task, { runDir: folder, progress: 'sqlite', workers: 2, ...options })
  const run = join(folder, readdirSync(folder)[0] as string)
  const histories = readdirSync(join(run, 'history')).sort()
  return {
    task: tasks[0],
    record: bytesOf(join(run, 'progress.sqlite')),
    history: bytesOf(join(run, 'history', histories.at(-1) as string)),
  }
}

describe('the folder of a run that always fails', () => {
  it('has a small record and a small history, and a further start does not make the record larger', async () => {
    using folder = temporaryFolder()
    const first = await start(folder.path, {})
    assert.equal(first.task?.error?.code, 'TASK_ABANDONED')
    assert.ok(first.record < 200_000, `a record of ${first.record} bytes`)
    assert.ok(first.history < 100_000, `a history of ${first.history} bytes`)
    const second = await start(folder.path, {})
    // Which blocks are among the 300 depends on the workers.
    assert.ok(second.record <= first.record + 16_384, `${first.record} bytes became ${second.record}`)
    assert.ok(second.history < 100_000, `a history of ${second.history} bytes`)
  })

  it('has some hundred bytes for each failed block if the task is not abandoned', async () => {
    using folder = temporaryFolder()
    const { task, record, history } = await start(folder.path, { maxFailures: Number.POSITIVE_INFINITY, maxRetries: 0 })
    assert.equal(task?.failed, 40_000)
    assert.ok(record < 40_000 * 250, `a record of ${record} bytes`)
    assert.ok(history < 40_000 * 200, `a history of ${history} bytes`)
  })
})
