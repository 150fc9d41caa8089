import type { RunningPipeline } from '../running-pipeline.ts'
import type { IdleWorkers } from './idle-workers.ts'
import type { RunningTask, Session } from './session.ts'
import type { WorkerResources } from './worker-resources.ts'

/** A worker that holds what others need and has had nothing to do for so long makes room for them. */
const MOVE_AFTER_MS = 1000
/** So many blocks have to be ready before a worker that is at work is taken from another task. */
const MOVE_FOR_BLOCKS = 8

/** Lets workers go that are bound to a task, where another one needs what they hold: new ones come in their place. */
export class WorkerMoves {
  readonly #run: RunningPipeline
  readonly #resources: WorkerResources
  readonly #idle: IdleWorkers
  readonly #onTime: () => void
  /** Sent away, and not gone yet. */
  readonly #leaving = new Set<Session>()
  #cancelLook: (() => void) | undefined

  /** @param onTime called when it may be time to make room */
  constructor(run: RunningPipeline, resources: WorkerResources, idle: IdleWorkers, onTime: () => void) {
    this.#run = run
    this.#resources = resources
    this.#idle = idle
    this.#onTime = onTime
  }

  /**
   * Sends workers away that hold what a task needs which has blocks ready, and nobody to do them: those whose task is over,
   * those that have had nothing to do for a while, or at once where nobody is at work, and, for a task that has many blocks and
   * no worker at all, one of a task upstream of it.
   */
  makeRoom(): void {
    if (!this.#resources.hasBound || this.#leaving.size > 0) return
    for (const [place, task] of this.#run.mostDownstreamFirst.entries()) {
      const ready = this.#run.scheduler.task(task.number).readyCount
      if (ready === 0) continue
      const chosen = this.#choose(task, this.#holders(task), place, ready)
      for (const each of chosen) this.#sendAway(each)
      if (chosen.length > 0) return
    }
  }

  /** The tasks whose workers hold what keeps blocks of a task from being done; none where that is not why they wait. */
  #holders(task: RunningTask): RunningTask[] {
    if (!this.#resources.isBinding(task)) return []
    // Processors are held by those at work alone, and become free by themselves.
    const missing = this.#resources.lackingKept(task)
    if (missing.length === 0 && this.#resources.countUnbound(task.pool) > 0) return []
    return this.#run.tasks.filter((other) => {
      if (other === task || this.#resources.boundTo(other).size === 0) return false
      return missing.length > 0 ? missing.some((name) => (other.requires[name] ?? 0) > 0) : other.pool === task.pool
    })
  }

  /** @param place of the task, the most downstream one being at 0 @param ready how many of its blocks are */
  #choose(task: RunningTask, holders: readonly RunningTask[], place: number, ready: number): readonly Session[] {
    const over = holders
      .filter((holder) => this.#run.isOver(holder))
      .flatMap((holder) => [...this.#idle.boundTo(holder)])
    if (over.length > 0) return over
    const now = this.#run.options.clock.now()
    const since = this.#run.busy.size === 0 ? now : now - MOVE_AFTER_MS
    const longestIdle = holders
      .flatMap((holder) => first(this.#idle.boundTo(holder)) ?? [])
      .reduce<Session | undefined>((one, other) => (one && one.idleSince <= other.idleSince ? one : other), undefined)
    if (longestIdle !== undefined && longestIdle.idleSince <= since) return [longestIdle]
    if (ready >= MOVE_FOR_BLOCKS && this.#resources.boundTo(task).size === 0) {
      const upstream = this.#run.mostDownstreamFirst.slice(place + 1).reverse()
      const busy = upstream.find((other) => holders.includes(other))
      if (busy !== undefined) return [first(this.#resources.boundTo(busy)) as Session]
    }
    if (longestIdle !== undefined) this.#lookAgain()
    return []
  }

  /** Lets a worker finish what it has, and go. */
  #sendAway(session: Session): void {
    session.isMakingRoom = true
    this.#leaving.add(session)
    this.#idle.delete(session)
    session.channel?.send({ type: 'drain' })
  }

  /** A worker has ended. */
  forget(session: Session): void {
    this.#leaving.delete(session)
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

const first = (sessions: ReadonlySet<Session>): Session | undefined => sessions.values().next().value
