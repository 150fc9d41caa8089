import type { LeaseBook } from '../lease-book.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import type { IdleWorkers } from './idle-workers.ts'
import type { RunningTask, Worker } from './pool.ts'
import type { WorkerBindings } from './worker-bindings.ts'
import type { WorkerConnections } from './worker-connections.ts'

/** A worker makes room if it has been idle this long and holds resources that others need. */
const MOVE_AFTER_MS = 1000
/** A busy worker is taken from another task only if at least this many blocks are ready. */
const MOVE_FOR_BLOCKS = 8

export interface MovesParts {
  readonly bindings: WorkerBindings
  readonly idle: IdleWorkers
  readonly book: LeaseBook
  readonly connections: WorkerConnections
}

/** Dismisses workers that are bound to a task if another task needs the resources that they hold; new workers replace them. */
export class WorkerMoves {
  readonly #run: RunningPipeline
  readonly #bindings: WorkerBindings
  readonly #idle: IdleWorkers
  readonly #book: LeaseBook
  readonly #connections: WorkerConnections
  readonly #onTime: () => void
  /** Workers that were sent away and have not ended. */
  readonly #leaving = new Set<Worker>()
  #cancelLook: (() => void) | undefined

  /** @param onTime called when it may be time to make room */
  constructor(run: RunningPipeline, { bindings, idle, book, connections }: MovesParts, onTime: () => void) {
    this.#run = run
    this.#bindings = bindings
    this.#idle = idle
    this.#book = book
    this.#connections = connections
    this.#onTime = onTime
  }

  /**
   * Makes room for the most downstream task that has blocks ready and lacks workers. It sends away, in this order: the workers
   * whose task is over; the worker that has been idle longest, if that is long enough or no worker is busy; and, for a task with
   * many blocks and no worker, one worker of a task upstream of it.
   */
  makeRoom(): void {
    if (this.#bindings.isEmpty || this.#leaving.size > 0) return
    for (const [place, task] of this.#run.mostDownstreamFirst.entries()) {
      const ready = this.#run.scheduler.task(task.number).readyCount
      if (ready === 0) continue
      const chosen = this.#choose(task, this.#holders(task), place, ready)
      for (const each of chosen) this.#sendAway(each)
      if (chosen.length > 0) return
    }
  }

  /** The tasks whose workers hold what a task lacks; empty if the task waits for another reason. */
  #holders(task: RunningTask): RunningTask[] {
    if (!this.#bindings.isBinding(task)) return []
    // Only busy workers hold processors, which become free without intervention.
    const missing = this.#bindings.lacking(task)
    if (missing.length === 0 && this.#bindings.countUnbound(task.pool) > 0) return []
    return this.#run.tasks.filter((other) => {
      if (other === task || this.#bindings.boundTo(other).size === 0) return false
      return missing.length > 0 ? missing.some((name) => (other.requires[name] ?? 0) > 0) : other.pool === task.pool
    })
  }

  /** @param place of the task: 0 for the most downstream one @param ready how many of its blocks are ready */
  #choose(task: RunningTask, holders: readonly RunningTask[], place: number, ready: number): readonly Worker[] {
    const over = holders
      .filter((holder) => this.#run.isOver(holder))
      .flatMap((holder) => [...this.#idle.boundTo(holder)])
    if (over.length > 0) return over
    const now = this.#run.options.clock.now()
    const longAgo = this.#book.busy.size === 0 ? now : now - MOVE_AFTER_MS
    const since = (worker: Worker) => this.#idle.sinceOf(worker)
    const longestIdle = holders
      .flatMap((holder) => first(this.#idle.boundTo(holder)) ?? [])
      .reduce<Worker | undefined>((one, other) => (one && since(one) <= since(other) ? one : other), undefined)
    if (longestIdle !== undefined && since(longestIdle) <= longAgo) return [longestIdle]
    if (ready >= MOVE_FOR_BLOCKS && this.#bindings.boundTo(task).size === 0) {
      const upstream = this.#run.mostDownstreamFirst.slice(place + 1).reverse()
      const busy = upstream.find((other) => holders.includes(other))
      if (busy !== undefined) return [first(this.#bindings.boundTo(busy)) as Worker]
    }
    if (longestIdle !== undefined) this.#lookAgain()
    return []
  }

  /** Lets a worker finish what it has, and leave. */
  #sendAway(worker: Worker): void {
    this.#leaving.add(worker)
    this.#idle.delete(worker)
    this.#connections.send(worker, { type: 'drain' })
  }

  /** Whether a worker was sent away: it gets no more blocks. */
  isMakingRoom(worker: Worker): boolean {
    return this.#leaving.has(worker)
  }

  /** A worker has ended. */
  forget(worker: Worker): void {
    this.#leaving.delete(worker)
  }

  #lookAgain(): void {
    this.#cancelLook ??= this.#run.options.clock.after(MOVE_AFTER_MS, () => {
      this.#cancelLook = undefined
      this.#onTime()
    })
  }

  [Symbol.dispose](): void {
    this.#cancelLook?.()
  }
}

const first = (workers: ReadonlySet<Worker>): Worker | undefined => workers.values().next().value
