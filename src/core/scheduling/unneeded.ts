import { rowMajorStrides } from '../array/strides.ts'
import { createBlockGrid } from '../grid/block-grid.ts'
import { everyRow, isEmptyBox, splitIndex } from '../grid/index-box.ts'
import { nextClearBit } from './bitmap.ts'
import type { TaskOrder } from './pipeline.ts'
import type { SchedulerTask } from './scheduler-task.ts'
import { TaskLink } from './task-link.ts'

/**
 * The blocks that count as done at the start: those that are done and, for a transient task, those needed only by blocks that
 * are done themselves. The output of such a block may have been removed, and no block needs it.
 * @returns a bitmap per task, undefined if nothing is done
 */
export function doneOrUnneeded(tasks: readonly SchedulerTask[], order: TaskOrder): (Uint8Array | undefined)[] {
  const done = tasks.map((task) => task.done)
  for (const number of order.topological.toReversed()) {
    const task = tasks[number]!
    const after = order.downstream[number]!
    if (!task.transient || after.length === 0 || after.every((each) => done[each] === undefined)) continue
    const grid = createBlockGrid({ ...task, taskId: task.id })
    // If the blocks of a task wait for each other, they may also be needed by blocks of the same task.
    if (grid.levelCount > 1) continue
    const readers = after.map((each) => {
      const down = createBlockGrid({ ...tasks[each]!, taskId: tasks[each]!.id })
      return {
        link: new TaskLink(grid, down, [task.id, tasks[each]!.id]),
        strides: rowMajorStrides(down.shape),
        number: each,
      }
    })
    const own = new Uint8Array(Math.ceil(grid.blockCount / 8))
    own.set((task.done ?? own).subarray(0, own.length))
    const at: number[] = []
    for (let index = -1; (index = nextClearBit(own, index + 1, grid.blockCount)) < grid.blockCount; ) {
      splitIndex(index, grid.shape, at)
      let isRead = false
      let isLeft = false
      for (const { link, strides, number: each } of readers) {
        const start = at.map((k, axis) => link.firstWaiting(axis, k))
        const end = at.map((k, axis) => link.lastWaiting(axis, k) + 1)
        if (isEmptyBox({ start, end })) continue
        isRead = true
        const bitmap = done[each]
        everyRow({ start, end }, strides, (first, beyond) => {
          isLeft ||= bitmap === undefined || nextClearBit(bitmap, first, beyond) < beyond
          return !isLeft
        })
        if (isLeft) break
      }
      if (isRead && !isLeft) own[(index - (index & 7)) / 8]! |= 1 << (index & 7)
    }
    done[number] = own
  }
  return done
}
