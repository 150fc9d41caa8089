import { RateSeries, RecentRate } from './rate-series.ts'
import type { TaskSummary } from './summary.ts'

/** Share of all blocks that must be done before a remaining time is shown, unless two are. */
const SMALLEST_SHARE_FOR_ETA = 0.002

/** The speed of one task. Times are seconds since the start of the run. */
export class TaskPace {
  readonly #series = new RateSeries()
  readonly #recent = new RecentRate()
  #msSum = 0
  #msCount = 0

  /** The first blocks are leased: time before that does not count. */
  begin(seconds: number): void {
    this.#recent.begin(seconds)
  }

  /** @param ms duration of each block that was completed; 0 for a skipped one */
  add(seconds: number, ms: readonly number[]): void {
    this.#series.add(seconds, ms.length)
    this.#recent.add(seconds, ms.length)
    for (const one of ms) {
      if (one === 0) continue
      this.#msSum += one
      this.#msCount++
    }
  }

  get stepSeconds(): number {
    return this.#series.stepSeconds
  }

  /** Extends the series up to a time, so that those of all tasks have steps of the same length. */
  advance(seconds: number): void {
    this.#series.add(seconds, 0)
  }

  summary(seconds: number, isRunning: boolean): Pick<TaskSummary, 'rate' | 'series' | 'meanMs'> {
    return {
      rate: isRunning ? this.#recent.rate(seconds) : 0,
      series: this.#series.rates(seconds).map((rate) => Math.round(rate * 100) / 100),
      ...(this.#msCount === 0 ? {} : { meanMs: this.#msSum / this.#msCount }),
    }
  }
}

/** A block that is running. */
export interface RunningBlock {
  /** Number of its task. */
  readonly task: number
  /** How long it has been running. */
  readonly ms: number
}

/**
 * The remaining time of a run: the open blocks times the mean duration of their task, shared by the busy workers.
 * @param running blocks that are running; those that take longer than the mean of their task raise it
 * @returns seconds; undefined while too little is known
 */
export function remainingSeconds(
  tasks: readonly TaskSummary[],
  busyWorkers: number,
  running: readonly RunningBlock[] = [],
): number | undefined {
  let left = 0
  let known = 0
  let ms = 0
  for (const [number, task] of tasks.entries()) {
    const open = task.total - task.completed - task.failed - task.orphaned
    left += open
    const mean = expectedMs(
      task,
      running.filter((block) => block.task === number),
    )
    if (open > 0 && mean === undefined) continue
    known += open
    ms += open * (mean ?? 0)
  }
  if (left === 0) return 0
  if (known === 0 || busyWorkers === 0) return undefined
  const done = tasks.reduce((sum, { completed, skipped }) => sum + completed - skipped, 0)
  if (done < 2 && done / (left + done) < SMALLEST_SHARE_FOR_ETA) return undefined
  // A task without a completed block is assumed to be as fast as the others are on average.
  return (ms * (left / known)) / busyWorkers / 1000
}

/** The mean duration of a task's blocks. Blocks that are running for longer already belong to it, so that a run that hangs does not seem to end soon. */
function expectedMs({ meanMs, completed, skipped }: TaskSummary, running: readonly RunningBlock[]): number | undefined {
  if (meanMs === undefined) return undefined
  const count = Math.max(1, completed - skipped)
  const long = running.filter(({ ms }) => ms > meanMs)
  return (count * meanMs + long.reduce((sum, { ms }) => sum + ms, 0)) / (count + long.length)
}
