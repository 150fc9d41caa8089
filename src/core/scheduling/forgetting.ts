import type { IndexBox } from '../grid/index-box.ts'
import { COMPLETED, FAILED, PENDING, PROCESSING, READY, UNTOUCHED } from './block-states.ts'
import type { ReadySurface } from './ready-surface.ts'
import type { RedoneBlocks } from './redone-blocks.ts'
import { isLost, OPENING, type OpenBlocks, openBlock, openOrphans, settleBlock } from './reopening.ts'
import { everyWaiting } from './retention.ts'
import { isIdle } from './scheduler-task.ts'
import type { TaskRun } from './task-run.ts'

/** What was forgotten of a task. */
export interface ForgottenBlocks {
  /** The number of the task. */
  readonly task: number
  /** How many blocks were completed. */
  readonly completed: number
  /** How many had failed. */
  readonly failed: number
  /** The blocks that are running: whatever their outcome is, they are done again. */
  readonly running: readonly number[]
}

/**
 * Forgets blocks during a run, so that they are done again. Those that had started are withheld until no block is running that was
 * forgotten itself, or that has read or may conflict with one that was: so none of them starts while its former output is being read or
 * written. All others go on.
 */
export class Forgetting {
  /** Every task after those before it. */
  readonly #tasks: readonly TaskRun[]
  readonly #surface: ReadySurface
  readonly #onChange: () => void
  /** By the number of the task. */
  readonly #redone: RedoneBlocks[] = []

  /** @param onChange called after every change */
  constructor(tasks: readonly TaskRun[], surface: ReadySurface, onChange: () => void) {
    this.#tasks = tasks
    this.#surface = surface
    this.#onChange = onChange
    for (const { number, redone } of tasks) this.#redone[number] = redone
  }

  /** Whether no running block keeps the withheld ones back. */
  get isClear(): boolean {
    return this.#redone.every((redone) => redone.running === 0)
  }

  /** Whether a block is running that was forgotten, so that its outcome does not count. */
  isDoomed(task: number, index: number): boolean {
    return this.#redone[task]?.doomed.has(index) === true
  }

  /**
   * Forgets blocks that have started. Blocks that wait for them, and are not forgotten, wait again, unless they are completed or running.
   * @param boxes the blocks to forget, by the number of the task
   * @param withholds whether forgotten blocks are withheld until `release` @default true
   * @returns one entry for each task of which a block was completed, failed or running
   */
  forget(boxes: readonly (readonly IndexBox[])[], withholds = true): ForgottenBlocks[] {
    const open: OpenBlocks = new Map()
    const forgotten: ForgottenBlocks[] = []
    for (const task of this.#tasks) {
      const mine = forgetBlocks(task, boxes[task.number] ?? [], open, withholds)
      if (mine.completed + mine.failed + mine.running.length > 0) forgotten.push(mine)
    }
    const spread: [TaskRun, number][] = []
    for (const [task, indices] of open) {
      for (const index of indices) {
        holdDependents(task, index)
        spread.push([task, index])
      }
    }
    openOrphans(spread, open)
    this.#lose(open)
    for (const [task, indices] of open) {
      if (!task.abandoned) for (const index of indices) settleBlock(task, index)
    }
    for (const { retention } of this.#tasks) {
      retention?.dropAllWanted()
      retention?.recount()
    }
    this.#onChange()
    return forgotten
  }

  /** Lets the withheld blocks start; to be called only while `isClear`. */
  release(): void {
    for (const task of this.#tasks) {
      for (const index of task.redone.withheld) {
        const cell = task.states.peek(index)
        if (cell <= PENDING || task.abandoned) continue
        if (cell === PENDING + 1) task.makeReady(index)
        else task.states.set(index, cell - 1)
      }
      task.redone.withheld.clear()
    }
    this.#onChange()
  }

  /** Orphans what depends on a block that is failed, orphaned or abandoned. */
  #lose(open: OpenBlocks): void {
    for (const task of this.#tasks) {
      for (const index of open.get(task) ?? []) {
        if (task.abandoned) this.#surface.orphanDependents(task, index)
        else if (task.states.peek(index) > PENDING && isLost(task, index)) this.#surface.orphan(task, index)
      }
    }
  }
}

function forgetBlocks(
  task: TaskRun,
  boxes: readonly IndexBox[],
  open: OpenBlocks,
  withholds: boolean,
): ForgottenBlocks {
  const { redone, states } = task
  const running = new Set<number>()
  let completed = 0
  let failed = 0
  for (const box of boxes) {
    for (const index of task.grid.indicesOf(box)) {
      const cell = states.peek(index)
      if (cell === PROCESSING) {
        running.add(index)
        redone.unsettled.delete(index)
        redone.doomed.add(index)
      } else if (cell === COMPLETED) {
        if (isIdle(task, index)) continue
        completed++
        if (redone.forget(index)) task.skipped--
        states.reopen(index, OPENING)
        openBlock(task, index, open)
      } else if (cell === FAILED) {
        failed++
        openBlock(task, index, open)
      } else {
        task.failures.delete(index)
        continue
      }
      if (withholds) redone.withheld.add(index)
    }
  }
  task.completed -= completed
  task.failed -= failed
  if (task.abandoned) task.orphaned += completed + failed
  return { task: task.number, completed, failed, running: [...running].sort((a, b) => a - b) }
}

/** The blocks that wait for a block wait for one more, now that it is open again. */
function holdDependents(task: TaskRun, index: number): void {
  everyWaiting(task, task.downstream, index, (down, other) => {
    const cell = down.states.peek(other)
    if (cell > PENDING) down.states.set(other, cell + 1)
    else if (cell === PROCESSING) {
      if (!down.redone.doomed.has(other)) down.redone.unsettled.add(other)
    } else if (cell === READY) {
      // The queue of a task that was abandoned is empty.
      if (!down.abandoned) down.ready.takeBlock(other, true)
      down.states.set(other, PENDING + 1)
    } else if (cell === UNTOUCHED) {
      // Nothing that it waits for has been completed during the run, so the forgotten block was done at the start.
      const waits = down.awaited.count(other)
      if (waits === 0) down.ready.takeBlock(other, false)
      down.states.set(other, PENDING + waits + 1)
    }
    return true
  })
}
