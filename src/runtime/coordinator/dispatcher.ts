import type { BlockGrid } from '../../core/grid/block-grid.ts'
import { leaseSize, MAX_LEASE_BLOCKS } from '../../core/workers/lease-size.ts'
import { isRequested } from '../../core/workers/worker-state.ts'
import type { BlockLedger } from './block-ledger.ts'
import type { Crew } from './control/crew.ts'
import type { LeaseBook } from './lease-book.ts'
import type { Leases } from './leases.ts'
import type { RunningPipeline } from './running-pipeline.ts'
import type { WorkerRests } from './worker-rests.ts'
import { IdleWorkers } from './workers/idle-workers.ts'
import type { MemoryRetries } from './workers/memory-retries.ts'
import type { RunningTask, Worker } from './workers/pool.ts'
import type { WorkerConnections } from './workers/worker-connections.ts'
import type { WorkerLives } from './workers/worker-lives.ts'
import { WorkerMoves } from './workers/worker-moves.ts'
import type { WorkerResources } from './workers/worker-resources.ts'

/** Blocks shorter than this are handed out one lease ahead, so that no worker waits for the next. */
const AHEAD_MS = 15

/**
 * Whether a worker can be given blocks of a task. If a task lacks only processors, those that become free are reserved for it;
 * otherwise tasks that need fewer would take them one by one.
 */
type Fit = 'fits' | 'lacks' | 'lacks cpu'

export interface DispatcherParts {
  readonly book: LeaseBook
  readonly leases: Leases
  readonly ledger: BlockLedger
  readonly lives: WorkerLives
  readonly connections: WorkerConnections
  readonly resources: WorkerResources
  readonly crew: Crew
  readonly rests: WorkerRests
  readonly memory: MemoryRetries
}

/** Decides which worker gets which blocks next. */
export class Dispatcher {
  readonly #run: RunningPipeline
  readonly #parts: DispatcherParts
  readonly #idle: IdleWorkers
  readonly #moves: WorkerMoves
  readonly #acquired = new Float64Array(MAX_LEASE_BLOCKS)

  constructor(run: RunningPipeline, parts: DispatcherParts) {
    this.#run = run
    this.#parts = parts
    const { bindings } = parts.resources
    this.#idle = new IdleWorkers(bindings)
    const onTime = () => run.control.turn(() => this.handOut())
    this.#moves = new WorkerMoves(run, { ...parts, bindings, idle: this.#idle }, onTime)
  }

  /**
   * Hands out blocks after a message from a worker. Workers that would wait go first: the worker itself, which may have
   * no blocks; then idle workers, for which the message may have made blocks ready; and last the lease ahead, for which
   * no worker waits.
   */
  serve(worker: Worker): void {
    this.feed(worker)
    this.handOut()
    this.#feedAhead(worker)
  }

  /** Gives a worker without blocks its next lease; if there is none for it, the worker is idle. */
  feed(worker: Worker): void {
    if (this.#parts.book.leasesOf(worker).length > 0 || !this.#canWork(worker)) return
    if (this.#parts.memory.isLarger(worker)) {
      this.#parts.memory.addIdle(worker)
      return
    }
    if (this.#hasRoomFor(worker) && this.#leaseAny(worker)) return
    this.#idle.add(worker, this.#run.options.clock.now())
  }

  #feedAhead(worker: Worker): void {
    const [first, second] = this.#parts.book.leasesOf(worker)
    if (first === undefined || second !== undefined || !this.#canWork(worker)) return
    if (this.#parts.memory.isLarger(worker) || this.#parts.memory.roomFor(1) < 1) return
    if ((first.task.averageMs ?? Number.POSITIVE_INFINITY) >= AHEAD_MS) return
    // Another task could need more than the worker has.
    this.#leaseAny(worker, this.#parts.resources.areAlike ? undefined : first.task)
  }

  /** Wakes idle workers, as far as there are blocks for them. */
  handOut(): void {
    if (this.#run.phase !== 'running' || this.#run.isPaused) return
    this.#parts.memory.handOut((worker) => this.#canWork(worker))
    if (this.#idle.size > 0) this.#wakeIdle()
    this.#moves.makeRoom()
  }

  /** Stops with a group after the first worker that gets nothing: there may be thousands, and this runs for every message. */
  #wakeIdle(): void {
    const waiting = new Set<ReadonlySet<Worker>>()
    for (const task of this.#run.mostDownstreamFirst) {
      if (this.#run.scheduler.task(task.number).readyCount === 0) continue
      const groups = this.#idle.groupsFor(task, this.#parts.resources.bindings.isBinding(task))
      const short = groups.filter((group) => !waiting.has(group) && this.#wake(group, task) === 'lacks cpu')
      // Another group may have done all of the blocks without those processors.
      if (this.#run.scheduler.task(task.number).readyCount > 0) for (const group of short) waiting.add(group)
    }
  }

  /** Leases blocks of a task to workers of a group. @returns why no further worker of the group gets any */
  #wake(group: ReadonlySet<Worker>, task: RunningTask): Fit | 'no blocks' | 'no workers' {
    for (const worker of group) {
      const ready = this.#run.scheduler.task(task.number).readyCount
      if (ready === 0) return 'no blocks'
      if (!this.#hasRoomFor(worker)) return 'no workers'
      const fit = this.#fit(worker, task)
      if (fit !== 'fits') return fit
      if (this.#canWork(worker)) this.#lease(worker, task, ready)
      else this.#idle.delete(worker)
    }
    return 'no workers'
  }

  /**
   * Leases blocks of the most downstream task that has blocks ready and for which resources suffice.
   * @param only of this task
   * @returns whether there were any
   */
  #leaseAny(worker: Worker, only?: RunningTask): boolean {
    const isFree = this.#parts.book.leasesOf(worker).length === 0
    for (const task of this.#run.mostDownstreamFirst) {
      if (task.pool !== worker.pool || (only !== undefined && task !== only)) continue
      const ready = this.#run.scheduler.task(task.number).readyCount
      if (ready === 0) continue
      const fit = isFree ? this.#fit(worker, task) : 'fits'
      if (fit === 'lacks cpu') return false
      if (fit !== 'fits') continue
      this.#lease(worker, task, ready)
      return true
    }
    return false
  }

  /** Whether a worker that has no blocks can be given blocks of a task. */
  #fit(worker: Worker, task: RunningTask): Fit {
    const { resources } = this.#parts
    const boundTo = resources.bindings.taskOf(worker)
    if (boundTo !== undefined && boundTo !== task && resources.bindings.isBinding(task)) return 'lacks'
    const lacking = resources.lacking(task, worker)
    if (lacking.length === 0) return 'fits'
    return lacking.length === 1 && lacking[0] === 'cpu' ? 'lacks cpu' : 'lacks'
  }

  /** @param ready how many blocks of the task are ready */
  #lease(worker: Worker, task: RunningTask, ready: number): void {
    const { requested, joined } = worker.pool
    const count = leaseSize(ready, requested.size + joined.size, task.averageMs, sharesReads(task.planned.grid))
    const taken = this.#run.scheduler.acquireInto(task.number, count, this.#acquired)
    this.#warnAhead(task)
    const acquired = Array.from(this.#acquired.subarray(0, taken))
    const blocks = task.suspects.size === 0 ? acquired : this.#withoutSuspects(task, acquired)
    this.#idle.delete(worker)
    const since = this.#run.options.clock.now()
    this.#parts.leases.give(worker, { id: this.#run.nextLease++, task, blocks, reported: 0, since })
  }

  #warnAhead(task: RunningTask): void {
    const { id, maxAhead } = task.planned
    if (
      maxAhead === undefined ||
      task.hasWarnedAhead ||
      (this.#run.scheduler.task(task.number).retention?.held ?? 0) <= maxAhead
    )
      return
    task.hasWarnedAhead = true
    const message = `${id}: more than ${maxAhead} of its blocks (maxAhead) are held for later tasks, since the run could not continue otherwise; a larger maxAhead would keep more workers busy`
    this.#run.events.emit({ type: 'warning', message })
  }

  /** The blocks that may be leased together, or a single suspect; the other blocks are returned. */
  #withoutSuspects(task: RunningTask, acquired: readonly number[]): readonly number[] {
    const together = acquired.filter((index) => !task.suspects.has(index))
    const suspects = acquired.filter((index) => task.suspects.has(index))
    const blocks = together.length > 0 ? together : suspects.splice(0, 1)
    this.#parts.ledger.giveBack(task, suspects)
    return blocks
  }

  #canWork(worker: Worker): boolean {
    if (this.#run.phase !== 'running' || this.#run.isPaused) return false
    const { lives, book, rests } = this.#parts
    return lives.isReady(worker) && !book.hasRevoked(worker) && !rests.isResting(worker) && !this.isSentAway(worker)
  }

  #hasRoomFor({ origin }: Worker): boolean {
    const { book, crew, memory } = this.#parts
    return !isRequested(origin) || book.busyRequested < memory.roomFor(crew.limit)
  }

  /** The worker has disconnected. */
  forgetIdle(worker: Worker): void {
    this.#idle.delete(worker)
    this.#parts.memory.forgetIdle(worker)
  }

  /** Whether the worker was sent away: so that others get its resources, or because the user has asked for that. */
  isSentAway(worker: Worker): boolean {
    return this.#moves.isMakingRoom(worker) || this.#parts.crew.isLeaving(worker)
  }

  /** The worker has ended: its resources become free. */
  release(worker: Worker): void {
    this.#parts.resources.end(worker)
    this.#moves.forget(worker)
    this.#parts.crew.forget(worker)
  }

  [Symbol.dispose](): void {
    this.#moves[Symbol.dispose]()
  }
}

/** Whether neighbouring blocks read the same voxels and may be done in any order. */
const sharesReads = ({ context, levelCount }: BlockGrid): boolean =>
  levelCount === 1 && [...context.lower, ...context.upper].some((length) => length > 0)
