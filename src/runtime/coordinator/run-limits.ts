import type { StallAction } from '../../core/workers/stall.ts'

/** How long a run waits, and how often it retries. These options are passed to the coordinator as the user gives them. */
export interface RunLimits {
  /** How often a failed block is attempted again. @default 2 */
  readonly maxRetries?: number | undefined
  /**
   * A task is abandoned after this many failed attempts in a row without a completed block; a block always gets all of its attempts.
   * `Infinity`: never. A task's own `maxFailures` takes precedence. @default 300
   */
  readonly maxFailures?: number | undefined
  /** Time limit for one block, in milliseconds; after it the block's worker is killed. @default no limit */
  readonly timeoutMs?: number | undefined
  /**
   * Time limit for a task's `setup` in a worker, including the import of its module, in milliseconds.
   * @default no limit without `timeoutMs`; with it ten minutes, or `timeoutMs` if that is longer
   */
  readonly setupTimeoutMs?: number | undefined
  /**
   * A worker that has not advanced for this long, in milliseconds, has stalled: it has reported neither a block nor `block.progress()`, and has
   * read and written nothing. `Infinity`: no worker counts as stalled.
   * @default 20 times what blocks of the task usually take, and at least ten minutes; four times as long at each further attempt at a block.
   * Before a block of the task is done, no worker counts as stalled
   */
  readonly stallMs?: number | undefined
  /**
   * What is done about a stalled worker. `end`: it is ended and replaced if the run has started it, otherwise as `move`. `move`: its blocks go to
   * others. Both count as a failed attempt at its block. `report`: nothing but the event `worker-stalled`. @default 'end'
   */
  readonly onStall?: StallAction | undefined
  /**
   * A block whose worker ran out of memory is tried again on a worker with this many times the memory, above 1, and again with as many times
   * that; its retries limit that. By the ids of tasks, or for all of them. @default as other blocks that failed
   */
  readonly memoryRetry?: number | Readonly<Record<string, number>> | undefined
  /** How often in a row a dead worker is replaced before its task is abandoned; each completed block starts the count again. @default 5 */
  readonly maxWorkerRestarts?: number | undefined
  /** How long a worker may take to reconnect before its blocks go to others, in milliseconds. @default 10000 */
  readonly reconnectMs?: number | undefined
  /** How long running blocks may continue after `signal`, in milliseconds. @default 5000 */
  readonly stopGraceMs?: number | undefined
  /** Counts a block as done only when its output and its record are on the disk, safe from a power failure. @default false */
  readonly fsync?: boolean | undefined
  /** Stops the run: running blocks may finish, no further blocks start. */
  readonly signal?: AbortSignal | undefined
}

/** What `memoryRetry` says of a task. */
export const memoryRetryOf = ({ memoryRetry }: RunLimits, taskId: string): number | undefined =>
  typeof memoryRetry === 'object' ? memoryRetry[taskId] : memoryRetry
