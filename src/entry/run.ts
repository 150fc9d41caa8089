import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { ConfigError } from '../core/errors.ts'
import type { WorkerLauncher } from '../ports/worker-launcher.ts'
import { type ClosureTask, isPipelineDefinition, isTaskDefinition, type TaskLike } from '../runtime/define-task.ts'
import { inlineLauncher } from '../runtime/inline-launcher.ts'
import { moduleBeingImported } from '../runtime/load-task.ts'
import { type PlannedPipeline, type PlannedTask, planPipeline } from '../runtime/plan-pipeline.ts'
import { EventStream, type RunEvent } from '../runtime/run-events.ts'
import { type RunResult, runPipeline } from '../runtime/run-pipeline.ts'
import { arrayStore } from './arrays.ts'
import { breathe, systemClock } from './clock.ts'
import { moduleName } from './network-worker.ts'
import { makeFolder, removeEmpty } from './run-folder.ts'
import { type Invitation, type NetworkOptions, openWorkerPool, type PoolKind, type WorkerPool } from './worker-pool.ts'

/** How a run is done. */
export interface RunOptions extends NetworkOptions {
  /** Workers in all, for all tasks together. @default the processors of this machine */
  readonly workers?: number
  /**
   * `process`: each worker is a process of this machine. `thread`: a thread of this process. `slurm`: a job of SLURM. `none`: no worker is started,
   * all come by themselves (`bellis worker`), as more may for the first two. `inline`: all in this process, by async
   * concurrency; what a task given as a closure always has. @default 'process'
   */
  readonly pool?: PoolKind | 'inline' | WorkerLauncher
  /** Further tries of a block that failed. @default 2 */
  readonly maxRetries?: number
  /** Milliseconds that one block may take. @default no limit */
  readonly timeoutMs?: number
  /** How often in a row a dead worker is replaced without a completed block. @default 5 */
  readonly maxWorkerRestarts?: number
  /** Replaces outputs that exist. @default false */
  readonly overwrite?: boolean
  /** Where the run's folder is made. @default '.bellis', or BELLIS_HOME */
  readonly runDir?: string
  /** Stops the run: running blocks may finish, no further one begins. */
  readonly signal?: AbortSignal
  /** How long running blocks may go on after `signal`. @default 5000 */
  readonly stopGraceMs?: number
  /** How long a worker whose connection ended may take to come back before its blocks go to others. @default 10000 */
  readonly reconnectMs?: number
  /** Told once, when more workers may come in from elsewhere. What it is told lets them in: keep it out of logs. */
  readonly onListening?: (invitation: Invitation) => void
  /** Called with every event. What it throws stops the run, and `result` rejects with it. */
  readonly onEvent?: (event: RunEvent) => void
}

/** A run that was started. */
export interface Run extends AsyncDisposable {
  /** Every event from the next turn on, to the end of the run; a reader that is slow misses block events, never failures. */
  readonly events: AsyncIterable<RunEvent>
  /** How it ended. Rejects with a ConfigError when it could not begin: nothing was written then. */
  readonly result: Promise<RunResult>
  /** Stops handing out blocks and resolves when the running ones have ended. */
  stop(): Promise<RunResult>
}

const POOLS: readonly string[] = ['process', 'thread', 'inline', 'slurm', 'none']

type Tasks = TaskLike | readonly (TaskLike | readonly TaskLike[])[]

/**
 * Runs one task or several to their end.
 * @param tasks nodes of defined tasks, closures, or what a pipeline gives; what they come after is run too
 * @returns how every task ended; a block that failed is in there, not thrown
 * @throws ConfigError when the run can't begin: nothing was written then
 */
export function runBlockwise(tasks: Tasks, options: RunOptions = {}): Promise<RunResult> {
  return startRun(tasks, options).result
}

/** Starts a run. @see runBlockwise */
export function startRun(tasks: Tasks, options: RunOptions = {}): Run {
  const module = moduleBeingImported()
  if (module !== undefined) {
    throw new ConfigError(
      'INVALID_TASK',
      `${module} starts a run when it is imported, as workers and "bellis run" import it to find a task; keep tasks and the script that runs them in two files.`,
    )
  }
  const events = new EventStream()
  const stopping = new AbortController()
  let thrown: { readonly error: unknown } | undefined
  const { onEvent } = options
  if (onEvent !== undefined) {
    events.listen((event) => {
      try {
        onEvent(event)
      } catch (error) {
        thrown ??= { error }
        stopping.abort()
      }
    })
  }
  const signal = options.signal === undefined ? stopping.signal : AbortSignal.any([options.signal, stopping.signal])
  const run = async (): Promise<RunResult> => {
    try {
      const ended = await execute(await planTasks(tasks, options), { ...options, signal }, events)
      if (thrown !== undefined) throw thrown.error
      return ended
    } finally {
      events.close()
    }
  }
  const result = run()
  const stop = () => {
    stopping.abort()
    return result
  }
  result.catch(() => {})
  return {
    events,
    result,
    stop,
    async [Symbol.asyncDispose]() {
      await stop().catch(() => {})
    },
  }
}

/**
 * Plans a run without writing anything: what would be done.
 * @throws ConfigError as `runBlockwise`
 */
export async function planTasks(
  tasks: Tasks,
  options: Pick<RunOptions, 'overwrite' | 'workers'> = {},
): Promise<PlannedPipeline> {
  checkOptions(options)
  const list = (Array.isArray(tasks) ? tasks.flat() : [tasks]) as readonly unknown[]
  return planPipeline(list.map(asTask), { arrays: arrayStore, overwrite: options.overwrite ?? false })
}

/** What is wrong with a run's options is told before anything is planned or written. */
function checkOptions(options: RunOptions): void {
  const { workers, pool, maxRetries, timeoutMs, maxWorkerRestarts, stopGraceMs, reconnectMs, port, slurm } = options
  const check = (isRight: boolean, what: string, value: unknown, right: string): void => {
    if (isRight) return
    throw new ConfigError('INVALID_CONFIG', `${what} is ${String(value)}, but must be ${right}.`)
  }
  const isWhole = (value: number, least: number) => Number.isSafeInteger(value) && value >= least
  const isPool = pool === undefined || POOLS.includes(pool as string) || (typeof pool === 'object' && pool !== null)
  check(isWhole(workers ?? 1, 1), 'The number of workers', workers, 'a whole number from 1 on')
  check(isPool, 'pool', pool, `${POOLS.map((name) => `"${name}"`).join(', ')} or a launcher`)
  check(isWhole(maxRetries ?? 0, 0), 'maxRetries', maxRetries, 'a whole number from 0 on')
  check(isWhole(maxWorkerRestarts ?? 0, 0), 'maxWorkerRestarts', maxWorkerRestarts, 'a whole number from 0 on')
  check((timeoutMs ?? 1) > 0, 'timeoutMs', timeoutMs, 'a number of milliseconds above 0')
  check((reconnectMs ?? 0) >= 0, 'reconnectMs', reconnectMs, 'a number of milliseconds from 0 on')
  check(isWhole(port ?? 0, 0) && (port ?? 0) < 65_536, 'port', port, 'a port from 0 to 65535')
  check(typeof (slurm ?? '') === 'string', 'slurm', slurm, 'the options of sbatch in one text')
  check((stopGraceMs ?? 0) >= 0, 'stopGraceMs', stopGraceMs, 'a number of milliseconds from 0 on')
}

function asTask(value: unknown): TaskLike {
  if (isTaskDefinition(value) || isPipelineDefinition(value)) {
    throw new ConfigError(
      'INVALID_TASK',
      `"${value.options.name ?? 'pipeline'}" is a definition; call it with its configuration to get what can be run.`,
    )
  }
  const task = value as Partial<ClosureTask> & { kind?: unknown }
  const isTask =
    typeof value === 'object' &&
    value !== null &&
    typeof task.id === 'string' &&
    (task.kind === 'task' || typeof task.process === 'function')
  if (!isTask)
    throw new ConfigError(
      'INVALID_TASK',
      'What is to be run must be a defined task called with its configuration, or an object with id, Rois and process.',
    )
  return value as TaskLike
}

/** Makes the outputs of a planned pipeline, and runs it. */
export async function execute(pipeline: PlannedPipeline, options: RunOptions, events: EventStream): Promise<RunResult> {
  const {
    workers = availableParallelism(),
    pool = 'process',
    onEvent: _,
    overwrite: __,
    runDir: ___,
    ...limits
  } = options
  const isClosure = (task: PlannedTask) => !('kind' in task.source)
  const needsWorkers = pool !== 'inline' && !pipeline.tasks.every(isClosure)
  const folder = runFolder(pipeline, options)
  const madeFolders = needsWorkers ? makeFolder(join(folder, 'logs')) : []
  let workerPool: WorkerPool | undefined
  try {
    workerPool = needsWorkers
      ? await openWorkerPool(pool, folder, options, (report) => events.emit({ type: 'jobs', ...report }))
      : undefined
    for (const task of pipeline.tasks) {
      for (const output of task.outputs)
        await (await arrayStore.create(output.path, output.options))[Symbol.asyncDispose]()
    }
  } catch (error) {
    await workerPool?.[Symbol.asyncDispose]()
    removeEmpty(madeFolders)
    throw error
  }
  await using inline = inlineLauncher({ tasks: pipeline.tasks, arrays: arrayStore, clock: systemClock, breathe })
  await using _pool = workerPool
  if (workerPool !== undefined) options.onListening?.(workerPool.invitation)
  // Awaited here: the launchers end with this function.
  return await runPipeline(pipeline, {
    ...limits,
    launcherOf: (task) => (isClosure(task) || workerPool === undefined ? inline : workerPool.launcher),
    ...(workerPool === undefined ? {} : { listener: workerPool.listener }),
    folder: process.cwd(),
    moduleName,
    workers,
    clock: systemClock,
    events,
  })
}

/** Where runs' folders are. */
export const runsHome = (runDir?: string): string => runDir ?? process.env.BELLIS_HOME ?? '.bellis'

/** `.bellis/<task>-<first 8 of its hash>`: the same for the same tasks, configurations and grids. */
export function runFolder(pipeline: PlannedPipeline, options: Pick<RunOptions, 'runDir'>): string {
  const identity = pipeline.tasks.map(({ id, grid, source, after, unit }) => ({
    id,
    after,
    unit,
    grid: [grid.totalRoi, grid.readRoi, grid.writeRoi, grid.fit, grid.readWriteConflict],
    ...('kind' in source ? { name: source.definition.options.name, config: source.config } : {}),
  }))
  const hash = createHash('sha256').update(canonicalJson(identity)).digest('hex').slice(0, 8)
  return join(
    runsHome(options.runDir),
    `${pipeline.tasks
      .map((task) => task.id)
      .join('+')
      .slice(0, 60)}-${hash}`,
  )
}

/** JSON with the keys in order: the same text for the same value. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
