import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RunEvent } from '../../../src/core/events.ts'
import { line, runInline } from '../../support/inline-run.ts'

const fails = (): never => {
  throw new Error('no model at /models/7')
}

describe('a task that always fails', () => {
  it('is abandoned after 300 failed attempts in a row, with the number, the most frequent error and what to do', async () => {
    let attempts = 0
    const events: RunEvent[] = []
    const task = line('a', 40_000, (block) => {
      attempts++
      if (block.index === 5) throw new Error('something else')
      fails()
    })
    const result = await runInline([task], { onEvent: (event) => events.push(event) })
    const [ended] = result.tasks
    assert.equal(result.ok, false)
    assert.equal(ended?.error?.code, 'TASK_ABANDONED')
    assert.match(
      ended?.error?.message ?? '',
      /^Task "a" was abandoned: 300 attempts in a row failed, and no block was completed in between; 297 of them with this error: no model at \/models\/7 \(.*always-failing\.test\.ts:\d+\)\. Remove the cause and start the same command again; --max-failures/,
    )
    // Beyond the 300th only what was leased already.
    assert.ok(attempts < 300 + 2 * 1024, `${attempts} attempts`)
    assert.equal((ended?.failed ?? 0) + (ended?.orphaned ?? 0), 40_000)
    const reported = events.filter(({ type }) => type === 'block-retried' || type === 'block-failed')
    assert.equal(reported.length, 300)
  })

  it('orphans the tasks after it, while independent tasks are done', async () => {
    const first = line('first', 500, fails)
    const result = await runInline([line('after', 500, () => {}, { after: [first] }), line('other', 500, () => {})], {
      maxFailures: 20,
    })
    assert.deepEqual(
      result.tasks.map(({ id, completed, orphaned, error }) => [id, completed, orphaned > 0, error?.code]),
      [
        ['first', 0, true, 'TASK_ABANDONED'],
        ['other', 500, false, undefined],
        ['after', 0, true, undefined],
      ],
    )
  })

  it('continues as long as blocks are completed in between, however many fail', async () => {
    const result = await runInline([line('a', 3000, ({ index }) => (index % 10 === 9 ? undefined : fails()))], {
      maxRetries: 0,
      maxFailures: 40,
      workers: 1,
    })
    const [task] = result.tasks
    assert.deepEqual([task?.completed, task?.failed, task?.error], [300, 2700, undefined])
  })

  it('has its failures in the order of their places, not of their times', async () => {
    const times: number[] = []
    const hasFailed = Promise.withResolvers<void>()
    const task = line('a', 2, async ({ index }) => {
      if (index === 0) await hasFailed.promise
      fails()
    })
    const result = await runInline([task], {
      maxRetries: 0,
      onEvent: (event) => {
        if (event.type !== 'block-failed') return
        times.push(event.failure.index)
        hasFailed.resolve()
      },
    })
    assert.deepEqual(times, [1, 0])
    assert.deepEqual(
      result.tasks[0]?.failures.map(({ index }) => index),
      [0, 1],
    )
  })

  it('tries a block as often as its task says, or as the run does', async () => {
    const failures = async (task: { maxRetries?: number }) => {
      const { tasks } = await runInline([line('a', 1, fails, task)], { maxRetries: 3 })
      return tasks[0]?.failures[0]?.attempts
    }
    assert.equal(await failures({}), 4)
    assert.equal(await failures({ maxRetries: 0 }), 1)
    assert.equal(await failures({ maxRetries: 5 }), 6)
    await assert.rejects(failures({ maxRetries: -1 }), {
      code: 'INVALID_TASK',
      message: 'Task "a": "maxRetries" is -1; expected a whole number from 0.',
    })
  })

  it('has its own limit, or that of the run, or none, and a block always gets all of its attempts', async () => {
    const failedOf = async (task: { maxFailures?: number }, options: { maxFailures?: number; maxRetries?: number }) => {
      const { tasks } = await runInline([line('a', 900, fails, task)], { workers: 1, maxRetries: 0, ...options })
      return tasks[0]?.failed
    }
    assert.equal(await failedOf({}, {}), 300)
    assert.equal(await failedOf({}, { maxFailures: 7 }), 7)
    assert.equal(await failedOf({ maxFailures: 9 }, { maxFailures: 7 }), 9)
    assert.equal(await failedOf({ maxFailures: Number.POSITIVE_INFINITY }, {}), 900)
    assert.equal(await failedOf({ maxFailures: 2 }, { maxRetries: 5 }), 1)
    await assert.rejects(failedOf({ maxFailures: 0 }, {}), {
      code: 'INVALID_TASK',
      message: 'Task "a": "maxFailures" is 0; expected a whole number from 1, or Infinity.',
    })
  })
})
