import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startRun } from '../../src/entry/run.ts'
import { line } from '../support/inline-run.ts'

describe('the handle of a run', () => {
  it('changes the number of workers and has failed blocks tried again while the run is running', async () => {
    const gate = Promise.withResolvers<void>()
    let isMended = false
    const task = line('a', 4, async ({ index }) => {
      if (index === 1 && !isMended) throw new Error('the bug')
      if (index === 3) await gate.promise
    })
    await using run = startRun(task, { workers: 2, maxRetries: 0 })
    for await (const event of run.events) if (event.type === 'block-failed') break
    await assert.rejects(run.scale(0), { code: 'INVALID_CONFIG' })
    await run.scale(3)
    await assert.rejects(run.retry({ task: 'b' }), { code: 'UNKNOWN_TASK' })
    isMended = true
    assert.equal(await run.retry({ task: 'a' }), 1)
    assert.equal(await run.retry(), 0)
    gate.resolve()
    const { ok, tasks } = await run.result
    assert.deepEqual([ok, tasks[0]?.completed, tasks[0]?.failures], [true, 4, []])
    await assert.rejects(run.scale(2), { code: 'NOT_RUNNING' })
  })

  it('ends running blocks on request, and returns them', async () => {
    const task = line('a', 2, () => new Promise(() => {}))
    await using run = startRun(task, { workers: 1 })
    for await (const event of run.events) if (event.type === 'blocks-leased') break
    const { stopped, tasks } = await run.stop({ now: true })
    assert.deepEqual([stopped, tasks[0]?.completed, tasks[0]?.failed], [true, 0, 0])
  })
})
