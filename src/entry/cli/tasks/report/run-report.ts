import { quoteShell } from '../../../../core/shell-words.ts'
import { showCount, showDuration } from '../../../../core/text/numbers.ts'
import { printable } from '../../../../core/text/printable.ts'
import type { RunResult, TaskResult, WorkersResult } from '../../../../runtime/coordinator/run-result.ts'
import { messageAndPlace } from '../../../../runtime/tasks/error-place.ts'
import { withoutCredentials } from '../../../run-folder/progress-place.ts'
import type { RunFlags } from '../../options.ts'
import { paint, printJson, say, showBytes } from '../../output.ts'

const MAX_SHOWN_FAILURES = 100

/** What a command adds to the report of a successful run: fields of the `--json` document, and a text for people. */
export interface Conclusion {
  readonly document: object
  readonly text: string
}

/** Prints a run's result: a summary or a JSON document, then its failures, then how to continue. */
export function reportRun(result: RunResult, flags: RunFlags, conclusion: Conclusion | undefined): void {
  if (flags.json) printJson({ ...resultDocument(result), ...conclusion?.document })
  for (const line of describeRun(result)) say(flags, line)
  if (conclusion !== undefined) say(flags, conclusion.text)
  if (!flags.json) for (const task of result.tasks) reportFailures(task, flags)
  if (result.error !== undefined) {
    process.stderr.write(
      `${paint('red', 'bellis:', process.stderr)} the run was stopped: ${printable(result.error.message)}\n`,
    )
  }
  if (result.interrupted || result.error !== undefined) {
    process.stderr.write(`To continue: ${['bellis', ...process.argv.slice(2)].map(showWord).join(' ')}\n`)
  }
}

/** A result for programs: the contract of `--json`. */
export const resultDocument = ({ tasks, ...run }: RunResult) => ({ ...run, tasks: tasks.map(taskDocument) })

/** Blocks without an outcome are one count there. */
const taskDocument = ({ pending, ready, processing, ...task }: TaskResult) => ({
  ...task,
  pending: pending + ready + processing,
})

const describeRun = ({ tasks, workers, seconds }: RunResult): string[] => [
  ...tasks.flatMap((task) => [
    describeTask(task, seconds),
    ...(task.blockMs.count > 1 ? [`  ${describeBlocks(task)}`] : []),
  ]),
  ...(workers.workingSeconds > 0 ? [describeWorkers(workers)] : []),
]

function describeTask(task: TaskResult, seconds: number): string {
  const isDone = task.completed === task.total
  const parts = [
    `${task.completed} of ${task.total} blocks`,
    ...(task.skipped > 0 ? [`${task.skipped} of them already done`] : []),
    ...(task.failed > 0 ? [paint('red', `${task.failed} failed`)] : []),
    ...(task.orphaned > 0 ? [paint('red', `${task.orphaned} orphaned`)] : []),
    ...(task.pending + task.ready > 0 ? [`${task.pending + task.ready} not started`] : []),
    `${showDuration(seconds)}`,
    `${showCount(task.blocksPerSecond)} blocks/s`,
    `${showCount(task.voxelsPerSecond)} voxels/s`,
  ]
  return `${paint(isDone ? 'green' : 'red', isDone ? '✔' : '✘')} ${task.id}: ${parts.join(', ')}`
}

const describeBlocks = ({ blockMs: { mean, p50, p95, max } }: TaskResult): string =>
  `a block takes ${showMs(mean)} on average: median ${showMs(p50)}, 95th percentile ${showMs(p95)}, maximum ${showMs(max)}`

function describeWorkers(workers: WorkersResult): string {
  const { seconds, workingSeconds, readBytes, writtenBytes, peakMemory, each } = workers
  const share = Math.min(100, Math.round((workingSeconds / Math.max(seconds, 1e-3)) * 100))
  const parts = [`${share} % of their time running blocks`]
  if (readBytes + writtenBytes > 0) parts.push(`read ${showBytes(readBytes)}, wrote ${showBytes(writtenBytes)}`)
  if (peakMemory > 0) {
    const least = Math.min(...each.filter((worker) => worker.peakMemory > 0).map((worker) => worker.peakMemory))
    const range = least < 0.95 * peakMemory ? `${showBytes(least)} to ${showBytes(peakMemory)}` : showBytes(peakMemory)
    parts.push(`peak memory ${range} each`)
  }
  return `workers: ${parts.join('; ')}`
}

const showMs = (ms: number): string => (ms < 10_000 ? `${Number(ms.toPrecision(2))} ms` : showDuration(ms / 1000))

function reportFailures(task: TaskResult, flags: RunFlags): void {
  const write = (text: string) => process.stderr.write(`${text}\n`)
  if (task.error !== undefined) write(`${paint('red', 'abandoned', process.stderr)} ${printable(task.error.message)}`)
  for (const { block, attempts, error, logFile } of task.failures.slice(0, MAX_SHOWN_FAILURES)) {
    const { code, message, stack } = error
    const what = code === 'BLOCK_FAILED' ? messageAndPlace(message, stack) : message
    const after = `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`
    const log = logFile === undefined ? '' : ` (log: ${logFile})`
    write(`${paint('red', 'failed', process.stderr)} ${block} after ${after}: ${printable(what)}${log}`)
    if (flags.logLevel === 'debug' && stack !== undefined) write(printable(stack))
  }
  if (task.failed > MAX_SHOWN_FAILURES)
    write(`… and ${task.failed - MAX_SHOWN_FAILURES} more failed blocks of ${task.id}`)
}

/** A word of the command, quoted for a shell. Credentials are left out, so that the line may be shared; BELLIS_DB has them. */
const showWord = (word: string): string => quoteShell(withoutCredentials(word))
