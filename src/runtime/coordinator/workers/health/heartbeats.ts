import type { LeaseBook } from '../../lease-book.ts'
import type { RunningPipeline } from '../../running-pipeline.ts'
import type { Worker } from '../pool.ts'
import type { WorkerConnections } from '../worker-connections.ts'

/** How often a worker has to send something while it is idle. */
export const HEARTBEAT_MS = 10_000
/** How many heartbeats in a row a worker may miss. */
const MAX_MISSED = 3
/** Without a heartbeat in this time, a worker does not send them. */
const SILENT_MS = 2.5 * HEARTBEAT_MS

/** Finds idle workers whose machine or network has failed silently; busy ones are watched by `StallWatch`. */
export class Heartbeats {
  readonly #run: RunningPipeline
  readonly #book: LeaseBook
  readonly #connections: WorkerConnections
  /** How many heartbeats in a row each connected worker has missed. */
  readonly #missed = new Map<Worker, number>()
  #cancelSweep: (() => void) | undefined

  constructor(run: RunningPipeline, book: LeaseBook, connections: WorkerConnections) {
    this.#run = run
    this.#book = book
    this.#connections = connections
  }

  /** A worker has connected. */
  expect(worker: Worker): void {
    this.#missed.set(worker, 0)
    this.#startSweep()
  }

  /** The worker has sent something. */
  noteHeard(worker: Worker): void {
    if (this.#missed.has(worker)) this.#missed.set(worker, 0)
  }

  /** Whether a worker that should have sent heartbeats for some time has done so; undefined if the time is too short to know. */
  isHeard(worker: Worker, sinceMs: number): boolean | undefined {
    const missed = this.#missed.get(worker)
    return missed === undefined || sinceMs < SILENT_MS ? undefined : missed < 2
  }

  /** The worker has disconnected or ended. */
  forget(worker: Worker): void {
    this.#missed.delete(worker)
  }

  #startSweep(): void {
    this.#cancelSweep ??= this.#run.options.clock.after(HEARTBEAT_MS, () => {
      this.#cancelSweep = undefined
      for (const [worker, missed] of this.#missed) {
        if (missed >= MAX_MISSED && this.#book.leasesOf(worker).length === 0) this.#connections.close(worker)
        this.#missed.set(worker, missed + 1)
      }
      if (this.#missed.size > 0) this.#startSweep()
    })
  }

  [Symbol.dispose](): void {
    this.#cancelSweep?.()
  }
}
