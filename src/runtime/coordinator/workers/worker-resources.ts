import { ResourceUnits, type Units } from '../../../core/workers/resource-units.ts'
import { countFitting, ResourceLedger, type Resources } from '../../../core/workers/resources.ts'
import { isKillable, isRequested } from '../../../core/workers/worker-state.ts'
import type { RunResources } from '../run-options.ts'
import type { Pool, RunningTask, Worker } from './pool.ts'

/** The resources that one worker takes. */
interface Share {
  /** The task whose set-up it holds resources for. */
  boundTo: RunningTask | undefined
  /** The units of counted resources that are assigned to it. */
  units: Units
  /** The resources that it uses while it has blocks. */
  taken: Resources | undefined
}

/**
 * The resources that the workers of a run take. A worker takes processors while it has blocks. Everything else (a GPU, memory,
 * a
 * licence) is held by the set-up of a task. A worker that the run has started and given blocks of such a task is bound to it:
 * it
 * keeps these resources until it ends, and does no other task that requires such resources. It is assigned units of counted
 * resources.
 */
export class WorkerResources {
  readonly #options: RunResources | undefined
  readonly #ledger: ResourceLedger | undefined
  readonly #units: ResourceUnits | undefined
  /** Whether all tasks require the same of a worker. */
  readonly areAlike: boolean
  readonly #bound = new Map<RunningTask, Set<Worker>>()
  readonly #shares = new Map<Worker, Share>()

  constructor(options: RunResources | undefined, tasks: readonly RunningTask[]) {
    this.#options = options
    this.#ledger = options === undefined ? undefined : new ResourceLedger(options.budget)
    const requirements = tasks.map(({ requires }) => requires)
    this.#units = options === undefined ? undefined : new ResourceUnits(options.budget, requirements)
    const isPlain = ({ requires }: RunningTask) => requires[CPU] === 1 && Object.keys(requires).length === 1
    this.areAlike = options === undefined || tasks.every(isPlain)
  }

  /** How many workers could do blocks of these tasks at the same time. */
  mostAtWork(tasks: readonly RunningTask[]): number {
    if (this.#options === undefined) return Number.POSITIVE_INFINITY
    const { budget } = this.#options
    return tasks.reduce((sum, { requires }) => sum + countFitting(requires, budget), 0)
  }

  /** Whether a task binds its workers, since its set-up holds resources. */
  isBinding(task: RunningTask): boolean {
    return this.#options?.bindsWorkers === true && Object.keys(keptOf(task)).length > 0
  }

  get hasBound(): boolean {
    return this.#bound.size > 0
  }

  /** The workers that are bound to a task. */
  boundTo(task: RunningTask): ReadonlySet<Worker> {
    return this.#bound.get(task) ?? NONE
  }

  /** The task that a worker is bound to. */
  boundTaskOf(worker: Worker): RunningTask | undefined {
    return this.#shares.get(worker)?.boundTo
  }

  /** The units that are assigned to a worker while it does the task to which it is bound. */
  unitsOf(worker: Worker, task: RunningTask): Units {
    const share = this.#shares.get(worker)
    return share?.boundTo === task ? share.units : {}
  }

  /** How many of a pool's requested workers are bound to no task yet. */
  countUnbound({ requested, tasks }: Pool): number {
    return tasks.reduce((count, task) => count - this.boundTo(task).size, requested.size)
  }

  /** The resources held by a task's set-up of which too little is left for one more worker. */
  lackingKept(task: RunningTask): string[] {
    return this.#ledger?.lacking(keptOf(task)) ?? []
  }

  /** The resources of which too little is left for a worker without blocks, or a new one, to do a task. */
  lacking(task: RunningTask, worker?: Worker): string[] {
    if (this.#ledger === undefined || (worker !== undefined && !this.#counts(worker))) return []
    return this.#ledger.lacking(worker !== undefined && this.boundTaskOf(worker) === task ? cpuOf(task) : task.requires)
  }

  /** A worker is given blocks of a task: its first ones, or further ones of the same task. */
  take(worker: Worker, task: RunningTask): void {
    if (this.#ledger === undefined || !this.#counts(worker)) return
    const share = this.#shareOf(worker)
    if (share.taken !== undefined) return
    const isBound = this.isBinding(task) && isKillable(worker.origin)
    share.taken = isBound ? cpuOf(task) : task.requires
    this.#ledger.take(share.taken)
    if (!isBound || share.boundTo === task) return
    share.boundTo = task
    this.#bound.set(task, (this.#bound.get(task) ?? new Set()).add(worker))
    this.#ledger.take(keptOf(task))
    share.units = this.#units?.take(keptOf(task)) ?? {}
  }

  /** A worker has no more blocks. */
  rest(worker: Worker): void {
    const share = this.#shares.get(worker)
    if (share?.taken === undefined) return
    this.#ledger?.give(share.taken)
    share.taken = undefined
  }

  /** A worker has ended. */
  end(worker: Worker): void {
    this.rest(worker)
    const share = this.#shares.get(worker)
    this.#shares.delete(worker)
    if (share?.boundTo === undefined) return
    const { boundTo, units } = share
    this.#ledger?.give(keptOf(boundTo))
    this.#units?.give(units)
    const bound = this.#bound.get(boundTo)
    bound?.delete(worker)
    if (bound?.size === 0) this.#bound.delete(boundTo)
  }

  #shareOf(worker: Worker): Share {
    let share = this.#shares.get(worker)
    if (share === undefined) {
      share = { boundTo: undefined, units: {}, taken: undefined }
      this.#shares.set(worker, share)
    }
    return share
  }

  #counts({ origin }: Worker): boolean {
    return this.#options?.countsJoined === true || isRequested(origin)
  }
}

const CPU = 'cpu'
const NONE: ReadonlySet<Worker> = new Set()
const cpuOf = ({ requires }: RunningTask): Resources => ({ [CPU]: requires[CPU] ?? 1 })
const keptOf = ({ requires: { [CPU]: _, ...kept } }: RunningTask): Resources => kept
