import { ConfigError } from '../errors.ts'
import type { TaskCounts } from '../events.ts'
import type { BlockGrid } from '../grid/block-grid.ts'
import { FAILED, ORPHANED, PROCESSING } from './block-states.ts'
import { Forgetting } from './forgetting.ts'
import { orderTasks } from './pipeline.ts'
import { ReadySurface } from './ready-surface.ts'
import { isLost, OPENING, Reopening, settleBlock } from './reopening.ts'
import { findWanted, notifyEnd } from './retention.ts'
import { checkRetries, type SchedulerTask, withLeftOut, withMasked } from './scheduler-task.ts'
import { StateMap } from './state-map.ts'
import { type BlockState, TaskRun } from './task-run.ts'
import { doneOrUnneeded } from './unneeded.ts'

/**
 * How processing a block ended: `done`; `skipped`, done too, but there was nothing to do; `failed`, which counts as an
 * attempt; `returned`, given back in an orderly way, which does not count as one.
 */
export type BlockOutcome = 'done' | 'skipped' | 'failed' | 'returned'

/** The outcomes as numbers, for {@link BlockScheduler.releaseMany}. */
export const OUTCOME_CODE = { done: 0, failed: 1, returned: 2, skipped: 3 } as const satisfies Record<
  BlockOutcome,
  number
>
const HIGHEST_CODE = 3

/** One task, as the coordinator and the board see it. */
export interface ScheduledTask {
  readonly id: string
  readonly grid: BlockGrid
  /** Nothing is pending, ready or processing. */
  readonly isFinished: boolean
  /** How many blocks are ready and not held back by `maxAhead`; of a large task that was partly done at the start maybe fewer than there are, but not 0. */
  readonly readyCount: number
  /** Its blocks that others still wait for, if the task is transient or has `maxAhead`. */
  readonly retention: RetainedBlocks | undefined
  counts(): TaskCounts
  /** @throws ConfigError `NO_SUCH_BLOCK` */
  blockState(index: number): BlockState
  /** How many attempts of a block have failed so far; 0 once it has ended. */
  failedAttempts(index: number): number
}

/** The blocks of a task that others still wait for. */
export interface RetainedBlocks {
  /** How many blocks are processing or completed while a block that waits for them has not ended. */
  readonly held: number
  /** Whether a block is completed, and so are all blocks that wait for it. */
  isUnneeded(index: number): boolean
  /**
   * Of a transient task the blocks that have become unneeded since the last call. Blocks that wait for them and have failed may
   * yet be done by a later run: what those need is not among these.
   */
  takeUnneeded(): number[]
}

/** What a scheduler is given besides its tasks. */
export interface SchedulerOptions {
  /** how often a failed block is retried @default 2 */
  readonly maxRetries?: number
}

/**
 * Hands out the blocks of a pipeline in an order that never lets two conflicting ones run together. No clock, no I/O.
 * Tasks and blocks are numbers here; for objects see `createScheduler`.
 */
export class BlockScheduler {
  readonly #tasks: readonly TaskRun[]
  /** the same, the most downstream first */
  readonly #byPriority: readonly TaskRun[]
  readonly #surface: ReadySurface
  /** Opens blocks again that have ended. */
  readonly reopening: Reopening
  /** Forgets blocks, so that they are done again. */
  readonly forgetting: Forgetting
  /** whether some task has a limit to how far it may be ahead */
  readonly #hasLimits: boolean

  /**
   * @throws ConfigError what `orderTasks` and `createBlockGrid` throw; `RANK_MISMATCH` between a task and one before it;
   * `TOO_MANY_BLOCKS` above 2^39 blocks in a task; `INVALID_TASK` for a bitmap that is none or too short; `INVALID_CONFIG` for a
   * `maxRetries` or `maxAhead` that is invalid
   */
  constructor(given: readonly SchedulerTask[], { maxRetries = 2 }: SchedulerOptions = {}) {
    const tasks = given.map(withMasked)
    const order = orderTasks(tasks)
    const hasRetention = tasks.some((task) => task.transient || task.maxAhead !== undefined)
    const done = hasRetention ? doneOrUnneeded(tasks, order) : []
    const runs: TaskRun[] = []
    for (const number of order.topological) {
      const described = tasks[number]!
      const task = withLeftOut(described, done[number] ?? described.done)
      const retries = checkRetries(task.maxRetries ?? maxRetries, task.id)
      const upstream = order.upstream[number]!.map((before) => runs[before]!)
      runs[number] = new TaskRun(number, task, retries, upstream)
    }
    for (const run of runs) {
      for (const { task, link } of run.upstream) task.downstream.push({ task: run, link })
    }
    assertLimitsSuffice(runs)
    this.#tasks = runs
    this.#hasLimits = runs.some(({ retention }) => retention !== undefined && Number.isFinite(retention.limit))
    this.#byPriority = order.priority.map((number) => runs[number]!)
    this.#surface = new ReadySurface(Math.max(...runs.map(({ shape }) => shape.length)))
    const upstreamFirst = order.topological.map((number) => runs[number]!)
    this.reopening = new Reopening(upstreamFirst, this.#surface, () => this.#avoidDeadlock())
    this.forgetting = new Forgetting(upstreamFirst, this.#surface, () => this.#avoidDeadlock())
    for (const { retention, doneAtStart } of runs) if (doneAtStart > 0) retention?.recount()
    this.#avoidDeadlock()
  }

  /** @param number its place among the tasks given @throws ConfigError `UNKNOWN_TASK` */
  task(number: number): ScheduledTask {
    return this.#run(number)
  }

  /** The counts of every task, in the order given. */
  counts(): TaskCounts[] {
    return this.#tasks.map((task) => task.counts())
  }

  /** Nothing is pending, ready or processing. */
  isFinished(): boolean {
    return this.#tasks.every((task) => task.isFinished)
  }

  /** The number of the task that should go next: the most downstream one with a ready block. -1: nothing is ready. */
  nextTask(): number {
    for (let p = 0; p < this.#byPriority.length; p++) {
      const task = this.#byPriority[p]!
      if (task.hasReady) return task.number
    }
    return -1
  }

  /**
   * Hands out ready blocks of a task: writes their indices to the start of `out`.
   * @param max the most blocks to hand out; also limited by `out.length`
   * @returns how many blocks were handed out
   * @throws ConfigError `UNKNOWN_TASK`, `INVALID_CONFIG` for a `max` that is not a whole number from 0
   */
  acquireInto(task: number, max: number, out: Float64Array): number {
    const run = this.#run(task)
    assertBlockCount(max)
    const most = Math.min(max, out.length)
    let count = 0
    while (count < most) {
      const index = run.take()
      if (index < 0) break
      out[count++] = index
    }
    return count
  }

  /** Hands out a particular block, if it is ready. @throws ConfigError `UNKNOWN_TASK`, `NO_SUCH_BLOCK` */
  hold(task: number, index: number): boolean {
    const run = this.#run(task)
    run.grid.level(index) // checks the index
    return run.takeBlock(index)
  }

  /**
   * Takes back blocks of a task.
   * @param count how many of `indices` count
   * @param outcomes one outcome for all, or a code ({@link OUTCOME_CODE}) for each
   * @returns how many other blocks were orphaned by it
   * @throws ConfigError `BLOCK_NOT_HELD` (also for a block named twice), `UNKNOWN_TASK`, `INVALID_CONFIG` (an unknown outcome): then
   * nothing has changed
   */
  releaseMany(
    task: number,
    indices: ArrayLike<number>,
    count: number,
    outcomes: BlockOutcome | ArrayLike<number>,
  ): number {
    const run = this.#run(task)
    const code = typeof outcomes === 'object' ? undefined : outcomeCode(outcomes)
    if (typeof outcomes === 'object') assertCodes(outcomes, count)
    for (let n = 0; n < count; n++) {
      if (run.states.markReleasing(indices[n]!)) continue
      for (let m = 0; m < n; m++) run.states.set(indices[m]!, PROCESSING)
      throw notHeld(run, indices[n]!)
    }
    let orphans = 0
    for (let n = 0; n < count; n++) {
      orphans += this.#end(run, indices[n]!, code ?? (outcomes as ArrayLike<number>)[n]!)
    }
    this.#avoidDeadlock()
    return orphans
  }

  /**
   * As `releaseMany`, of several tasks: all of the blocks, or none.
   * @param tasks the number of each block's task
   * @param codes one for each block
   */
  releaseAcross(tasks: readonly number[], indices: readonly number[], codes: readonly number[]): number {
    const runs = tasks.map((task) => this.#run(task))
    for (let n = 0; n < runs.length; n++) {
      if (runs[n]!.states.markReleasing(indices[n]!)) continue
      for (let m = 0; m < n; m++) runs[m]!.states.set(indices[m]!, PROCESSING)
      throw notHeld(runs[n]!, indices[n]!)
    }
    let orphans = 0
    for (let n = 0; n < runs.length; n++) orphans += this.#end(runs[n]!, indices[n]!, codes[n]!)
    this.#avoidDeadlock()
    return orphans
  }

  /**
   * Abandons a task: orphans its blocks that have not ended (those that are processing when they are released without
   * being done), and the blocks of other tasks that wait for them. @throws ConfigError `UNKNOWN_TASK`
   */
  abandon(task: number): void {
    const run = this.#run(task)
    run.isGivenUp = true
    this.#surface.abandon(run)
    for (const { retention } of this.#tasks) retention?.recount()
    this.#avoidDeadlock()
  }

  /** A map of a task's blocks, for display. @throws ConfigError `UNKNOWN_TASK` */
  stateMap(task: number): StateMap {
    return new StateMap(this.#run(task))
  }

  /** Bytes of the state of all blocks now; they grow with the front of the run, not with its size. */
  get bytesInUse(): number {
    return this.#tasks.reduce((sum, task) => sum + task.states.bytesInUse, 0)
  }

  /** If only tasks that are too far ahead have ready blocks, lets them do what the next block of the others needs. */
  #avoidDeadlock(): void {
    if (!this.#hasLimits) return
    if (this.#tasks.some((task) => task.processing > 0)) return
    // What was wanted before is not if others can continue by now.
    for (const { retention } of this.#tasks) retention?.dropAllWanted()
    if (this.#tasks.some((task) => task.hasReady)) return
    for (const task of this.#byPriority) {
      const next = task.firstOpen()
      if (next >= 0 && findWanted(task, next)) return
    }
  }

  #run(number: number): TaskRun {
    const run = this.#tasks[number]
    if (run !== undefined) return run
    throw new ConfigError('UNKNOWN_TASK', `There is no task ${number}; the tasks are 0 to ${this.#tasks.length - 1}.`)
  }

  /** A held block ends. @returns how many blocks were orphaned by it, not counting itself */
  #end(task: TaskRun, index: number, code: number): number {
    task.processing--
    const change = task.redone.noteEnd(index)
    if (change === 'redo') task.failures.delete(index)
    else if (code === OUTCOME_CODE.done || code === OUTCOME_CODE.skipped) {
      if (code === OUTCOME_CODE.skipped) {
        task.skipped++
        task.redone.noteSkipped(index)
      }
      this.#complete(task, index)
      return 0
    }
    if (task.abandoned) {
      task.retention?.giveBack(index)
      task.orphaned++
      return this.#close(task, index, ORPHANED)
    }
    if (code === OUTCOME_CODE.failed && change !== 'redo') {
      const failures = task.failedAttempts(index) + 1
      if (failures > task.maxRetries) {
        task.failed++
        return this.#close(task, index, FAILED)
      }
      task.failures.set(index, failures)
    }
    task.retention?.giveBack(index)
    if (change !== undefined) return this.#waitAgain(task, index)
    task.makeReady(index)
    return 0
  }

  /** A block has ended without being completed, and blocks that it had waited for may have been forgotten meanwhile. */
  #waitAgain(task: TaskRun, index: number): number {
    if (isLost(task, index)) {
      task.orphaned++
      return this.#close(task, index, ORPHANED)
    }
    task.states.set(index, OPENING)
    settleBlock(task, index)
    return 0
  }

  #complete(task: TaskRun, index: number): void {
    if (task.failures.size > 0) task.failures.delete(index)
    task.completed++
    this.#surface.complete(task, index)
    if (!task.affectsRetention) return
    task.retention?.complete(index)
    notifyEnd(task, index)
  }

  /** A block will never complete. @returns how many other blocks were orphaned by it */
  #close(task: TaskRun, index: number, cell: typeof FAILED | typeof ORPHANED): number {
    task.failures.delete(index)
    task.states.set(index, cell)
    if (task.affectsRetention) notifyEnd(task, index)
    return this.#surface.orphanDependents(task, index)
  }
}

/** @throws ConfigError `INVALID_CONFIG` */
export function assertBlockCount(max: number): void {
  if (max >= 0 && (Number.isInteger(max) || max === Number.POSITIVE_INFINITY)) return
  throw new ConfigError('INVALID_CONFIG', `${max} blocks were requested; expected a whole number from 0.`)
}

function notHeld(task: TaskRun, index: number): ConfigError {
  return new ConfigError(
    'BLOCK_NOT_HELD',
    `Block ${task.id}/${index} was released but is not held, or was named twice; release each acquired block once.`,
  )
}

/** @throws ConfigError `INVALID_CONFIG` */
export function outcomeCode(outcome: BlockOutcome): number {
  if (Object.hasOwn(OUTCOME_CODE, outcome)) return OUTCOME_CODE[outcome]
  throw new ConfigError(
    'INVALID_CONFIG',
    `A block's outcome is ${JSON.stringify(outcome)}; expected ${Object.keys(OUTCOME_CODE).join(', ')}.`,
  )
}

function assertCodes(codes: ArrayLike<number>, count: number): void {
  for (let n = 0; n < count; n++) {
    const code = codes[n]!
    if (Number.isInteger(code) && code >= 0 && code <= HIGHEST_CODE) continue
    throw new ConfigError('INVALID_CONFIG', `Outcome ${n} is ${code}; expected a code from 0 to ${HIGHEST_CODE}.`)
  }
}

/** A task must be allowed to be as far ahead as one block of the tasks after it needs. */
function assertLimitsSuffice(runs: readonly TaskRun[]): void {
  for (const { id, retained } of runs) {
    for (const { task, link } of retained) {
      const needed = link.largestAwaited()
      const { limit = needed } = task.retention ?? {}
      if (limit >= needed) continue
      throw new ConfigError(
        'INVALID_CONFIG',
        `Task "${task.id}": maxAhead is ${limit} blocks, but a block of "${id}" needs ${needed} at once; set it to at least ${needed}.`,
      )
    }
  }
}
