import { ConfigError } from '../core/errors.ts'
import type { RunEvent } from '../core/events.ts'
import { assertFits, checkResources, type Resources } from '../core/workers/resources.ts'
import type { WorkerLauncher } from '../ports/worker-launcher.ts'
import { EventStream } from '../runtime/coordinator/event-stream.ts'
import { hasCheck, type RunResult, runPipeline } from '../runtime/coordinator/run-pipeline.ts'
import { inlineLauncher } from '../runtime/launchers/inline-launcher.ts'
import type { TaskLike } from '../runtime/tasks/define-task.ts'
import { type PlannedPipeline, type PlannedTask, planPipeline } from '../runtime/tasks/plan-pipeline.ts'
import { asTasks } from '../runtime/tasks/task-like.ts'
import { moduleBeingImported } from '../runtime/worker/load-task.ts'
import { arrayStore } from './arrays.ts'
import { breathe, systemClock } from './clock.ts'
import { type DashboardRequest, startDashboardThread } from './pages/dashboard-thread.ts'
import { keepHistory } from './run-folder/history-writer.ts'
import { describePlace, type ProgressPlace } from './run-folder/progress-place.ts'
import { assertOwnTransients, createOutputs, type RecordedRun, recordRun } from './run-folder/recorded-run.ts'
import { keepLiveState, sessionFile } from './run-folder/run-files.ts'
import { type HeldRunFolder, holdRunFolder } from './run-folder/run-folder.ts'
import { describeTasks, runFolder } from './run-folder/run-place.ts'
import { moduleName } from './workers/network-worker.ts'
import { defaultWorkers, resourcesOf } from './workers/run-resources.ts'
import {
  type Invitation,
  type NetworkOptions,
  openWorkerPool,
  type PoolKind,
  type WorkerPool,
} from './workers/worker-pool.ts'

/** How a run is done. */
export interface RunOptions extends NetworkOptions {
  /** Workers in all, for all tasks together. @default the processors of this machine */
  readonly workers?: number
  /**
   * `process`: each worker is a process of this machine. `thread`: a thread of this process. `slurm`: a job of SLURM, `sge`: of SGE. `none`: no worker is started,
   * all come by themselves (`bellis worker`), as more may for the first two. `inline`: all in this process, by async
   * concurrency; what a task given as a closure always has. @default 'process'
   */
  readonly pool?: PoolKind | 'inline' | WorkerLauncher
  /** Further tries of a block that failed. @default 2 */
  readonly maxRetries?: number
  /** Milliseconds that one block may take. @default no limit */
  readonly timeoutMs?: number
  /**
   * Milliseconds that a task's `setup` may take in a worker, the import of its module included. @default no limit without
   * `timeoutMs`; with it ten minutes, or as long as a block where that is longer
   */
  readonly setupTimeoutMs?: number
  /** How often in a row a dead worker is replaced without a completed block. @default 5 */
  readonly maxWorkerRestarts?: number
  /**
   * What the workers of the run have together, `{ cpu: 32, gpu: 8, memoryGb: 200 }`: tasks say what one worker requires.
   * @default the processors and the memory of this machine, and no other resources; where workers are jobs of a batch system or
   * come by themselves, no limit
   */
  readonly resources?: Resources
  /** Replaces outputs that exist. @default false */
  readonly overwrite?: boolean
  /**
   * Where it is kept what is done, so that the same run continues: `sqlite`, in the run's folder; the URL of a MongoDB;
   * a store; or `none`. @default 'sqlite', and 'none' where a task is a closure
   */
  readonly progress?: ProgressPlace
  /** Waits at every block until its output and its record are on the disk itself, against a loss of power. @default false */
  readonly fsync?: boolean
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
  /** Serves a page that shows the run, while it is on. @default no page */
  readonly dashboard?: DashboardRequest
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

const POOLS: readonly string[] = ['process', 'thread', 'inline', 'slurm', 'sge', 'none']

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
  options: Pick<RunOptions, 'overwrite' | 'workers' | 'pool' | 'resources'> = {},
): Promise<PlannedPipeline> {
  checkOptions(options)
  const list = (Array.isArray(tasks) ? tasks.flat() : [tasks]) as readonly unknown[]
  const pipeline = await planPipeline(asTasks(list, 'What is to be run'), {
    arrays: arrayStore,
    overwrite: options.overwrite ?? false,
  })
  assertFits(pipeline.tasks, resourcesOf(options).budget)
  return pipeline
}

/** What is wrong with a run's options is told before anything is planned or written. */
function checkOptions(options: RunOptions): void {
  const { workers, pool, maxRetries, timeoutMs, setupTimeoutMs, maxWorkerRestarts } = options
  const { stopGraceMs, reconnectMs, port, slurm, sge } = options
  const check = (isRight: boolean, what: string, value: unknown, right: string): void => {
    if (isRight) return
    throw new ConfigError('INVALID_CONFIG', `${what} is ${String(value)}, but must be ${right}.`)
  }
  const isWhole = (value: number, least: number) => Number.isSafeInteger(value) && value >= least
  const isPool = pool === undefined || POOLS.includes(pool as string) || (typeof pool === 'object' && pool !== null)
  check(isWhole(workers ?? 1, 1), 'The number of workers', workers, 'a whole number from 1 on')
  check(isPool, 'pool', pool, `${POOLS.map((name) => `"${name}"`).join(', ')} or a launcher`)
  checkResources(options.resources ?? {}, 'The run: "resources"')
  check(isWhole(maxRetries ?? 0, 0), 'maxRetries', maxRetries, 'a whole number from 0 on')
  check(isWhole(maxWorkerRestarts ?? 0, 0), 'maxWorkerRestarts', maxWorkerRestarts, 'a whole number from 0 on')
  check((timeoutMs ?? 1) > 0, 'timeoutMs', timeoutMs, 'a number of milliseconds above 0')
  check((setupTimeoutMs ?? 1) > 0, 'setupTimeoutMs', setupTimeoutMs, 'a number of milliseconds above 0')
  check((reconnectMs ?? 0) >= 0, 'reconnectMs', reconnectMs, 'a number of milliseconds from 0 on')
  check(isWhole(port ?? 0, 0) && (port ?? 0) < 65_536, 'port', port, 'a port from 0 to 65535')
  check(typeof (slurm ?? '') === 'string', 'slurm', slurm, 'the options of sbatch in one text')
  check(typeof (sge ?? '') === 'string', 'sge', sge, 'the options of qsub in one text')
  check((stopGraceMs ?? 0) >= 0, 'stopGraceMs', stopGraceMs, 'a number of milliseconds from 0 on')
}

/** Makes the outputs of a planned pipeline, and runs it. */
export async function execute(pipeline: PlannedPipeline, options: RunOptions, events: EventStream): Promise<RunResult> {
  const {
    workers = defaultWorkers(options),
    pool = 'process',
    overwrite = false,
    onEvent: _,
    runDir: __,
    progress: ___,
    resources: ____,
    dashboard,
    ...limits
  } = options
  const place = progressPlace(pipeline, options)
  const needsWorkers = pool !== 'inline' && !pipeline.tasks.every(isClosure)
  const needsFolder = needsWorkers || place !== 'none' || dashboard !== undefined
  using folder = needsFolder ? openFolder(pipeline, options) : undefined
  await using open = new AsyncDisposableStack()
  const { path = '' } = folder ?? {}
  if (folder !== undefined) keepLiveState(path, events)
  const warn = (message: string) => events.emit({ type: 'warning', message })
  let recorded: RecordedRun | undefined
  let workerPool: WorkerPool | undefined
  try {
    recorded = await recordRun(pipeline, { folder: path, place, overwrite, fsync: options.fsync ?? false, warn })
    if (recorded !== undefined) open.use(recorded)
    else await assertOwnTransients(pipeline, { overwrite })
    if (folder !== undefined) open.use(keepHistory(path, events, { ...historyOf(pipeline, recorded), overwrite }))
    if (dashboard !== undefined) open.use(await startDashboardThread(path, dashboard, place))
    const isDone = recorded?.isDone ?? false
    workerPool =
      needsWorkers && !isDone
        ? await openWorkerPool(pool, path, options, (report) => events.emit({ type: 'jobs', ...report }))
        : undefined
    if (workerPool !== undefined) open.use(workerPool)
    await (recorded?.createOutputs() ?? createOutputs(pipeline, options.fsync))
  } catch (error) {
    await open.disposeAsync()
    folder?.removeIfNew()
    throw error
  }
  const inline = open.use(inlineLauncher({ tasks: pipeline.tasks, arrays: arrayStore, clock: systemClock, breathe }))
  if (workerPool !== undefined) options.onListening?.(workerPool.invitation)
  // Awaited here: the launchers end with this function.
  return await runPipeline(pipeline, {
    ...limits,
    launcherOf: (task) => (isClosure(task) || workerPool === undefined ? inline : workerPool.launcher),
    ...(workerPool === undefined ? {} : { listener: workerPool.listener }),
    ...(recorded === undefined ? {} : { progress: recorded.progress }),
    ...(workerPool === undefined || recorded === undefined || overwrite ? {} : { sessions: sessionFile(path) }),
    folder: process.cwd(),
    moduleName,
    workers,
    resources: resourcesOf(options),
    arrays: arrayStore,
    clock: systemClock,
    events,
  })
}

/** What a run's history begins with: the blocks that are done already, of tasks that do not say it themselves. */
const historyOf = ({ tasks }: PlannedPipeline, recorded: RecordedRun | undefined) => ({
  tasks: tasks.map(({ id, grid }) => ({ id, blocks: grid.blockCount })),
  doneOf: (number: number) =>
    hasCheck(tasks[number] as PlannedTask) ? undefined : recorded?.progress.recorder.completed(number),
})

const isClosure = (task: PlannedTask): boolean => !('kind' in task.source)

/** A closure is another one at the next start, for all that can be known of it: it is not taken for done unless that is asked for. */
const progressPlace = (pipeline: PlannedPipeline, { progress }: RunOptions): ProgressPlace =>
  progress ?? (pipeline.tasks.some(isClosure) ? 'none' : 'sqlite')

const openFolder = (pipeline: PlannedPipeline, options: RunOptions): HeldRunFolder =>
  holdRunFolder(
    runFolder(pipeline, options),
    {
      created: new Date().toISOString(),
      directory: process.cwd(),
      progress: describePlace(progressPlace(pipeline, options)),
      tasks: describeTasks(pipeline),
    },
    options.overwrite,
  )
