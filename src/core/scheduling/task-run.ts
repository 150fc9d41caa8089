import { rowMajorStrides } from '../array/strides.ts'
import { ConfigError } from '../errors.ts'
import type { TaskCounts } from '../events.ts'
import { type BlockGrid, createBlockGrid } from '../grid/block-grid.ts'
import { ConflictOrder } from '../grid/conflicts.ts'
import { countSetBits } from './bitmap.ts'
import { BlockStates, COMPLETED, FAILED, MAX_BLOCKS, ORPHANED, PROCESSING, READY, UNTOUCHED } from './block-states.ts'
import { AwaitedBlocks, asUpstream } from './ready/awaited-blocks.ts'
import { ReadyBlocks } from './ready/ready-blocks.ts'
import { RootCursor } from './ready/root-cursor.ts'
import { RedoneBlocks } from './redone-blocks.ts'
import { Retention } from './retention.ts'
import { checkMaxAhead, copyDone, type SchedulerTask } from './scheduler-task.ts'
import { TaskLink } from './task-link.ts'

export type BlockState = 'pending' | 'ready' | 'processing' | 'completed' | 'failed' | 'orphaned'

/** One direction of "waits for" between two tasks. */
export interface LinkedTask {
  readonly link: TaskLink
  readonly task: TaskRun
}

/**
 * One task of a running scheduler: the state of its blocks, its counts and its ready blocks. The ready surface handles the
 * effects of a block's end on other blocks.
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
  /** how many blocks each of its blocks waits for */
  readonly awaited: AwaitedBlocks
  /** the upstream tasks */
  readonly upstream: readonly LinkedTask[]
  readonly downstream: LinkedTask[] = []
  /** its blocks that others still wait for, if the task is transient or has a limit */
  readonly retention: Retention | undefined
  /** the upstream tasks that have a retention, including those that were completely done at the start */
  readonly retained: readonly LinkedTask[]
  /** whether the ends of its blocks matter to a retention */
  readonly affectsRetention: boolean
  /** failed attempts of the few blocks that had any and have not ended */
  readonly failures = new Map<number, number>()
  /** bitmap of the blocks that were done at the start; undefined if none was */
  readonly done: Uint8Array | undefined
  readonly doneAtStart: number
  /** bitmap of the blocks that need not run, and were not done before */
  readonly masked: Uint8Array | undefined
  /** bitmap of the blocks that this start leaves as they are */
  readonly leftOut: Uint8Array | undefined
  readonly #leftOutCount: number
  readonly #maskedCount: number | undefined
  processing = 0
  /** including the blocks that are left out, for which nothing waits either */
  completed: number
  /** completed at the start, or found done when they were taken; counted inside `completed` */
  skipped: number
  failed = 0
  orphaned = 0
  abandoned = false
  /** whether it was abandoned itself, and not only because all of its blocks wait for a task that was */
  isGivenUp = false
  /** no block before this one is open */
  openFrom = 0
  /** what was forgotten of it during the run */
  readonly redone: RedoneBlocks
  readonly ready: ReadyBlocks

  /** @param number its place among the scheduler's tasks @param upstream the tasks directly before this one */
  constructor(number: number, description: SchedulerTask, maxRetries: number, upstream: readonly TaskRun[]) {
    this.number = number
    this.id = description.id
    this.maxRetries = maxRetries
    const grid = gridOf(description)
    this.grid = grid
    this.shape = grid.shape
    this.strides = rowMajorStrides(grid.shape)
    this.order = new ConflictOrder(grid.shape, grid.writeRoi.shape, grid.context, grid.readWriteConflict)
    const links = upstream.map((task) => ({ task, link: new TaskLink(task.grid, grid, [task.id, this.id]) }))
    const mostAwaited = links.reduce((sum, { link }) => sum + link.mostAwaited, this.order.mostEarlier)
    this.upstream = links
    this.retained = links.filter(({ task }) => task.retention !== undefined)
    for (const { task, link } of this.retained) task.retention?.addReader({ task: this, link })
    const { maxAhead, transient = false } = description
    const limit = checkMaxAhead(description)
    this.retention = maxAhead === undefined && !transient ? undefined : new Retention(this, limit, transient)
    this.affectsRetention = this.retention !== undefined || this.retained.length > 0

    const done = copyDone(description, grid.blockCount)
    this.doneAtStart = done === undefined ? 0 : countSetBits(done, grid.blockCount)
    this.masked = description.masked
    this.leftOut = description.leftOut
    this.#leftOutCount = this.leftOut === undefined ? 0 : countSetBits(this.leftOut, grid.blockCount)
    this.#maskedCount = this.masked === undefined ? undefined : countSetBits(this.masked, grid.blockCount)
    this.completed = this.doneAtStart
    this.skipped = this.doneAtStart
    this.done = this.doneAtStart === 0 ? undefined : done
    this.states = new BlockStates(grid.blockCount, mostAwaited, this.done)
    this.redone = new RedoneBlocks(this.done)
    const before = links
      .filter(({ task }) => task.doneAtStart < task.total)
      .map(({ task, link }) => asUpstream(link, task.grid, task.done))
    this.awaited = new AwaitedBlocks(grid, this.order, before, this.done)
    const waiting = before.flatMap(({ link, done: known }) => (known === undefined ? [link.waiting] : []))
    this.ready = new ReadyBlocks(this.states, new RootCursor(grid, waiting, this.awaited.doneAtStart()))
  }

  get total(): number {
    return this.grid.blockCount
  }

  get isFinished(): boolean {
    return this.completed + this.failed + this.orphaned === this.total
  }

  get #readyInAll(): number {
    return this.abandoned ? 0 : this.ready.count
  }

  /** How many blocks are ready and not held back by `maxAhead`; maybe fewer than there are: see `ReadyBlocks.count`. */
  get readyCount(): number {
    if (this.retention === undefined) return this.#readyInAll
    const { limit, held, wanted } = this.retention
    return Math.min(this.#readyInAll, Math.max(wanted.length, limit - held))
  }

  /** Whether `take` would give a block; cheap. */
  get hasReady(): boolean {
    if (this.abandoned) return false
    if (this.retention?.isHeldBack) return this.retention.wanted.length > 0
    return !this.ready.isEmpty
  }

  counts(): TaskCounts {
    const { id, total, processing, failed, orphaned } = this
    const leftOut = this.#leftOutCount
    const completed = this.completed - leftOut
    const ready = this.#readyInAll
    const pending = total - ready - processing - this.completed - failed - orphaned
    const counts = {
      id,
      total,
      pending,
      ready,
      processing,
      completed,
      skipped: this.skipped - leftOut,
      failed,
      orphaned,
    }
    return {
      ...counts,
      ...(this.#maskedCount === undefined ? {} : { masked: this.#maskedCount }),
      ...(this.leftOut === undefined ? {} : { leftOut }),
    }
  }

  /** @throws ConfigError `NO_SUCH_BLOCK` */
  blockState(index: number): BlockState {
    this.grid.level(index) // checks the index
    const cell = this.states.peek(index)
    switch (cell) {
      case COMPLETED:
        return 'completed'
      case PROCESSING:
        return 'processing'
      case FAILED:
        return 'failed'
      case ORPHANED:
        return 'orphaned'
      default:
        if (this.abandoned) return 'orphaned'
        return this.isReady(index) ? 'ready' : 'pending'
    }
  }

  /** How many attempts of a block have failed so far; 0 once it has ended. */
  failedAttempts(index: number): number {
    return this.failures.size === 0 ? 0 : (this.failures.get(index) ?? 0)
  }

  /** Takes the ready block that goes next. @returns its index, -1 if there is none */
  take(): number {
    if (this.abandoned) return -1
    const { retention } = this
    if (retention === undefined) return this.#start(this.ready.take())
    const [wanted] = retention.wanted
    if (wanted !== undefined) return this.takeBlock(wanted) ? wanted : this.take()
    if (retention.isHeldBack) return -1
    const index = this.#start(this.ready.take())
    if (index >= 0) retention.begin(index)
    return index
  }

  /** Takes this block if it is ready. */
  takeBlock(index: number): boolean {
    if (this.abandoned) return false
    this.retention?.dropWanted(index)
    if (!this.isReady(index)) return false
    this.ready.takeBlock(index, this.states.peek(index) === READY)
    this.#start(index)
    this.retention?.begin(index)
    return true
  }

  /** The first block that has not ended, or -1. */
  firstOpen(): number {
    if (this.isFinished || this.abandoned) return -1
    for (; this.openFrom < this.total; this.openFrom++) {
      const cell = this.states.peek(this.openFrom)
      if (cell !== COMPLETED && cell !== FAILED && cell !== ORPHANED) return this.openFrom
    }
    return -1
  }

  /** Whether a block waits for nothing and could be taken, held back by `maxAhead` or not. */
  isReady(index: number): boolean {
    if (this.abandoned) return false
    const cell = this.states.peek(index)
    return cell === READY || (cell === UNTOUCHED && this.awaited.count(index, 1) === 0)
  }

  /** Makes a block ready that was held or pending. */
  makeReady(index: number): void {
    this.states.set(index, READY)
    this.ready.enqueue(index)
  }

  /** Adds a block whose cell is READY already. */
  enqueue(index: number): void {
    this.ready.enqueue(index)
  }

  /** Orphans all blocks that have not ended and are not processing. */
  abandon(): void {
    this.orphaned += this.total - this.completed - this.failed - this.orphaned - this.processing
    this.abandoned = true
    this.ready.clear()
  }

  #start(index: number): number {
    if (index < 0) return index
    this.states.set(index, PROCESSING)
    this.processing++
    return index
  }
}

function gridOf(task: SchedulerTask): BlockGrid {
  const grid = createBlockGrid({ ...task, taskId: task.id })
  if (grid.blockCount <= MAX_BLOCKS) return grid
  throw new ConfigError(
    'TOO_MANY_BLOCKS',
    `Task "${task.id}" has ${grid.blockCount} blocks; a run supports at most 2^39 (${MAX_BLOCKS}) per task. Use larger blocks or several runs.`,
  )
}
