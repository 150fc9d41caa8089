import { ConfigError } from '../errors.ts'
import type { TaskCounts } from '../events.ts'
import type { Block, BlockGrid } from '../grid/block-grid.ts'
import {
  assertBlockCount,
  type BlockOutcome,
  BlockScheduler,
  outcomeCode,
  type SchedulerOptions,
} from './block-scheduler.ts'
import type { SchedulerTask } from './scheduler-task.ts'
import type { BlockState } from './task-run.ts'

/** A block to work on. */
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
   * Abandons a task: orphans its blocks that have not ended (those that are processing when they are released without being
   * done), and the
   * blocks of other tasks that wait for them.
   */
  abandon(taskId: string): void
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
  return new NamedScheduler(tasks, options)
}

/** An interface of objects and names on top of a {@link BlockScheduler}, which makes all decisions. */
class NamedScheduler implements Scheduler {
  readonly taskIds: readonly string[]
  readonly #numberOf: ReadonlyMap<string, number>
  readonly #blocks: BlockScheduler
  /** for one call of `acquire` at a time */
  #acquired = new Float64Array(64)

  constructor(tasks: readonly SchedulerTask[], options: SchedulerOptions) {
    this.#blocks = new BlockScheduler(tasks, options)
    this.taskIds = tasks.map(({ id }) => id)
    this.#numberOf = new Map(this.taskIds.map((id, number) => [id, number]))
  }

  acquire(taskId?: string, max = 1): ScheduledBlock[] {
    assertBlockCount(max)
    const task = taskId === undefined ? this.#blocks.nextTask() : this.#number(taskId)
    const blocks: ScheduledBlock[] = []
    while (task >= 0 && blocks.length < max) {
      const count = this.#blocks.acquireInto(task, max - blocks.length, this.#acquired)
      for (let n = 0; n < count; n++) blocks.push(this.#describe(task, this.#acquired[n]!))
      if (count === 0) break
    }
    return blocks
  }

  acquireBlock(taskId: string, index: number): ScheduledBlock | undefined {
    const task = this.#number(taskId)
    return this.#blocks.hold(task, index) ? this.#describe(task, index) : undefined
  }

  release(blocks: BlockName | readonly BlockName[], outcome: OutcomeLike | readonly OutcomeLike[]): number {
    const names = isList(blocks) ? blocks : [blocks]
    const codes = isList(outcome)
      ? outcome.map((each) => outcomeCode(nameOf(each)))
      : new Array<number>(names.length).fill(outcomeCode(nameOf(outcome)))
    if (codes.length !== names.length) {
      throw new ConfigError(
        'INVALID_CONFIG',
        `${names.length} blocks were released with ${codes.length} outcomes; give one for all, or one for each.`,
      )
    }
    const tasks = names.map((name) => this.#number(name?.taskId))
    return this.#blocks.releaseAcross(
      tasks,
      names.map(({ index }) => index),
      codes,
    )
  }

  abandon(taskId: string): void {
    this.#blocks.abandon(this.#number(taskId))
  }

  states(): TaskCounts[] {
    return this.#blocks.counts()
  }

  taskState(taskId: string): TaskCounts {
    return this.#task(taskId).counts()
  }

  isFinished(taskId?: string): boolean {
    return taskId === undefined ? this.#blocks.isFinished() : this.#task(taskId).isFinished
  }

  readyCount(taskId?: string): number {
    if (taskId !== undefined) return this.#task(taskId).readyCount
    return this.taskIds.reduce((sum, id) => sum + this.#task(id).readyCount, 0)
  }

  blockState(taskId: string, index: number): BlockState {
    return this.#task(taskId).blockState(index)
  }

  taskGrid(taskId: string): BlockGrid {
    return this.#task(taskId).grid
  }

  heldCount(taskId: string): number {
    return this.#task(taskId).retention?.held ?? 0
  }

  takeUnneeded(taskId: string): number[] {
    return this.#task(taskId).retention?.takeUnneeded() ?? []
  }

  #task(taskId: string) {
    return this.#blocks.task(this.#number(taskId))
  }

  #number(taskId: string): number {
    const number = this.#numberOf.get(taskId)
    if (number !== undefined) return number
    const known = this.taskIds.map((id) => `"${id}"`).join(', ')
    throw new ConfigError('UNKNOWN_TASK', `There is no task "${taskId}"; the tasks are ${known}.`)
  }

  #describe(number: number, index: number): ScheduledBlock {
    const task = this.#blocks.task(number)
    const { readRoi, writeRoi } = task.grid.block(index)
    return { taskId: task.id, index, attempt: task.failedAttempts(index) + 1, readRoi, writeRoi }
  }
}

const isList = <T>(value: T | readonly T[]): value is readonly T[] => Array.isArray(value)

const nameOf = (outcome: OutcomeLike): BlockOutcome => (typeof outcome === 'string' ? outcome : outcome?.status)
