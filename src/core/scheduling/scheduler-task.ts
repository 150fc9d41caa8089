import { ConfigError } from '../errors.ts'
import type { BlockGridOptions } from '../grid/grid-options.ts'
import { isBitSet, unitedBits, withoutBits } from './bitmap.ts'
import type { OrderedTask } from './pipeline.ts'

/** A task to schedule: how it is cut into blocks, which tasks come before it, and which blocks are done already. */
export interface SchedulerTask extends BlockGridOptions, OrderedTask {
  /** how often a failed block is retried @default the scheduler's `maxRetries` */
  readonly maxRetries?: number
  /** bit i % 8 (lowest first) of byte floor(i / 8): block i is done; copied @default no block is */
  readonly done?: Uint8Array
  /** the blocks that need not run, as a bitmap like `done`: they count as done, and are never done again */
  readonly masked?: Uint8Array
  /** the blocks that this start leaves as they are, as a bitmap like `done`: nothing waits for them, and they do not count as done */
  readonly leftOut?: Uint8Array
  /**
   * how many of its blocks may be processing or done while blocks of other tasks still wait for them; exceeded only to avoid a
   * deadlock, by what the next of these blocks needs @default no limit
   */
  readonly maxAhead?: number
  /** its output is removed when no block needs it any more: see `takeUnneeded` @default false */
  readonly transient?: boolean
}

/** A task whose masked blocks are done. */
export function withMasked<Task extends SchedulerTask>(task: Task): Task {
  const { done, masked } = task
  if (masked === undefined) return task
  return { ...task, done: unitedBits(masked, done), masked: withoutBits(masked, done) }
}

/** A task whose blocks that are left out do not hold up others. @param done those that count as done */
export function withLeftOut<Task extends SchedulerTask>(task: Task, done: Uint8Array | undefined): Task {
  const { leftOut } = task
  if (leftOut === undefined) return done === task.done || done === undefined ? task : { ...task, done }
  return { ...task, done: unitedBits(leftOut, done), leftOut: withoutBits(leftOut, done) }
}

/** The blocks of a running task that count as completed without having been done. */
export type IdleBits =
  | Pick<SchedulerTask, 'masked' | 'leftOut'>
  | { readonly [Name in 'masked' | 'leftOut']: Uint8Array | undefined }

/** Whether a start leaves a block as it is. */
export const isLeftOut = ({ leftOut }: IdleBits, index: number): boolean =>
  leftOut !== undefined && isBitSet(leftOut, index)

/** Whether a block that counts as completed was not done, so that a later start may do it: it is outside a mask, or left out. */
export const isIdle = (task: IdleBits, index: number): boolean =>
  isLeftOut(task, index) || (task.masked !== undefined && isBitSet(task.masked, index))

/** @throws ConfigError `INVALID_CONFIG` */
export function checkRetries(maxRetries: number, taskId: string): number {
  if (Number.isSafeInteger(maxRetries) && maxRetries >= 0) return maxRetries
  throw new ConfigError(
    'INVALID_CONFIG',
    `Task "${taskId}": maxRetries is ${maxRetries}; expected a whole number from 0.`,
  )
}

/** The limit of a task, infinite without one. @throws ConfigError `INVALID_CONFIG` */
export function checkMaxAhead({ id, maxAhead }: SchedulerTask): number {
  if (maxAhead === undefined) return Number.POSITIVE_INFINITY
  if (Number.isSafeInteger(maxAhead) && maxAhead > 0) return maxAhead
  throw new ConfigError('INVALID_CONFIG', `Task "${id}": maxAhead is ${maxAhead}; expected a whole number from 1.`)
}

/** A copy of the task's bitmap, at the start of a new buffer. @throws ConfigError `INVALID_TASK` */
export function copyDone({ id, done }: SchedulerTask, blockCount: number): Uint8Array | undefined {
  if (done === undefined) return undefined
  if (!(done instanceof Uint8Array)) {
    throw new ConfigError('INVALID_TASK', `Task "${id}": "done" must be a Uint8Array with one bit per block.`)
  }
  const length = Math.ceil(blockCount / 8)
  if (done.length < length) {
    throw new ConfigError(
      'INVALID_TASK',
      `Task "${id}": the bitmap of done blocks has ${done.length} bytes; ${blockCount} blocks need ${length}.`,
    )
  }
  const copy = new Uint8Array(length)
  copy.set(done.subarray(0, length))
  return copy
}
