import { InfrastructureError, toWireError, type WireError } from '../../core/errors.ts'
import type { Outcome } from '../../core/protocol/messages.ts'
import type { BlockLedger } from './block-ledger.ts'
import { type Lease, type LeaseBook, restOf } from './lease-book.ts'
import type { RunTally } from './run-tally.ts'
import type { RunningPipeline } from './running-pipeline.ts'
import { describeRois, describeTask } from './task-description.ts'
import type { WorkerRests } from './worker-rests.ts'
import type { StallWatch } from './workers/health/stall-watch.ts'
import type { TimeLimits } from './workers/health/time-limits.ts'
import type { Worker } from './workers/pool.ts'
import type { SessionSaver } from './workers/session-saver.ts'
import type { TaskSetups } from './workers/task-setups.ts'
import type { WorkerConnections } from './workers/worker-connections.ts'
import type { WorkerResources } from './workers/worker-resources.ts'

export interface LeasesParts {
  readonly book: LeaseBook
  readonly ledger: BlockLedger
  readonly tally: RunTally
  readonly connections: WorkerConnections
  readonly setups: TaskSetups
  readonly resources: WorkerResources
  readonly saver: SessionSaver
  readonly timeLimits: TimeLimits
  readonly stalls: StallWatch
  readonly rests: WorkerRests
}

/** How a worker loses its leases. */
export interface Loss {
  /** Why the worker stopped: the attempt at its running block has failed. Without an error, that block is returned too. */
  readonly error?: WireError | undefined
  /** Whether the worker may still run blocks that are given to others. */
  readonly mayStillRun: boolean
}

/** Gives leases to workers, receives their outcomes, and takes leases back. */
export class Leases {
  readonly #run: RunningPipeline
  readonly #parts: LeasesParts

  constructor(run: RunningPipeline, parts: LeasesParts) {
    this.#run = run
    this.#parts = parts
  }

  /** Gives a worker a new lease. Its blocks are acquired in the scheduler. */
  give(worker: Worker, lease: Lease): void {
    const { book, connections, resources, setups, timeLimits } = this.#parts
    const { task } = lease
    this.#add(worker, lease)
    if (setups.describe(worker, task)) {
      const described = describeTask(task.planned, resources.bindings.unitsOf(worker, task), this.#run.options)
      connections.send(worker, { type: 'task', task: described })
    }
    connections.sendLease(worker, lease, (index) => describeRois(task.planned, index))
    this.#reportLease(worker, lease)
    if (book.leasesOf(worker).length === 1) timeLimits.watch(worker)
  }

  /** Restores a lease that a worker has had since an earlier start of the run. */
  restore(worker: Worker, lease: Lease): void {
    this.#add(worker, lease)
    this.#reportLease(worker, lease)
  }

  #reportLease({ id: workerId }: Worker, lease: Lease): void {
    this.#run.events.emit({ type: 'blocks-leased', taskId: lease.task.id, indices: restOf(lease), workerId })
    this.#parts.tally.reportProgress()
  }

  #add(worker: Worker, lease: Lease): void {
    const { book, resources, saver, stalls } = this.#parts
    book.add(worker, lease)
    stalls.start()
    resources.take(worker, lease.task)
    saver.noteChange()
  }

  #remove(worker: Worker, lease: Lease): void {
    const { book, resources, rests, saver } = this.#parts
    saver.noteChange()
    book.remove(worker, lease)
    if (!lease.isFruitful) rests.noteFutile(worker)
    if (book.leasesOf(worker).length === 0) resources.rest(worker)
  }

  /** A worker reports the next blocks of a lease. @throws InfrastructureError `PROTOCOL_ERROR` */
  takeOutcomes(worker: Worker, leaseId: number, outcomes: readonly Outcome[]): void {
    const { book, connections, ledger, rests, timeLimits } = this.#parts
    if (book.isRevoked(worker, leaseId)) return
    const leases = book.leasesOf(worker)
    const [lease] = leases
    if (lease?.id !== leaseId && leaseId < this.#run.nextLease && leases.every(({ id }) => id !== leaseId)) {
      connections.send(worker, { type: 'revoked', lease: leaseId })
      return
    }
    if (lease?.id !== leaseId || lease.reported + outcomes.length > lease.blocks.length) {
      throw new InfrastructureError(
        'PROTOCOL_ERROR',
        `Worker ${worker.id} reported ${outcomes.length} blocks of lease ${leaseId}, which it does not hold.`,
      )
    }
    // An empty report is no progress: the time limit keeps running.
    if (outcomes.length === 0) return
    const first = lease.reported
    lease.reported += outcomes.length
    if (outcomes.some(({ status }) => status !== 'returned')) {
      lease.isFruitful = true
      rests.noteFinished(worker)
    }
    if (lease.reported === lease.blocks.length) this.#remove(worker, lease)
    ledger.take(worker, lease, first, outcomes)
    timeLimits.watch(worker)
  }

  /**
   * A worker that reconnects names the leases that it holds. Its other leases never reached it, so their blocks are returned.
   */
  reconcile(worker: Worker, named: readonly number[]): void {
    const { book, ledger } = this.#parts
    for (const lease of [...book.leasesOf(worker)]) {
      if (named.includes(lease.id)) continue
      this.#remove(worker, lease)
      ledger.giveBack(lease.task, restOf(lease), worker)
    }
    book.revokeOthers(worker, named)
  }

  /** A worker has dropped a lease: if it was asked to, its blocks go to others. */
  takeDropped(worker: Worker, leaseId: number): void {
    const { book, ledger, timeLimits } = this.#parts
    book.drop(worker, leaseId)
    const lease = book.leasesOf(worker).find(({ id, isRecalled }) => id === leaseId && isRecalled)
    if (lease === undefined) return
    lease.isFruitful = true
    this.#remove(worker, lease)
    ledger.giveBack(lease.task, restOf(lease), worker)
    timeLimits.watch(worker)
  }

  /** Takes all leases from a worker that has stopped. */
  lose(worker: Worker, { error, mayStillRun }: Loss): void {
    const { book, ledger, setups, timeLimits } = this.#parts
    timeLimits.stop(worker)
    const [running] = book.leasesOf(worker)
    if (mayStillRun && running !== undefined) this.allowHeld(worker)
    for (const lease of [...book.leasesOf(worker)]) {
      this.#remove(worker, lease)
      const rest = restOf(lease)
      if (mayStillRun) this.#noteStrayReads(lease, rest)
      const diedInIt = error !== undefined && lease === running && setups.isSetUp(worker, lease.task)
      // It may have completed some of these blocks without reporting them. Leased one by one, they show which one killed it.
      if (diedInIt && rest.length > 1) for (const index of rest) lease.task.suspects.add(index)
      const culprit = diedInIt && rest.length === 1 ? rest.pop() : undefined
      ledger.giveBack(lease.task, rest, worker)
      if (culprit !== undefined) ledger.fail(worker, lease.task, culprit, error as WireError)
    }
  }

  /** Says which leases hold: before a worker starts, and before blocks of one that may still run them go to others. @param except its leases */
  allowHeld(except?: Worker): void {
    const { book } = this.#parts
    const { fence } = this.#run.options
    if (fence === undefined) return
    const held: number[] = []
    for (const worker of book.busy) {
      if (worker !== except) for (const { id } of book.leasesOf(worker)) held.push(id)
    }
    try {
      fence.allow({ from: this.#run.nextLease, held })
    } catch (error) {
      if (this.#run.phase !== 'running') return
      this.#run.fatal ??= toWireError(error)
      this.#run.control.stop()
    }
  }

  #noteStrayReads({ task: { planned } }: Lease, blocks: readonly number[]): void {
    const readsTransient = this.#run.tasks.some((each) => each.planned.isTransient && planned.after.includes(each.id))
    if (readsTransient) for (const index of blocks) this.#run.strayReads.push(planned.grid.block(index).readRoi)
  }

  /** Revokes the leases of a worker that takes too long and isn't killed. @param took what took how long, for users */
  revoke(worker: Worker, code: 'BLOCK_TIMEOUT' | 'BLOCK_STALLED', took: string): void {
    const { book, connections } = this.#parts
    for (const { id } of book.leasesOf(worker)) {
      book.revoke(worker, id)
      connections.send(worker, { type: 'revoked', lease: id })
    }
    const message = `${took}; it was taken from its worker ${worker.id} on ${connections.hostOf(worker)}.`
    this.lose(worker, { error: { code, message }, mayStillRun: true })
  }
}
