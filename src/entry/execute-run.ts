import { randomUUID } from 'node:crypto'
import { noteStuckThreads } from '../adapters/threads/stuck-threads.ts'
import { BlockwiseError, ConfigError, messageOf, toWireError } from '../core/errors.ts'
import type { RunEvent } from '../core/events.ts'
import { given } from '../core/given.ts'
import { assertStatesFit } from '../core/grid/block-memory.ts'
import { ResourceStack } from '../core/resource-stack.ts'
import { assertFits } from '../core/workers/resources.ts'
import { EventStream } from '../runtime/coordinator/event-stream.ts'
import type { RunLimits } from '../runtime/coordinator/run-limits.ts'
import { runPipeline } from '../runtime/coordinator/run-pipeline.ts'
import type { RunResult } from '../runtime/coordinator/run-result.ts'
import { inlineLauncher } from '../runtime/launchers/inline-launcher.ts'
import { nameOfTasks } from '../runtime/tasks/pipeline-name.ts'
import { planPipeline } from '../runtime/tasks/plan-pipeline.ts'
import type { PlannedPipeline, PlannedTask } from '../runtime/tasks/planned-task.ts'
import type { PlanOptions } from '../runtime/tasks/planning-pass.ts'
import { asTasks } from '../runtime/tasks/task-like.ts'
import { hasOwnCheck, isTaskNode, type Tasks } from '../runtime/tasks/task-node.ts'
import { arrayStore } from './arrays.ts'
import { breathe, systemClock } from './clock.ts'
import { CommandRelay } from './command-relay.ts'
import { keepFromPacking, packOutputs } from './packed/pack-outputs.ts'
import { assertNothingLost } from './packed/replaced-files.ts'
import { assertCanServe, startDashboardThread } from './pages/dashboard-thread.ts'
import { keptCommand, variablesOfProcess } from './run-folder/continuation.ts'
import { receiveCommands } from './run-folder/control/command-receiver.ts'
import { hasGrownBefore, readRecordedBlocks } from './run-folder/growth/run-growth.ts'
import { keepHistory } from './run-folder/history/history-writer.ts'
import { describePlace, type ProgressPlace } from './run-folder/progress-place.ts'
import { noteRunStart } from './run-folder/provenance/provenance-file.ts'
import { namingAuthors } from './run-folder/provenance/refused-output.ts'
import { unfinishedInputs } from './run-folder/provenance/unfinished-arrays.ts'
import { openRecordPlace, type RecordedRun, type RecordPlace } from './run-folder/recorded-run.ts'
import { keepLiveState, sessionFile, writeMasks } from './run-folder/run-files.ts'
import { type HeldRunFolder, holdRunFolder } from './run-folder/run-folder.ts'
import { authorOf, RunOutputs } from './run-folder/run-outputs.ts'
import { describeTasks, runFolder } from './run-folder/run-place.ts'
import { isFailed, onlyBlocks } from './run-folder/selection/only-blocks.ts'
import { checkOptions, checkPerTask, type RunOptions } from './run-options.ts'
import { machineMemory } from './workers/machine-memory.ts'
import { moduleName } from './workers/module-name.ts'
import { defaultWorkers, resourcesOf } from './workers/run-resources.ts'
import { openWorkerPool, type WorkerPool } from './workers/worker-pool.ts'

/** Plans a run. @see planTasks */
export async function planRun(
  tasks: Tasks,
  options: Pick<
    RunOptions,
    'overwrite' | 'grow' | 'workers' | 'pool' | 'taskPools' | 'resources' | 'mask' | 'only' | 'progress' | 'runDir'
  >,
): Promise<PlannedPipeline> {
  checkOptions(options)
  const list = (Array.isArray(tasks) ? tasks.flat() : [tasks]) as readonly unknown[]
  const how: PlanOptions = {
    arrays: namingAuthors(arrayStore),
    overwrite: options.overwrite ?? false,
    grow: options.grow ?? false,
    mask: options.mask,
    name: nameOfTasks(tasks),
  }
  const pipeline = await planWithRecord(asTasks(list, 'A task to run'), how, options)
  assertStatesFit(pipeline.tasks, machineMemory().total)
  assertFits(pipeline.tasks, resourcesOf(options).budget)
  checkPerTask(pipeline.tasks, options)
  checkOnly(pipeline, options)
  await assertNothingLost(pipeline)
  return pipeline
}

/** Plans tasks with the blocks of the run's record, if its volume may have grown or has grown in an earlier start. */
async function planWithRecord(
  tasks: ReturnType<typeof asTasks>,
  how: PlanOptions,
  options: Pick<RunOptions, 'progress' | 'runDir'>,
): Promise<PlannedPipeline> {
  const draft = () => planPipeline(tasks, { ...how, grow: true, isDraft: true })
  const withBlocksOf = async (planned: PlannedPipeline) =>
    planPipeline(tasks, { ...how, recorded: await recordedBlocks(planned, options) })
  if (how.grow) return withBlocksOf(await draft())
  const hasGrown = (planned: PlannedPipeline) =>
    progressPlace(planned, options) !== 'none' && hasGrownBefore(runFolder(planned, options))
  let planned: PlannedPipeline
  try {
    planned = await planPipeline(tasks, how)
  } catch (error) {
    // The blocks that a task chooses for the larger volume may not fit to its output.
    const other = how.overwrite ? undefined : await draft().catch(() => undefined)
    if (other === undefined || !hasGrown(other)) throw error
    return withBlocksOf(other)
  }
  return how.overwrite || !hasGrown(planned) ? planned : withBlocksOf(planned)
}

/** The blocks of a run before its volume has grown. */
async function recordedBlocks(draft: PlannedPipeline, options: Pick<RunOptions, 'progress' | 'runDir'>) {
  const place = progressPlace(draft, options)
  return place === 'none' ? undefined : await readRecordedBlocks(draft, runFolder(draft, options), place)
}

/** @throws ConfigError `INVALID_CONFIG`, and as `onlyBlocks` */
function checkOnly(
  pipeline: PlannedPipeline,
  options: Pick<RunOptions, 'only' | 'overwrite' | 'grow' | 'progress'>,
): void {
  const { only, overwrite, grow } = options
  if (only === undefined) return
  if (grow && isFailed(only)) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `Only ${only}: expected without grow, which forgets which blocks failed; leave out one.`,
    )
  }
  if (overwrite) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `Only ${only}: expected without overwrite, which forgets all blocks; leave out one.`,
    )
  }
  if (isFailed(only) && progressPlace(pipeline, options) === 'none') {
    throw new ConfigError(
      'INVALID_CONFIG',
      `Only ${only}: expected a run whose progress is recorded; name blocks or a region.`,
    )
  }
  onlyBlocks(pipeline, only)
}

/**
 * Runs a planned pipeline: opens its folder, its record and its workers, creates its outputs, and does its blocks.
 * @param events receives what happens; the caller closes it
 * @param commands passes on commands to the run, besides those that come through its folder
 * @throws ConfigError if the run can't start; nothing was written then
 */
export async function execute(
  pipeline: PlannedPipeline,
  options: RunOptions,
  events: EventStream,
  commands = new CommandRelay(),
): Promise<RunResult> {
  using folder = needsFolder(pipeline, options) ? holdFolder(pipeline, options) : undefined
  await using open = new ResourceStack()
  const { chosen, recorded, workers, outputs, id, noteEnd } = await openParts({
    pipeline,
    options,
    events,
    folder,
    open,
  })
  const inline = open.use(
    inlineLauncher({
      tasks: chosen.tasks,
      arrays: arrayStore,
      clock: systemClock,
      breathe,
      onStuck: noteStuckThreads,
    }),
  )
  if (folder !== undefined) {
    const warn = (message: string) => events.emit({ type: 'warning', message })
    open.use(receiveCommands(folder.path, (command) => commands.carryOut(command), warn))
  }
  if (workers !== undefined) options.onListening?.(workers.invitation)
  // Awaited here, since the launchers end with this function.
  const held = holdEnd(events)
  const result = await runPipeline(chosen, {
    ...limitsOf(options),
    workers: options.workers ?? defaultWorkers(options),
    ...given({ minWorkers: options.minWorkers }),
    resources: resourcesOf(options),
    launcherOf: (task) => (isClosure(task) || workers === undefined ? inline : workers.launcherOf(task.id)),
    ...(workers === undefined ? {} : { listener: workers.listener }),
    ...(recorded === undefined ? {} : { progress: recorded.progress }),
    ...(keepsSessions(options, recorded, workers) ? { sessions: sessionFile(folder?.path ?? '') } : {}),
    failed: folder === undefined ? outputs.lost : AbortSignal.any([outputs.lost, folder.lost]),
    owns: outputs.owned(id),
    fence: outputs.fence(id),

    folder: process.cwd(),
    moduleName,
    arrays: arrayStore,
    clock: systemClock,
    commands,
    events: held.events,
  })
  return await held.endAfter(() => completed(result, noteEnd))
}

/**
 * Completes what the folder and the outputs of a run say of it.
 * @returns the result; with the error, if that fails, for example since the disk is full: all blocks are kept, and the run can be resumed
 */
async function completed(result: RunResult, noteEnd: RunParts['noteEnd']): Promise<RunResult> {
  try {
    await noteEnd(result)
    return result
  } catch (error) {
    if (!(error instanceof BlockwiseError)) throw error
    return { ...result, ok: false, stopped: false, error: result.error ?? toWireError(error) }
  }
}

/** Passes events on, but for the last one: a run has not ended before its outputs are complete. */
function holdEnd(target: EventStream) {
  const events = new EventStream()
  let end: Extract<RunEvent, { readonly type: 'run-finished' }> | undefined
  events.listen((event) => {
    if (event.type === 'run-finished') end = event
    else target.emit(event)
  })
  const endAfter = async (complete: () => Promise<RunResult>): Promise<RunResult> => {
    let isOk = false
    try {
      const result = await complete()
      isOk = result.ok
      return result
    } finally {
      if (end !== undefined) target.emit({ ...end, ok: isOk })
    }
  }
  return { events, endAfter }
}

/** What the parts of a run are made from. */
interface Setting {
  readonly pipeline: PlannedPipeline
  readonly options: RunOptions
  readonly events: EventStream
  readonly folder: HeldRunFolder | undefined
  /** Closes the parts, the last one first. */
  readonly open: ResourceStack
}

/** The parts of a run that it may go without. */
interface RunParts {
  /** The pipeline, with the blocks that this start leaves out. */
  readonly chosen: PlannedPipeline
  /** undefined if no progress is recorded. */
  readonly recorded: RecordedRun | undefined
  /** undefined if all blocks are done inline, or were done before. */
  readonly workers: WorkerPool | undefined
  readonly outputs: RunOutputs
  /** The id in the marks of its outputs. */
  readonly id: string
  /** Completes what its folder and its outputs say of it. */
  noteEnd(result: RunResult): Promise<void>
}

/** Opens the parts of a run. If one of them fails, all are closed, and no new folder is left behind. */
async function openParts(setting: Setting): Promise<RunParts> {
  const { pipeline, options, events, folder, open } = setting
  try {
    if (folder !== undefined) open.use(keepLiveState(folder.path, events, { overwrite: options.overwrite ?? false }))
    const author = authorOf(runFolder(pipeline, options))
    const warn = (message: string) => events.emit({ type: 'warning', message })
    const outputs = open.use(await RunOutputs.open(pipeline, author, { ...options, warn }))
    const place = await openPlace(setting, outputs)
    // What is forgotten or made larger stays as it is until the run can begin.
    const isLate = options.overwrite || place?.growth !== undefined
    const before = isLate ? undefined : await openRecord(setting, place)
    const workers = before?.isDone ? undefined : await openWorkers(setting)
    if (options.dashboard !== undefined) await assertCanServe(options.dashboard)
    await using unpacked = await keepFromPacking(pipeline)
    // From here on the run can begin, so now it may forget what --overwrite replaces.
    if (options.overwrite) folder?.renew()
    const recorded = before ?? (await openRecord(setting, place))
    folder?.describe(describeTasks(pipeline))
    const chosen = recorded?.pipeline ?? onlyBlocks(pipeline, options.only)
    const hasGrown = place?.growth !== undefined
    if (folder !== undefined) await showRun({ ...setting, pipeline: chosen }, folder.path, recorded, hasGrown)
    const id = recorded?.id ?? randomUUID()
    await (recorded?.createOutputs() ?? outputs.create(id))
    await unpacked[Symbol.asyncDispose]()
    return {
      chosen,
      recorded,
      workers,
      outputs,
      id,
      noteEnd: await noteProvenance(setting, {
        ...{ outputs, id, recorded, started: author.started, hasGrown },
        hasWorkers: workers !== undefined,
      }),
    }
  } catch (error) {
    await open[Symbol.asyncDispose]()
    folder?.removeIfNew()
    throw error
  }
}

/** Says in the run's folder where its outputs come from. @returns a function that completes this, in the outputs, too */
async function noteProvenance(
  { pipeline, options, folder, events }: Setting,
  {
    outputs,
    id,
    recorded,
    started,
    hasGrown,
    hasWorkers,
  }: Pick<RunParts, 'outputs' | 'id' | 'recorded'> & {
    readonly started: string
    readonly hasGrown: boolean
    readonly hasWorkers: boolean
  },
): Promise<RunParts['noteEnd']> {
  const warn = (message: string) => events.emit({ type: 'warning', message })
  for (const message of await unfinishedInputs(pipeline)) warn(message)
  const noteFolder =
    folder === undefined
      ? undefined
      : await noteRunStart({
          pipeline,
          folder: folder.path,
          record: id,
          started,
          hasGrown,
          checkInputs: options.checkInputs ?? false,
          events: hasWorkers ? events : undefined,
          warn,
          onChangedInputs: (message) => events.emit({ type: 'warning', message, about: 'changed-inputs' }),
          completed: completedIn(pipeline, recorded),
        })
  return async (result) => {
    const ended = new Date().toISOString()
    const done = new Set(result.tasks.filter(({ completed, total }) => completed === total).map((task) => task.id))
    await noteFolder?.(ended, result)
    await outputs
      .noteEnd(id, (task) => done.has(task.id), ended)
      .catch((error) => warn(`An output doesn't say that it is complete: ${messageOf(error)}`))
    await recorded?.noteEnd()
    await packOutputs(pipeline, outputs.owned(id), { warn, report: (event) => events.emit(event) })
  }
}

async function openPlace(
  { pipeline, options, events, folder, open }: Setting,
  outputs: RunOutputs,
): Promise<RecordPlace | undefined> {
  const { overwrite = false, fsync = false } = options
  const place = await openRecordPlace(pipeline, {
    outputs,
    folder: folder?.path ?? '',
    place: progressPlace(pipeline, options),
    overwrite,
    fsync,
    only: options.only,
    grow: options.grow ?? false,
    warn: (message) => events.emit({ type: 'warning', message }),
  })
  if (place !== undefined) open.use(place)
  return place
}

async function openRecord({ open }: Setting, place: RecordPlace | undefined): Promise<RecordedRun | undefined> {
  const recorded = await place?.open()
  if (recorded !== undefined) open.use(recorded)
  return recorded
}

/** Keeps the history that the run's page is drawn from, and serves the page if asked for. */
async function showRun(
  { pipeline, options, events, open }: Setting,
  path: string,
  recorded: RecordedRun | undefined,
  hasGrown: boolean,
): Promise<void> {
  const { overwrite = false, dashboard, maxHistoryMb } = options
  writeMasks(path, pipeline.tasks)
  const maxBytes = maxHistoryMb === undefined ? undefined : maxHistoryMb * 2 ** 20
  const history = { ...historyOf(pipeline, recorded), overwrite: overwrite || hasGrown, maxBytes }
  open.use(keepHistory(path, events, history))
  if (dashboard === undefined) return
  open.use(await startDashboardThread(path, dashboard, progressPlace(pipeline, options)))
}

async function openWorkers({ pipeline, options, events, folder, open }: Setting): Promise<WorkerPool | undefined> {
  const { pool = 'process' } = options
  if (folder === undefined || pool === 'inline' || pipeline.tasks.every(isClosure)) return undefined
  return open.use(
    await openWorkerPool(pool, folder.path, options, (report) => events.emit({ type: 'jobs', ...report })),
  )
}

const limitsOf = (options: RunOptions): RunLimits => {
  const { maxRetries, maxFailures, timeoutMs, setupTimeoutMs, maxWorkerRestarts } = options
  const { memoryRetry, reconnectMs, stopGraceMs, stallMs, onStall, fsync, signal } = options
  return {
    maxRetries,
    maxFailures,
    memoryRetry,
    timeoutMs,
    setupTimeoutMs,
    maxWorkerRestarts,
    reconnectMs,
    stopGraceMs,
    stallMs,
    onStall,
    fsync,
    signal,
  }
}

/** Whether a coordinator that is started again can find the workers of this one and the blocks that they hold. */
const keepsSessions = (
  { overwrite = false }: RunOptions,
  recorded: RecordedRun | undefined,
  workers: WorkerPool | undefined,
): boolean => recorded !== undefined && workers !== undefined && !overwrite

const completedIn =
  ({ tasks }: PlannedPipeline, recorded: RecordedRun | undefined) =>
  (task: PlannedTask) =>
    hasOwnCheck(task.source) ? undefined : recorded?.progress.recorder.completedCount(tasks.indexOf(task))

/** The start of a run's history: blocks that were done before, of tasks that have no check of their own. */
const historyOf = ({ tasks }: PlannedPipeline, recorded: RecordedRun | undefined) => ({
  tasks: tasks.map(({ id, grid }) => ({ id, blocks: grid.blockCount })),
  doneOf: (number: number) =>
    hasOwnCheck((tasks[number] as PlannedTask).source) ? undefined : recorded?.progress.recorder.completed(number),
})

const isClosure = (task: PlannedTask): boolean => !isTaskNode(task.source)

/** A closure may differ at the next start, which cannot be detected: its blocks are recorded only on request. */
const progressPlace = (pipeline: PlannedPipeline, { progress }: Pick<RunOptions, 'progress'>): ProgressPlace =>
  progress ?? (pipeline.tasks.some(isClosure) ? 'none' : 'sqlite')

const needsFolder = (pipeline: PlannedPipeline, options: RunOptions): boolean =>
  (options.pool !== 'inline' && !pipeline.tasks.every(isClosure)) ||
  progressPlace(pipeline, options) !== 'none' ||
  options.dashboard !== undefined

function holdFolder(pipeline: PlannedPipeline, options: RunOptions): HeldRunFolder {
  const document = {
    created: new Date().toISOString(),
    directory: process.cwd(),
    ...given({ command: keptCommand() }),
    variables: variablesOfProcess(),
    progress: describePlace(progressPlace(pipeline, options)),
    tasks: describeTasks(pipeline),
  }
  return holdRunFolder(runFolder(pipeline, options), document, { fsync: options.fsync ?? false })
}
