import { countFitting, ResourceLedger, type Resources } from '../../../core/workers/resources.ts'
import { isKillable, isRequested } from '../../../core/workers/worker-state.ts'
import type { RunResources } from '../run-options.ts'
import type { RunningTask, Worker } from './pool.ts'
import { WorkerBindings } from './worker-bindings.ts'

/**
 * What the workers of a run take of its resources. A worker takes processors while it has blocks. Everything else is held by
 * the set-up of a task: a worker that the run has started and given blocks of such a task is bound to it.
 */
export class WorkerResources {
  readonly bindings: WorkerBindings
  /** Whether all tasks require the same of a worker. */
  readonly areAlike: boolean
  readonly #options: RunResources | undefined
  readonly #ledger: ResourceLedger | undefined
  /** What each worker that has blocks uses while it has them. */
  readonly #taken = new Map<Worker, Resources>()

  constructor(options: RunResources | undefined, tasks: readonly RunningTask[]) {
    this.#options = options
    this.#ledger = options === undefined ? undefined : new ResourceLedger(options.budget)
    this.bindings = new WorkerBindings(options, tasks, this.#ledger)
    const isPlain = ({ requires }: RunningTask) => requires[CPU] === 1 && Object.keys(requires).length === 1
    this.areAlike = options === undefined || tasks.every(isPlain)
  }

  /** How many workers could do blocks of these tasks at the same time. */
  mostAtWork(tasks: readonly RunningTask[]): number {
    if (this.#ledger === undefined) return Number.POSITIVE_INFINITY
    const { budget } = this.#ledger
    return tasks.reduce((sum, { requires }) => sum + countFitting(requires, budget), 0)
  }

  /** The run has more workers than before. */
  extendTo(workers: number): void {
    if (this.#options?.cpuFollowsWorkers) this.#ledger?.extend(CPU, workers)
  }

  /** The resources of which too little is left for a worker without blocks, or a new one, to do a task. */
  lacking(task: RunningTask, worker?: Worker): string[] {
    if (this.#ledger === undefined || (worker !== undefined && !this.#counts(worker))) return []
    return this.#ledger.lacking(
      worker !== undefined && this.bindings.taskOf(worker) === task ? cpuOf(task) : task.requires,
    )
  }

  /** A worker is given blocks of a task: its first ones, or further ones of the same task. */
  take(worker: Worker, task: RunningTask): void {
    if (this.#ledger === undefined || !this.#counts(worker) || this.#taken.has(worker)) return
    const isBound = this.bindings.isBinding(task) && isKillable(worker.origin)
    const taken = isBound ? cpuOf(task) : task.requires
    this.#taken.set(worker, taken)
    this.#ledger.take(taken)
    if (isBound) this.bindings.bind(worker, task)
  }

  /** A worker has no more blocks. */
  rest(worker: Worker): void {
    const taken = this.#taken.get(worker)
    if (taken === undefined) return
    this.#ledger?.give(taken)
    this.#taken.delete(worker)
  }

  /** A worker has ended. */
  end(worker: Worker): void {
    this.rest(worker)
    this.bindings.end(worker)
  }

  #counts({ origin }: Worker): boolean {
    return this.#options?.countsJoined === true || isRequested(origin)
  }
}

const CPU = 'cpu'
const cpuOf = ({ requires }: RunningTask): Resources => ({ [CPU]: requires[CPU] ?? 1 })
