import { availableParallelism } from 'node:os'
import { ConfigError } from '../core/errors.ts'
import type { RunEvent } from '../core/events.ts'
import { checkResources, type Resources } from '../core/workers/resources.ts'
import { STALL_ACTIONS } from '../core/workers/stall.ts'
import type { WorkerLauncher } from '../ports/worker-launcher.ts'
import type { RunLimits } from '../runtime/coordinator/run-limits.ts'
import { isMaxFailures, isMemoryFactor, isSizeMb, SIZES_MB } from '../runtime/tasks/option-checks.ts'
import type { PlannedTask } from '../runtime/tasks/planned-task.ts'
import type { DashboardRequest } from './pages/dashboard-thread.ts'
import type { ProgressPlace } from './run-folder/progress-place.ts'
import { BATCH_KINDS, POOLS, type PoolKind, SUBMITS_WITH, TASK_POOLS } from './workers/pools.ts'
import type { Invitation, NetworkOptions } from './workers/worker-pool.ts'

/** Options of a run. */
export interface RunOptions extends NetworkOptions, RunLimits {
  /** The number of workers, for all tasks together. @default the number of processors of this machine */
  readonly workers?: number
  /** The number of workers follows the work, from this many to `workers`. @default always `workers` */
  readonly minWorkers?: number
  /**
   * Where blocks are processed. `process`: each worker is a process on this machine. `thread`: a thread of this
   * process. `slurm`: a SLURM job. `sge`, `pbs`, `lsf`: a job of Grid Engine, PBS or LSF. `kubernetes`: a pod of an Indexed Job. `none`: the run starts
   * no workers; they join it with `bellis worker`, as further workers may join any run. `inline`: all in this process, by async concurrency; tasks
   * given as closures always run this way. A custom launcher starts workers in its own way. @default 'process'
   */
  readonly pool?: PoolKind | 'inline' | WorkerLauncher
  /**
   * The resources shared by the workers of the run, `{ cpu: 32, gpu: 8, memoryGb: 200 }`; each task defines what one worker
   * requires.
   * @default the processors and the memory of this machine, and no other resources; no limit if workers are jobs of a batch
   * system, or if the run starts none
   */
  readonly resources?: Resources
  /**
   * The path of a volume, of any resolution: blocks that write nothing where it is not 0 are not run, they count as done, and their output stays
   * as it is. For every task whose plan has no `mask` of its own. @default all blocks are run
   */
  readonly mask?: string
  /**
   * Compares the times of the chunks of inputs with those of blocks that are done, too: this asks the file system about every chunk of Zarr, N5
   * and precomputed inputs. @default false, only the metadata of inputs, and the files of other formats
   */
  readonly checkInputs?: boolean
  /**
   * The only blocks that this start does, besides those that they wait for: `failed`, those that the record calls failed; a region that they
   * write in, `offset:shape` in nm or in voxels of the first input; or the path of a file that lists blocks or regions. The record keeps what
   * it says of the others. @default all blocks
   */
  readonly only?: string
  /**
   * Continues a run whose volume or region has grown: outputs are made larger, blocks that are done stay so unless they read what is new, and the others
   * are done. A run whose volume has not grown is continued as always. @default false, such a run is refused
   */
  readonly grow?: boolean
  /** Replaces outputs that exist. @default false */
  readonly overwrite?: boolean
  /**
   * Where progress is recorded, so that the same run can continue: `sqlite`, in the run's folder; the URL of a MongoDB;
   * a store; or `none`. @default 'sqlite', or 'none' if a task is a closure
   */
  readonly progress?: ProgressPlace
  /**
   * The largest size of the history that the page of the run is drawn from, in MB (2^20 bytes): that of this start, and half as much for those
   * of all earlier starts together, of which the oldest are removed. When it is reached, the page shows no further events. @default 512
   */
  readonly maxHistoryMb?: number
  /** The folder in which the run's folder is created. @default '.bellis', or BELLIS_HOME */
  readonly runDir?: string
  /** Called once, when other workers can join. The invitation contains the run's secret: keep it out of logs. */
  readonly onListening?: (invitation: Invitation) => void
  /** Serves a page that shows the run while it is running. @default no page */
  readonly dashboard?: DashboardRequest
  /** Called with every event. If it throws, the run stops and `result` rejects with that error. */
  readonly onEvent?: (event: RunEvent) => void
}

/**
 * Checks the options that can be checked before planning.
 * @throws ConfigError `INVALID_CONFIG` naming the option, its value and what is expected
 */
export function checkOptions(options: RunOptions): void {
  const { workers, pool, maxRetries, maxFailures, timeoutMs, setupTimeoutMs, maxWorkerRestarts } = options
  const { stopGraceMs, reconnectMs, port, tls, plain = false, stallMs, onStall } = options
  check(isWhole(workers ?? 1, 1), 'workers', workers, 'a whole number, 1 or more')
  const { minWorkers = 1 } = options
  check(
    isWhole(minWorkers, 1) && minWorkers <= (workers ?? minWorkers),
    'minWorkers',
    minWorkers,
    `a whole number from 1 to workers`,
  )
  checkLocalWorkers(options)
  check(!(options.grow && options.overwrite), 'grow', true, 'without overwrite, which does all blocks again')
  check(isPool(pool), 'pool', pool, `${POOLS.map(quoted).join(', ')} or a launcher`)
  checkResources(options.resources ?? {}, 'The run: "resources"')
  check(isWhole(maxRetries ?? 0, 0), 'maxRetries', maxRetries, 'a whole number, 0 or more')
  check(isMaxFailures(maxFailures ?? 1), 'maxFailures', maxFailures, 'a whole number, 1 or more, or Infinity')
  check(isWhole(maxWorkerRestarts ?? 0, 0), 'maxWorkerRestarts', maxWorkerRestarts, 'a whole number, 0 or more')
  const factors =
    typeof options.memoryRetry === 'object' ? Object.values(options.memoryRetry) : [options.memoryRetry ?? 2]
  check(factors.every(isMemoryFactor), 'memoryRetry', factors.join(', '), 'a number above 1, and at most 64')
  check((timeoutMs ?? 1) > 0, 'timeoutMs', timeoutMs, 'a number of milliseconds above 0')
  check((setupTimeoutMs ?? 1) > 0, 'setupTimeoutMs', setupTimeoutMs, 'a number of milliseconds above 0')
  check((stallMs ?? 1) > 0, 'stallMs', stallMs, 'a number of milliseconds above 0, or Infinity')
  check(STALL_ACTIONS.includes(onStall ?? 'end'), 'onStall', onStall, STALL_ACTIONS.map(quoted).join(', '))
  check((reconnectMs ?? 0) >= 0, 'reconnectMs', reconnectMs, 'a number of milliseconds, 0 or more')
  check(isWhole(port ?? 0, 0) && (port ?? 0) < 65_536, 'port', port, 'a port number from 0 to 65535')
  for (const each of [options, ...Object.values(options.taskPools ?? {})]) {
    for (const kind of BATCH_KINDS) {
      check(isText(each[kind]), kind, each[kind], `the options of ${SUBMITS_WITH[kind]} as one string`)
    }
  }
  check(tls === undefined || !plain, 'plain', plain, 'false, or no certificate in tls')
  for (const name of ['maxHistoryMb', 'maxLogMb'] as const) {
    check(isSizeMb(options[name] ?? 1), name, options[name], SIZES_MB.text)
  }
  check((stopGraceMs ?? 0) >= 0, 'stopGraceMs', stopGraceMs, 'a number of milliseconds, 0 or more')
}

/** Each local worker is a process or thread with a Node of its own. */
const LOCAL_WORKERS_PER_PROCESSOR = 16
const LEAST_LIMIT = 256

/** Refuses what this machine could not start, before it stops answering. */
function checkLocalWorkers({ workers = 1, pool = 'process' }: RunOptions): void {
  const processors = availableParallelism()
  const most = Math.max(LEAST_LIMIT, LOCAL_WORKERS_PER_PROCESSOR * processors)
  const isLocal = pool === 'process' || pool === 'thread'
  const expected = `at most ${most} on this machine, which has ${processors} processors; more workers can join from others (pool "none", "slurm", …)`
  check(!isLocal || workers <= most, 'workers', workers, expected)
}

const quoted = (name: string): string => `"${name}"`

/**
 * Checks what is given for single tasks against the tasks that there are.
 * @throws ConfigError `INVALID_CONFIG` naming the task
 */
export function checkPerTask(tasks: readonly PlannedTask[], options: Partial<RunOptions>): void {
  const { taskPools = {}, pool, memoryRetry } = options
  const ids = tasks.map(({ id }) => id)
  const expected = `one of the tasks of the run: ${ids.map(quoted).join(', ')}`
  for (const id of typeof memoryRetry === 'object' ? Object.keys(memoryRetry) : [])
    check(ids.includes(id), 'The task of a memory retry', id, expected)
  for (const [id, own] of Object.entries(taskPools)) {
    check(ids.includes(id), 'The task of a pool', id, expected)
    const kinds = TASK_POOLS.map(quoted).join(', ')
    check([undefined, ...TASK_POOLS].includes(own.pool), `The pool of task "${id}"`, own.pool, kinds)
    check(pool !== 'inline', `The pool of task "${id}"`, own.pool, 'none, since the pool of the run is "inline"')
  }
}

function check(isValid: boolean, name: string, value: unknown, expected: string): void {
  if (isValid) return
  throw new ConfigError('INVALID_CONFIG', `${name} ${String(value)}: expected ${expected}.`)
}

const isText = (value: unknown): boolean => value === undefined || typeof value === 'string'

const isWhole = (value: number, least: number): boolean => Number.isSafeInteger(value) && value >= least

const isPool = (pool: unknown): boolean =>
  pool === undefined || POOLS.some((name) => name === pool) || (typeof pool === 'object' && pool !== null)
