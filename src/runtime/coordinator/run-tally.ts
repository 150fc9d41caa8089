import type { TaskCounts, WorkerUse } from '../../core/events.ts'
import type { WorkerUsage } from '../../core/protocol/messages.ts'
import type { LeaseBook } from './lease-book.ts'
import type { RunResult, TaskResult } from './run-result.ts'
import type { RunningPipeline } from './running-pipeline.ts'
import type { Worker } from './workers/pool.ts'

/** Progress is reported at most this often. */
const PROGRESS_MS = 100
/** At most this many workers are listed in the result; further ones only count towards the sums. */
const MAX_WORKERS = 1000

/** What one worker has done so far. */
interface Work {
  /** When it connected for the first time, by the run's clock. */
  readonly since: number
  /** Blocks that it has done or skipped. */
  completed: number
  /** How long its blocks took, ms. */
  workingMs: number
  /** The resources that it used, according to its last report. */
  usage: WorkerUsage | undefined
  /** Its peak memory when its usage was reported last. */
  shownMemory: number
}

// What a worker reports of itself is believed up to these limits, far above any machine, so that one number can't spoil the sums.
const MAX_MEMORY = 2 ** 46
const MAX_BYTES_PER_SECOND = 1e11
/** The usage of a worker is reported when its peak memory has grown by this factor: a few times, however long it lives. */
const MEMORY_STEP = 1.02
/** It may have read before this start of the run. */
const SURPLUS_BYTES = 1e12

/** Counts the work of a run, reports its progress, and sums it up at the end. */
export class RunTally {
  readonly #run: RunningPipeline
  readonly #book: LeaseBook
  readonly #used = { seconds: 0, workingSeconds: 0, readBytes: 0, writtenBytes: 0, peakMemory: 0 }
  readonly #each: WorkerUse[] = []
  readonly #works = new Map<Worker, Work>()
  /** Of workers that have ended and of the others, according to their last reports. */
  readonly #usedSoFar = { readBytes: 0, writtenBytes: 0, peakMemory: 0 }
  #cancelProgress: (() => void) | undefined
  #progressDue = false

  constructor(run: RunningPipeline, book: LeaseBook) {
    this.#run = run
    this.#book = book
  }

  reportStart(): void {
    this.#run.events.emit({ type: 'run-started', tasks: this.#counts(), workers: this.#run.options.workers })
  }

  /** Reports the counts now, or shortly later if they have just been reported. */
  reportProgress(): void {
    this.#progressDue = true
    if (this.#cancelProgress !== undefined) return
    this.#emitProgress()
    const again = (): void => {
      this.#cancelProgress = undefined
      if (this.#progressDue) this.reportProgress()
    }
    this.#cancelProgress = this.#run.options.clock.after(PROGRESS_MS, again)
  }

  #emitProgress(): void {
    this.#progressDue = false
    this.#run.events.emit({
      type: 'progress',
      tasks: this.#counts(),
      seconds: this.#run.seconds(),
      busyWorkers: this.#book.busy.size,
      used: { ...this.#usedSoFar },
    })
  }

  /** A worker has connected. */
  noteConnected(worker: Worker): void {
    if (this.#works.has(worker)) return
    const since = this.#run.options.clock.now()
    this.#works.set(worker, { since, completed: 0, workingMs: 0, usage: undefined, shownMemory: 0 })
  }

  /** @returns whether the worker has read or written anything since its last report */
  noteUsage(worker: Worker, usage: WorkerUsage): boolean {
    const work = this.#works.get(worker)
    if (work === undefined) return false
    const seconds = (this.#run.options.clock.now() - work.since) / 1000
    const most = SURPLUS_BYTES + seconds * MAX_BYTES_PER_SECOND
    const before = work.usage
    const now = {
      readBytes: Math.min(most, usage.readBytes),
      writtenBytes: Math.min(most, usage.writtenBytes),
      peakMemory: Math.min(MAX_MEMORY, usage.peakMemory),
    }
    work.usage = now
    const used = this.#usedSoFar
    used.readBytes += now.readBytes - (before?.readBytes ?? 0)
    used.writtenBytes += now.writtenBytes - (before?.writtenBytes ?? 0)
    used.peakMemory = Math.max(used.peakMemory, now.peakMemory)
    if (now.peakMemory > work.shownMemory * MEMORY_STEP) {
      work.shownMemory = now.peakMemory
      this.#run.events.emit({ type: 'worker-usage', workerId: worker.id, ...now })
    }
    this.reportProgress()
    return now.readBytes > (before?.readBytes ?? 0) || now.writtenBytes > (before?.writtenBytes ?? 0)
  }

  /** @param completed further blocks that the worker has done or skipped @param workingMs what its further blocks took */
  countBlocks(worker: Worker, completed: number, workingMs: number): void {
    const work = this.#works.get(worker)
    if (work === undefined) return
    work.completed += completed
    work.workingMs += workingMs
  }

  /** The most memory that a worker has reported, bytes; 0 if it has reported none. */
  peakMemoryOf(worker: Worker): number {
    return this.#works.get(worker)?.usage?.peakMemory ?? 0
  }

  /** How many blocks a worker has done or skipped. */
  completedBy(worker: Worker): number {
    return this.#works.get(worker)?.completed ?? 0
  }

  /** Reports the work of a worker that has ended, and adds it to the sums. */
  endWorker(worker: Worker, host: string): void {
    const work = this.#works.get(worker)
    if (work === undefined) return
    this.#works.delete(worker)
    const { completed: blocks, workingMs, usage, since } = work
    const use: WorkerUse = {
      workerId: worker.id,
      host,
      blocks,
      seconds: (this.#run.options.clock.now() - since) / 1000,
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

  /** Reports the end of the run. */
  end(): RunResult {
    const seconds = this.#run.seconds()
    const counts = this.#counts()
    const tasks = this.#run.tasks.map((task, index): TaskResult => {
      const count = counts[index] as TaskCounts
      const { start, end } = task.span ?? { start: 0, end: 0 }
      // Workers report how long their blocks took.
      const ownSeconds = Math.min((end - start) / 1000, seconds)
      const blocksPerSecond = (count.completed - count.skipped) / Math.max(ownSeconds, 1e-3)
      return {
        ...count,
        seconds: ownSeconds,
        blocksPerSecond,
        blockMs: task.durations.summary(),
        voxelsPerSecond: blocksPerSecond * task.planned.voxelsPerBlock,
        // In the order of their places, whichever failed first.
        failures: task.failures.toSorted((a, b) => a.index - b.index),
        ...(task.error === undefined ? {} : { error: task.error }),
      }
    })
    const ok =
      this.#run.fatal === undefined &&
      counts.every(({ completed, leftOut = 0, total }) => completed + leftOut === total)
    this.#run.events.emit({ type: 'progress', tasks: counts, seconds, busyWorkers: 0, used: { ...this.#usedSoFar } })
    this.#run.events.emit({ type: 'run-finished', ok, seconds, tasks: counts })
    const error = this.#run.fatal
    const stopped = this.#run.phase === 'stopping' && !ok && error === undefined
    return {
      ok,
      stopped,
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
