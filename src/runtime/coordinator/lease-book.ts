import { isRequested } from '../../core/workers/worker-state.ts'
import type { RunningTask, Worker } from './workers/pool.ts'

/** Blocks that a worker was given together. */
export interface Lease {
  readonly id: number
  readonly task: RunningTask
  readonly blocks: readonly number[]
  /** How many of them have been reported. */
  reported: number
  /** Whether its worker has finished a block of it, or an attempt at one. */
  isFruitful?: boolean
  /** Whether its worker was asked to give it back, and has not. */
  isRecalled?: boolean
  /** Blocks that are not held for it: an earlier start of the run has recorded them as done. */
  readonly finished?: ReadonlySet<number>
  /** When it was given, by the run's clock. */
  readonly since: number
}

/** The blocks of a lease that have not been reported. */
export const restOf = ({ blocks, reported, finished }: Lease): number[] =>
  blocks.slice(reported).filter((index) => !finished?.has(index))

/** There may be thousands of workers, so lists are copied when they change: one that grows keeps room for many more. */
interface Page {
  leases: readonly Lease[]
  /** Absent if there are none. */
  revoked: Set<number> | undefined
  hasHadLease: boolean
}

const NO_LEASES: readonly Lease[] = []

/** Which worker holds which leases. */
export class LeaseBook {
  /** Workers that hold a lease. */
  readonly busy = new Set<Worker>()
  readonly #pages = new Map<Worker, Page>()
  #busyRequested = 0

  /** How many of the workers that hold a lease were requested by the run. */
  get busyRequested(): number {
    return this.#busyRequested
  }

  /** The worker's leases, in the order in which it processes them. */
  leasesOf(worker: Worker): readonly Lease[] {
    return this.#pages.get(worker)?.leases ?? NO_LEASES
  }

  hasHadLease(worker: Worker): boolean {
    return this.#pages.get(worker)?.hasHadLease === true
  }

  add(worker: Worker, lease: Lease): void {
    const page = this.#pageOf(worker)
    page.leases = [...page.leases, lease]
    page.hasHadLease = true
    if (page.leases.length > 1) return
    this.busy.add(worker)
    if (isRequested(worker.origin)) this.#busyRequested++
  }

  remove(worker: Worker, lease: Lease): void {
    const page = this.#pageOf(worker)
    page.leases = page.leases.length === 1 ? NO_LEASES : page.leases.filter((each) => each !== lease)
    if (page.leases.length > 0) return
    this.busy.delete(worker)
    if (isRequested(worker.origin)) this.#busyRequested--
  }

  /** Whether leases were taken from the worker that it has not confirmed as dropped. */
  hasRevoked(worker: Worker): boolean {
    return this.#pages.get(worker)?.revoked !== undefined
  }

  isRevoked(worker: Worker, leaseId: number): boolean {
    return this.#pages.get(worker)?.revoked?.has(leaseId) === true
  }

  /** A lease was taken from the worker, which may still work on it. */
  revoke(worker: Worker, leaseId: number): void {
    const page = this.#pageOf(worker)
    page.revoked = new Set([...(page.revoked ?? []), leaseId])
  }

  /** The worker has dropped a revoked lease. */
  drop(worker: Worker, leaseId: number): void {
    const page = this.#pageOf(worker)
    page.revoked?.delete(leaseId)
    if (page.revoked?.size === 0) page.revoked = undefined
  }

  /** @param named the leases that a connecting worker claims to hold; those that it does not hold are revoked */
  revokeOthers(worker: Worker, named: readonly number[]): void {
    const page = this.#pageOf(worker)
    const others = named.filter((id) => page.leases.every((lease) => lease.id !== id))
    page.revoked = others.length === 0 ? undefined : new Set(others)
  }

  /** Forgets a worker that has ended and holds no lease. */
  forget(worker: Worker): void {
    this.#pages.delete(worker)
  }

  #pageOf(worker: Worker): Page {
    let page = this.#pages.get(worker)
    if (page === undefined) {
      page = { leases: NO_LEASES, revoked: undefined, hasHadLease: false }
      this.#pages.set(worker, page)
    }
    return page
  }
}
