import { describeControl } from '../../../../core/control/control-text.ts'
import type { JobsReport, RunEvent, TaskCounts } from '../../../../core/events.ts'
import { explainMissing } from '../../../../core/system-errors.ts'
import { kindOfMessage } from '../../../../core/text/error-groups.ts'
import { reasonOf } from '../../../../core/text/error-reason.ts'
import { showBytes, showCount, showDuration, showWhole } from '../../../../core/text/numbers.ts'
import { printableLine } from '../../../../core/text/printable.ts'
import { describeBadHost } from '../../../../core/workers/host-health.ts'
import { describeStall } from '../../../../core/workers/stall.ts'
import { messageAndPlace } from '../../../../runtime/tasks/error-place.ts'
import { wrapped, wrappedWarning } from '../../layout.ts'
import { paint } from '../../output.ts'
import { control, guardStream } from '../../terminal.ts'
import { barLine, chosenOf, DETAILS, type TaskDetails } from './bar-line.ts'

type Progress = Extract<RunEvent, { type: 'progress' }>

/** For a terminal that does not know its size: it reports 0. */
const UNKNOWN_COLUMNS = 100
const PLAIN_EVERY_MS = 10_000
const JOBS_EVERY_MS = 30_000
const REPEATED_EVERY_MS = 30_000

/**
 * Shows a run's progress on standard error: on a terminal a bar per task, redrawn in place; otherwise, and on one that cannot
 * move its cursor (TERM=dumb), a plain line at most every 10 s. Both show each task's rate, remaining time, and running, failed and orphaned blocks.
 */
export class ProgressDisplay {
  readonly #stream: NodeJS.WriteStream
  readonly #now: () => number
  readonly #terminal: boolean
  /** When the first blocks of each task started, seconds since the run's start: a task of a chain may start much later. */
  readonly #startedAt = new Map<string, number>()
  #lastSeconds = 0
  #linesDrawn = 0
  #lastPlain = 0
  #lastJobs = 0
  #jobTrouble: string | undefined
  #absentJobs = 0
  /** When a kind of message was printed, and how many have not been since. */
  readonly #often = new Map<string, { readonly at: number; readonly unsaid: number }>()

  constructor({
    stream = process.stderr as NodeJS.WriteStream,
    now = () => performance.now(),
    terminalType = process.env.TERM,
  } = {}) {
    guardStream(stream)
    this.#stream = stream
    this.#now = now
    this.#terminal = Boolean(stream.isTTY) && terminalType !== 'dumb'
  }

  readonly receive = (event: RunEvent): void => {
    switch (event.type) {
      case 'progress':
        this.#noteStarts(event.tasks, event.seconds)
        if (this.#terminal) this.#draw(event)
        else this.#plain(event)
        break
      case 'worker-died':
        this.#noteOften(
          `died ${event.reason}`,
          `worker ${event.workerId} ended (${reasonOf(explainMissing(event.reason))})${event.restartMs === undefined ? '' : '; replacing it'}`,
        )
        break
      case 'worker-paused':
        this.note(
          `worker ${event.workerId} finished none of the blocks of its last ${event.leases} leases; it gets none for ${event.pauseMs / 1000} s`,
        )
        break
      case 'worker-stalled':
        // Otherwise the attempt fails for this reason, and that is printed.
        if (event.action === 'report') {
          this.#noteOften(`stalled ${event.taskId}`, `${describeStall(event)}, at worker ${event.workerId}`)
        }
        break
      case 'host-failing':
        this.#warn(describeBadHost(event))
        break
      case 'block-retried':
        this.#noteOften(
          `retried ${event.taskId} ${event.error.message}`,
          `block ${event.taskId}/${event.index} failed (attempt ${event.attempt}), retrying: ${reasonOf(messageAndPlace(event.error.message, event.error.stack))}`,
        )
        break
      case 'jobs':
        this.#noteJobs(event)
        break
      case 'warning':
        this.#warn(event.message)
        break
      case 'store':
        this.note(event.message)
        break
      case 'scaled':
      case 'retried':
      case 'reset':
        this.note(describeControl(event))
        break
      case 'packing':
        this.note(`packing ${event.path} …`)
        break
      case 'packed':
        this.note(`packed ${event.path}: ${showBytes(event.bytes)} in ${showDuration(event.seconds)}`)
        break
      case 'run-finished':
        this.end()
        break
      default:
    }
  }

  /**
   * Prints why jobs wait: immediately, then at most every 30 s. A failing queue, its recovery and missing workers are reported
   * immediately.
   */
  #noteJobs(report: JobsReport): void {
    const { queue, trouble, reasons, pending, running, absent } = report
    if (trouble !== this.#jobTrouble) {
      this.#jobTrouble = trouble
      this.note(trouble === undefined ? `${queue} responds again` : reasonOf(trouble))
    }
    if ((absent?.count ?? 0) > this.#absentJobs && absent !== undefined) {
      const what =
        absent.count === 1 ? '1 job runs, but its worker has' : `${absent.count} jobs run, but their workers have`
      this.note(
        `${queue}: ${what} not connected; check that nodes reach this machine (--host, --port), and see ${absent.logFile}`,
      )
    }
    this.#absentJobs = absent?.count ?? 0
    const now = this.#now()
    if (reasons.length === 0 || (now - this.#lastJobs < JOBS_EVERY_MS && this.#lastJobs > 0)) return
    this.#lastJobs = now
    const why = reasons.map(({ reason, count }) => (reasons.length > 1 ? `${count}× ${reason}` : reason)).join(', ')
    this.note(`${queue}: ${running} of ${running + pending} jobs run; the others wait: ${why}`)
  }

  /** Prints what may happen to many blocks or workers: immediately, then at most every 30 s, with how many more there were. */
  #noteOften(kind: string, text: string): void {
    const now = this.#now()
    const key = kindOfMessage(kind)
    const { at, unsaid } = this.#often.get(key) ?? { at: Number.NEGATIVE_INFINITY, unsaid: 0 }
    if (now - at < REPEATED_EVERY_MS) {
      this.#often.set(key, { at, unsaid: unsaid + 1 })
      return
    }
    this.#often.set(key, { at: now, unsaid: 0 })
    this.note(unsaid === 0 ? text : `${text} (and ${unsaid} more like this)`)
  }

  /** Prints a line above the bars. */
  note(text: string): void {
    this.#print(wrapped(printableLine(text), 2, this.#stream))
  }

  #warn(text: string): void {
    this.#print(wrappedWarning(`warning: ${printableLine(text)}`, this.#stream))
  }

  #print(text: string): void {
    this.#erase()
    this.#stream.write(`${paint('yellow', text, this.#stream)}\n`)
  }

  end(): void {
    this.#linesDrawn = 0
  }

  /** Notes when tasks start: the time of the event before the first one that shows a block, so it is never too late. */
  #noteStarts(tasks: readonly TaskCounts[], seconds: number): void {
    for (const { id, processing, completed, skipped } of tasks) {
      if (!this.#startedAt.has(id) && processing + completed - skipped > 0) this.#startedAt.set(id, this.#lastSeconds)
    }
    this.#lastSeconds = seconds
  }

  /** The rate and the time left count from the first block of the task. */
  #describe(task: TaskCounts, { seconds, busyWorkers }: Progress): TaskDetails {
    const left = chosenOf(task) - task.completed - task.failed - task.orphaned
    const trouble = describeTrouble(task)
    if (left === 0) return { trouble }
    const computed = task.completed - task.skipped
    const rate = computed / Math.max(seconds - (this.#startedAt.get(task.id) ?? 0), 1e-3)
    const speed = computed > 0 ? { rate: `${showCount(rate)} blocks/s`, left: `${showDuration(left / rate)} left` } : {}
    // Workers hold more blocks than they run.
    return { ...speed, running: `${showWhole(Math.min(task.processing, busyWorkers))} running`, trouble }
  }

  #draw(progress: Progress): void {
    const { tasks } = progress
    this.#erase()
    const nameWidth = Math.max(...tasks.map((task) => task.id.length))
    const setting = { nameWidth, columns: this.#stream.columns || UNKNOWN_COLUMNS, stream: this.#stream }
    const lines = tasks.map((task) => barLine(task, this.#describe(task, progress), setting))
    this.#stream.write(`${lines.join('\n')}\n`)
    this.#linesDrawn = lines.length
  }

  #erase(): void {
    // A terminal shows Ctrl-C as "^C", so the cursor may not be at the start of its line.
    const up = this.#linesDrawn > 0 ? `\u001b[${this.#linesDrawn}A` : ''
    if (this.#terminal) this.#stream.write(control(`\r${up}\u001b[0J`))
    this.#linesDrawn = 0
  }

  #plain(progress: Progress): void {
    const { tasks, seconds } = progress
    const now = this.#now()
    if (now - this.#lastPlain < PLAIN_EVERY_MS && this.#lastPlain > 0) return
    this.#lastPlain = now
    const parts = tasks.map((task) => {
      const details = this.#describe(task, progress)
      const shown = [...DETAILS.map((name) => details[name]), details.trouble].filter(Boolean)
      return [`${task.id} ${showWhole(task.completed)}/${showWhole(chosenOf(task))}`, ...shown].join(', ')
    })
    this.#stream.write(`${showDuration(seconds)}: ${parts.join('; ')}\n`)
  }
}

const describeTrouble = ({ failed, orphaned }: TaskCounts): string =>
  [
    ...(failed > 0 ? [`${showWhole(failed)} failed`] : []),
    ...(orphaned > 0 ? [`${showWhole(orphaned)} orphaned`] : []),
  ].join(', ')
