import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { RunFollower } from '../../../src/entry/run-folder/history/run-follower.ts'
import { steadyTime, timeOfRun } from '../../../src/entry/run-folder/history/run-time.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { until } from '../../support/processes.ts'
import { reportRun } from '../../support/reported-run.ts'

const HOURS = 3_600_000

/** A function that sets the clock of the machine, as far as this process reads it. */
function clockOf(t: TestContext): (hours: number) => void {
  const dateNow = Date.now
  let offset = 0
  t.mock.method(Date, 'now', () => dateNow() + offset)
  return (hours) => {
    offset = hours * HOURS
  }
}

describe('the durations on the page of a run', () => {
  for (const hours of [2, -2]) {
    it(`do not change when the clock is set by ${hours} h, whether before or after somebody looks`, async (t) => {
      using folder = temporaryFolder()
      const set = clockOf(t)
      using run = reportRun(folder.path, [{ shape: [20] }])
      run.report({ type: 'worker-started', workerId: 'w1', pid: 1, host: 'here' })
      run.report({ type: 'blocks-leased', taskId: 'a', indices: [0, 1], workerId: 'w1' })
      await until('the history is written', () => statSync(join(folder.path, 'history/000001')).size > 200)
      set(hours)
      using follower = new RunFollower(folder.path, { isOwn: true })
      await follower.catchUp()
      const now = follower.now()
      set(-hours)
      const later = follower.now()
      assert.ok(later >= now && later - now < 60_000, `${later - now} ms`)
      for (const time of [now, later]) {
        const { seconds, workers, now: shown } = follower.picture.summary(time, 0)
        assert.ok(seconds >= 0 && seconds < 60, `${seconds} s`)
        const busy = shown - (workers[0]?.since ?? 0)
        assert.ok(busy >= 0 && busy < 60_000, `${busy} ms`)
      }
    })
  }

  it('count from the date on another machine, once, and never run backwards', (t) => {
    const set = clockOf(t)
    const start = Date.now()
    const elsewhere = { machine: 'elsewhere', ms: 1e12 }
    set(2)
    const [now, first] = [timeOfRun(start, elsewhere), timeOfRun(start, undefined)()]
    for (const time of [now(), first]) assert.ok(time >= start + 2 * HOURS && time < start + 2 * HOURS + 60_000)
    set(-2)
    assert.ok(now() >= start + 2 * HOURS)
    assert.ok(timeOfRun(start, elsewhere)() >= start)
    assert.ok(timeOfRun(start, steadyTime())() < start + 60_000)
  })
})
