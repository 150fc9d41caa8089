import type { Pool, RunningTask, Session } from './session.ts'

const NONE: ReadonlySet<Session> = new Set()

/**
 * The workers of a run that have nothing to do, in groups of which each member may be given what the others may: if one of
 * them can't be given anything now, none can. In a group the one that has waited longest comes first.
 */
export class IdleWorkers {
  readonly #joined = new Map<Pool, Set<Session>>()
  /** Started by the run, and bound to no task. */
  readonly #free = new Map<Pool, Set<Session>>()
  readonly #bound = new Map<RunningTask, Set<Session>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** @param now by the run's clock; one that is idle already has been so since then */
  add(session: Session, now: number): void {
    const group = this.#groupOf(session)
    if (group.has(session)) return
    group.add(session)
    this.#size++
    session.idleSince = now
  }

  /** It is not to be woken any more. To be called before what it is bound to changes. */
  delete(session: Session): void {
    if (this.#size > 0 && this.#groupOf(session).delete(session)) this.#size--
  }

  /** Those that hold what a task's set-up needs. */
  boundTo(task: RunningTask): ReadonlySet<Session> {
    return this.#bound.get(task) ?? NONE
  }

  /**
   * Who may be given blocks of a task, as far as there are resources: those first that have it set up.
   * @param isBinding whether its workers are bound to it
   */
  groupsFor(task: RunningTask, isBinding: boolean): ReadonlySet<Session>[] {
    const { pool } = task
    const others = isBinding ? [] : pool.tasks.filter((each) => each !== task).map((each) => this.#bound.get(each))
    const groups = [this.#bound.get(task), this.#free.get(pool), this.#joined.get(pool), ...others]
    return groups.filter((group) => group !== undefined && group.size > 0) as ReadonlySet<Session>[]
  }

  #groupOf({ pool, isJoined, boundTo }: Session): Set<Session> {
    if (boundTo !== undefined) return groupAt(this.#bound, boundTo)
    return groupAt(isJoined ? this.#joined : this.#free, pool)
  }
}

function groupAt<Key>(groups: Map<Key, Set<Session>>, key: Key): Set<Session> {
  let group = groups.get(key)
  if (group === undefined) {
    group = new Set()
    groups.set(key, group)
  }
  return group
}
