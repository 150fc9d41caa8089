import { ResourceUnits, type Units } from '../../../core/workers/resource-units.ts'
import type { ResourceLedger, Resources } from '../../../core/workers/resources.ts'
import type { RunResources } from '../run-options.ts'
import type { Pool, RunningTask, Worker } from './pool.ts'

interface Binding {
  readonly task: RunningTask
  /** Which units of the counted resources are the worker's own. */
  readonly units: Units
}

/**
 * Which workers are bound to which tasks. A bound worker keeps what the set-up of its task holds (a GPU, memory, a licence)
 * until it ends, and does no other task that requires such things. Of resources that are counted, it is assigned units.
 */
export class WorkerBindings {
  readonly #options: RunResources | undefined
  readonly #ledger: ResourceLedger | undefined
  readonly #units: ResourceUnits | undefined
  readonly #bound = new Map<RunningTask, Set<Worker>>()
  readonly #bindings = new Map<Worker, Binding>()

  constructor(options: RunResources | undefined, tasks: readonly RunningTask[], ledger: ResourceLedger | undefined) {
    this.#options = options
    this.#ledger = ledger
    const requirements = tasks.map(({ requires }) => requires)
    this.#units = options === undefined ? undefined : new ResourceUnits(options.budget, requirements)
  }

  get isEmpty(): boolean {
    return this.#bound.size === 0
  }

  /** Whether a task binds its workers, since its set-up holds resources. */
  isBinding(task: RunningTask): boolean {
    return this.#options?.bindsWorkers === true && Object.keys(keptOf(task)).length > 0
  }

  /** The workers that are bound to a task. */
  boundTo(task: RunningTask): ReadonlySet<Worker> {
    return this.#bound.get(task) ?? NONE
  }

  /** The task that a worker is bound to. */
  taskOf(worker: Worker): RunningTask | undefined {
    return this.#bindings.get(worker)?.task
  }

  /** The units that are a worker's own while it does the task that it is bound to. */
  unitsOf(worker: Worker, task: RunningTask): Units {
    const binding = this.#bindings.get(worker)
    return binding?.task === task ? binding.units : {}
  }

  /** How many of a pool's requested workers are bound to no task yet. */
  countUnbound({ requested, tasks }: Pool): number {
    return tasks.reduce((count, task) => count - this.boundTo(task).size, requested.size)
  }

  /** The resources that the set-up of a task holds, and of which too little is left for one more worker. */
  lacking(task: RunningTask): string[] {
    return this.#ledger?.lacking(keptOf(task)) ?? []
  }

  /** Binds a worker to a task that binds its workers, unless it is bound to it already. */
  bind(worker: Worker, task: RunningTask): void {
    if (this.taskOf(worker) === task) return
    this.#ledger?.take(keptOf(task))
    this.#bound.set(task, (this.#bound.get(task) ?? new Set()).add(worker))
    this.#bindings.set(worker, { task, units: this.#units?.take(keptOf(task)) ?? {} })
  }

  /** A worker has ended. */
  end(worker: Worker): void {
    const binding = this.#bindings.get(worker)
    if (binding === undefined) return
    const { task, units } = binding
    this.#bindings.delete(worker)
    this.#ledger?.give(keptOf(task))
    this.#units?.give(units)
    const bound = this.#bound.get(task)
    bound?.delete(worker)
    if (bound?.size === 0) this.#bound.delete(task)
  }
}

const NONE: ReadonlySet<Worker> = new Set()
const keptOf = ({ requires: { cpu: _, ...kept } }: RunningTask): Resources => kept
