import type { LeaseBook } from '../lease-book.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import type { Worker } from './pool.ts'
import type { TaskSetups } from './task-setups.ts'

/** If blocks have a time limit, set-ups have one too, long enough to load a large model. */
const SETUP_TIMEOUT_MS = 600_000

/** Limits how long workers take over a block, or over setting up its task. */
export class TimeLimits {
  readonly #run: RunningPipeline
  readonly #book: LeaseBook
  readonly #setups: TaskSetups
  readonly #cancels = new Map<Worker, () => void>()

  constructor(run: RunningPipeline, book: LeaseBook, setups: TaskSetups) {
    this.#run = run
    this.#book = book
    this.#setups = setups
  }

  /** Restarts the timer for the worker's current activity. */
  watch(worker: Worker): void {
    const { timeoutMs, clock } = this.#run.options
    this.stop(worker)
    const [lease] = this.#book.leasesOf(worker)
    if (lease === undefined) return
    const isSetUp = this.#setups.isSetUp(worker, lease.task)
    const limitMs = isSetUp ? timeoutMs : this.#setupTimeoutMs()
    if (limitMs === undefined) return
    const { id } = lease.task
    const isLast = lease.reported + 1 === lease.blocks.length
    const block = `Block ${id}/${lease.blocks[lease.reported]}${isLast ? '' : ', or one that was leased with it,'}`
    const what = isSetUp ? block : `Setting up "${id}"`
    const cancel = clock.after(limitMs, () => {
      this.#run.control.takeOverdue(worker, `${what} took longer than ${limitMs / 1000} s`)
    })
    this.#cancels.set(worker, cancel)
  }

  stop(worker: Worker): void {
    const cancel = this.#cancels.get(worker)
    if (cancel === undefined) return
    cancel()
    this.#cancels.delete(worker)
  }

  #setupTimeoutMs(): number | undefined {
    const { timeoutMs, setupTimeoutMs } = this.#run.options
    return setupTimeoutMs ?? (timeoutMs === undefined ? undefined : Math.max(timeoutMs, SETUP_TIMEOUT_MS))
  }
}
