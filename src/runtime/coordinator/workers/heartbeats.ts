import type { LeaseBook } from '../lease-book.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import type { Worker } from './pool.ts'
import type { WorkerConnections } from './worker-connections.ts'

/** How often a remote worker has to send something while it is idle. */
export const HEARTBEAT_MS = 10_000
/** How many heartbeats in a row a worker may miss. */
const MAX_MISSED = 3

/** Finds idle workers whose machine or network has failed silently; for a busy one there is the time limit of its block. */
export class Heartbeats {
  readonly #run: RunningPipeline
  readonly #book: LeaseBook
  readonly #connections: WorkerConnections
  /** How many heartbeats in a row each connected remote worker has missed. */
  readonly #missed = new Map<Worker, number>()
  #cancelSweep: (() => void) | undefined

  constructor(run: RunningPipeline, book: LeaseBook, connections: WorkerConnections) {
    this.#run = run
    this.#book = book
    this.#connections = connections
  }

  /** A remote worker has connected. */
  expect(worker: Worker): void {
    this.#missed.set(worker, 0)
    this.#startSweep()
  }

  /** The worker has sent something. */
  noteHeard(worker: Worker): void {
    if (this.#missed.has(worker)) this.#missed.set(worker, 0)
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
