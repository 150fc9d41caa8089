import { isRowInside } from '../grid/conflicts.ts'
import { splitIndex } from '../grid/index-box.ts'
import {
  type Cells,
  COMPLETED,
  ORPHANED,
  PAGE_MASK,
  PAGE_SIZE,
  PENDING,
  PROCESSING,
  READY,
  UNTOUCHED,
} from './block-states.ts'
import { notifyEnd } from './retention.ts'
import type { LinkedTask, TaskRun } from './task-run.ts'

/**
 * The effects of a block's end on the blocks that wait for it: they come one step closer to ready, or are orphaned. Blocks that
 * wait for an unfinished block are pending (or orphaned, or were done at the start), so nothing here ever meets a block
 * that is ready or processing.
 */
export class ReadySurface {
  // Orphans whose own dependents are still to be visited.
  readonly #stackTasks: TaskRun[] = []
  readonly #stackIndices: number[] = []
  // Coordinates as doubles, so that the same code serves a hundred blocks per axis and 10^12 in one.
  readonly #at: Float64Array
  readonly #first: Float64Array
  readonly #last: Float64Array
  readonly #place: Float64Array

  /** @param rank that of the task with the most axes */
  constructor(rank: number) {
    this.#at = new Float64Array(rank)
    this.#first = new Float64Array(rank)
    this.#last = new Float64Array(rank)
    this.#place = new Float64Array(rank)
  }

  /** A block has completed: its dependents wait for one block less. */
  complete(task: TaskRun, index: number): void {
    task.states.complete(index)
    this.#visitDependents(task, index, false)
  }

  /** A block has failed or was orphaned: orphans all blocks that wait for it, directly or not. @returns how many */
  orphanDependents(task: TaskRun, index: number): number {
    this.#visitDependents(task, index, true)
    return this.#orphanStacked()
  }

  /**
   * Abandons a task: orphans its blocks that are not held, and the blocks that wait for these.
   * Costs nothing per block if a downstream task is abandoned completely, otherwise one visit per downstream block.
   */
  abandon(task: TaskRun): void {
    if (task.abandoned) return
    task.abandon()
    for (const { task: down, link } of task.downstream) {
      if (down.abandoned) continue
      // Every block there waits for a block here, and no block here will ever complete.
      if (task.completed + task.processing === 0 && link.coversAll) this.abandon(down)
      else this.#orphanWaiting(task, { task: down, link })
    }
  }

  /** Orphans a block, and all that wait for it. */
  orphan(task: TaskRun, index: number): void {
    this.#orphan(task, index)
    this.#orphanStacked()
  }

  #orphanWaiting(up: TaskRun, { task: down, link }: LinkedTask): void {
    const at = down.shape.map(() => 0)
    for (const index of down.grid.indicesOf(link.waiting)) {
      if (down.abandoned) return
      const cell = down.states.peek(index)
      if (cell !== UNTOUCHED && cell <= PENDING) continue
      splitIndex(index, down.shape, at)
      let isLost = false
      link.eachAwaitedRow(at, up.strides, (start, end) => {
        for (let k = start; k < end && !isLost; k++) {
          const state = up.states.peek(k)
          isLost = state !== COMPLETED && state !== PROCESSING
        }
        return !isLost
      })
      if (!isLost) continue
      this.orphan(down, index)
    }
  }

  #orphanStacked(): number {
    let count = 0
    for (let task = this.#stackTasks.pop(); task !== undefined; task = this.#stackTasks.pop()) {
      this.#visitDependents(task, this.#stackIndices.pop()!, true)
      count++
    }
    return count
  }

  #orphan(task: TaskRun, index: number): void {
    task.states.set(index, ORPHANED)
    task.orphaned++
    if (task.affectsRetention) notifyEnd(task, index)
    this.#stackTasks.push(task)
    this.#stackIndices.push(index)
  }

  #visitDependents(task: TaskRun, index: number, orphaning: boolean): void {
    const inside = task.order.levelCount > 1 && !task.abandoned
    if (!inside && task.downstream.length === 0) return
    splitIndex(index, task.shape, this.#at)
    if (inside) this.#visitNeighbours(task, index, orphaning)
    for (let d = 0; d < task.downstream.length; d++) {
      const linked = task.downstream[d]!
      if (!linked.task.abandoned) this.#visitWaiting(linked, orphaning)
    }
  }

  /** The blocks of the same task that conflict with it and whose level comes later. */
  #visitNeighbours(task: TaskRun, index: number, orphaning: boolean): void {
    const at = this.#at
    const { shape, order } = task
    const last = shape.length - 1
    const toLow = -at[last]!
    const toHigh = shape[last]! - 1 - at[last]!
    const cut = !order.isInterior(at)
    const { count, prefix, linear, low, high } = order.rows(order.levelAt(at), 'later')
    for (let row = 0; row < count; row++) {
      let start = low[row]!
      let end = high[row]!
      if (cut) {
        if (!isRowInside(at, prefix, row, shape)) continue
        start = Math.max(start, toLow)
        end = Math.min(end, toHigh)
        if (start > end) continue
      }
      if (orphaning) this.#orphanRow(task, index + linear[row]! + start, end - start + 1)
      else approachRow(task, index + linear[row]! + start, end - start + 1)
    }
  }

  /** The blocks of a downstream task that wait for the block at `#at`: a box, row by row. */
  #visitWaiting({ task, link }: LinkedTask, orphaning: boolean): void {
    const first = this.#first
    const last = this.#last
    const end = task.shape.length - 1
    let row = 0
    for (let axis = 0; axis <= end; axis++) {
      first[axis] = link.firstWaiting(axis, this.#at[axis]!)
      last[axis] = link.lastWaiting(axis, this.#at[axis]!)
      if (first[axis]! > last[axis]!) return
      row += first[axis]! * task.strides[axis]!
    }
    const length = last[end]! - first[end]! + 1
    const place = this.#place
    for (let axis = 0; axis < end; axis++) place[axis] = 0
    for (;;) {
      if (orphaning) this.#orphanRow(task, row, length)
      else approachRow(task, row, length)
      let axis = end - 1
      for (; axis >= 0; axis--) {
        row += task.strides[axis]!
        if (first[axis]! + ++place[axis]! <= last[axis]!) break
        row -= place[axis]! * task.strides[axis]!
        place[axis] = 0
      }
      if (axis < 0) return
    }
  }

  /** `count` blocks in a row wait for a block that never completes. */
  #orphanRow(task: TaskRun, start: number, count: number): void {
    for (let index = start; index < start + count; index++) {
      const cell = task.states.get(index)
      if (cell === UNTOUCHED || cell > PENDING) this.#orphan(task, index)
    }
  }
}

/** `count` blocks in a row wait for one block less. */
function approachRow(task: TaskRun, start: number, count: number): void {
  const low = start & PAGE_MASK
  const end = low + count
  if (end > PAGE_SIZE) {
    approachRow(task, start, PAGE_SIZE - low)
    approachRow(task, start + PAGE_SIZE - low, end - PAGE_SIZE)
    return
  }
  const cells = task.states.page((start / PAGE_SIZE) | 0)
  for (let place = low; place < end; place++) {
    const cell = cells[place]!
    if (cell > PENDING + 1) cells[place] = cell - 1
    else if (cell === PENDING + 1 || cell === UNTOUCHED) approachFirstOrLast(task, cells, place, start + place - low)
  }
}

/** The first, or the last, of the blocks that a block waits for has completed. */
function approachFirstOrLast(task: TaskRun, cells: Cells, place: number, index: number): void {
  const waits = cells[place] === UNTOUCHED ? task.awaited.count(index) - 1 : 0
  cells[place] = waits === 0 ? READY : PENDING + waits
  if (waits === 0) task.enqueue(index)
}
