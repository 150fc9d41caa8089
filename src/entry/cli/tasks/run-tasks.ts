import { ConfigError, toWireError } from '../../../core/errors.ts'
import type { TaskCounts } from '../../../core/events.ts'
import { given } from '../../../core/given.ts'
import { EventStream } from '../../../runtime/coordinator/event-stream.ts'
import type { RunResult } from '../../../runtime/coordinator/run-result.ts'
import type { PlannedPipeline } from '../../../runtime/tasks/planned-task.ts'
import type { TaskLike } from '../../../runtime/tasks/task-node.ts'
import { arrayStore } from '../../arrays.ts'
import { execute } from '../../execute-run.ts'
import { serveMetrics } from '../../pages/serve-metrics.ts'
import { planTasks } from '../../run.ts'
import { writeEvents } from '../../run-folder/event-file.ts'
import { readGrowth } from '../../run-folder/growth/run-growth.ts'
import { unfinishedInputs } from '../../run-folder/provenance/unfinished-arrays.ts'
import { runFolder } from '../../run-folder/run-place.ts'
import { type RunState, readRunState } from '../../run-folder/run-state.ts'
import { onlyBlocks } from '../../run-folder/selection/only-blocks.ts'
import type { RunOptions } from '../../run-options.ts'
import type { UserCodeWatch } from '../../workers/user-code.ts'
import { confirm } from '../confirm.ts'
import { isWebAddress } from '../option-values.ts'
import { type RunFlags, runOptionsOf } from '../options.ts'
import { printJson, warn } from '../output.ts'
import { announcePage, printInvitation } from './report/announcements.ts'
import { type Notifier, startNotifier } from './report/notifier.ts'
import { describePlan, planDocument } from './report/plan-report.ts'
import { ProgressDisplay } from './report/progress.ts'
import { type Conclusion, describeRest, describeStop, printContinuation, reportRun } from './report/run-report.ts'
import { staleLevels } from './report/stale-levels.ts'

interface TaskRunning {
  /** Watches a user's code in this process. */
  readonly watch?: UserCodeWatch
  /** Called once every block is done. */
  readonly conclude?: () => Promise<Conclusion>
  /** The dataset that the user would look at afterwards; false if there is none. @default the last output */
  readonly shown?: string | false
  /** The output that the others only lead to: it is named first, and shown. @default none */
  readonly main?: string
}

/**
 * The common part of all commands that run blocks: plan, ask for confirmation if needed, run with progress, report, and set the
 * exit code.
 * @returns the result, or undefined with `--dry-run`
 */
export async function runTasks(
  tasks: readonly TaskLike[],
  flags: RunFlags,
  { watch, conclude, shown, main }: TaskRunning = {},
): Promise<RunResult | undefined> {
  const options = runOptionsOf(flags, tasks)
  const plan = () => planTasks(tasks, options)
  const pipeline = await (watch === undefined ? plan() : watch.guard(plan))
  for (const task of pipeline.tasks) for (const warning of task.warnings) warn(flags, `${task.id}: ${warning}`)
  if (flags.dryRun) {
    for (const warning of await unfinishedInputs(pipeline)) warn(flags, warning)
    await printPlan(pipeline, options, flags)
    return undefined
  }
  if (flags.overwrite && !flags.yes) await confirmOverwrite(pipeline)
  // The run goes on if the reader of its output leaves; without this listener, bin/bellis.js exits then.
  process.stdout.on('error', () => {})
  using reporting = untilReported(watch)
  const { result, hasChangedInputs } = await runInTerminal(pipeline, options, flags, watch)
  reporting.begin()
  const { conclusion, failure } = isComplete(result) ? await settled(conclude) : {}
  reportRun(result, flags, {
    written: keptOutputs(pipeline),
    planned: pipeline.tasks,
    hasChangedInputs,
    ...given({ shown, main, conclusion }),
  })
  if (failure !== undefined) throw failure.error
  if (isComplete(result)) for (const text of await staleLevels(pipeline, result)) warn(flags, text)
  if (result.stopped) process.exitCode = 130
  else if (!result.ok) process.exitCode = 1
  return result
}

/** What is there to say at the end; a failure does not keep the report of the blocks back. */
async function settled(conclude: TaskRunning['conclude']) {
  try {
    return { conclusion: await conclude?.() }
  } catch (error) {
    return { failure: { error } }
  }
}

/** Whether all blocks are done, and none was left out. */
const isComplete = ({ ok, tasks }: RunResult): boolean =>
  ok && tasks.every(({ completed, total }) => completed === total)

/** The outputs that are there when the run is done, in the order of their tasks. */
const keptOutputs = ({ tasks }: PlannedPipeline): string[] => [
  ...new Set(tasks.filter(({ isTransient }) => !isTransient).flatMap(({ outputs }) => outputs.map(({ path }) => path))),
]

async function printPlan(pipeline: PlannedPipeline, options: RunOptions, flags: RunFlags): Promise<void> {
  const place = options.progress ?? 'sqlite'
  const growth = options.grow ? await readGrowth(pipeline, runFolder(pipeline, options), place) : undefined
  const state = flags.overwrite || growth !== undefined ? undefined : await recordedState(pipeline, options)
  const done = growth?.tasks.map(({ carried }) => carried) ?? state?.tasks.map(({ completed }) => completed) ?? []
  const chosen = onlyBlocks(pipeline, options.only, {
    completed: (number) => growth?.completed[number] ?? (state?.isRecorded ? state.tasks[number]?.done : undefined),
    failed: (number) => state?.tasks[number]?.failedBlocks ?? [],
  })
  const recorded = { done, ...given({ growth: growth?.tasks }) }
  if (flags.json) printJson(planDocument(chosen, options, recorded))
  else process.stdout.write(`${describePlan(chosen, options, recorded)}\n`)
}

/** What is recorded by earlier starts of the same run. */
const recordedState = (pipeline: PlannedPipeline, options: RunOptions): Promise<RunState | undefined> =>
  readRunState(runFolder(pipeline, options), { place: options.progress, limit: 0 })

/** Asks before existing outputs are deleted. @throws ConfigError `DATASET_EXISTS` unless the answer is yes */
async function confirmOverwrite(pipeline: PlannedPipeline): Promise<void> {
  const existing: string[] = []
  for (const { path } of pipeline.tasks.flatMap((task) => task.outputs)) {
    const array = await arrayStore.open(path).catch(() => undefined)
    if (array !== undefined) existing.push(path)
    await array?.[Symbol.asyncDispose]()
  }
  if (existing.length === 0) return
  const consequence = `${existing.join(', ')} ${existing.length === 1 ? 'exists' : 'exist'} and will be deleted`
  await confirm({ consequence, flag: '--yes', code: 'DATASET_EXISTS' })
}

/** Runs a pipeline with progress on the terminal, an events file, metrics, and Ctrl-C. */
async function runInTerminal(
  pipeline: PlannedPipeline,
  options: RunOptions,
  flags: RunFlags,
  watch: UserCodeWatch | undefined,
): Promise<{ readonly result: RunResult; readonly hasChangedInputs: boolean }> {
  const events = new EventStream()
  const display = new ProgressDisplay()
  if (!flags.quiet) events.listen(display.receive)
  using _written =
    flags.events === undefined ? undefined : writeEvents(flags.events, events, (message) => warn(flags, message))
  await using metrics = flags.metrics === undefined ? undefined : await serveMetrics(flags.metrics, events)
  if (metrics !== undefined && !flags.quiet) process.stderr.write(`Metrics: ${metrics.address}\n`)
  let counts: readonly TaskCounts[] = []
  let startedAt = 0
  let hasChangedInputs = false
  let packing: string | undefined
  events.listen((event) => {
    if (event.type === 'run-started') startedAt = performance.now()
    if (event.type === 'run-started' || event.type === 'progress') counts = event.tasks
    if (event.type === 'packing') packing = event.path
    if (event.type === 'packed') packing = undefined
    if (event.type === 'warning' && event.about === 'changed-inputs') hasChangedInputs = true
  })
  let notifier: Notifier | undefined
  using stopping = stopOnSignals(
    {
      first: () => display.note(`Stopping: ${describeRest(packing)}; Ctrl-C again stops at once.`),
      asked: () => display.note(`Asked to stop: ${describeRest(packing)}; Ctrl-C stops at once.`),
      second: () => {
        display.note(describeStop(counts, packing))
        printContinuation()
        reportStop(events, counts, startedAt)
        return notifier?.interrupted()
      },
    },
    watch,
  )
  events.listen((event) => {
    if (event.type !== 'stopping') return
    if (event.now) display.note('Asked to stop at once.')
    else stopping.begin()
  })
  await using sender = notifierOf(pipeline, options, flags, events)
  notifier = sender
  const running = execute(
    pipeline,
    {
      ...options,
      signal: stopping.signal,
      onListening: (invitation) => printInvitation(invitation, flags, options),
      ...(flags.dashboard || flags.dashboardControl ? { dashboard: announcePage(flags) } : {}),
    },
    events,
  )
  const ended = await running.catch((error) => {
    notifier?.failed(error)
    throw error
  })
  const result = watch?.signal.aborted
    ? { ...ended, ok: false, stopped: false, error: toWireError(watch.signal.reason) }
    : ended
  notifier?.ended(result)
  return { result, hasChangedInputs }
}

/** The process is about to exit, so the run can't report its end itself. Without this, it would look as if it had been killed. */
function reportStop(events: EventStream, tasks: readonly TaskCounts[], startedAt: number): void {
  if (tasks.length === 0) return
  events.emit({ type: 'run-finished', ok: false, seconds: (performance.now() - startedAt) / 1000, tasks })
}

/** What tells a web address of the end of the run, if that was asked for. */
function notifierOf(pipeline: PlannedPipeline, options: RunOptions, flags: RunFlags, events: EventStream) {
  const { BELLIS_NOTIFY = '' } = process.env
  const address = flags.notify ?? BELLIS_NOTIFY
  if (address === '') return undefined
  if (!isWebAddress(address)) {
    throw new ConfigError('INVALID_CONFIG', 'BELLIS_NOTIFY: expected an address that starts with https:// or http://.')
  }
  const stallMs = flags.notifyStall === undefined ? undefined : flags.notifyStall * 1000
  const folder = runFolder(pipeline, options)
  return startNotifier(events, { address, stallMs, folder, warn: (message) => warn(flags, message) })
}

/** What is called at the first Ctrl-C or SIGTERM, and at the second. */
interface OnSignals {
  first(): void
  /** The run stops for another reason. */
  asked(): void
  /** @returns what the process waits for before it exits, unless there is a third signal; undefined for nothing */
  second(): Promise<void> | undefined
}

/** A signal for stopping, and what aborts it. */
interface StopOnSignals extends Disposable {
  readonly signal: AbortSignal
  /** The run stops for another reason, such as `bellis stop`: the next Ctrl-C counts as the second. */
  begin(): void
}

/** Keeps a Ctrl-C that comes when the run is over from ending the process before its result is printed; a second one does. */
function untilReported(watch: UserCodeWatch | undefined): Disposable & { begin(): void } {
  let isOver = false
  let signals = 0
  const onSignal = () => {
    if (isOver && ++signals > 1) (watch ?? process).exit(130)
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return {
    begin: () => {
      isOver = true
    },
    [Symbol.dispose]: () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal),
  }
}

/** A signal that is aborted by the first Ctrl-C or SIGTERM, or by an error in the user's code; the second Ctrl-C ends the process. */
function stopOnSignals(on: OnSignals, watch: UserCodeWatch | undefined): StopOnSignals {
  const stopping = new AbortController()
  watch?.signal.addEventListener('abort', () => stopping.abort())
  const begin = (say: () => void) => {
    if (stopping.signal.aborted) return
    stopping.abort()
    say()
  }
  const exit = () => (watch ?? process).exit(130)
  let isLast = false
  const onSignal = () => {
    if (!stopping.signal.aborted) return begin(on.first)
    if (isLast) return exit()
    isLast = true
    const last = on.second()
    if (last === undefined) return exit()
    void last.finally(exit)
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return {
    signal: stopping.signal,
    begin: () => begin(on.asked),
    [Symbol.dispose]: () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal),
  }
}
