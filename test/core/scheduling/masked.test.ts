import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunBoard } from '../../../src/core/board/run-board.ts'
import { BlockScheduler } from '../../../src/core/scheduling/block-scheduler.ts'

const row = (id: string, after: readonly string[] = []) => ({
  id,
  after,
  totalRoi: { offset: [0], shape: [10] },
  readRoi: { offset: [0], shape: [1] },
  writeRoi: { offset: [0], shape: [1] },
  readWriteConflict: false,
})
/** Blocks 2 to 9. */
const MASKED = Uint8Array.of(0b1111_1100, 0b11)
/** Blocks 0 and 2. */
const DONE = Uint8Array.of(0b101)

function doAll(scheduler: BlockScheduler): number[][] {
  const order: number[][] = []
  const out = new Float64Array(1)
  for (let task = scheduler.nextTask(); task >= 0; task = scheduler.nextTask()) {
    scheduler.acquireInto(task, 1, out)
    order.push([task, out[0] as number])
    scheduler.releaseMany(task, [out[0] as number], 1, 'done')
  }
  return order
}

describe('masked blocks', () => {
  it('are never handed out, count as completed, and apart from those that were done before', () => {
    const scheduler = new BlockScheduler([{ ...row('a'), done: Uint8Array.of(...DONE, 0), masked: MASKED }])
    const [before] = scheduler.counts()
    assert.deepEqual([before?.completed, before?.skipped, before?.masked], [9, 9, 7])
    assert.deepEqual(doAll(scheduler), [[0, 1]])
    const [after] = scheduler.counts()
    assert.deepEqual([after?.completed, after?.skipped, after?.masked, after?.total], [10, 9, 7, 10])
  })

  it('are done for the blocks of later tasks', () => {
    const scheduler = new BlockScheduler([{ ...row('a'), masked: MASKED }, row('b', ['a'])])
    const order = doAll(scheduler)
    assert.equal(order.filter(([task]) => task === 0).length, 2)
    assert.equal(order.filter(([task]) => task === 1).length, 10)
    assert.equal(scheduler.isFinished(), true)
    assert.equal('masked' in (scheduler.counts()[1] ?? {}), false)
  })

  it('are not done again when all blocks are', () => {
    const scheduler = new BlockScheduler([{ ...row('a'), masked: MASKED }])
    doAll(scheduler)
    const forgotten = scheduler.forgetting.forget([[{ start: [0], end: [10] }]])
    assert.deepEqual(forgotten, [{ task: 0, completed: 2, failed: 0, running: [] }])
    scheduler.forgetting.release()
    assert.deepEqual(
      doAll(scheduler).map(([, index]) => index),
      [0, 1],
    )
    assert.equal(scheduler.counts()[0]?.masked, 8)
  })

  it('have the same counts on the page of a run, also once its record decides', () => {
    const board = new RunBoard([row('a')])
    board.begin([Uint8Array.of(...DONE, 0)], [MASKED])
    assert.deepEqual([board.counts[0]?.completed, board.counts[0]?.masked], [9, 7])
    board.lease(0, 1)
    board.complete(0, 1, false)
    board.settle([Uint8Array.of(0b111, 0)])
    assert.deepEqual([board.counts[0]?.completed, board.counts[0]?.masked], [10, 7])
  })
})
