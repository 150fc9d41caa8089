import type { RunningPipeline } from './running-pipeline.ts'
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
  readonly #onTime: () => void
  #cancelLook: (() => void) | undefined

  /** @param onTime called when it may be time to make room */
  constructor(run: RunningPipeline, resources: WorkerResources, onTime: () => void) {
    this.#run = run
    this.#resources = resources
    this.#onTime = onTime
  }

  /**
   * Sends workers away that hold what a task needs which has blocks ready, and nobody to do them: those whose task is over,
   * those that have had nothing to do for a while, or at once where nobody is at work, and, for a task that has many blocks and
   * no worker at all, one of a task upstream of it.
   */
  makeRoom(): void {
    if (this.#resources.areAlike) return
    const bound = [...this.#run.sessions.values()].filter(({ boundTo }) => boundTo !== undefined)
    if (bound.length === 0 || bound.some(({ isMakingRoom }) => isMakingRoom)) return
    const now = this.#run.options.clock.now()
    for (const [place, task] of this.#run.mostDownstreamFirst.entries()) {
      const ready = this.#run.scheduler.readyCount(task.id)
      if (ready === 0 || !this.#isShort(task)) continue
      const others = bound.filter(({ boundTo }) => boundTo !== task)
      const idle = others.filter(({ leases }) => leases.length === 0)
      const over = idle.filter(({ boundTo }) => this.#run.isOver(boundTo as RunningTask))
      const upstream = this.#run.mostDownstreamFirst.slice(place + 1)
      const isWaiting = others.length === bound.length && ready >= MOVE_FOR_BLOCKS
      const since = this.#run.busy.size === 0 ? now : now - MOVE_AFTER_MS
      const one =
        idle.find(({ idleSince }) => idleSince <= since) ??
        (isWaiting ? others.find(({ boundTo }) => upstream.includes(boundTo as RunningTask)) : undefined)
      const chosen = over.length > 0 || one === undefined ? over : [one]
      for (const each of chosen) sendAway(each)
      if (chosen.length > 0) return
      if (idle.length > 0) this.#lookAgain()
    }
  }

  /** Whether blocks of a task can be given to no worker, since others hold what it needs. */
  #isShort(task: RunningTask): boolean {
    if (!this.#resources.isBinding(task)) return false
    const hasFresh = [...task.pool.sessions].some((each) => !each.isJoined && each.boundTo === undefined)
    return !hasFresh || this.#resources.lacking(task).length > 0
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

/** Lets a worker finish what it has, and go. */
function sendAway(session: Session): void {
  session.isMakingRoom = true
  session.pool.idleLaunched.delete(session)
  session.channel?.send({ type: 'drain' })
}
