import { type BlockGrid, createBlockGrid } from '../grid/block-grid.ts'
import type { IndexBox } from '../grid/index-box.ts'
import { TaskLink } from '../scheduling/task-link.ts'
import { type GridGrowth, gridGrowth, unchangedBox, type VolumeGrowth } from './grid-growth.ts'

/** A task of a chain whose volume may have grown. */
export interface GrowingTask {
  readonly id: string
  /** The grid of its record. */
  readonly before: BlockGrid
  readonly after: BlockGrid
  /** The places of the tasks before it, in the list of tasks. */
  readonly upstream: readonly number[]
  readonly isTransient: boolean
  /** Whether a block depends on nothing but the voxels that it reads. */
  readonly isGrowable: boolean
  /** What it reads that no task of the run writes, as far as it is known how large that was. */
  readonly inputs: readonly VolumeGrowth[]
}

/** What of a task's record is carried over to its new grid. */
export interface CarriedTask {
  readonly growth: GridGrowth
  /** The blocks of the new grid that are done if they were. */
  readonly box: IndexBox
}

/**
 * What is carried over when the volumes of a chain have grown: the blocks whose output is what it would be if they were done now, and which no
 * block that is done again needs from an array whose chunks may have been removed.
 * @param tasks each after those before it
 * @returns a task and the reason, for people, if its blocks can't be carried over
 */
export function carryOver(
  tasks: readonly GrowingTask[],
): readonly CarriedTask[] | { readonly task: string; readonly reason: string } {
  const carried: { growth: GridGrowth; start: number[]; end: number[] }[] = []
  for (const { id, before, after, isGrowable, inputs } of tasks) {
    const growth = isGrowable ? gridGrowth(before, after) : DEPENDS
    if (typeof growth === 'string') return { task: id, reason: growth }
    const box = unchangedBox(growth, inputs)
    carried.push({ growth, start: [...box.start], end: [...box.end] })
  }
  for (const [number, { after }] of tasks.entries()) {
    for (const other of allUpstream(tasks, number)) {
      const link = linkOf(tasks, other, number)
      // Only those that read no block upstream that is done again.
      keepWithin(carried[other] as IndexBox, carried[number] as MutableBox, after, {
        first: (axis, k) => link.firstAwaited(axis, k),
        last: (axis, k) => link.lastAwaited(axis, k),
      })
    }
  }
  for (const number of [...tasks.keys()].reverse()) {
    for (const other of (tasks[number] as GrowingTask).upstream) {
      const { isTransient, after } = tasks[other] as GrowingTask
      if (!isTransient) continue
      const link = linkOf(tasks, other, number)
      // Only those that no block downstream reads that is done again.
      keepWithin(carried[number] as IndexBox, carried[other] as MutableBox, after, {
        first: (axis, k) => link.firstWaiting(axis, k),
        last: (axis, k) => link.lastWaiting(axis, k),
      })
    }
  }
  return carried.map(({ growth, start, end }) => ({ growth, box: { start, end } }))
}

/** The grid of a record. @param options as JSON, as it was recorded @throws ConfigError if it is not valid */
export const recordedGrid = (options: string, taskId: string): BlockGrid =>
  createBlockGrid({ ...(JSON.parse(options) as Parameters<typeof createBlockGrid>[0]), taskId })

const DEPENDS = 'its blocks depend on more than what they read: on their numbers, or on the whole volume'

interface MutableBox {
  readonly start: number[]
  readonly end: number[]
}

const linkOf = (tasks: readonly GrowingTask[], up: number, down: number): TaskLink => {
  const [first, second] = [tasks[up], tasks[down]] as [GrowingTask, GrowingTask]
  return new TaskLink(first.after, second.after, [first.id, second.id])
}

/** The places of all tasks that a task follows, directly or not: it may read what comes before the tasks that it waits for. */
function allUpstream(tasks: readonly GrowingTask[], number: number): Set<number> {
  const found = new Set<number>()
  const add = (at: number): void => {
    for (const before of (tasks[at] as GrowingTask).upstream) {
      if (!found.has(before)) add(before)
      found.add(before)
    }
  }
  add(number)
  return found
}

/** The blocks of another task with which one has to do, by its place along an axis. */
interface Related {
  first(axis: number, k: number): number
  last(axis: number, k: number): number
}

/** Cuts a box of blocks to those that have to do only with blocks in the box of another task; they lie together. */
function keepWithin(others: IndexBox, mine: MutableBox, { shape }: BlockGrid, related: Related): void {
  for (const axis of shape.keys()) {
    const isKept = (k: number) =>
      related.first(axis, k) >= (others.start[axis] as number) && related.last(axis, k) < (others.end[axis] as number)
    let [low, high] = [mine.start[axis] as number, mine.end[axis] as number]
    while (low < high && !isKept(low)) low++
    while (high > low && !isKept(high - 1)) high--
    mine.start[axis] = low
    mine.end[axis] = high
  }
}
