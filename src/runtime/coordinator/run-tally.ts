import type { TaskCounts, WorkerUse } from '../../core/events.ts'
import type { RunResult, TaskResult } from './run-result.ts'
import type { RunningPipeline } from './running-pipeline.ts'
import type { Session } from './workers/session.ts'

/** Progress is told at most this often. */
const PROGRESS_MS = 100
/** Workers that are told one by one at the end; more are added up. */
const MAX_WORKERS = 1000

/** Counts what a run does, tells how far it is, and sums it up at the end. */
export class RunTally {
  readonly #run: RunningPipeline
  readonly #used = { seconds: 0, workingSeconds: 0, readBytes: 0, writtenBytes: 0, peakMemory: 0 }
  readonly #each: WorkerUse[] = []
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

  /** Tells what a worker did that has ended, and adds it up. */
  addWorker({ id: workerId, host, completed: blocks, workingMs, usage, cameAt }: Session): void {
    if (cameAt === undefined) return
    const use: WorkerUse = {
      workerId,
      host,
      blocks,
      seconds: (this.#run.options.clock.now() - cameAt) / 1000,
      workingSeconds: workingMs / 1000,
      readBytes: usage?.readBytes ?? 0,
      writtenBytes: usage?.writtenBytes ?? 0,
      peakMemory: usage?.peakMemory ?? 0,
    }
    this.#used.seconds += use.seconds
    this.#used.workingSeconds += use.workingSeconds
    this.#used.readBytes += use.readBytes
    this.#used.writtenBytes += use.writtenBytes
    this.#used.peakMemory = Math.max(this.#used.peakMemory, use.peakMemory)
    if (this.#each.length < MAX_WORKERS) this.#each.push(use)
    this.#run.events.emit({ type: 'worker-ended', ...use })
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
      workers: { ...this.#used, each: this.#each },
      ...(error === undefined ? {} : { error }),
    }
  }

  #counts(): TaskCounts[] {
    return this.#run.scheduler.counts()
  }

  [Symbol.dispose](): void {
    this.#cancelProgress?.()
  }
}
