import { ConfigError } from '../errors.ts'
import type { Block, BlockGrid, BlockGridOptions } from '../grid/block-grid.ts'
import { COMPLETED, FAILED, ORPHANED, PROCESSING, READY, UNTOUCHED } from './block-states.ts'
import { orderTasks, type TaskOrder } from './pipeline.ts'
import { ReadySurface } from './ready-surface.ts'
import { tellEnd, wantFor } from './retention.ts'
import { StateMap } from './state-map.ts'
import { TaskRun } from './task-run.ts'
import { doneOrUnneeded } from './unneeded.ts'

/** A task to schedule: how it is cut into blocks, what comes before it, what is done already. */
export interface SchedulerTask extends BlockGridOptions {
  readonly id: string
  /** tasks whose blocks this one's blocks wait for, where they write what these read @default none */
  readonly after?: readonly (string | { readonly id: string })[]
  /** how often a failed block is tried again @default the scheduler's */
  readonly maxRetries?: number
  /** bit i % 8 (lowest first) of byte floor(i / 8): block i is done; copied @default no block is */
  readonly done?: Uint8Array
  /**
   * how many of its blocks may be handed out or done that blocks of other tasks still wait for; exceeded only by what the
   * next of these needs where nothing could go on otherwise @default no limit
   */
  readonly maxAhead?: number
  /** what its blocks write is removed when nothing waits for it any more: see {@link Scheduler.takeUnneeded} @default false */
  readonly transient?: boolean
}

/** A block to work on. */
export interface ScheduledBlock extends Block {
  readonly taskId: string
  /** 1 on the first try */
  readonly attempt: number
}

/**
 * How holding a block ended: `done`; `skipped`, done too, but nothing had to be done; `failed`, one try less; `returned`,
 * given back in an orderly way, which is no try.
 */
export type BlockOutcome = 'done' | 'skipped' | 'failed' | 'returned'

/** The outcomes as numbers, for {@link Scheduler.releaseMany}. */
export const OUTCOME_CODE = { done: 0, failed: 1, returned: 2, skipped: 3 } as const satisfies Record<
  BlockOutcome,
  number
>

const OUTCOMES = ['done', 'failed', 'returned', 'skipped'] as const satisfies readonly BlockOutcome[]
const { done: DONE, failed: LOST, skipped: SKIPPED } = OUTCOME_CODE

export type BlockState = 'pending' | 'ready' | 'processing' | 'completed' | 'failed' | 'orphaned'

/** total = pending + ready + processing + completed + failed + orphaned, at every moment. */
export interface TaskState {
  readonly id: string
  readonly total: number
  readonly pending: number
  readonly ready: number
  readonly processing: number
  readonly completed: number
  /** counted inside `completed` */
  readonly skipped: number
  readonly failed: number
  readonly orphaned: number
}

/** What names a block: any object with these, so a {@link ScheduledBlock} too. */
export interface BlockName {
  readonly taskId: string
  readonly index: number
}

type OutcomeLike = BlockOutcome | { readonly status: BlockOutcome }

/** Hands out the blocks of a pipeline in an order that never lets two conflicting ones run together. No clock, no I/O. */
export interface Scheduler {
  /** the tasks' ids as given; a task's number is its place here */
  readonly taskIds: readonly string[]
  /**
   * Ready blocks, now held by the caller until released: of one task, at most `max`, none when nothing is ready.
   * @param taskId undefined: the task that should go next, the most downstream one first
   * @param max @default 1
   * @throws ConfigError `UNKNOWN_TASK`, `INVALID_CONFIG` for a `max` that counts no blocks
   */
  acquire(taskId?: string, max?: number): ScheduledBlock[]
  /** This very block, if it is ready. @throws ConfigError `UNKNOWN_TASK`, `NO_SUCH_BLOCK` */
  acquireBlock(taskId: string, index: number): ScheduledBlock | undefined
  /**
   * Gives blocks back, with one outcome for all or one for each.
   * @returns how many other blocks were orphaned by it
   * @throws ConfigError `BLOCK_NOT_HELD` (also for a block named twice), `UNKNOWN_TASK`, `INVALID_CONFIG` (not as many
   * outcomes as blocks, or one that is none): then nothing has changed
   */
  release(blocks: BlockName | readonly BlockName[], outcome: OutcomeLike | readonly OutcomeLike[]): number
  /** The counts of every task, in the order given. */
  states(): TaskState[]
  /** The counts of one task. @throws ConfigError `UNKNOWN_TASK` */
  taskState(taskId: string): TaskState
  /** Nothing is pending, ready or processing. */
  isFinished(): boolean
  /** Nothing of this task is pending, ready or processing. @throws ConfigError `UNKNOWN_TASK` */
  isTaskFinished(taskId: string): boolean
  /** Whether `acquire` would give anything: of this task, or of any. Cheap. @throws ConfigError `UNKNOWN_TASK` */
  hasReady(taskId?: string): boolean
  /** How many blocks are ready and not held back by `maxAhead`, of this task or in all. @throws ConfigError `UNKNOWN_TASK` */
  readyCount(taskId?: string): number
  /**
   * Gives up a task: its blocks that have not ended are orphaned, those that are held when they come back not done, and
   * so is what waits for them in other tasks. @throws ConfigError `UNKNOWN_TASK`
   */
  abandon(taskId: string): void
  /** @throws ConfigError `UNKNOWN_TASK`, `NO_SUCH_BLOCK` */
  blockState(taskId: string, index: number): BlockState
  /** How many tries of a block have failed so far; 0 once it has ended. @throws ConfigError `UNKNOWN_TASK` */
  failedTries(taskId: string, index: number): number
  /** @throws ConfigError `UNKNOWN_TASK` */
  taskGrid(taskId: string): BlockGrid
  /** The tasks whose counts have changed since the last call, in the order given. */
  takeChangedTasks(): string[]
  /**
   * The blocks orphaned one by one since the last call, with `recordOrphans`; the remaining blocks of an abandoned task
   * are not listed.
   */
  takeOrphans(): BlockName[]
  /**
   * Of a transient task the blocks that are completed, as are now all that wait for them, since the last call. Those that wait
   * and have failed may yet be done, at a later start: what they need is not among these.
   * @throws ConfigError `UNKNOWN_TASK`
   */
  takeUnneeded(taskId: string): number[]
  /** Of a transient task: whether a block is completed, and all that wait for it are. @throws ConfigError `UNKNOWN_TASK` */
  isUnneeded(taskId: string, index: number): boolean
  /** Of a task with `maxAhead`, or a transient one: how many blocks are held for others. @throws ConfigError `UNKNOWN_TASK` */
  heldCount(taskId: string): number
  /** The number of a task. @throws ConfigError `UNKNOWN_TASK` */
  taskNumber(taskId: string): number
  /** The number of the task that should go next: the most downstream one with a ready block. -1: nothing is ready. */
  nextTask(): number
  /**
   * `acquire` without an object per block: writes the indices to the start of `out`.
   * @param task its number @param max at most so many, and at most what `out` holds
   * @returns how many blocks are now held
   * @throws ConfigError as `acquire`
   */
  acquireInto(task: number, max: number, out: Float64Array): number
  /**
   * `release` without an object per block.
   * @param task its number @param count how many of `indices` count
   * @param outcomes one for all, or a code ({@link OUTCOME_CODE}) for each
   * @returns how many other blocks were orphaned by it
   * @throws ConfigError as `release`
   */
  releaseMany(
    task: number,
    indices: ArrayLike<number>,
    count: number,
    outcomes: BlockOutcome | ArrayLike<number>,
  ): number
  /**
   * This very block is held from now on, if it is ready: `acquireBlock` without an object.
   * @param task its number @throws ConfigError `UNKNOWN_TASK`, `NO_SUCH_BLOCK`
   */
  hold(task: number, index: number): boolean
  /** A map of a task's blocks, for people to look at. @param task its number @throws ConfigError `UNKNOWN_TASK` */
  stateMap(task: number): StateMap
  /** Bytes of the state of all blocks now; it grows with the front of the run, not with its size. */
  readonly bytesInUse: number
}

/** What {@link createScheduler} is given. */
export interface SchedulerOptions {
  /** how often a failed block is tried again @default 2 */
  readonly maxRetries?: number
  /** keep the names of orphaned blocks for {@link Scheduler.takeOrphans} @default false */
  readonly recordOrphans?: boolean
}

/**
 * A scheduler over a checked pipeline.
 * @throws ConfigError what `orderTasks` and `createBlockGrid` throw; `RANK_MISMATCH` between a task and one before it;
 * `TOO_MANY_BLOCKS` above 2^39 blocks in a task; `INVALID_TASK` for a bitmap that is none or too short; `INVALID_CONFIG` for a
 * `maxRetries` that is no whole number from 0
 */
export function createScheduler(tasks: readonly SchedulerTask[], options: SchedulerOptions = {}): Scheduler {
  return new BlockScheduler(tasks, options)
}

class BlockScheduler implements Scheduler {
  readonly taskIds: readonly string[]
  readonly #order: TaskOrder
  readonly #tasks: readonly TaskRun[]
  /** the same, the most downstream first */
  readonly #byPriority: readonly TaskRun[]
  readonly #surface: ReadySurface
  /** those that may not be further than some blocks ahead of others */
  readonly #bounded: readonly TaskRun[]
  #orphans: BlockName[] = []

  constructor(tasks: readonly SchedulerTask[], { maxRetries = 2, recordOrphans = false }: SchedulerOptions) {
    this.#order = orderTasks(tasks)
    const isTracked = tasks.some((task) => task.transient || task.maxAhead !== undefined)
    const done = isTracked ? doneOrUnneeded(tasks, this.#order) : []
    const runs: TaskRun[] = []
    for (const number of this.#order.topological) {
      const given = tasks[number]!
      const known = done[number]
      const task = known === undefined ? given : { ...given, done: known }
      const retries = checkRetries(task.maxRetries ?? maxRetries, task.id)
      const upstream = this.#order.upstream[number]!.map((before) => runs[before]!)
      runs[number] = new TaskRun(number, task, retries, upstream)
    }
    for (const run of runs) {
      for (const { task, link } of run.upstream) task.downstream.push({ task: run, link })
    }
    this.#tasks = runs
    this.#bounded = runs.filter(
      ({ retention }) => retention !== undefined && retention.limit < Number.POSITIVE_INFINITY,
    )
    checkAhead(tasks, runs)
    this.#byPriority = this.#order.priority.map((number) => runs[number]!)
    this.taskIds = runs.map(({ id }) => id)
    this.#surface = new ReadySurface(
      Math.max(...runs.map(({ shape }) => shape.length)),
      recordOrphans ? (task, index) => this.#orphans.push({ taskId: task.id, index }) : undefined,
    )
    for (const { retention, skippedAtStart } of runs) if (skippedAtStart > 0) retention?.recount()
    if (this.#bounded.length > 0) this.#goOn()
  }

  acquire(taskId?: string, max = 1): ScheduledBlock[] {
    checkMax(max)
    const task = taskId === undefined ? this.#next() : this.#task(taskId)
    const blocks: ScheduledBlock[] = []
    while (task !== undefined && blocks.length < max) {
      const index = task.take()
      if (index < 0) break
      blocks.push(scheduledBlock(task, index))
    }
    return blocks
  }

  acquireBlock(taskId: string, index: number): ScheduledBlock | undefined {
    const task = this.#task(taskId)
    task.grid.level(index) // checks the index
    return task.takeBlock(index) ? scheduledBlock(task, index) : undefined
  }

  release(blocks: BlockName | readonly BlockName[], outcome: OutcomeLike | readonly OutcomeLike[]): number {
    const names = isList(blocks) ? blocks : [blocks]
    const codes = isList(outcome) ? outcome.map(outcomeCode) : outcomeCode(outcome)
    if (typeof codes !== 'number' && codes.length !== names.length) {
      throw new ConfigError(
        'INVALID_CONFIG',
        `${names.length} blocks were released with ${codes.length} outcomes; give one for all, or one for each.`,
      )
    }
    const runs = names.map((name) => this.#task(name?.taskId))
    for (let n = 0; n < names.length; n++) {
      if (runs[n]!.states.markReleasing(names[n]!.index)) continue
      for (let m = 0; m < n; m++) runs[m]!.states.set(names[m]!.index, PROCESSING)
      throw notHeld(runs[n]!, names[n]!.index)
    }
    let orphans = 0
    for (let n = 0; n < names.length; n++) {
      orphans += this.#end(runs[n]!, names[n]!.index, typeof codes === 'number' ? codes : codes[n]!)
    }
    if (this.#bounded.length > 0) this.#goOn()
    return orphans
  }

  releaseMany(
    task: number,
    indices: ArrayLike<number>,
    count: number,
    outcomes: BlockOutcome | ArrayLike<number>,
  ): number {
    const run = this.#run(task)
    const all = typeof outcomes === 'string' ? outcomeCode(outcomes) : -1
    if (typeof outcomes !== 'string') checkCodes(outcomes, count)
    for (let n = 0; n < count; n++) {
      if (run.states.markReleasing(indices[n]!)) continue
      for (let m = 0; m < n; m++) run.states.set(indices[m]!, PROCESSING)
      throw notHeld(run, indices[n]!)
    }
    let orphans = 0
    for (let n = 0; n < count; n++) {
      orphans += this.#end(run, indices[n]!, all >= 0 ? all : (outcomes as ArrayLike<number>)[n]!)
    }
    if (this.#bounded.length > 0) this.#goOn()
    return orphans
  }

  acquireInto(task: number, max: number, out: Float64Array): number {
    const run = this.#run(task)
    checkMax(max)
    const most = Math.min(max, out.length)
    let count = 0
    while (count < most) {
      const index = run.take()
      if (index < 0) break
      out[count++] = index
    }
    return count
  }

  nextTask(): number {
    const task = this.#next()
    return task === undefined ? -1 : task.number
  }

  states(): TaskState[] {
    return this.#tasks.map(stateOf)
  }

  taskState(taskId: string): TaskState {
    return stateOf(this.#task(taskId))
  }

  isFinished(): boolean {
    return this.#tasks.every((task) => task.isFinished)
  }

  isTaskFinished(taskId: string): boolean {
    return this.#task(taskId).isFinished
  }

  hasReady(taskId?: string): boolean {
    return taskId === undefined ? this.#next() !== undefined : this.#task(taskId).hasReady
  }

  readyCount(taskId?: string): number {
    if (taskId !== undefined) return this.#task(taskId).available
    return this.#tasks.reduce((sum, task) => sum + task.available, 0)
  }

  abandon(taskId: string): void {
    this.#surface.abandon(this.#task(taskId))
    for (const { retention } of this.#tasks) retention?.recount()
    if (this.#bounded.length > 0) this.#goOn()
  }

  blockState(taskId: string, index: number): BlockState {
    const task = this.#task(taskId)
    task.grid.level(index) // checks the index
    const cell = task.states.peek(index)
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
        if (task.abandoned) return 'orphaned'
        return cell === READY || (cell === UNTOUCHED && task.countAwaited(index, 1) === 0) ? 'ready' : 'pending'
    }
  }

  failedTries(taskId: string, index: number): number {
    return this.#task(taskId).tries.get(index) ?? 0
  }

  taskGrid(taskId: string): BlockGrid {
    return this.#task(taskId).grid
  }

  taskNumber(taskId: string): number {
    return this.#task(taskId).number
  }

  takeChangedTasks(): string[] {
    const changed = this.#tasks.filter((task) => task.changed)
    for (const task of changed) task.changed = false
    return changed.map(({ id }) => id)
  }

  takeOrphans(): BlockName[] {
    const orphans = this.#orphans
    this.#orphans = []
    return orphans
  }

  hold(task: number, index: number): boolean {
    const run = this.#run(task)
    run.grid.level(index) // checks the index
    return run.takeBlock(index)
  }

  stateMap(task: number): StateMap {
    return new StateMap(this.#run(task))
  }

  takeUnneeded(taskId: string): number[] {
    return this.#task(taskId).retention?.takeUnneeded() ?? []
  }

  isUnneeded(taskId: string, index: number): boolean {
    return this.#task(taskId).retention?.isUnneeded(index) ?? false
  }

  heldCount(taskId: string): number {
    return this.#task(taskId).retention?.held ?? 0
  }

  get bytesInUse(): number {
    return this.#tasks.reduce((sum, task) => sum + task.states.bytesInUse, 0)
  }

  /** Where tasks that are too far ahead are all that could go on, lets them do what the next block of the others needs. */
  #goOn(): void {
    if (this.#tasks.some((task) => task.processing > 0 || task.hasReady)) return
    for (const task of this.#byPriority) {
      const next = task.firstOpen()
      if (next >= 0 && wantFor(task, next)) return
    }
  }

  #next(): TaskRun | undefined {
    for (let p = 0; p < this.#byPriority.length; p++) {
      const task = this.#byPriority[p]!
      if (task.hasReady) return task
    }
    return undefined
  }

  #task(taskId: string): TaskRun {
    const number = this.#order.numberOf.get(taskId)
    if (number !== undefined) return this.#tasks[number]!
    const known = this.taskIds.map((id) => `"${id}"`).join(', ')
    throw new ConfigError('UNKNOWN_TASK', `There is no task "${taskId}"; the tasks are ${known}.`)
  }

  #run(number: number): TaskRun {
    const run = this.#tasks[number]
    if (run !== undefined) return run
    throw new ConfigError('UNKNOWN_TASK', `There is no task ${number}; the tasks are 0 to ${this.#tasks.length - 1}.`)
  }

  /** A held block ends. @returns how many blocks were orphaned by it, not counting itself */
  #end(task: TaskRun, index: number, code: number): number {
    task.processing--
    task.changed = true
    if (code === DONE || code === SKIPPED) {
      if (code === SKIPPED) task.skipped++
      if (task.tries.size > 0) task.tries.delete(index)
      task.completed++
      this.#surface.complete(task, index)
      if (task.endsAreTold) {
        task.retention?.complete(index)
        tellEnd(task, index)
      }
      return 0
    }
    if (task.abandoned) {
      task.tries.delete(index)
      task.retention?.giveBack(index)
      task.states.set(index, ORPHANED)
      task.orphaned++
      if (task.endsAreTold) tellEnd(task, index)
      return this.#surface.orphanDependents(task, index)
    }
    if (code === LOST) {
      const tries = (task.tries.get(index) ?? 0) + 1
      if (tries > task.maxRetries) {
        task.tries.delete(index)
        task.states.set(index, FAILED)
        task.failed++
        if (task.endsAreTold) tellEnd(task, index)
        return this.#surface.orphanDependents(task, index)
      }
      task.tries.set(index, tries)
    }
    task.retention?.giveBack(index)
    task.makeReady(index)
    return 0
  }
}

const isList = <T>(value: T | readonly T[]): value is readonly T[] => Array.isArray(value)

function stateOf(task: TaskRun): TaskState {
  const { id, total, ready, processing, completed, skipped, failed, orphaned } = task
  const pending = total - ready - processing - completed - failed - orphaned
  return { id, total, pending, ready, processing, completed, skipped, failed, orphaned }
}

function scheduledBlock(task: TaskRun, index: number): ScheduledBlock {
  const { readRoi, writeRoi } = task.grid.block(index)
  const attempt = task.tries.size === 0 ? 1 : (task.tries.get(index) ?? 0) + 1
  return { taskId: task.id, index, attempt, readRoi, writeRoi }
}

function notHeld(task: TaskRun, index: number): ConfigError {
  return new ConfigError(
    'BLOCK_NOT_HELD',
    `Block ${task.id}/${index} was released, but nobody holds it (or it was named twice); only acquired blocks can be, once.`,
  )
}

function outcomeCode(outcome: OutcomeLike): number {
  const name = typeof outcome === 'string' ? outcome : outcome?.status
  const code = OUTCOMES.indexOf(name)
  if (code >= 0) return code
  throw new ConfigError(
    'INVALID_CONFIG',
    `A block's outcome is ${JSON.stringify(name)}; it must be ${OUTCOMES.join(', ')}.`,
  )
}

function checkMax(max: number): void {
  if (max >= 0 && (Number.isInteger(max) || max === Number.POSITIVE_INFINITY)) return
  throw new ConfigError('INVALID_CONFIG', `${max} blocks were asked for; that must be a whole number from 0.`)
}

function checkCodes(codes: ArrayLike<number>, count: number): void {
  for (let n = 0; n < count; n++) {
    if (OUTCOMES[codes[n]!] !== undefined) continue
    throw new ConfigError(
      'INVALID_CONFIG',
      `Outcome ${n} is ${codes[n]}; it must be a code from 0 to ${OUTCOMES.length - 1}.`,
    )
  }
}

/** A task has to be let as far ahead as one block of those after it needs. */
function checkAhead(tasks: readonly SchedulerTask[], runs: readonly TaskRun[]): void {
  for (const { id, maxAhead } of tasks) {
    if (maxAhead === undefined || (Number.isSafeInteger(maxAhead) && maxAhead > 0)) continue
    throw new ConfigError('INVALID_CONFIG', `Task "${id}": maxAhead is ${maxAhead}; it must be a whole number from 1.`)
  }
  for (const { id, retained } of runs) {
    for (const { task, link } of retained) {
      const needed = link.largestAwaited()
      const { limit = needed } = task.retention ?? {}
      if (limit >= needed) continue
      throw new ConfigError(
        'INVALID_CONFIG',
        `Task "${task.id}": maxAhead is ${limit} blocks, but a block of "${id}" needs ${needed} of them at once; let it be ${needed} at least.`,
      )
    }
  }
}

function checkRetries(maxRetries: number, taskId: string): number {
  if (Number.isSafeInteger(maxRetries) && maxRetries >= 0) return maxRetries
  throw new ConfigError(
    'INVALID_CONFIG',
    `Task "${taskId}": maxRetries is ${maxRetries}; it must be a whole number from 0.`,
  )
}
