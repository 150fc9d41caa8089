import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { mapGridOf, PARTLY_DONE } from '../../../src/core/board/cell-map.ts'
import { RunBoard } from '../../../src/core/board/run-board.ts'
import { applyStates, encodeStates } from '../../../src/core/board/state-runs.ts'
import { roi } from '../../../src/core/geometry/roi.ts'
import { createScheduler, type Scheduler } from '../../../src/core/scheduling/scheduler.ts'
import type { SchedulerTask } from '../../../src/core/scheduling/scheduler-task.ts'
import { STATE_CODE, STATE_NAMES } from '../../../src/core/scheduling/state-map.ts'
import { anyPipeline } from '../../support/scheduling-model.ts'

const boardOf = (tasks: readonly SchedulerTask[]): RunBoard => {
  const board = new RunBoard(
    tasks.map(({ done: _, maxRetries: __, after = [], ...task }) => ({
      ...task,
      after: after.map((each) => (typeof each === 'string' ? each : each.id)),
    })),
  )
  board.begin(tasks.map(({ done }) => done))
  return board
}

/** The state of a page that receives only the changes. */
class Follower {
  readonly codes: Uint8Array[]
  readonly #board: RunBoard

  constructor(board: RunBoard, scheduler: Scheduler) {
    this.#board = board
    this.codes = scheduler.taskIds.map((id, task) => {
      const codes = new Uint8Array(scheduler.taskGrid(id).blockCount).fill(7)
      applyStates(codes, encodeStates(board.codes(task) ?? new Uint8Array()))
      return codes
    })
  }

  update(): void {
    for (const [task, codes] of this.codes.entries()) applyStates(codes, this.#board.collect(task))
  }
}

function assertSame(scheduler: Scheduler, follower: Follower, skipped: ReadonlySet<string>): void {
  for (const [task, id] of scheduler.taskIds.entries()) {
    const codes = follower.codes[task] as Uint8Array
    for (let index = 0; index < codes.length; index++) {
      const state = scheduler.blockState(id, index)
      const wanted = state === 'completed' && skipped.has(`${id}/${index}`) ? 'skipped' : state
      assert.equal(STATE_NAMES[codes[index] ?? -1], wanted, `${id}/${index}`)
    }
  }
}

describe('the board of a run', () => {
  it('always has every block in the same state as the scheduler of the run, even for a page that receives only the changes', () => {
    fc.assert(
      fc.property(
        anyPipeline({ done: true }),
        fc.boolean(),
        fc.array(fc.tuple(fc.nat(9), fc.nat(4)), { maxLength: 60 }),
        (plain, transient, steps) => {
          const tasks = plain.map((task) => ({ ...task, transient }))
          const scheduler = createScheduler(tasks, { maxRetries: 1 })
          const board = boardOf(tasks)
          const follower = new Follower(board, scheduler)
          const skipped = new Set<string>()
          for (const [task, id] of scheduler.taskIds.entries()) {
            for (const index of (follower.codes[task] as Uint8Array).keys()) {
              if (scheduler.blockState(id, index) === 'completed') skipped.add(`${id}/${index}`)
            }
          }
          assertSame(scheduler, follower, skipped)
          const held: { taskId: string; index: number }[] = []
          const doomed = new Set<string>()
          for (const [what, count] of steps) {
            if (what < 4) {
              for (const { taskId, index } of scheduler.acquire(undefined, count + 1)) {
                held.push({ taskId, index })
                board.lease(scheduler.taskIds.indexOf(taskId), index)
              }
            }
            const block = held.at(count % Math.max(1, held.length))
            if (what === 9 && count > 2) {
              const task = count === 3 ? undefined : tasks.length - 1
              scheduler.retry(task === undefined ? undefined : scheduler.taskIds[task])
              board.reopen({ failedOf: task })
            } else if (what === 9 && count === 0) {
              const id = scheduler.taskIds[0] as string
              scheduler.abandon(id)
              board.abandon(0)
            } else if (what === 9 && count === 1) {
              const [id] = scheduler.taskIds as [string]
              const { shape } = scheduler.taskGrid(id)
              const box = { start: shape.map(() => 0), end: shape.map((length) => Math.ceil(length / 2)) }
              const forgotten = new Set([...scheduler.taskGrid(id).indicesOf(box)].map((index) => `${id}/${index}`))
              for (const name of forgotten) skipped.delete(name)
              for (const { taskId, index } of held)
                if (forgotten.has(`${taskId}/${index}`)) doomed.add(`${taskId}/${index}`)
              scheduler.forget({ [id]: [box] })
              board.reopen({ boxes: [[box]] })
            } else if (what >= 4 && block !== undefined) {
              held.splice(held.indexOf(block), 1)
              // The run reports a forgotten block as returned, whatever its outcome was.
              const isDoomed = doomed.delete(`${block.taskId}/${block.index}`)
              end(scheduler, board, block, isDoomed ? 9 : what, skipped)
            }
            follower.update()
            // The run itself withholds blocks meanwhile.
            if (!scheduler.releaseForgotten()) continue
            assertSame(scheduler, follower, skipped)
            assert.deepEqual(board.counts, scheduler.states())
          }
        },
      ),
    )
  })

  it('shows the state of the record after the end, and no busy worker', () => {
    const line = { id: 'a', totalRoi: roi([0], [8]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), after: [] }
    const board = new RunBoard([line])
    board.begin([Uint8Array.of(0b11)])
    board.complete(0, 2, false)
    board.complete(0, 3, false)
    board.lease(0, 4)
    // Block 3 was no longer recorded. Block 5 was recorded, but never reported.
    board.settle([Uint8Array.of(0b100111)])
    const states = [...(board.codes(0) ?? [])].map((code) => STATE_NAMES[code])
    assert.deepEqual(states, ['skipped', 'skipped', 'completed', 'ready', 'ready', 'completed', 'ready', 'ready'])
    assert.equal(board.counts[0]?.skipped, 2)
  })

  it('has cells of several blocks for a task with too many blocks, and each cell counts the states of its blocks', () => {
    const far = {
      id: 'a',
      totalRoi: roi([0, 0], [4096, 4096]),
      readRoi: roi([0, 0], [1, 1]),
      writeRoi: roi([0, 0], [1, 1]),
    }
    const board = new RunBoard([{ ...far, after: [] }])
    const done = new Uint8Array(4096 * 512)
    // Two rows: cells are 8 × 16 or 16 × 8 blocks.
    done.fill(255, 0, 2 * 512)
    board.begin([done])
    const { cell } = mapGridOf(far)
    const [down = 0, across = 0] = cell
    assert.equal(down * across, 128)
    const [columns, first] = [4096 / across, board.codes(0) as Uint8Array]
    assert.equal(first.length, (4096 / down) * columns)
    assert.ok(first.subarray(0, columns).every((code) => code === PARTLY_DONE))
    assert.ok(first.subarray(columns).every((code) => code === STATE_CODE.ready))
    for (let row = 2; row < down; row++) {
      for (let column = 0; column < across; column++) board.complete(0, row * 4096 + column, false)
    }
    board.lease(0, 4096 * 4095)
    board.fail(0, 4096 * 4096 - 1)
    const codes = new Uint8Array(first.length)
    applyStates(codes, board.collect(0))
    assert.equal(codes[0], STATE_CODE.completed)
    assert.equal(codes[codes.length - columns], STATE_CODE.processing)
    assert.equal(codes.at(-1), STATE_CODE.failed)
    board.giveBack(0, 4096 * 4095)
    applyStates(codes, board.collect(0))
    assert.equal(codes[codes.length - columns], STATE_CODE.ready)
    // What lies outside of the grid does not matter.
    board.reopen({
      boxes: [
        [
          { start: [2, 0], end: [3, 1] },
          { start: [4095, 4000], end: [5000, 5000] },
        ],
      ],
    })
    applyStates(codes, board.collect(0))
    assert.deepEqual([codes[0], codes.at(-1)], [PARTLY_DONE, STATE_CODE.ready])
    board.complete(0, 2 * 4096, false)
    applyStates(codes, board.collect(0))
    assert.equal(codes[0], STATE_CODE.completed)
    board.settle([done])
    assert.deepEqual([board.counts[0]?.completed, board.counts[0]?.skipped], [2 * 4096, 2 * 4096])
    assert.equal(board.codes(0)?.[0], PARTLY_DONE)
  })

  it('ignores events that it does not understand', () => {
    const line = { id: 'a', totalRoi: roi([0], [3]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), after: [] }
    const board = new RunBoard([line])
    board.lease(0, 3)
    board.complete(1, 0, false)
    board.giveBack(0, 1)
    board.fail(0, -1)
    board.abandon(4)
    assert.deepEqual([...board.collect(0)], [])
    board.complete(0, 1, false)
    board.complete(0, 1, false)
    assert.equal(board.counts[0]?.completed, 1)
  })
})

/** Ends a leased block in any of the possible ways. */
function end(
  scheduler: Scheduler,
  board: RunBoard,
  block: { taskId: string; index: number },
  what: number,
  skipped: Set<string>,
): void {
  const task = scheduler.taskIds.indexOf(block.taskId)
  switch (what) {
    case 4:
    case 5:
    case 6:
      scheduler.release(block, 'done')
      board.complete(task, block.index, false)
      return
    case 7:
      scheduler.release(block, 'skipped')
      board.complete(task, block.index, true)
      skipped.add(`${block.taskId}/${block.index}`)
      return
    case 8:
      scheduler.release(block, 'failed')
      if (scheduler.blockState(block.taskId, block.index) === 'failed') board.fail(task, block.index)
      else board.giveBack(task, block.index)
      return
    default:
      scheduler.release(block, 'returned')
      board.giveBack(task, block.index)
  }
}
