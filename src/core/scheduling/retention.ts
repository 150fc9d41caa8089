import { type ConflictOrder, isRowInside } from '../grid/conflicts.ts'
import { everyRow, isEmptyBox, splitIndex } from '../grid/index-box.ts'
import { type BlockStates, COMPLETED, FAILED, ORPHANED, PROCESSING, RELEASING } from './block-states.ts'
import { isIdle, isLeftOut } from './scheduler-task.ts'
import type { TaskLink } from './task-link.ts'

/** The parts of a task that a retention needs: which blocks wait for which. */
export interface RetainedTask {
  readonly number: number
  readonly total: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  readonly order: ConflictOrder
  readonly states: BlockStates
  readonly abandoned: boolean
  /** the upstream tasks */
  readonly upstream: readonly Linked[]
  /** the upstream tasks that have a retention, even if they were completely done at the start */
  readonly retained: readonly Linked[]
  readonly retention: Retention | undefined
  isReady(index: number): boolean
  readonly masked: Uint8Array | undefined
  readonly leftOut: Uint8Array | undefined
}

interface Linked<Task = RetainedTask> {
  readonly link: TaskLink
  readonly task: Task
}

/** Visits blocks while it returns true. */
type Visit<Task = RetainedTask> = (task: Task, index: number) => boolean

/**
 * The blocks of a task that others still wait for. A block is *held* from when it is handed out until all blocks that wait
 * for it have ended; at most `limit` are, except to avoid a deadlock. Nothing is stored per block: whether a block is still
 * awaited follows from the states of the blocks that may wait for it.
 */
export class Retention {
  /** How many blocks may be held. */
  readonly limit: number
  readonly isTransient: boolean
  held = 0
  /** Ready blocks that are handed out although the limit is reached: without them no block could proceed. */
  readonly wanted: number[] = []
  readonly #task: RetainedTask
  readonly #readers: Linked[] = []
  #unneeded: number[] = []

  constructor(task: RetainedTask, limit: number, isTransient: boolean) {
    this.#task = task
    this.limit = limit
    this.isTransient = isTransient
  }

  /** A task whose blocks wait for blocks of this one. */
  addReader(reader: Linked): void {
    this.#readers.push(reader)
  }

  get isHeldBack(): boolean {
    return this.held >= this.limit
  }

  /** A block is handed out. */
  begin(index: number): void {
    if (this.#isAwaited(index)) this.held++
  }

  /** A wanted block is about to be handed out. */
  dropWanted(index: number): void {
    const place = this.wanted.indexOf(index)
    if (place >= 0) this.wanted.splice(place, 1)
  }

  /** No block is wanted any more. */
  dropAllWanted(): void {
    this.wanted.length = 0
  }

  /** A block that was handed out is ready again, without having been done. */
  giveBack(index: number): void {
    if (this.#isAwaited(index)) this.held--
  }

  /** A block is completed. */
  complete(index: number): void {
    if (this.isTransient && this.isUnneeded(index)) this.#unneeded.push(index)
  }

  /** One of the blocks that wait for a block has just ended. */
  readerEnded(index: number): void {
    const cell = this.#task.states.peek(index)
    const hasStarted = cell === COMPLETED || cell === PROCESSING || cell === RELEASING || cell === FAILED
    if (!hasStarted || this.#isAwaited(index)) return
    this.held--
    if (this.isTransient && this.isUnneeded(index)) this.#unneeded.push(index)
  }

  /** Whether a block is completed, and all blocks that wait for it are done: those outside a mask may yet be, by a later start. */
  isUnneeded(index: number): boolean {
    const isDone: Visit = (task, other) => task.states.peek(other) === COMPLETED && !isIdle(task, other)
    const isCompleted = this.#task.states.peek(index) === COMPLETED && !isLeftOut(this.#task, index)
    return isCompleted && this.#everyReader(index, isDone)
  }

  /** The blocks that have become unneeded since the last call. */
  takeUnneeded(): number[] {
    const unneeded = this.#unneeded
    this.#unneeded = []
    return unneeded
  }

  /** Recounts the held blocks, one by one, and looks at the unneeded ones again. */
  recount(): void {
    this.#unneeded = this.#unneeded.filter((index) => this.isUnneeded(index))
    this.held = 0
    const { states, total } = this.#task
    for (let index = 0; index < total; index++) {
      const cell = states.peek(index)
      const hasStarted = cell === COMPLETED || cell === PROCESSING
      if (hasStarted && this.#isAwaited(index)) this.held++
    }
  }

  #isAwaited(index: number): boolean {
    return !this.#everyReader(index, hasEnded)
  }

  /** Whether all blocks that wait for a block, of other tasks and of the same one, pass a test. */
  #everyReader(index: number, test: Visit): boolean {
    return everyWaiting(this.#task, this.#readers, index, test)
  }
}

/** A block has ended: updates the retention of the blocks that it has waited for. */
export function notifyEnd(task: RetainedTask, index: number): void {
  const at: number[] = []
  splitIndex(index, task.shape, at)
  for (const { task: before, link } of task.retained) {
    everyBlock(before, link.awaitedBox(at, at), (_, other) => {
      before.retention?.readerEnded(other)
      return true
    })
  }
  if (task.retention === undefined) return
  everyNeighbour(task, index, at, 'earlier', (_, other) => {
    task.retention?.readerEnded(other)
    return true
  })
}

/**
 * Finds the ready blocks that an unfinished block waits for, directly or not. Those that are held back become wanted.
 * @returns whether there are any
 */
export function findWanted(task: RetainedTask, index: number): boolean {
  const seen = new Set<string>()
  const stack: [RetainedTask, number][] = [[task, index]]
  let found = false
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [run, block] = next
    const name = `${run.number}/${block}`
    if (seen.has(name) || hasEnded(run, block)) continue
    seen.add(name)
    if (run.isReady(block)) {
      run.retention?.wanted.push(block)
      found ||= run.retention !== undefined
      continue
    }
    everyAwaited(run, run.upstream, block, (before, other) => {
      stack.push([before, other])
      return true
    })
  }
  return found
}

/**
 * Visits the blocks that a block waits for while `visit` returns true: those of `upstream`, and of its own task.
 * @returns whether it always did
 */
export function everyAwaited<Task extends RetainedTask>(
  task: Task,
  upstream: readonly Linked<Task>[],
  index: number,
  visit: Visit<Task>,
): boolean {
  const at: number[] = []
  splitIndex(index, task.shape, at)
  return (
    upstream.every(({ task: before, link }) => everyBlock(before, link.awaitedBox(at, at), visit)) &&
    everyNeighbour(task, index, at, 'earlier', visit)
  )
}

/**
 * Visits the blocks that wait for a block while `visit` returns true: those of `readers`, and of its own task.
 * @returns whether it always did
 */
export function everyWaiting<Task extends RetainedTask>(
  task: Task,
  readers: readonly Linked<Task>[],
  index: number,
  visit: Visit<Task>,
): boolean {
  const at: number[] = []
  splitIndex(index, task.shape, at)
  return (
    readers.every(({ task: reader, link }) => {
      const start = at.map((k, axis) => link.firstWaiting(axis, k))
      const end = at.map((k, axis) => link.lastWaiting(axis, k) + 1)
      // `everyBlock` starts with the last block, because it usually ends last.
      return isEmptyBox({ start, end }) || everyBlock(reader, { start, end }, visit)
    }) && everyNeighbour(task, index, at, 'later', visit)
  )
}

/** Whether a block is completed, or will never be. */
export const hasEnded: Visit = (task, index) => {
  const cell = task.states.peek(index)
  if (cell === COMPLETED || cell === FAILED || cell === ORPHANED) return true
  return task.abandoned && cell !== PROCESSING && cell !== RELEASING
}

/** Visits the blocks of a box while `visit` returns true, the last one first. @returns whether it always did */
function everyBlock<Task extends RetainedTask>(
  task: Task,
  { start, end }: { readonly start: readonly number[]; readonly end: readonly number[] },
  visit: Visit<Task>,
): boolean {
  let isContinuing = true
  everyRow({ start, end }, task.strides, (first, beyond) => {
    for (let index = beyond - 1; index >= first && isContinuing; index--) isContinuing = visit(task, index)
    return isContinuing
  })
  return isContinuing
}

/** Visits the blocks of the same task that conflict with a block and whose level comes earlier, or later. */
function everyNeighbour<Task extends RetainedTask>(
  task: Task,
  index: number,
  at: readonly number[],
  which: 'earlier' | 'later',
  visit: Visit<Task>,
): boolean {
  const { order, shape } = task
  if (order.levelCount === 1) return true
  const last = shape.length - 1
  const { count, prefix, linear, low, high } = order.rows(order.levelAt(at), which)
  for (let row = 0; row < count; row++) {
    if (!isRowInside(at, prefix, row, shape)) continue
    const start = index + linear[row]! + Math.max(low[row]!, -at[last]!)
    const end = index + linear[row]! + Math.min(high[row]!, shape[last]! - 1 - at[last]!)
    for (let other = start; other <= end; other++) if (!visit(task, other)) return false
  }
  return true
}
