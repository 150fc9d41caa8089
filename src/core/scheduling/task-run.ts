import { ConfigError } from '../errors.ts'
import type { BlockGrid, BlockGridOptions } from '../grid/block-grid.ts'
import { createBlockGrid } from '../grid/block-grid.ts'
import { type ConflictOrder, createConflictOrder, isRowInside } from '../grid/conflicts.ts'
import { indexStrides, splitIndex } from '../grid/index-box.ts'
import { countClearBits, countSetBits } from './bitmap.ts'
import { BlockStates, COMPLETED, FAILED, MAX_BLOCKS, ORPHANED, PROCESSING, READY, UNTOUCHED } from './block-states.ts'
import { DoneAtStart, type PartlyDone } from './done-at-start.ts'
import { IndexQueue } from './index-queue.ts'
import { Retention } from './retention.ts'
import { RootCursor } from './root-cursor.ts'
import { TaskLink } from './task-link.ts'

/** A task as the scheduler is given it. */
export interface TaskDescription extends BlockGridOptions {
  readonly id: string
  /** bit i % 8 (lowest first) of byte floor(i / 8) says that block i is done already */
  readonly done?: Uint8Array
  readonly maxAhead?: number
  readonly transient?: boolean
}

/** One direction of "waits for" between two tasks. */
export interface LinkedTask {
  readonly link: TaskLink
  readonly task: TaskRun
}

/**
 * One task of a running scheduler: the state of its blocks, its counts and its ready blocks. What follows for other
 * blocks from one that ends is the ready surface's business.
 */
export class TaskRun {
  readonly number: number
  readonly id: string
  readonly maxRetries: number
  readonly grid: BlockGrid
  readonly order: ConflictOrder
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  readonly states: BlockStates
  /** tasks whose blocks this one's wait for, without those that were wholly done at the start */
  readonly upstream: readonly LinkedTask[]
  readonly downstream: LinkedTask[] = []
  /** what of it is still waited for, where that is asked for */
  readonly retention: Retention | undefined
  /** tasks before it that have a retention, those that were wholly done at the start, too */
  readonly retained: readonly LinkedTask[]
  /** whether the ends of its blocks matter to a retention */
  readonly endsAreTold: boolean
  /** failed tries of the few blocks that had any and have not ended */
  readonly tries = new Map<number, number>()
  readonly skippedAtStart: number
  processing = 0
  completed: number
  /** completed at the start, or found done when they were taken; counted inside `completed` */
  skipped: number
  failed = 0
  orphaned = 0
  abandoned = false
  /** something about its counts is new since somebody asked */
  changed = true
  readonly #queue = new IndexQueue()
  readonly #roots: RootCursor
  /** the task's bitmap when some of its blocks are done at the start */
  readonly #done: Uint8Array | undefined
  /** whether what is done at the start changes how many blocks a block waits for */
  readonly #startsPartly: boolean
  readonly #at: Float64Array
  /** blocks with the cell READY */
  #queued = 0
  #rootsTaken = 0
  #firstOpen = 0
  /** the root that goes next, when that is known: -1 when there is none any more */
  #nextRoot: number | undefined

  /** @param number its place among the scheduler's tasks @param upstream the tasks directly before this one */
  constructor(number: number, description: TaskDescription, maxRetries: number, upstream: readonly TaskRun[]) {
    this.number = number
    this.id = description.id
    this.maxRetries = maxRetries
    const grid = createBlockGrid({ ...description, taskId: description.id })
    if (grid.blockCount > MAX_BLOCKS) {
      throw new ConfigError(
        'TOO_MANY_BLOCKS',
        `Task "${this.id}" has ${grid.blockCount} blocks, and a run keeps the state of at most 2^39 (${MAX_BLOCKS}) per task; use larger blocks or several runs.`,
      )
    }
    this.grid = grid
    this.shape = grid.shape
    this.strides = indexStrides(grid.shape)
    this.order = createConflictOrder(grid.shape, grid.writeRoi.shape, grid.context, grid.readWriteConflict)
    const links = upstream.map((task) => ({ task, link: new TaskLink(task.grid, grid, [task.id, this.id]) }))
    const mostAwaited = links.reduce((sum, { link }) => sum + link.mostAwaited, this.order.mostEarlier)
    this.upstream = links.filter(({ task }) => task.skippedAtStart < task.grid.blockCount)
    this.retained = links.filter(({ task }) => task.retention !== undefined)
    for (const { task, link } of this.retained) task.retention?.addReader({ task: this, link })
    const { maxAhead, transient = false } = description
    const limit = maxAhead ?? Number.POSITIVE_INFINITY
    this.retention = maxAhead === undefined && !transient ? undefined : new Retention(this, limit, transient)
    this.endsAreTold = this.retention !== undefined || this.retained.length > 0

    const done = copyBitmap(description, grid.blockCount)
    this.skippedAtStart = done === undefined ? 0 : countSetBits(done, grid.blockCount)
    this.completed = this.skippedAtStart
    this.skipped = this.skippedAtStart
    this.#done = this.skippedAtStart === 0 ? undefined : done
    this.states = new BlockStates(grid.blockCount, mostAwaited, this.#done)
    this.#startsPartly = this.#done !== undefined || this.upstream.some(({ task }) => task.skippedAtStart > 0)
    this.#at = new Float64Array(this.shape.length)
    this.#roots = new RootCursor(
      grid,
      this.upstream.filter(({ task }) => task.skippedAtStart === 0).map(({ link }) => link.waiting),
      this.#startsPartly ? this.#whatIsDone() : undefined,
    )
  }

  get total(): number {
    return this.grid.blockCount
  }

  /** May go once over the blocks not done at the start: see `RootCursor.total`. */
  get ready(): number {
    return this.abandoned ? 0 : this.#queued + this.#roots.total() - this.#rootsTaken
  }

  get isFinished(): boolean {
    return this.completed + this.failed + this.orphaned === this.total
  }

  /** How many blocks `take` would give at least, and if it gives none, 0. */
  get available(): number {
    if (this.retention === undefined) return this.ready
    const { limit, held, wanted } = this.retention
    return Math.min(this.ready, Math.max(wanted.length, limit - held))
  }

  get hasReady(): boolean {
    if (this.retention?.isHeldBack) return !this.abandoned && this.retention.wanted.length > 0
    return !this.abandoned && (this.#queued > 0 || (this.#nextRoot ?? this.#findRoot()) >= 0)
  }

  /** Takes the ready block that goes next: one that became ready during the run before a further root. -1: there is none. */
  take(): number {
    return this.retention === undefined ? this.#takeAny() : this.#takeWithin(this.retention)
  }

  /** As `take`, as far as the task may be ahead of others. */
  #takeWithin(retention: Retention): number {
    if (this.abandoned) return -1
    const [wanted] = retention.wanted
    if (wanted !== undefined) return this.takeBlock(wanted) ? wanted : this.take()
    if (retention.isHeldBack) return -1
    const index = this.#takeAny()
    if (index >= 0) retention.begin(index)
    return index
  }

  #takeAny(): number {
    if (this.abandoned) return -1
    while (this.#queued > 0) {
      const index = this.#queue.shift()
      // Not READY: it was asked for by its index in the meantime.
      if (this.states.get(index) !== READY) continue
      this.#queued--
      return this.#start(index)
    }
    const root = this.#nextRoot ?? this.#findRoot()
    if (root < 0) return -1
    this.#takeRoot(root)
    return this.#start(root)
  }

  /** Takes this block if it is ready. */
  takeBlock(index: number): boolean {
    if (this.abandoned) return false
    this.#dropWanted(index)
    const cell = this.states.peek(index)
    if (cell === READY) this.#queued--
    else if (cell === UNTOUCHED && this.countAwaited(index, 1) === 0) this.#takeRoot(index)
    else return false
    this.#start(index)
    this.retention?.begin(index)
    return true
  }

  /** The first block that has not ended, or -1. */
  firstOpen(): number {
    if (this.isFinished || this.abandoned) return -1
    for (; this.#firstOpen < this.total; this.#firstOpen++) {
      const cell = this.states.peek(this.#firstOpen)
      if (cell !== COMPLETED && cell !== FAILED && cell !== ORPHANED) return this.#firstOpen
    }
    return -1
  }

  /** Whether a block could be taken, held back or not. */
  isReady(index: number): boolean {
    const cell = this.states.peek(index)
    return !this.abandoned && (cell === READY || (cell === UNTOUCHED && this.countAwaited(index, 1) === 0))
  }

  /** The cell of the block has to be READY, or become so. */
  makeReady(index: number): void {
    this.states.set(index, READY)
    this.enqueue(index)
  }

  /** For a block whose cell is READY already. */
  enqueue(index: number): void {
    this.#queue.push(index)
    this.#queued++
    this.changed = true
  }

  /** All blocks that have not ended and that nobody holds become orphans. */
  abandon(): void {
    this.orphaned += this.total - this.completed - this.failed - this.orphaned - this.processing
    this.abandoned = true
    this.changed = true
    this.#queue.clear()
    this.#queued = 0
  }

  /** How many blocks, here and upstream, that were not done at the start this one waits for; stops counting at `enough`. */
  countAwaited(index: number, enough = Number.POSITIVE_INFINITY): number {
    const at = this.#at
    splitIndex(index, this.shape, at)
    if (this.#startsPartly) return this.#countAwaitedPartly(index, at, enough)
    let count = this.order.levelCount === 1 ? 0 : this.order.countEarlier(at)
    for (const { link } of this.upstream) count += link.countAwaited(at)
    return count
  }

  /** How many blocks of a row were not done at the start. */
  countNotDone(begin: number, end: number): number {
    return this.#done === undefined ? end - begin : countClearBits(this.#done, begin, end)
  }

  #whatIsDone(): DoneAtStart {
    const partly = this.upstream.flatMap(({ link, task }): PartlyDone[] =>
      task.#done === undefined ? [] : [{ link, strides: task.strides, done: task.#done }],
    )
    return new DoneAtStart(this.grid, this.#done, partly, (index) => this.countAwaited(index, 1) === 0)
  }

  #countAwaitedPartly(index: number, at: ArrayLike<number>, enough: number): number {
    let count = 0
    if (this.#done === undefined) count = this.order.countEarlier(at)
    else if (this.order.levelCount > 1) {
      const last = at.length - 1
      const { count: rows, prefix, linear, low, high } = this.order.rows(this.order.levelAt(at), 'earlier')
      for (let row = 0; row < rows && count < enough; row++) {
        if (!isRowInside(at, prefix, row, this.shape)) continue
        const begin = index + linear[row]! + Math.max(low[row]!, -at[last]!)
        const end = index + linear[row]! + Math.min(high[row]!, this.shape[last]! - 1 - at[last]!) + 1
        if (begin < end) count += countClearBits(this.#done, begin, end)
      }
    }
    for (let u = 0; u < this.upstream.length && count < enough; u++) {
      const { link, task } = this.upstream[u]!
      if (task.skippedAtStart === 0) count += link.countAwaited(at)
      else
        link.eachAwaitedRow(at, task.strides, (begin, end) => {
          count += task.countNotDone(begin, end)
          return count < enough
        })
    }
    return count
  }

  /** The next root that was not taken by its index, or -1. */
  #findRoot(): number {
    let root = -1
    if (this.#roots.knownTotal !== this.#rootsTaken) {
      root = this.#roots.peek()
      while (root >= 0 && this.states.peek(root) !== UNTOUCHED) {
        this.#roots.pass()
        root = this.#roots.peek()
      }
    }
    this.#nextRoot = root
    return root
  }

  #takeRoot(root: number): void {
    this.#rootsTaken++
    if (root !== this.#nextRoot) return
    this.#roots.pass()
    this.#nextRoot = undefined
  }

  #dropWanted(index: number): void {
    const place = this.retention?.wanted.indexOf(index) ?? -1
    if (place >= 0) this.retention?.wanted.splice(place, 1)
  }

  #start(index: number): number {
    this.states.set(index, PROCESSING)
    this.processing++
    this.changed = true
    return index
  }
}

/** A copy that begins at the start of its buffer and that nobody changes later. */
function copyBitmap({ id, done }: TaskDescription, blockCount: number): Uint8Array | undefined {
  if (done === undefined) return undefined
  if (!(done instanceof Uint8Array)) {
    throw new ConfigError('INVALID_TASK', `Task "${id}": "done" must be a Uint8Array with one bit per block.`)
  }
  const length = Math.ceil(blockCount / 8)
  if (done.length < length) {
    throw new ConfigError(
      'INVALID_TASK',
      `Task "${id}": the bitmap of done blocks has ${done.length} bytes, and ${blockCount} blocks need ${length}.`,
    )
  }
  const copy = new Uint8Array(length)
  copy.set(done.subarray(0, length))
  return copy
}
