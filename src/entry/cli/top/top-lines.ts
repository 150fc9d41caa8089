import type { RunSummary, TaskSummary, WorkerSummary } from '../../../core/board/summary.ts'
import { showBytes, showCount, showDuration, showWhole } from '../../../core/text/numbers.ts'
import { printableLine } from '../../../core/text/printable.ts'
import { paint } from '../output.ts'
import { barLine, chosenOf, type TaskDetails } from '../tasks/report/bar-line.ts'
import { columnsOf } from '../terminal.ts'
import type { Prompt } from './top-keys.ts'

/** What is drawn of a run. */
export interface TopView {
  readonly run: string
  readonly summary: RunSummary
  readonly prompt: Prompt
  /** What the last key did. */
  readonly message: string
}

export interface TopSetting {
  readonly columns: number
  readonly rows: number
  readonly stream: NodeJS.WriteStream
}

const KEYS = 's stop  w workers  r retry failed  q leave'

/** The lines of the screen: at most as many as it has rows, and none wider than it. The last one is for keys. */
export function topLines(view: TopView, setting: TopSetting): string[] {
  const { columns, rows, stream } = setting
  const { summary } = view
  const tasks = summary.tasks.map((task) =>
    barLine(task, detailsOf(task, summary), { ...barSetting(summary), columns, stream }),
  )
  const head = [paint('bold', cut(headOf(view), columns), stream), '', ...tasks, '']
  const foot = ['', footOf(view, setting)]
  // A screen that is very low shows the tasks first.
  const room = Math.max(0, rows - head.length - foot.length)
  const failures = summary.failures.map((failure) => {
    const block = `${summary.tasks[failure.task]?.id}/${failure.index}`
    return paint('red', cut(printableLine(`✘ ${block}: ${failure.message}`), columns), stream)
  })
  const notes = summary.notes.map(({ text }) => paint('yellow', cut(printableLine(text), columns), stream))
  const most = Math.floor(room / 2)
  const lower = [...failures.slice(0, Math.max(1, most - 2)), ...notes].slice(0, most)
  const body = [...workerLines(summary, columns, room - lower.length), ...lower]
  return [...[...head, ...body].slice(0, Math.max(1, rows - foot.length)), ...foot].slice(-rows)
}

function headOf({ run, summary }: TopView): string {
  const { condition, seconds, etaSeconds } = summary
  const left = etaSeconds !== undefined && etaSeconds > 0 ? [`about ${showDuration(etaSeconds)} left`] : []
  return [`${run}: ${condition}`, ...(seconds > 0 ? [showDuration(seconds)] : []), ...left].join(' · ')
}

function footOf({ prompt, message }: TopView, { columns, stream }: TopSetting): string {
  if (prompt.status === 'stop') return paint('yellow', cut('Stop the run? y yes, any other key no', columns), stream)
  if (prompt.status === 'scale') {
    return paint('yellow', cut(`Workers, 8 or 2..16, then Enter: ${prompt.typed}_`, columns), stream)
  }
  return message === '' ? paint('gray', cut(KEYS, columns), stream) : cut(printableLine(message), columns)
}

const barSetting = ({ tasks }: RunSummary) => ({ nameWidth: Math.max(0, ...tasks.map(({ id }) => id.length)) })

function detailsOf(task: TaskSummary, { condition }: RunSummary): TaskDetails {
  const { rate, processing, failed, orphaned } = task
  const parts = [
    ...(failed > 0 ? [`${showWhole(failed)} failed`] : []),
    ...(orphaned > 0 ? [`${showWhole(orphaned)} orphaned`] : []),
  ]
  const left = chosenOf(task) - task.completed - failed - orphaned
  const trouble = parts.join(', ')
  if (left === 0 || condition !== 'running') return { trouble }
  const speed = rate > 0 ? { rate: `${showCount(rate)} blocks/s`, left: `${showDuration(left / rate)} left` } : {}
  return { ...speed, running: `${showWhole(processing)} running`, trouble }
}

function workerLines({ workers, workerCounts, tasks, now }: RunSummary, columns: number, room: number): string[] {
  const { busy, idle, ended } = workerCounts
  const counts = [`${busy} busy`, `${idle} idle`, ...(ended > 0 ? [`${ended} ended`] : [])]
  const shown = workers.filter(({ status }) => status !== 'ended')
  const lines = shown.map((worker) => cut(`  ${describeWorker(worker, tasks, now)}`, columns))
  const fitting = Math.max(0, room - 1)
  const rest = lines.length - fitting
  const list =
    rest > 0 ? [...lines.slice(0, Math.max(0, fitting - 1)), cut(`  … and ${rest + 1} more`, columns)] : lines
  return [cut(`Workers: ${counts.join(', ')}`, columns), ...list].slice(0, room)
}

function describeWorker(worker: WorkerSummary, tasks: readonly TaskSummary[], now: number): string {
  const { id, host, task, block, since, done, seconds, workingSeconds, peakMemory } = worker
  const what =
    task === undefined || block === undefined
      ? 'idle'
      : `${tasks[task]?.id}/${block}${since === undefined ? '' : ` for ${showDuration(Math.max(0, now - since) / 1000)}`}`
  const used = seconds > 0 ? [`${Math.round((100 * workingSeconds) / seconds)} % working`] : []
  const memory = peakMemory === undefined || peakMemory === 0 ? [] : [showBytes(peakMemory)]
  return printableLine([`${id} ${what}`, `${showWhole(done)} done`, ...used, ...memory, `on ${host}`].join(', '))
}

/** A line that fits: an end that does not is left out. */
function cut(text: string, columns: number): string {
  // Some terminals wrap when their last column is filled.
  if (columnsOf(text) < columns) return text
  const characters = [...text]
  while (characters.length > 0 && columnsOf(characters.join('')) > columns - 2) characters.pop()
  return `${characters.join('')}…`
}
