import { ConfigError } from '../errors.ts'
import type { TaskCounts } from '../events.ts'
import type { Block, BlockGrid } from '../grid/block-grid.ts'
import type { IndexBox } from '../grid/index-box.ts'
import {
  assertBlockCount,
  type BlockOutcome,
  BlockScheduler,
  outcomeCode,
  type ScheduledTask,
  type SchedulerOptions,
} from './block-scheduler.ts'
import type { SchedulerTask } from './scheduler-task.ts'
import type { BlockState } from './task-run.ts'

/** A block to work on. Its Rois are plain data; {@link showRoi} writes them as texts. */
export interface ScheduledBlock extends Block {
  readonly taskId: string
  /** 1 on the first attempt */
  readonly attempt: number
}

/** The name of a block: any object with these fields, such as a {@link ScheduledBlock}. */
export interface BlockName {
  readonly taskId: string
  readonly index: number
}

type OutcomeLike = BlockOutcome | { readonly status: BlockOutcome }

/**
 * Hands out the blocks of a pipeline, as objects, in an order that never lets two conflicting ones run together. No clock, no
 * I/O. Every method that takes a task's id throws ConfigError `UNKNOWN_TASK` for one that does not exist.
 */
export interface Scheduler {
  /** the tasks' ids, in the order given */
  readonly taskIds: readonly string[]
  /**
   * Ready blocks, held by the caller until released: of one task, at most `max`, none if nothing is ready.
   * @param taskId undefined: the task that should go next, the most downstream one first
   * @param max @default 1
   * @throws ConfigError `INVALID_CONFIG` for a `max` that is not a whole number from 0
   */
  acquire(taskId?: string, max?: number): ScheduledBlock[]
  /** A particular block, if it is ready. @throws ConfigError `NO_SUCH_BLOCK` */
  acquireBlock(taskId: string, index: number): ScheduledBlock | undefined
  /**
   * Gives blocks back, with one outcome for all or one for each.
   * @returns how many other blocks were orphaned by it
   * @throws ConfigError `BLOCK_NOT_HELD` (also for a block named twice), `UNKNOWN_TASK`, `INVALID_CONFIG` (an unknown outcome, or
   * not as many outcomes as blocks): then nothing has changed
   */
  release(blocks: BlockName | readonly BlockName[], outcome: OutcomeLike | readonly OutcomeLike[]): number
  /**
   * Abandons a task: orphans its blocks that have not ended (those that are processing when they are released without
   * being done), and the blocks of other tasks that wait for them.
   */
  abandon(taskId: string): void
  /**
   * Has failed blocks of a task, or of all, attempted again, and takes up again tasks that were abandoned. What was orphaned by them waits
   * again.
   * @returns how many failed blocks there were
   */
  retry(taskId?: string): number
  /**
   * Forgets blocks, so that they are done again; running ones as soon as they are released, with whatever outcome. Blocks that wait for
   * them wait again, unless they are completed.
   * @param boxes by the tasks' ids
   * @returns how many blocks were completed, failed or running
   */
  forget(boxes: Readonly<Record<string, readonly IndexBox[]>>): number
  /**
   * Lets forgotten blocks start that had started before, if no block is running that was forgotten, or that waits for one that was.
   * @returns whether that is so
   */
  releaseForgotten(): boolean
  /** The counts of every task, in the order given. */
  states(): TaskCounts[]
  /** The counts of one task. */
  taskState(taskId: string): TaskCounts
  /** Whether no block of this task, or of any, is pending, ready or processing. */
  isFinished(taskId?: string): boolean
  /** How many blocks of this task, or of all, are ready and not held back by `maxAhead`. */
  readyCount(taskId?: string): number
  /** @throws ConfigError `NO_SUCH_BLOCK` */
  blockState(taskId: string, index: number): BlockState
  taskGrid(taskId: string): BlockGrid
  /** How many blocks of a transient task, or of one with `maxAhead`, are held for others. */
  heldCount(taskId: string): number
  /**
   * The blocks of a transient task that have become unneeded since the last call: they are completed, and so are all blocks
   * that wait for them.
   */
  takeUnneeded(taskId: string): number[]
}

/**
 * A scheduler over a checked pipeline.
 * @throws ConfigError as the constructor of `BlockScheduler`: `INVALID_TASK`, `DUPLICATE_TASK_ID`, `UNKNOWN_TASK`, `TASK_CYCLE`,
 * `RANK_MISMATCH`, `TOO_MANY_BLOCKS`, `INVALID_CONFIG`, and what `createBlockGrid` throws
 * @example
 * const scheduler = createScheduler([{ id: 'a', totalRoi, readRoi, writeRoi }])
 * while (!scheduler.isFinished()) {
 *   for (const block of scheduler.acquire('a', 8)) scheduler.release(block, 'done')
 * }
 */
export function createScheduler(tasks: readonly SchedulerTask[], options: SchedulerOptions = {}): Scheduler {
  const blocks = new BlockScheduler(tasks, options)
  const names = new TaskNames(tasks, blocks)
  const held = new HeldBlocks(blocks, names)
  return {
    taskIds: names.ids,
    acquire: (taskId, max) => held.acquire(taskId, max),
    acquireBlock: (taskId, index) => held.acquireBlock(taskId, index),
    release: (released, outcome) => held.release(released, outcome),
    abandon: (taskId) => blocks.abandon(names.numberOf(taskId)),
    retry: (taskId) =>
      blocks.reopening
        .retry(taskId === undefined ? undefined : names.numberOf(taskId))
        .reduce((sum, { failed }) => sum + failed.length, 0),
    forget: (boxes) =>
      blocks.forgetting
        .forget(names.ids.map((id) => boxes[id] ?? []))
        .reduce((sum, { completed, failed, running }) => sum + completed + failed + running.length, 0),
    releaseForgotten: () => {
      const { isClear } = blocks.forgetting
      if (isClear) blocks.forgetting.release()
      return isClear
    },
    states: () => blocks.counts(),
    taskState: (taskId) => names.task(taskId).counts(),
    isFinished: (taskId) => (taskId === undefined ? blocks.isFinished() : names.task(taskId).isFinished),
    readyCount: (taskId) =>
      (taskId === undefined ? names.ids : [taskId]).reduce((sum, id) => sum + names.task(id).readyCount, 0),
    blockState: (taskId, index) => names.task(taskId).blockState(index),
    taskGrid: (taskId) => names.task(taskId).grid,
    heldCount: (taskId) => names.task(taskId).retention?.held ?? 0,
    takeUnneeded: (taskId) => names.task(taskId).retention?.takeUnneeded() ?? [],
  }
}

/** The tasks of a {@link BlockScheduler} by their ids. */
class TaskNames {
  readonly ids: readonly string[]
  readonly #numbers: ReadonlyMap<string, number>
  readonly #blocks: BlockScheduler

  constructor(tasks: readonly SchedulerTask[], blocks: BlockScheduler) {
    this.ids = tasks.map(({ id }) => id)
    this.#numbers = new Map(this.ids.map((id, number) => [id, number]))
    this.#blocks = blocks
  }

  /** @throws ConfigError `UNKNOWN_TASK` */
  numberOf(taskId: string): number {
    const number = this.#numbers.get(taskId)
    if (number !== undefined) return number
    const known = this.ids.map((id) => `"${id}"`).join(', ')
    throw new ConfigError('UNKNOWN_TASK', `There is no task "${taskId}"; the tasks are ${known}.`)
  }

  /** @throws ConfigError `UNKNOWN_TASK` */
  task(taskId: string): ScheduledTask {
    return this.#blocks.task(this.numberOf(taskId))
  }
}

/** Blocks of a {@link BlockScheduler}, handed out and given back as objects. */
class HeldBlocks {
  readonly #blocks: BlockScheduler
  readonly #names: TaskNames
  /** for one call of `acquire` at a time */
  readonly #acquired = new Float64Array(64)

  constructor(blocks: BlockScheduler, names: TaskNames) {
    this.#blocks = blocks
    this.#names = names
  }

  acquire(taskId?: string, max = 1): ScheduledBlock[] {
    assertBlockCount(max)
    const number = taskId === undefined ? this.#blocks.nextTask() : this.#names.numberOf(taskId)
    const acquired: ScheduledBlock[] = []
    if (number < 0) return acquired
    const task = this.#blocks.task(number)
    while (acquired.length < max) {
      const count = this.#blocks.acquireInto(number, max - acquired.length, this.#acquired)
      for (let n = 0; n < count; n++) acquired.push(describe(task, this.#acquired[n]!))
      if (count === 0) break
    }
    return acquired
  }

  acquireBlock(taskId: string, index: number): ScheduledBlock | undefined {
    const number = this.#names.numberOf(taskId)
    return this.#blocks.hold(number, index) ? describe(this.#blocks.task(number), index) : undefined
  }

  release(released: BlockName | readonly BlockName[], outcome: OutcomeLike | readonly OutcomeLike[]): number {
    const names = isList(released) ? released : [released]
    const codes = isList(outcome)
      ? outcome.map((each) => outcomeCode(nameOf(each)))
      : new Array<number>(names.length).fill(outcomeCode(nameOf(outcome)))
    if (codes.length !== names.length) {
      throw new ConfigError(
        'INVALID_CONFIG',
        `${names.length} blocks were released with ${codes.length} outcomes; give one for all, or one for each.`,
      )
    }
    return this.#blocks.releaseAcross(
      names.map((name) => this.#names.numberOf(name?.taskId)),
      names.map(({ index }) => index),
      codes,
    )
  }
}

function describe(task: ScheduledTask, index: number): ScheduledBlock {
  const { readRoi, writeRoi } = task.grid.plainBlock(index)
  return { taskId: task.id, index, attempt: task.failedAttempts(index) + 1, readRoi, writeRoi }
}

const isList = <T>(value: T | readonly T[]): value is readonly T[] => Array.isArray(value)

const nameOf = (outcome: OutcomeLike): BlockOutcome => (typeof outcome === 'string' ? outcome : outcome?.status)
