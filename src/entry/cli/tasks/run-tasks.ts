import { createInterface } from 'node:readline/promises'
import { ConfigError, toWireError } from '../../../core/errors.ts'
import { quoteShell } from '../../../core/shell-words.ts'
import { showCount, showDuration } from '../../../core/text/numbers.ts'
import { EventStream } from '../../../runtime/coordinator/event-stream.ts'
import type { RunResult, TaskResult, WorkersResult } from '../../../runtime/coordinator/run-pipeline.ts'
import type { TaskLike } from '../../../runtime/tasks/define-task.ts'
import { messageAndPlace } from '../../../runtime/tasks/error-place.ts'
import type { PlannedPipeline } from '../../../runtime/tasks/plan-pipeline.ts'
import { arrayStore } from '../../arrays.ts'
import type { DashboardRequest } from '../../pages/dashboard-thread.ts'
import { serveMetrics } from '../../pages/serve-metrics.ts'
import { execute, planTasks, type RunOptions } from '../../run.ts'
import { writeEvents } from '../../run-folder/event-file.ts'
import { withoutCredentials } from '../../run-folder/progress-place.ts'
import { runFolder } from '../../run-folder/run-place.ts'
import { readRunState } from '../../run-folder/run-state.ts'
import type { UserCodeWatch } from '../../workers/user-code.ts'
import type { Invitation } from '../../workers/worker-pool.ts'
import { openPage } from '../open-page.ts'
import { given, type RunFlags, runOptionsOf } from '../options.ts'
import { paint, printJson, say, showBytes, warn } from '../output.ts'
import { describePlan, planDocument } from './plan-report.ts'
import { ProgressDisplay } from './progress.ts'

const MAX_SHOWN_FAILURES = 100

/** What a command says after a run that did all: fields for the document of `--json`, and a text for people. */
export interface Conclusion {
  readonly document: object
  readonly text: string
}

/**
 * What every command that runs blocks does: plan, ask where it must, run with progress, report, and set the exit code.
 * @param watch over a user's code in this process
 * @param conclude called when every block is done
 * @returns the result, or undefined where only the plan was shown
 */
export async function runTasks(
  tasks: readonly TaskLike[],
  flags: RunFlags,
  { watch, conclude }: { watch?: UserCodeWatch; conclude?: () => Promise<Conclusion> } = {},
): Promise<RunResult | undefined> {
  const options = runOptionsOf(flags)
  const plan = () => planTasks(tasks, options)
  const pipeline = await (watch === undefined ? plan() : watch.guard(plan))
  for (const task of pipeline.tasks) for (const warning of task.warnings) warn(flags, `${task.id}: ${warning}`)
  if (flags.dryRun) {
    const done = flags.overwrite ? [] : await countDone(pipeline, options)
    if (flags.json) printJson(planDocument(pipeline, options, done))
    else process.stdout.write(`${describePlan(pipeline, options, done)}\n`)
    return undefined
  }
  if (flags.overwrite) await confirmOverwrite(pipeline, flags)
  const result = await runWithSignals(pipeline, flags, watch)
  report(result, flags, result.ok ? await conclude?.() : undefined)
  if (result.interrupted) process.exitCode = 130
  else if (!result.ok) process.exitCode = 1
  return result
}

/** How many blocks of each task an earlier start of the same run has done. */
async function countDone(pipeline: PlannedPipeline, options: RunOptions): Promise<number[]> {
  const state = await readRunState(runFolder(pipeline, options), { place: options.progress, limit: 0 })
  return state?.tasks.map(({ completed }) => completed) ?? []
}

async function runWithSignals(
  pipeline: PlannedPipeline,
  flags: RunFlags,
  watch: UserCodeWatch | undefined,
): Promise<RunResult> {
  const events = new EventStream()
  const display = new ProgressDisplay()
  if (!flags.quiet) events.listen(display.receive)
  using _written =
    flags.events === undefined ? undefined : writeEvents(flags.events, events, (message) => warn(flags, message))
  await using metrics = flags.metrics === undefined ? undefined : await serveMetrics(flags.metrics, events)
  if (metrics !== undefined && !flags.quiet) process.stderr.write(`Metrics: ${metrics.address}\n`)
  const stopping = new AbortController()
  watch?.signal.addEventListener('abort', () => stopping.abort())
  const onSignal = () => {
    if (stopping.signal.aborted) (watch ?? process).exit(130)
    stopping.abort()
    display.note('Stopping: running blocks may finish; Ctrl-C again stops at once.')
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  try {
    const result = await execute(
      pipeline,
      {
        ...runOptionsOf(flags),
        signal: stopping.signal,
        onListening: (invitation) => invite(invitation, flags),
        ...(flags.dashboard ? { dashboard: dashboardOf(flags) } : {}),
      },
      events,
    )
    if (!watch?.signal.aborted) return result
    return { ...result, ok: false, interrupted: false, error: toWireError(watch.signal.reason) }
  } finally {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

/** Says how more workers are added. The token is shown on a terminal alone: where errors go to a file, that is a log. */
function invite({ folder, context, submit, isLoopback }: Invitation, flags: RunFlags): void {
  if (flags.quiet) return
  // To be copied into a terminal that is somewhere else.
  const lines = [`bellis worker ${quoteShell(folder)}`]
  if (process.stderr.isTTY && (flags.pool === 'none' || !isLoopback)) {
    lines.push(`BELLIS_CONTEXT='${context}' bellis worker`)
  }
  lines.push(submit)
  const where = isLoopback ? ' (on this machine; --host 0.0.0.0 lets in others)' : ''
  const title = flags.pool === 'none' ? 'Waiting for workers. To start one' : 'To add a worker'
  process.stderr.write(`${title}${where}:\n${lines.map((line) => `  ${line}\n`).join('')}`)
}

/** Says where the run's page is: that is asked for, so also with --quiet. */
const dashboardOf = (flags: RunFlags): DashboardRequest => ({
  ...given({ host: flags.dashboardHost, port: flags.dashboardPort }),
  onAddress: (address, port) => {
    process.stderr.write(flags.quiet ? `${address}\n` : `The run's page: ${address}\n`)
    void openPage({ open: flags.open ?? true, host: flags.dashboardHost }, { address, port }, (text) => {
      if (!flags.quiet) process.stderr.write(`${text}\n`)
    })
  },
})

async function confirmOverwrite(pipeline: PlannedPipeline, flags: RunFlags): Promise<void> {
  const existing: string[] = []
  for (const { path } of pipeline.tasks.flatMap((task) => task.outputs)) {
    const array = await arrayStore.open(path).catch(() => undefined)
    if (array !== undefined) existing.push(path)
    await array?.[Symbol.asyncDispose]()
  }
  if (existing.length === 0 || flags.yes) return
  const question = `${existing.join(', ')} ${existing.length === 1 ? 'exists' : 'exist'} and will be deleted`
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new ConfigError('DATASET_EXISTS', `${question}; add --yes to --overwrite to agree to that.`)
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question(`${question}. Go on? [y/N] `)
  terminal.close()
  if (!/^y(es)?$/i.test(answer.trim())) throw new ConfigError('DATASET_EXISTS', 'Nothing was done.')
}

/** A result for programs: the contract of `--json`. */
export const resultDocument = ({ tasks, ...run }: RunResult) => ({ ...run, tasks: tasks.map(taskDocument) })

function report(result: RunResult, flags: RunFlags, conclusion: Conclusion | undefined): void {
  if (flags.json) printJson({ ...resultDocument(result), ...conclusion?.document })
  for (const task of result.tasks) {
    say(flags, describeTask(task, result.seconds))
    if (task.blockMs.count > 1) say(flags, `  ${describeBlocks(task)}`)
  }
  if (result.workers.workingSeconds > 0) say(flags, describeWorkers(result.workers))
  if (conclusion !== undefined) say(flags, conclusion.text)
  for (const task of result.tasks) reportFailures(task, flags)
  if (result.error !== undefined)
    process.stderr.write(`${paint('red', 'bellis:', process.stderr)} the run was stopped: ${result.error.message}\n`)
  if (result.interrupted || result.error !== undefined) {
    process.stderr.write(`To continue: ${['bellis', ...process.argv.slice(2)].map(showWord).join(' ')}\n`)
  }
}

function describeTask(task: TaskResult, seconds: number): string {
  const done = task.completed === task.total
  const parts = [
    `${task.completed} of ${task.total} blocks`,
    ...(task.skipped > 0 ? [`${task.skipped} of them done before`] : []),
    ...(task.failed > 0 ? [paint('red', `${task.failed} failed`)] : []),
    ...(task.orphaned > 0 ? [paint('red', `${task.orphaned} orphaned`)] : []),
    ...(task.pending + task.ready > 0 ? [`${task.pending + task.ready} not begun`] : []),
    `${showDuration(seconds)}`,
    `${showCount(task.blocksPerSecond)} blocks/s`,
    `${showCount(task.voxelsPerSecond)} voxels/s`,
  ]
  return `${paint(done ? 'green' : 'red', done ? '✔' : '✘')} ${task.id}: ${parts.join(', ')}`
}

const describeBlocks = ({ blockMs: { mean, p50, p95, max } }: TaskResult): string =>
  `a block took ${showMs(mean)}: half of them at most ${showMs(p50)}, 95 % at most ${showMs(p95)}, the longest ${showMs(max)}`

function describeWorkers({
  seconds,
  workingSeconds,
  readBytes,
  writtenBytes,
  peakMemory,
  each,
}: WorkersResult): string {
  const share = Math.min(100, Math.round((workingSeconds / Math.max(seconds, 1e-3)) * 100))
  const parts = [`${share} % of their time in blocks`]
  if (readBytes + writtenBytes > 0) parts.push(`read ${showBytes(readBytes)}, wrote ${showBytes(writtenBytes)}`)
  if (peakMemory > 0) {
    const least = Math.min(...each.filter((worker) => worker.peakMemory > 0).map((worker) => worker.peakMemory))
    const range = least < 0.95 * peakMemory ? `${showBytes(least)} to ${showBytes(peakMemory)}` : showBytes(peakMemory)
    parts.push(`${range} of memory each at the most`)
  }
  return `workers: ${parts.join('; ')}`
}

const showMs = (ms: number): string => (ms < 10_000 ? `${Number(ms.toPrecision(2))} ms` : showDuration(ms / 1000))

function reportFailures(task: TaskResult, flags: RunFlags): void {
  if (flags.json) return
  const write = (text: string) => process.stderr.write(`${text}\n`)
  if (task.error !== undefined) write(`${paint('red', 'abandoned', process.stderr)} ${task.error.message}`)
  for (const failure of task.failures.slice(0, MAX_SHOWN_FAILURES)) {
    const { code, message, stack } = failure.error
    const what = code === 'BLOCK_FAILED' ? messageAndPlace(message, stack) : message
    const log = failure.logFile === undefined ? '' : ` (log: ${failure.logFile})`
    write(
      `${paint('red', 'failed', process.stderr)} ${failure.block} after ${failure.attempts} ${failure.attempts === 1 ? 'try' : 'tries'}: ${what}${log}`,
    )
    if (flags.logLevel === 'debug' && stack !== undefined) write(stack)
  }
  if (task.failed > MAX_SHOWN_FAILURES)
    write(`… and ${task.failed - MAX_SHOWN_FAILURES} more blocks of ${task.id} failed`)
}

/** Blocks that have not ended are one count there. */
const taskDocument = ({ pending, ready, processing, ...task }: TaskResult) => ({
  ...task,
  pending: pending + ready + processing,
})

/** A word of a command as a shell takes it, and as anybody may read it: what lets one into a database, BELLIS_DB has to say. */
const showWord = (word: string): string => quoteShell(withoutCredentials(word))
