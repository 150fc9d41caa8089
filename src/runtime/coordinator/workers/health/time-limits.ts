import type { Lease, LeaseBook } from '../../lease-book.ts'
import type { RunningPipeline } from '../../running-pipeline.ts'
import type { Worker } from '../pool.ts'
import type { TaskSetups } from '../task-setups.ts'

/** If the user limits how long blocks take, set-ups have a limit, too, of this at least: long enough to load a large model. */
export const LEAST_SETUP_MS = 600_000

interface Timer {
  readonly lease: Lease
  /** How many blocks of the lease were reported when it was started. */
  readonly reported: number
  readonly cancel: () => void
}

/** Limits how long workers take over a block, or over setting up its task. */
export class TimeLimits {
  readonly #run: RunningPipeline
  readonly #book: LeaseBook
  readonly #setups: TaskSetups
  readonly #timers = new Map<Worker, Timer>()

  constructor(run: RunningPipeline, book: LeaseBook, setups: TaskSetups) {
    this.#run = run
    this.#book = book
    this.#setups = setups
  }

  /** Restarts the timer for the worker's current activity. */
  watch(worker: Worker): void {
    const { clock } = this.#run.options
    this.stop(worker)
    const [lease] = this.#book.leasesOf(worker)
    if (lease === undefined) return
    const timeoutMs = lease.task.planned.timeoutMs ?? this.#run.options.timeoutMs
    const isSetUp = this.#setups.isSetUp(worker, lease.task)
    const limitMs = isSetUp ? timeoutMs : this.#setupTimeoutMs(timeoutMs)
    if (limitMs === undefined) return
    const { id } = lease.task
    const isLast = lease.reported + 1 === lease.blocks.length
    const block = `Block ${id}/${lease.blocks[lease.reported]}${isLast ? '' : ', or one that was leased with it,'}`
    const what = isSetUp ? block : `Setting up "${id}"`
    const cancel = clock.after(limitMs, () => {
      this.#run.control.takeOverdue(worker, `${what} took longer than ${limitMs / 1000} s`)
    })
    this.#timers.set(worker, { lease, reported: lease.reported, cancel })
  }

  /** The worker has connected again: a timer that runs for its current activity continues, however often it does that. */
  resume(worker: Worker): void {
    const timer = this.#timers.get(worker)
    const [lease] = this.#book.leasesOf(worker)
    if (timer === undefined || timer.lease !== lease || timer.reported !== lease.reported) this.watch(worker)
  }

  stop(worker: Worker): void {
    this.#timers.get(worker)?.cancel()
    this.#timers.delete(worker)
  }

  #setupTimeoutMs(timeoutMs: number | undefined): number | undefined {
    const { setupTimeoutMs } = this.#run.options
    return setupTimeoutMs ?? (timeoutMs === undefined ? undefined : Math.max(timeoutMs, LEAST_SETUP_MS))
  }
}
