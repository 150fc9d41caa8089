import { ResourceUnits } from '../../../core/workers/resource-units.ts'
import { countFitting, ResourceLedger, type Resources } from '../../../core/workers/resources.ts'
import type { RunResources } from '../run-options.ts'
import type { Pool, RunningTask, Session } from './session.ts'

/**
 * What a run's workers take of its resources. Processors are taken while a worker is at blocks. Everything else (a GPU,
 * memory, a licence) is what a task's `setup` holds: where workers are this run's own, one that has been given blocks of
 * such a task is bound to it: it keeps these until it ends, and does no other task that requires such things. Of what is
 * counted, it is told which ones are its own.
 */
export class WorkerResources {
  readonly #options: RunResources | undefined
  readonly #ledger: ResourceLedger | undefined
  readonly #units: ResourceUnits | undefined
  /** Whether all tasks require the same of a worker. */
  readonly areAlike: boolean
  readonly #bound = new Map<RunningTask, Set<Session>>()

  constructor(options: RunResources | undefined, tasks: readonly RunningTask[]) {
    this.#options = options
    this.#ledger = options === undefined ? undefined : new ResourceLedger(options.budget)
    const requirements = tasks.map(({ requires }) => requires)
    this.#units = options === undefined ? undefined : new ResourceUnits(options.budget, requirements)
    const isPlain = ({ requires }: RunningTask) => requires[CPU] === 1 && Object.keys(requires).length === 1
    this.areAlike = options === undefined || tasks.every(isPlain)
  }

  /** How many workers could be at blocks of these tasks at the same time. */
  mostAtWork(tasks: readonly RunningTask[]): number {
    if (this.#options === undefined) return Number.POSITIVE_INFINITY
    const { budget } = this.#options
    return tasks.reduce((sum, { requires }) => sum + countFitting(requires, budget), 0)
  }

  /** Whether a task requires what its set-up holds. */
  isBinding(task: RunningTask): boolean {
    return this.#options?.bindsWorkers === true && Object.keys(keptOf(task)).length > 0
  }

  get hasBound(): boolean {
    return this.#bound.size > 0
  }

  /** The workers that are bound to a task. */
  boundTo(task: RunningTask): ReadonlySet<Session> {
    return this.#bound.get(task) ?? NONE
  }

  /** How many of a pool's started workers are bound to no task yet. */
  countUnbound({ launched, tasks }: Pool): number {
    return tasks.reduce((count, task) => count - this.boundTo(task).size, launched.size)
  }

  /** The resources that a set-up of a task would hold, and of which there is not enough left for one. */
  lackingKept(task: RunningTask): string[] {
    return this.#ledger?.lacking(keptOf(task)) ?? []
  }

  /** The resources of which a worker with no blocks, or a new one, would need more for a task than there are. */
  lacking(task: RunningTask, session?: Session): string[] {
    if (this.#ledger === undefined || (session !== undefined && !this.#counts(session))) return []
    return this.#ledger.lacking(session?.boundTo === task ? cpuOf(task) : task.requires)
  }

  /** A worker is given blocks of a task, its first ones or, of the same task, further ones. */
  take(session: Session, task: RunningTask): void {
    if (this.#ledger === undefined || !this.#counts(session) || session.taken !== undefined) return
    const isBound = this.isBinding(task) && !session.isJoined && !session.isRestored
    session.taken = isBound ? cpuOf(task) : task.requires
    this.#ledger.take(session.taken)
    if (!isBound || session.boundTo === task) return
    session.boundTo = task
    this.#bound.set(task, (this.#bound.get(task) ?? new Set()).add(session))
    this.#ledger.take(keptOf(task))
    session.units = this.#units?.take(keptOf(task)) ?? {}
  }

  /** A worker has no blocks any more. */
  rest(session: Session): void {
    if (session.taken !== undefined) this.#ledger?.give(session.taken)
    delete session.taken
  }

  /** A worker has ended. */
  end(session: Session): void {
    this.rest(session)
    const { boundTo } = session
    if (boundTo === undefined) return
    this.#ledger?.give(keptOf(boundTo))
    this.#units?.give(session.units)
    session.units = {}
    const bound = this.#bound.get(boundTo)
    bound?.delete(session)
    if (bound?.size === 0) this.#bound.delete(boundTo)
    delete session.boundTo
  }

  #counts({ isJoined }: Session): boolean {
    return this.#options?.countsJoined === true || !isJoined
  }
}

const CPU = 'cpu'
const NONE: ReadonlySet<Session> = new Set()
const cpuOf = ({ requires }: RunningTask): Resources => ({ [CPU]: requires[CPU] ?? 1 })
const keptOf = ({ requires: { [CPU]: _, ...kept } }: RunningTask): Resources => kept
