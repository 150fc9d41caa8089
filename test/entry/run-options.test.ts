import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { systemClock } from '../../src/entry/clock.ts'
import { type RunOptions, runBlockwise, startRun } from '../../src/entry/run.ts'
import { line } from '../support/inline-run.ts'

describe('the options of a run', () => {
  it('are refused before anything runs, by name and value', async () => {
    const ran: number[] = []
    const task = line('a', 4, ({ index }) => void ran.push(index))
    const cases: readonly [options: object, pattern: RegExp][] = [
      [{ workers: 0 }, /number of workers is 0, but must be a whole number from 1 on/],
      [{ workers: Number.NaN }, /number of workers is NaN/],
      [
        { pool: 'threads' },
        /pool is threads, but must be "process", "thread", "inline", "slurm", "sge", "none" or a launcher/,
      ],
      [{ slurm: ['--mem=4G'] }, /slurm is --mem=4G, but must be the options of sbatch in one text/],
      [{ sge: 5 }, /sge is 5, but must be the options of qsub in one text/],
      [{ maxRetries: -1 }, /maxRetries is -1, but must be a whole number from 0 on/],
      [{ maxWorkerRestarts: 1.5 }, /maxWorkerRestarts is 1\.5/],
      [{ timeoutMs: 0 }, /timeoutMs is 0, but must be a number of milliseconds above 0/],
      [{ timeoutMs: Number.NaN }, /timeoutMs is NaN/],
      [{ stopGraceMs: -1 }, /stopGraceMs is -1/],
    ]
    for (const [options, message] of cases) {
      await assert.rejects(runBlockwise(task, options as RunOptions), { code: 'INVALID_CONFIG', message })
    }
    assert.deepEqual(ran, [])
  })

  it('may have a time limit longer than a timer of Node can wait', async () => {
    for (const timeoutMs of [2 ** 31, 1e12, Number.POSITIVE_INFINITY]) {
      let early = false
      const cancel = systemClock.after(timeoutMs, () => {
        early = true
      })
      await new Promise((resolve) => setTimeout(resolve, 20))
      cancel()
      assert.equal(early, false, `${timeoutMs} ms`)
    }
  })
})

describe('the events of a run', () => {
  const types = async (events: AsyncIterable<{ readonly type: string }>) => {
    const seen: string[] = []
    for await (const { type } of events) seen.push(type)
    return seen
  }

  it('end with it, also for a run that can not begin, and one that is over', { timeout: 10_000 }, async () => {
    const run = startRun(line('a', 4, () => {}))
    assert.equal((await types(run.events)).at(-1), 'run-finished')
    await run.result
    assert.deepEqual(await types(run.events), [])
    const wrong = startRun(line('a', 0, () => {}))
    assert.deepEqual(await types(wrong.events), [])
    await assert.rejects(wrong.result, { name: 'ConfigError' })
  })

  it('stop the run when the function that gets them throws', { timeout: 10_000 }, async () => {
    const ran: number[] = []
    const task = line('a', 1000, async ({ index }) => {
      ran.push(index)
      await new Promise((resolve) => setTimeout(resolve, 1))
    })
    const onEvent = ({ type }: { readonly type: string }) => {
      if (type === 'blocks-done') throw new Error('a mistake in the listener')
    }
    await assert.rejects(runBlockwise(task, { workers: 2, onEvent }), { message: 'a mistake in the listener' })
    assert.ok(ran.length < 1000, `${ran.length} blocks ran`)
  })
})
