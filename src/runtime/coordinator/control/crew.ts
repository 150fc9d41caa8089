import { isRequested } from '../../../core/workers/worker-state.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import type { Pool, Worker } from '../workers/pool.ts'
import type { WorkerResources } from '../workers/worker-resources.ts'

/** How many workers a run starts, and which of them it has dismissed. */
export class Crew {
  readonly #run: RunningPipeline
  readonly #resources: WorkerResources
  #limit: number
  /** They leave once their running block has ended. */
  readonly #dismissed = new Set<Worker>()
  /** They leave in the same way, and others take their places. */
  readonly #renewed = new Set<Worker>()

  constructor(run: RunningPipeline, resources: WorkerResources) {
    this.#run = run
    this.#resources = resources
    this.#limit = run.options.minWorkers ?? run.options.workers
  }

  /** The number of workers that the run is to have. */
  get limit(): number {
    return this.#limit
  }

  setLimit(workers: number): void {
    this.#limit = workers
    this.#resources.extendTo(workers)
  }

  /** The workers that the run has started for a pool and that are to stay. */
  staff({ requested }: Pool): Worker[] {
    return [...requested].filter((worker) => !this.#dismissed.has(worker))
  }

  /** Whether a worker of the pool may be started or replaced. */
  hasRoom(pool: Pool): boolean {
    return this.staff(pool).length < this.#limit
  }

  /** Starts workers until there are as many as have something to do. */
  fill(pool: Pool): void {
    if (pool.launcher === undefined) return
    const blocks = pool.tasks.reduce((sum, { number }) => {
      const { total, completed, leftOut = 0 } = this.#run.scheduler.task(number).counts()
      return sum + total - completed - leftOut
    }, 0)
    const most = Math.min(this.#limit, blocks, this.#resources.mostAtWork(pool.tasks))
    for (let count = this.staff(pool).length; count < most; count++) this.#run.control.start(pool)
  }

  /** A worker is to leave, and not to be replaced. */
  dismiss(worker: Worker): void {
    if (!isRequested(worker.origin)) return
    this.#dismissed.add(worker)
    this.#run.control.handle(worker, { type: 'drain' })
  }

  /** A started worker is to leave, and to be replaced. */
  renew(worker: Worker): void {
    if (this.isLeaving(worker)) return
    this.#renewed.add(worker)
    this.#run.control.handle(worker, { type: 'drain' })
  }

  /** Whether the worker is to leave once its running block has ended. */
  isLeaving(worker: Worker): boolean {
    return this.#dismissed.has(worker) || this.#renewed.has(worker)
  }

  /** A worker has ended. */
  forget(worker: Worker): void {
    this.#dismissed.delete(worker)
    this.#renewed.delete(worker)
  }
}
