import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SavedSessions } from '../../../src/runtime/coordinator/workers/saved-sessions.ts'
import { ManualClock } from '../../support/fake-network.ts'
import { line, startManual } from '../../support/manual-run.ts'

describe('the sessions of workers', () => {
  it('are saved some times a second, and less often if that takes long, so that it takes a hundredth of the time', async () => {
    const clock = new ManualClock()
    const saves: { readonly at: number; readonly workers: number }[] = []
    let savingMs = 0
    const save = ({ sessions }: SavedSessions) => {
      saves.push({ at: clock.now(), workers: sessions.length })
      clock.jump(savingMs)
    }
    const { join } = await startManual([line({ blocks: 100 })], { clock, sessions: { save } })
    const worker = await join()
    const work = async () => {
      const lease = worker.unfinished
      assert.ok(lease !== undefined)
      worker.finish(lease, 60_000)
      await clock.pass(0)
    }
    await clock.pass(200)
    assert.deepEqual(saves, [{ at: 200, workers: 1 }])
    savingMs = 20
    await work()
    await clock.pass(200)
    assert.deepEqual(saves.slice(1), [{ at: 400, workers: 1 }])
    // 20 ms have passed while it saved.
    await work()
    await clock.pass(1979)
    assert.equal(saves.length, 2)
    await clock.pass(1)
    assert.deepEqual(saves.slice(2), [{ at: 2380, workers: 1 }])
  })
})
