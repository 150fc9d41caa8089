import { isRequested } from '../../../core/workers/worker-state.ts'
import type { Pool, RunningTask, Worker } from './pool.ts'
import type { WorkerBindings } from './worker-bindings.ts'

const NONE: ReadonlySet<Worker> = new Set()

/**
 * The idle workers of a run, in groups whose members may be given the same blocks: if one member can't be given any, none can.
 * Within a group, the worker that has been idle longest comes first.
 */
export class IdleWorkers {
  readonly #bindings: WorkerBindings
  readonly #since = new Map<Worker, number>()
  readonly #joined = new Map<Pool, Set<Worker>>()
  /** Requested by the run, and bound to no task. */
  readonly #free = new Map<Pool, Set<Worker>>()
  readonly #bound = new Map<RunningTask, Set<Worker>>()

  constructor(bindings: WorkerBindings) {
    this.#bindings = bindings
  }

  get size(): number {
    return this.#since.size
  }

  /** @param now by the run's clock; ignored if the worker is idle already */
  add(worker: Worker, now: number): void {
    if (this.#since.has(worker)) return
    this.#groupOf(worker).add(worker)
    this.#since.set(worker, now)
  }

  /** Call this before the task to which the worker is bound changes, since the task determines its group. */
  delete(worker: Worker): void {
    if (this.#since.delete(worker)) this.#groupOf(worker).delete(worker)
  }

  /** Since when an idle worker has had no blocks, by the run's clock. */
  sinceOf(worker: Worker): number {
    return this.#since.get(worker) ?? 0
  }

  /** The idle workers that hold what a task's set-up needs. */
  boundTo(task: RunningTask): ReadonlySet<Worker> {
    return this.#bound.get(task) ?? NONE
  }

  /**
   * The groups that may be given blocks of a task if resources suffice: first the workers that are bound to it.
   * @param isBinding whether the task binds its workers
   */
  groupsFor(task: RunningTask, isBinding: boolean): ReadonlySet<Worker>[] {
    const { pool } = task
    const others = isBinding ? [] : pool.tasks.filter((each) => each !== task).map((each) => this.#bound.get(each))
    const groups = [this.#bound.get(task), this.#free.get(pool), this.#joined.get(pool), ...others]
    return groups.filter((group) => group !== undefined && group.size > 0) as ReadonlySet<Worker>[]
  }

  #groupOf(worker: Worker): Set<Worker> {
    const task = this.#bindings.taskOf(worker)
    if (task !== undefined) return groupAt(this.#bound, task)
    return groupAt(isRequested(worker.origin) ? this.#free : this.#joined, worker.pool)
  }
}

function groupAt<Key>(groups: Map<Key, Set<Worker>>, key: Key): Set<Worker> {
  let group = groups.get(key)
  if (group === undefined) {
    group = new Set()
    groups.set(key, group)
  }
  return group
}
