import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { systemClock } from '../../src/entry/clock.ts'
import { type RunOptions, runBlockwise } from '../../src/entry/run.ts'
import { line } from '../support/inline-run.ts'

describe('the options of a run', () => {
  it('are refused before anything runs, by name and value', async () => {
    const ran: number[] = []
    const task = line('a', 4, ({ index }) => void ran.push(index))
    const cases: readonly [options: object, pattern: RegExp][] = [
      [{ workers: 0 }, /number of workers is 0, but must be a whole number from 1 on/],
      [{ workers: Number.NaN }, /number of workers is NaN/],
      [{ pool: 'threads' }, /pool is threads, but must be "process", "inline" or a launcher/],
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
