import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CellMap, type KnownBlocks, mapGridOf } from '../../../src/core/board/cell-map.ts'
import { RunBoard } from '../../../src/core/board/run-board.ts'
import { BlockScheduler } from '../../../src/core/scheduling/block-scheduler.ts'
import { STATE_CODE } from '../../../src/core/scheduling/state-map.ts'

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

/** What was unneeded, in order, when blocks of b ended. */
function unneededOf(scheduler: BlockScheduler): number[] {
  doAll(scheduler)
  return scheduler.task(0).retention?.takeUnneeded() ?? []
}

describe('blocks that are left out', () => {
  const LEFT_OUT = MASKED

  it('are never handed out, hold up no others, and count neither as completed nor as pending', () => {
    const scheduler = new BlockScheduler([{ ...row('a'), done: Uint8Array.of(...DONE, 0), leftOut: LEFT_OUT }])
    const [before] = scheduler.counts()
    assert.deepEqual([before?.completed, before?.skipped, before?.leftOut, before?.ready], [2, 2, 7, 1])
    assert.deepEqual(doAll(scheduler), [[0, 1]])
    const [after] = scheduler.counts()
    assert.deepEqual([after?.completed, after?.pending, after?.leftOut, after?.total], [3, 0, 7, 10])
    assert.equal(scheduler.isFinished(), true)
  })

  it('are not forgotten with others, since they are not done', () => {
    const scheduler = new BlockScheduler([{ ...row('a'), leftOut: LEFT_OUT }])
    doAll(scheduler)
    const forgotten = scheduler.forgetting.forget([[{ start: [0], end: [10] }]])
    assert.deepEqual(forgotten, [{ task: 0, completed: 2, failed: 0, running: [] }])
  })

  it('keep what they will read of a transient task, as blocks outside a mask do', () => {
    for (const idle of [{ leftOut: LEFT_OUT }, { masked: MASKED }]) {
      const scheduler = new BlockScheduler([
        { ...row('a'), transient: true },
        { ...row('b', ['a']), ...idle },
      ])
      assert.deepEqual(unneededOf(scheduler).sort(), [0, 1])
    }
    const all = new BlockScheduler([{ ...row('a'), transient: true }, row('b', ['a'])])
    assert.equal(unneededOf(all).length, 10)
  })

  it('are shown apart on the page of a run, whose single blocks or cells they are', () => {
    const board = new RunBoard([row('a')])
    board.begin([Uint8Array.of(...DONE, 0)], [{ leftOut: LEFT_OUT }])
    assert.deepEqual([board.counts[0]?.completed, board.counts[0]?.leftOut], [2, 7])
    const { skipped, ready, leftOut, masked, pending } = STATE_CODE
    assert.deepEqual([...(board.codes(0) ?? [])], [skipped, ready, skipped, ...Array(7).fill(leftOut)])
    const cellsOf = (known: KnownBlocks) =>
      new CellMap(row('a'), mapGridOf(row('a'), 0, 5), known, (index) => (index < 2 ? ready : STATE_CODE.completed))
        .codes
    assert.deepEqual([...cellsOf({ leftOut: LEFT_OUT })], [ready, ...Array(4).fill(leftOut)])
    assert.deepEqual([...cellsOf({ masked: MASKED })], [ready, ...Array(4).fill(masked)])
    // Of the second cell, the first block is left out, and the other is not done.
    assert.equal(cellsOf({ leftOut: Uint8Array.of(0b100, 0) })[1], pending)
  })
})

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
    board.begin([Uint8Array.of(...DONE, 0)], [{ masked: MASKED }])
    assert.deepEqual([board.counts[0]?.completed, board.counts[0]?.masked], [9, 7])
    board.lease(0, 1)
    board.complete(0, 1, false)
    board.settle([Uint8Array.of(0b111, 0)])
    assert.deepEqual([board.counts[0]?.completed, board.counts[0]?.masked], [10, 7])
    const { skipped, completed, masked } = STATE_CODE
    assert.deepEqual([...(board.codes(0) ?? [])], [skipped, completed, skipped, ...Array(7).fill(masked)])
  })
})
