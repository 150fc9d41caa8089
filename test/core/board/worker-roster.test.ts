import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { WorkerRoster } from '../../../src/core/board/worker-roster.ts'

const started = { type: 'worker-started', workerId: 'w1', pid: 7, host: 'here' } as const

describe('the workers of a run', () => {
  it('are busy for the time that their blocks took, including the current one', () => {
    const roster = new WorkerRoster()
    roster.note(started, 1000)
    roster.lease('w1', 0, [4, 5], 1000)
    roster.report('w1', { count: 1, completed: 1, ms: 3000 }, 4500)
    const [busy] = roster.summary(6000).workers
    assert.deepEqual(
      [busy?.status, busy?.block, busy?.done, busy?.seconds, busy?.workingSeconds],
      ['busy', 5, 1, 5, 4.5],
    )
    roster.report('w1', { count: 1, completed: 1, ms: 1500 }, 6000)
    const [idle] = roster.summary(11_000).workers
    assert.deepEqual([idle?.status, idle?.seconds, idle?.workingSeconds], ['idle', 10, 4.5])
  })

  it('have the peak memory that they have reported, while they are running', () => {
    const roster = new WorkerRoster()
    roster.note(started, 1000)
    assert.equal(roster.summary(1500).workers[0]?.peakMemory, undefined)
    const used = { type: 'worker-usage', workerId: 'w1', readBytes: 0, writtenBytes: 0, peakMemory: 96e6 } as const
    roster.note(used, 2000)
    assert.equal(roster.summary(3000).workers[0]?.peakMemory, 96e6)
  })

  it('keep their numbers when they have ended, with what they used', () => {
    const roster = new WorkerRoster()
    roster.note(started, 1000)
    const use = {
      workerId: 'w1',
      host: 'here',
      blocks: 2,
      seconds: 4,
      workingSeconds: 3,
      readBytes: 0,
      writtenBytes: 0,
    }
    roster.end('w1', 5000, { use: { ...use, peakMemory: 128e6 } })
    const [ended] = roster.summary(60_000).workers
    assert.deepEqual([ended?.status, ended?.seconds, ended?.workingSeconds, ended?.peakMemory], ['ended', 4, 3, 128e6])
  })

  it('are never busy for longer than they have been there', () => {
    const roster = new WorkerRoster()
    roster.note(started, 1000)
    roster.lease('w1', 0, [0], 1000)
    roster.report('w1', { count: 1, completed: 1, ms: 9000 }, 2000)
    assert.equal(roster.summary(2000).workers[0]?.workingSeconds, 1)
  })
})
