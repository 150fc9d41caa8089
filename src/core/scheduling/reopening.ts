import { COMPLETED, FAILED, ORPHANED, PAGE_SIZE, PENDING, PROCESSING, UNTOUCHED } from './block-states.ts'
import type { ReadySurface } from './ready-surface.ts'
import { everyAwaited, everyWaiting, hasEnded } from './retention.ts'
import type { TaskRun } from './task-run.ts'

/** What was opened again of a task. */
export interface Reopened {
  /** The number of the task. */
  readonly task: number
  /** The blocks that had failed, ascending. Their attempts count from the start. Some may be orphaned now. */
  readonly failed: readonly number[]
  /** How many other blocks are no longer orphaned. */
  readonly released: number
}

/** A block that is being opened again waits for at least one block: that is its cell until it is known for how many. */
export const OPENING = PENDING + 1

/** The blocks of one call that are opened again, by task. */
export type OpenBlocks = Map<TaskRun, number[]>

/** Opens blocks again that have ended without being completed. */
export class Reopening {
  /** Every task after those before it. */
  readonly #tasks: readonly TaskRun[]
  readonly #surface: ReadySurface
  readonly #onChange: () => void

  /** @param onChange called after every change */
  constructor(tasks: readonly TaskRun[], surface: ReadySurface, onChange: () => void) {
    this.#tasks = tasks
    this.#surface = surface
    this.#onChange = onChange
  }

  /**
   * Has failed blocks attempted again, and takes up again tasks that were abandoned. What was orphaned by them waits again, unless it also
   * depends on a block that stays failed.
   * @param only the number of a task @default all tasks
   * @returns one entry for each task of which anything was opened
   */
  retry(only?: number): Reopened[] {
    const open: OpenBlocks = new Map()
    const failed = new Map<TaskRun, readonly number[]>()
    const roots = new Map<TaskRun, number>()
    const revived = this.#revive(only)
    const spread: [TaskRun, number][] = []
    for (const task of this.#tasks) {
      if (revived.has(task)) roots.set(task, openAll(task, open, spread))
      if (only === undefined || task.number === only) failed.set(task, openFailed(task, open))
    }
    for (const [task, indices] of open) for (const index of indices) spread.push([task, index])
    openOrphans(spread, open)
    this.#loseAgain(open)
    for (const [task, indices] of open) for (const index of indices) settleBlock(task, index)
    for (const { retention } of this.#tasks) retention?.recount()
    this.#onChange()
    return this.#tasks.flatMap((task) => {
      const mine = failed.get(task) ?? []
      // One that had failed may be orphaned now: what it waits for was forgotten since, and failed itself.
      const isMine = new Set(mine)
      const others = (open.get(task) ?? []).filter(
        (index) => !isMine.has(index) && task.states.peek(index) !== ORPHANED,
      )
      const released = others.length + (roots.get(task) ?? 0)
      return mine.length + released > 0 ? [{ task: task.number, failed: mine, released }] : []
    })
  }

  /** The tasks that are no longer abandoned: those that were given up themselves, and those that only waited for them. */
  #revive(only: number | undefined): ReadonlySet<TaskRun> {
    const revived = new Set<TaskRun>()
    for (const task of this.#tasks) {
      const wasGivenUp = task.isGivenUp
      if (only === undefined || task.number === only) task.isGivenUp = false
      const isTakenUp = wasGivenUp && !task.isGivenUp
      const waited = !task.isGivenUp && task.upstream.some(({ task: up }) => revived.has(up))
      if (!task.abandoned || !(isTakenUp || waited)) continue
      task.abandoned = false
      revived.add(task)
    }
    return revived
  }

  /** Orphans what depends on a block that stays failed, orphaned or abandoned. */
  #loseAgain(open: OpenBlocks): void {
    for (const task of this.#tasks) {
      for (const index of open.get(task) ?? []) {
        if (task.states.peek(index) > PENDING && isLost(task, index)) this.#surface.orphan(task, index)
      }
    }
  }
}

function openFailed(task: TaskRun, open: OpenBlocks): number[] {
  const indices = task.failed === 0 ? [] : [...indicesWith(task, FAILED)]
  for (const index of indices) openBlock(task, index, open)
  task.failed -= indices.length
  return indices
}

/**
 * Opens every block of a task that was abandoned, except those that are done, failed or processing, and its roots: these need no change.
 * @param spread receives these roots, since blocks of other tasks were orphaned by them
 * @returns how many roots there are
 */
function openAll(task: TaskRun, open: OpenBlocks, spread: [TaskRun, number][]): number {
  let roots = 0
  task.orphaned = 0
  for (let index = 0; index < task.total; index++) {
    const cell = task.states.peek(index)
    if (cell === COMPLETED || cell === PROCESSING || cell === FAILED) continue
    if (cell === UNTOUCHED && task.awaited.count(index, 1) === 0) {
      roots++
      spread.push([task, index])
    } else openBlock(task, index, open)
  }
  return roots
}

export function openBlock(task: TaskRun, index: number, open: OpenBlocks): void {
  task.states.set(index, OPENING)
  task.openFrom = Math.min(task.openFrom, index)
  const mine = open.get(task)
  if (mine === undefined) open.set(task, [index])
  else mine.push(index)
}

/** Opens the orphans that wait for opened blocks, directly or not. @param spread the opened blocks; emptied */
export function openOrphans(spread: [TaskRun, number][], open: OpenBlocks): void {
  for (let next = spread.pop(); next !== undefined; next = spread.pop()) {
    const [opened, at] = next
    everyWaiting(opened, opened.downstream, at, (task, index) => {
      if (!task.abandoned && task.states.peek(index) === ORPHANED) {
        openBlock(task, index, open)
        task.orphaned--
        spread.push([task, index])
      }
      return true
    })
  }
}

/** Whether a block waits for one that will never be completed. */
export const isLost = (task: TaskRun, index: number): boolean =>
  !everyAwaited(task, task.upstream, index, (up, other) => up.states.peek(other) === COMPLETED || !hasEnded(up, other))

/** Gives an opened block the state that follows from those that it waits for. */
export function settleBlock(task: TaskRun, index: number): void {
  if (task.states.peek(index) <= PENDING) return
  let waits = task.redone.withheld.has(index) ? 1 : 0
  everyAwaited(task, task.upstream, index, (up, other) => {
    if (up.states.peek(other) !== COMPLETED) waits++
    return true
  })
  if (waits === 0) task.makeReady(index)
  else task.states.set(index, PENDING + waits)
}

/** The blocks of a task with this cell, ascending. */
function* indicesWith({ states, total }: TaskRun, cell: number): Generator<number> {
  for (const [number, page] of states.pages.entries()) {
    if (page === undefined) continue
    const start = number * PAGE_SIZE
    const length = Math.min(PAGE_SIZE, total - start)
    for (let at = page.indexOf(cell); at >= 0 && at < length; at = page.indexOf(cell, at + 1)) yield start + at
  }
}
