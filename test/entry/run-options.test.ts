import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { systemClock } from '../../src/entry/clock.ts'
import { runBlockwise, startRun } from '../../src/entry/run.ts'
import type { RunOptions } from '../../src/entry/run-options.ts'
import { line } from '../support/inline-run.ts'

describe('the options of a run', () => {
  it('are refused before anything runs, by name and value', async () => {
    const ran: number[] = []
    const task = line('a', 4, ({ index }) => void ran.push(index))
    const cases: readonly [options: object, pattern: RegExp][] = [
      [{ workers: 0 }, /^workers 0: expected a whole number, 1 or more\.$/],
      [{ workers: Number.NaN }, /^workers NaN: expected/],
      [
        { pool: 'threads' },
        /^pool threads: expected "process", "thread", "inline", "slurm", "sge", "pbs", "lsf", "kubernetes", "none" or a launcher/,
      ],
      [{ slurm: ['--mem=4G'] }, /^slurm --mem=4G: expected the options of sbatch as one string/],
      [{ sge: 5 }, /^sge 5: expected the options of qsub as one string/],
      [{ maxRetries: -1 }, /^maxRetries -1: expected a whole number, 0 or more/],
      [{ maxWorkerRestarts: 1.5 }, /^maxWorkerRestarts 1\.5: expected/],
      [{ timeoutMs: 0 }, /^timeoutMs 0: expected a number of milliseconds above 0/],
      [{ timeoutMs: Number.NaN }, /^timeoutMs NaN: expected/],
      [{ stopGraceMs: -1 }, /^stopGraceMs -1: expected/],
      [{ memoryRetry: 1 }, /^memoryRetry 1: expected a number above 1, and at most 64/],
      [{ memoryRetry: { b: 2 } }, /^The task of a memory retry b: expected one of the tasks of the run: "a"/],
    ]
    for (const [options, message] of cases) {
      await assert.rejects(runBlockwise(task, options as RunOptions), { code: 'INVALID_CONFIG', message })
    }
    assert.deepEqual(ran, [])
  })

  it('may set a time limit longer than a timer of Node can wait', async () => {
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

  it('end with the run, even if it cannot start or is over', { timeout: 10_000 }, async () => {
    const run = startRun(line('a', 4, () => {}))
    assert.equal((await types(run.events)).at(-1), 'run-finished')
    await run.result
    assert.deepEqual(await types(run.events), [])
    const wrong = startRun(line('a', 0, () => {}))
    assert.deepEqual(await types(wrong.events), [])
    await assert.rejects(wrong.result, { name: 'ConfigError' })
  })

  it('stop the run when the function that receives them throws', { timeout: 10_000 }, async () => {
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
