import type { TaskCounts } from '../../../../core/events.ts'
import { showBlocksOf, showBytes, showCount, showDuration, showWhole } from '../../../../core/text/numbers.ts'
import { printableLine } from '../../../../core/text/printable.ts'
import type { RunResult, TaskResult, WorkersResult } from '../../../../runtime/coordinator/run-result.ts'
import type { PlannedTask } from '../../../../runtime/tasks/planned-task.ts'
import { ownCommand } from '../../../own-command.ts'
import { commandOfProcess, continuationOf, variablesOfProcess } from '../../../run-folder/continuation.ts'
import { fits, withCommand, wrapped } from '../../layout.ts'
import type { RunFlags } from '../../options.ts'
import { paint, printJson, say } from '../../output.ts'
import { chosenOf } from './bar-line.ts'
import { failureDocument, reportFailures } from './failure-report.ts'

const MAX_SHOWN_OUTPUTS = 4

/** What a command adds to the report of a successful run: fields of the `--json` document, and a text for users. */
export interface Conclusion {
  readonly document: object
  readonly text: string
}

/** What is known of a run besides its result. */
export interface RunSetting {
  /** The outputs that are kept. */
  readonly written: readonly string[]
  /** The dataset to look at; false if there is none. @default the last output */
  readonly shown?: string | false
  /** The output that the others only lead to: it is named first, and shown. @default none */
  readonly main?: string | undefined
  readonly conclusion?: Conclusion
  /** Whether an input has changed since blocks were done that are recorded as done. @default false */
  readonly hasChangedInputs?: boolean
  /** The plans of the tasks, in the order of the result; regions in voxels need them. */
  readonly planned: readonly PlannedTask[]
}

/** Prints a run's result: a summary or a JSON document, where the outputs are, its failures, and how to continue. */
export function reportRun(result: RunResult, flags: RunFlags, setting: RunSetting): void {
  const { conclusion, planned, hasChangedInputs = false, ...outputs } = setting
  if (flags.json) printJson({ ...resultDocument(result, planned), ...conclusion?.document })
  for (const line of describeRun(result, hasChangedInputs)) say(flags, wrapped(line, 4))
  if (result.ok) for (const line of describeOutputs(outputs)) say(flags, line)
  for (const line of conclusion?.text.split('\n') ?? []) say(flags, wrapped(line, 2))
  if (!flags.json) for (const [i, task] of result.tasks.entries()) reportFailures(task, planned[i], flags)
  if (result.error !== undefined) {
    process.stderr.write(
      `${paint('red', 'bellis:', process.stderr)} the run was stopped: ${printableLine(result.error.message)}\n`,
    )
  }
  if (!result.ok) printContinuation()
}

export const printContinuation = (): void =>
  void process.stderr.write(
    `${withCommand('To continue', continuationOf(commandOfProcess(), process.cwd(), variablesOfProcess()), process.stderr)}\n`,
  )

/** What a run that is asked to stop does first. @param packing the file that it is writing from its complete arrays, if any */
export const describeRest = (packing: string | undefined): string =>
  packing === undefined ? 'running blocks may finish' : `all blocks are done, and ${packing} is packed first`

/**
 * How far a run was when it was stopped without waiting for its blocks.
 * @param counts none if it had not started
 * @param packing as for `describeRest`
 */
export function describeStop(counts: readonly TaskCounts[], packing: string | undefined): string {
  const done = counts.map(({ id, completed, total }) => `${id} ${showBlocksOf(completed, total)}`)
  const notPacked = packing === undefined ? '' : `; ${packing} is not written yet`
  return `Stopped at once${done.length > 0 ? `; done: ${done.join(', ')}` : ''}${notPacked}.`
}

/** Where the outputs are, and how to look at them. */
function describeOutputs({ written, shown, main }: Pick<RunSetting, 'written' | 'shown' | 'main'>): string[] {
  const seen = shown ?? main ?? written.at(-1)
  if (seen === undefined || seen === false) return []
  const ordered = main === undefined ? written : [main, ...written.filter((path) => path !== main)]
  const others = ordered.length - MAX_SHOWN_OUTPUTS
  const paths = [...ordered.slice(0, MAX_SHOWN_OUTPUTS), ...(others > 0 ? [`${others} more`] : [])]
  const [see, describe] = [ownCommand('show', seen), ownCommand('info', seen)]
  const both = `To see it: ${see}; to describe it: ${describe}`
  return [
    wrapped(`Written: ${paths.join(', ')}`, 2),
    ...(fits(both) ? [both] : [withCommand('To see it', see), withCommand('To describe it', describe)]),
  ]
}

/** A result for programs: the contract of `--json`. @param planned the plans of its tasks */
export const resultDocument = ({ tasks, ...run }: RunResult, planned: readonly PlannedTask[] = []) => ({
  ...run,
  tasks: tasks.map((task, i) => taskDocument(task, planned[i])),
})

/** Merges the counts of blocks without an outcome into one. */
const taskDocument = ({ pending, ready, processing, ...task }: TaskResult, planned: PlannedTask | undefined) => ({
  ...task,
  pending: pending + ready + processing,
  ...failureDocument({ pending, ready, processing, ...task }, planned),
})

function describeRun({ stopped, tasks, workers }: RunResult, hasChangedInputs: boolean): string[] {
  const total = tasks.reduce((sum, task) => sum + task.total, 0)
  const leftOut = tasks.reduce((sum, task) => sum + (task.leftOut ?? 0), 0)
  if (leftOut > 0 && tasks.every((task) => task.skipped === chosenOf(task))) {
    return [
      `${paint('green', '✔')} Nothing to do: no block that was chosen is left; ${showWhole(leftOut)} others were left out.`,
    ]
  }
  if (total > 0 && tasks.every((task) => task.skipped === task.total)) {
    const blocks = total === 1 ? 'the only block was' : `all ${showWhole(total)} blocks were`
    const again = total === 1 ? 'it' : 'them'
    const masked = tasks.reduce((sum, task) => sum + (task.masked ?? 0), 0)
    const outside = masked > 0 ? `, or outside the mask (${showWhole(masked)})` : ''
    if (hasChangedInputs) {
      return [
        `${paint('yellow', '■')} Nothing was done: ${blocks} done before${outside}, but an input has changed since (see above).`,
      ]
    }
    return [
      `${paint('green', '✔')} Nothing left to do: ${blocks} done before${outside}; --overwrite does ${again} again.`,
    ]
  }
  // Blocks that a stop left over have not failed.
  const isStopped = stopped && tasks.every((task) => task.failed + task.orphaned === 0)
  return [
    ...tasks.flatMap((task) => [
      describeTask(task, isStopped),
      ...(task.blockMs.count > 1 ? [`  ${describeBlocks(task)}`] : []),
    ]),
    ...(workers.workingSeconds > 0 ? [describeWorkers(workers)] : []),
  ]
}

function describeTask(task: TaskResult, isStopped: boolean): string {
  const isDone = task.completed === chosenOf(task)
  const left = task.pending + task.ready + task.processing
  const [style, sign] = isDone
    ? (['green', '✔'] as const)
    : isStopped
      ? (['yellow', '■'] as const)
      : (['red', '✘'] as const)
  const parts = [
    `${isStopped && !isDone ? 'stopped after ' : ''}${showBlocksOf(task.completed, task.total)}`,
    ...(task.skipped > (task.masked ?? 0)
      ? [`${showWhole(task.skipped - (task.masked ?? 0))} of them already done`]
      : []),
    ...(task.masked === undefined ? [] : [`${showWhole(task.masked)} outside the mask`]),
    ...(task.leftOut === undefined ? [] : [`${showWhole(task.leftOut)} left out`]),
    ...(task.failed > 0 ? [paint('red', `${showWhole(task.failed)} failed`)] : []),
    ...(task.orphaned > 0 ? [paint('red', `${showWhole(task.orphaned)} orphaned`)] : []),
    ...(left > 0 ? [`${showWhole(left)} left`] : []),
    ...(task.blockMs.count > 0
      ? [
          showDuration(task.seconds),
          `${showCount(task.blocksPerSecond)} blocks/s`,
          `${showCount(task.voxelsPerSecond)} voxels/s`,
        ]
      : []),
  ]
  return `${paint(style, sign)} ${task.id}: ${parts.join(', ')}`
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

const showMs = (ms: number): string => (ms < 1000 ? `${Number(ms.toPrecision(2))} ms` : showDuration(ms / 1000))
