import { isRequested, type WorkerExit } from '../../../core/workers/worker-state.ts'
import type { WorkerLauncher } from '../../../ports/worker-launcher.ts'
import type { BlockLedger } from '../block-ledger.ts'
import type { Crew } from '../control/crew.ts'
import type { LeaseBook } from '../lease-book.ts'
import type { Leases } from '../leases.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import { createPool, type Pool, type RunningTask, type Worker } from './pool.ts'
import type { WorkerResources } from './worker-resources.ts'

/** After this many workers with more memory that did nothing, blocks go to ordinary ones again. */
const MAX_FUTILE = 3

/** Workers with more memory, for the blocks of one ordinary pool. */
interface LargerPool {
  readonly pool: Pool
  readonly factor: number
  /** Blocks that wait for one of them. The scheduler counts them as processing. */
  readonly waiting: { readonly task: RunningTask; readonly index: number }[]
  /** Those that are ready and have no block. */
  readonly idle: Set<Worker>
  /** Workers in a row that ended without a block. */
  futile: number
}

export interface MemoryRetriesParts {
  readonly book: LeaseBook
  readonly leases: Leases
  readonly ledger: BlockLedger
  readonly resources: WorkerResources
  readonly crew: Crew
}

/**
 * Has blocks tried again on workers with more memory, if a worker has run out of it with them. Each further attempt multiplies the memory
 * again; the retries of the block limit their number. Where workers share the memory of one machine, fewer others run blocks meanwhile.
 */
export class MemoryRetries {
  readonly #run: RunningPipeline
  readonly #parts: MemoryRetriesParts
  readonly #pools = new Map<WorkerLauncher, LargerPool>()
  readonly #told = new Set<RunningTask>()

  constructor(run: RunningPipeline, parts: MemoryRetriesParts) {
    this.#run = run
    this.#parts = parts
  }

  /** A worker has run out of memory with a block, which is ready again. Keeps the block for a worker with more memory, if there can be one. */
  hold(worker: Worker, task: RunningTask, index: number): void {
    const factor = task.memoryRetry
    if (factor === undefined || this.#run.phase !== 'running') return
    const times = factor * (this.#of(worker.pool)?.factor ?? 1)
    const larger = this.#largerPool(task.pool, times)
    if (larger === undefined || !this.#run.scheduler.hold(task.number, index)) return
    larger.waiting.push({ task, index })
    this.#tell(task, factor)
    this.#staff(larger)
  }

  /** Whether a worker gets only blocks that wait for more memory. */
  isLarger(worker: Worker): boolean {
    return this.#of(worker.pool) !== undefined
  }

  /** A worker with more memory is ready, and has no block. */
  addIdle(worker: Worker): void {
    this.#of(worker.pool)?.idle.add(worker)
  }

  /** The worker has disconnected, or ended. */
  forgetIdle(worker: Worker): void {
    this.#of(worker.pool)?.idle.delete(worker)
  }

  /** Leases waiting blocks to idle workers with more memory; workers for which none is left leave. */
  handOut(canWork: (worker: Worker) => boolean): void {
    for (const larger of this.#pools.values()) {
      this.#dropAbandoned(larger)
      for (const worker of [...larger.idle]) {
        if (!canWork(worker)) {
          larger.idle.delete(worker)
          continue
        }
        const [next] = larger.waiting
        if (next === undefined) {
          larger.idle.delete(worker)
          this.#parts.crew.dismiss(worker)
          continue
        }
        if (!this.#hasMemoryFor(larger) || this.#parts.resources.lacking(next.task, worker).length > 0) break
        larger.waiting.shift()
        larger.idle.delete(worker)
        larger.futile = 0
        const since = this.#run.options.clock.now()
        const lease = { id: this.#run.nextLease++, task: next.task, blocks: [next.index], reported: 0, since }
        this.#parts.leases.give(worker, lease)
      }
    }
  }

  /**
   * How many started workers may run blocks, while workers that share their memory need more of it for one block.
   * @param limit how many may otherwise
   */
  roomFor(limit: number): number {
    let others = limit
    let busy = 0
    for (const larger of this.#pools.values()) {
      const { pool, waiting } = larger
      const own = [...pool.requested].filter((worker) => this.#isBusy(worker)).length
      if (!pool.launcher?.sharesMemory || waiting.length + own === 0) continue
      busy += own
      others = Math.min(others, othersBeside(larger, limit))
    }
    return others === limit ? limit : others + busy
  }

  /** A worker with more memory has ended. Another one takes its place if blocks wait for it. */
  noteEnded(worker: Worker, exit: WorkerExit): void {
    const larger = this.#of(worker.pool)
    if (larger === undefined) return
    larger.idle.delete(worker)
    if (larger.waiting.length === 0 || this.#run.phase !== 'running') return
    if (exit.isRefused || ++larger.futile > MAX_FUTILE) {
      this.#warn(
        `No worker with ${larger.factor} times the memory can be had (${exit.reason}); blocks that ran out of memory go to others.`,
      )
      this.#giveBack(larger)
      larger.futile = Number.POSITIVE_INFINITY
    } else this.#staff(larger)
  }

  /** Gives back all waiting blocks: the run stops, or blocks are done again. */
  giveBackAll(): void {
    for (const larger of this.#pools.values()) this.#giveBack(larger)
  }

  #of(pool: Pool): LargerPool | undefined {
    return pool.launcher === undefined ? undefined : this.#pools.get(pool.launcher)
  }

  /** @returns undefined if there are no workers with so much memory */
  #largerPool({ launcher }: Pool, factor: number): LargerPool | undefined {
    const own = launcher?.withMemory?.(factor)
    if (own === undefined) return undefined
    const known = this.#pools.get(own) ?? { pool: createPool(own), factor, waiting: [], idle: new Set(), futile: 0 }
    this.#pools.set(own, known)
    return Number.isFinite(known.futile) ? known : undefined
  }

  /** Starts workers for blocks that wait, one at a time where they share their memory. */
  #staff({ pool, waiting }: LargerPool): void {
    const { crew } = this.#parts
    const free = crew.staff(pool).filter((worker) => !this.#isBusy(worker)).length
    const most = pool.launcher?.sharesMemory ? 1 : crew.limit
    const wanted = Math.min(waiting.length - free, most - crew.staff(pool).length)
    for (let count = 0; count < wanted; count++) this.#run.control.start(pool)
  }

  #isBusy(worker: Worker): boolean {
    return this.#parts.book.leasesOf(worker).length > 0
  }

  #hasMemoryFor(larger: LargerPool): boolean {
    if (!larger.pool.launcher?.sharesMemory) return true
    const { book, crew } = this.#parts
    const others = [...book.busy].filter((worker) => isRequested(worker.origin)).length
    return others <= othersBeside(larger, crew.limit)
  }

  #dropAbandoned(larger: LargerPool): void {
    if (larger.waiting.every(({ task }) => task.error === undefined)) return
    for (const each of larger.waiting.splice(0)) {
      if (each.task.error === undefined) larger.waiting.push(each)
      else this.#parts.ledger.giveBack(each.task, [each.index])
    }
  }

  #giveBack({ waiting }: LargerPool): void {
    for (const { task, index } of waiting.splice(0)) this.#parts.ledger.giveBack(task, [index])
  }

  #tell(task: RunningTask, factor: number): void {
    if (this.#told.has(task)) return
    this.#told.add(task)
    this.#warn(`${task.id}: blocks whose worker ran out of memory are tried again with ${factor} times as much`)
  }

  #warn(message: string): void {
    this.#run.events.emit({ type: 'warning', message })
  }
}

/** How many ordinary workers may run blocks beside one with more memory: together they need no more than all did before. */
const othersBeside = ({ factor }: LargerPool, limit: number): number => Math.max(0, Math.floor(limit - factor))
