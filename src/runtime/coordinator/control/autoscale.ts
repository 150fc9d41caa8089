import { nextPoolSize, type PoolSize, type WorkerRange } from '../../../core/workers/pool-size.ts'
import type { LeaseBook } from '../lease-book.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import type { Pool, RunningTask, Worker } from '../workers/pool.ts'
import type { WorkerLives } from '../workers/worker-lives.ts'

const LOOK_MS = 5000
/** A start counts this much towards the time that the next one is expected to take. */
const NEW_SHARE = 0.3

export interface AutoscaleParts {
  readonly book: LeaseBook
  readonly lives: WorkerLives
}

/** Adapts the number of workers to the work, within the range that the user has given. */
export class Autoscale implements Disposable {
  readonly #run: RunningPipeline
  readonly #parts: AutoscaleParts
  readonly #resize: (workers: number) => void
  #range: WorkerRange | undefined
  #size: PoolSize
  /** When workers that have not connected were first seen. */
  readonly #starting = new Map<Worker, number>()
  #startMs = 0
  #cancel: (() => void) | undefined

  /** @param resize makes the run have this many workers */
  constructor(run: RunningPipeline, parts: AutoscaleParts, resize: (workers: number) => void) {
    this.#run = run
    this.#parts = parts
    this.#resize = resize
    const { workers, minWorkers } = run.options
    this.#size = { workers: minWorkers ?? workers }
    if (minWorkers !== undefined) this.#range = { least: minWorkers, most: workers }
  }

  start(): void {
    if (this.#range !== undefined) this.#lookLater()
  }

  /** The user sets the number of workers, or its range. @returns how many to have now */
  setRange({ least, most }: WorkerRange, current: number): number {
    const workers = Math.min(most, Math.max(least, current))
    this.#size = { workers }
    this.#range = least === most ? undefined : { least, most }
    this.start()
    return workers
  }

  #lookLater(): void {
    this.#cancel?.()
    this.#cancel = this.#run.options.clock.after(LOOK_MS, () => {
      if (this.#run.phase !== 'running' || this.#range === undefined) return
      this.#run.control.turn(() => this.#look())
      this.#lookLater()
    })
  }

  #look(): void {
    const now = this.#run.options.clock.now()
    const pools = this.#run.pools.filter(({ launcher }) => launcher !== undefined)
    for (const pool of pools) this.#noteStarts(pool, now)
    // The number of workers is that of every pool: the one that needs most decides.
    const sizes = pools.map((pool) => nextPoolSize(this.#size, this.#demandOf(pool, now), this.#range as WorkerRange))
    const [largest] = sizes.toSorted(
      (a, b) => b.workers - a.workers || Number('lowSince' in a) - Number('lowSince' in b),
    )
    if (largest === undefined) return
    const before = this.#size.workers
    this.#size = largest
    if (largest.workers !== before) this.#resize(largest.workers)
  }

  #demandOf(pool: Pool, now: number) {
    const { book, lives } = this.#parts
    const staff = [...pool.requested]
    const busy = staff.filter((worker) => book.leasesOf(worker).length > 0)
    return {
      now,
      waiting: pool.tasks.reduce((sum, { number }) => sum + this.#run.scheduler.task(number).readyCount, 0),
      busy: busy.length,
      starting: staff.filter((worker) => !lives.isReady(worker) && book.leasesOf(worker).length === 0).length,
      blockMs: this.#blockMsOf(pool, busy, now),
      startMs: this.#startMs,
    }
  }

  /** The longest average of the tasks that have blocks ready; for the first blocks, how long they have taken so far. */
  #blockMsOf(pool: Pool, busy: readonly Worker[], now: number): number | undefined {
    const isReady = ({ number }: RunningTask) => this.#run.scheduler.task(number).readyCount > 0
    const averages = pool.tasks.filter(isReady).flatMap(({ averageMs }) => averageMs ?? [])
    const running = busy.flatMap((worker) => this.#parts.book.leasesOf(worker)[0] ?? [])
    const sofar = running.filter(({ task }) => task.averageMs === undefined).map(({ since }) => now - since)
    const known = [...averages, ...sofar]
    return known.length === 0 ? undefined : known.reduce((longest, ms) => Math.max(longest, ms), 0)
  }

  #noteStarts(pool: Pool, now: number): void {
    for (const worker of pool.requested) {
      const since = this.#starting.get(worker)
      const isThere = this.#parts.lives.isReady(worker)
      if (since === undefined && !isThere) this.#starting.set(worker, now)
      if (since === undefined || !isThere) continue
      this.#starting.delete(worker)
      this.#startMs = this.#startMs === 0 ? now - since : this.#startMs * (1 - NEW_SHARE) + (now - since) * NEW_SHARE
    }
    for (const worker of this.#starting.keys()) if (!this.#run.workers.has(worker.id)) this.#starting.delete(worker)
  }

  [Symbol.dispose](): void {
    this.#cancel?.()
  }
}
