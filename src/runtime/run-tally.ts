import type { TaskCounts } from './run-events.ts'
import type { RunResult, TaskResult, WorkersResult } from './run-result.ts'
import type { RunningPipeline } from './running-pipeline.ts'
import type { Session } from './session.ts'

/** Progress is told at most this often. */
const PROGRESS_MS = 100

/** Counts what a run does, tells how far it is, and sums it up at the end. */
export class RunTally {
  readonly #run: RunningPipeline
  readonly #needed = { seconds: 0, readBytes: 0, writtenBytes: 0, peakMemory: 0 }
  #cancelProgress: (() => void) | undefined
  #progressDue = false

  constructor(run: RunningPipeline) {
    this.#run = run
  }

  tellStart(): void {
    this.#run.events.emit({ type: 'run-started', tasks: this.#counts(), workers: this.#run.options.workers })
  }

  /** Tells the counts now, or, when that was done just before, a little later. */
  tellProgress(): void {
    this.#progressDue = true
    if (this.#cancelProgress !== undefined) return
    this.#emitProgress()
    const again = (): void => {
      this.#cancelProgress = undefined
      if (this.#progressDue) this.tellProgress()
    }
    this.#cancelProgress = this.#run.options.clock.after(PROGRESS_MS, again)
  }

  #emitProgress(): void {
    this.#progressDue = false
    this.#run.events.emit({
      type: 'progress',
      tasks: this.#counts(),
      seconds: this.#run.seconds(),
      busyWorkers: this.#run.busy.size,
    })
  }

  /** Adds up what a worker did that has ended. */
  addNeeds({ usage, cameAt }: Session): void {
    if (cameAt !== undefined) this.#needed.seconds += (this.#run.options.clock.now() - cameAt) / 1000
    if (usage === undefined) return
    this.#needed.readBytes += usage.readBytes
    this.#needed.writtenBytes += usage.writtenBytes
    this.#needed.peakMemory = Math.max(this.#needed.peakMemory, usage.peakMemory)
  }

  #workersResult(): WorkersResult {
    const workingSeconds = this.#run.tasks.reduce((sum, { durations }) => sum + durations.sum, 0) / 1000
    return { ...this.#needed, workingSeconds }
  }

  /** Tells the end of the run, and gives what came of it. */
  end(): RunResult {
    const seconds = this.#run.seconds()
    const counts = this.#counts()
    const tasks = this.#run.tasks.map((task, index): TaskResult => {
      const count = counts[index] as TaskCounts
      const blocksPerSecond = (count.completed - count.skipped) / Math.max(seconds, 1e-3)
      return {
        ...count,
        blocksPerSecond,
        blockMs: task.durations.summary(),
        voxelsPerSecond: blocksPerSecond * task.planned.voxelsPerBlock,
        failures: task.failures,
        ...(task.error === undefined ? {} : { error: task.error }),
      }
    })
    const ok = this.#run.fatal === undefined && counts.every((count) => count.completed === count.total)
    this.#run.events.emit({ type: 'progress', tasks: counts, seconds, busyWorkers: 0 })
    this.#run.events.emit({ type: 'run-finished', ok, seconds, tasks: counts })
    const error = this.#run.fatal
    const interrupted = this.#run.phase === 'stopping' && !ok && error === undefined
    return {
      ok,
      interrupted,
      seconds,
      tasks,
      workers: this.#workersResult(),
      ...(error === undefined ? {} : { error }),
    }
  }

  #counts(): TaskCounts[] {
    return this.#run.scheduler.states()
  }

  [Symbol.dispose](): void {
    this.#cancelProgress?.()
  }
}
