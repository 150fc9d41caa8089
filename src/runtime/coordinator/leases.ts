import { InfrastructureError, type WireError } from '../../core/errors.ts'
import { gridOptions } from '../../core/grid/grid-options.ts'
import type { Outcome, WireRois, WireTask } from '../../core/protocol/messages.ts'
import { leaseSize, MAX_LEASE_BLOCKS } from '../../core/workers/lease-size.ts'
import type { PlannedTask } from '../tasks/planned-task.ts'
import { isTaskNode } from '../tasks/task-node.ts'
import type { BlockLedger } from './block-ledger.ts'
import type { RunTally } from './run-tally.ts'
import type { RunningPipeline } from './running-pipeline.ts'
import { IdleWorkers } from './workers/idle-workers.ts'
import { isOnItsOwn, type Lease, type RunningTask, type Session } from './workers/session.ts'
import { TimeLimits } from './workers/time-limits.ts'
import { WorkerMoves } from './workers/worker-moves.ts'
import { WorkerResources } from './workers/worker-resources.ts'

/** Blocks shorter than this are handed out one lease ahead, so that no worker waits for the next. */
const AHEAD_MS = 15

export interface LeasesOptions {
  /** Ends a worker that takes too long. */
  endWorker(session: Session, reason: WireError): void
  /** Told whenever a worker gets or loses a lease. */
  onChange(): void
}

/**
 * Whether a worker can be given blocks of a task. Processors that become free are kept for a task that is short of them alone:
 * others, which need fewer, would take them one by one.
 */
type Fit = 'fits' | 'lacks' | 'short of cpu'

/** Who holds which blocks: hands them out, takes them back, and takes them away. */
export class Leases {
  readonly timeLimits: TimeLimits
  readonly #run: RunningPipeline
  readonly #ledger: BlockLedger
  readonly #tally: RunTally
  readonly #endWorker: LeasesOptions['endWorker']
  readonly #onChange: LeasesOptions['onChange']
  readonly #resources: WorkerResources
  readonly #idle = new IdleWorkers()
  readonly #moves: WorkerMoves
  readonly #acquired = new Float64Array(MAX_LEASE_BLOCKS)
  /** How many of the workers that hold a lease were started by this run. */
  #busyLaunched = 0

  constructor(run: RunningPipeline, ledger: BlockLedger, tally: RunTally, { endWorker, onChange }: LeasesOptions) {
    this.#run = run
    this.#ledger = ledger
    this.#tally = tally
    this.#endWorker = endWorker
    this.#onChange = onChange
    this.#resources = new WorkerResources(run.options.resources, run.tasks)
    this.#moves = new WorkerMoves(run, this.#resources, this.#idle, () => this.handOut())
    this.timeLimits = new TimeLimits(run, (session, took) => this.#takeFrom(session, took))
  }

  /** Gives a worker what it needs to go on; one that gets nothing is remembered as idle. */
  feed(session: Session): void {
    if (session.leases.length > 0 || !this.#canWork(session)) return
    if (this.#hasRoomFor(session) && this.#lease(session)) return
    this.#idle.add(session, this.#run.options.clock.now())
  }

  /** Short blocks are sent one lease ahead, once no worker waits for them. */
  feedAhead(session: Session): void {
    const [first, second] = session.leases
    if (first === undefined || second !== undefined || !this.#canWork(session)) return
    if ((first.task.averageMs ?? Number.POSITIVE_INFINITY) >= AHEAD_MS) return
    // Of another task they could need more than the worker has.
    this.#lease(session, this.#resources.areAlike ? undefined : first.task)
  }

  /** Wakes idle workers, as far as there are blocks for them. */
  handOut(): void {
    if (this.#run.phase !== 'running' || this.#run.isPaused) return
    if (this.#idle.size > 0) this.#wakeIdle()
    this.#moves.makeRoom()
    this.#run.control.finishIfDone()
  }

  /** Looks at one worker of a group at most that gets nothing: there may be thousands, and this is done for every message. */
  #wakeIdle(): void {
    const waiting = new Set<ReadonlySet<Session>>()
    for (const task of this.#run.mostDownstreamFirst) {
      if (this.#run.scheduler.task(task.number).readyCount === 0) continue
      const groups = this.#idle.groupsFor(task, this.#resources.isBinding(task))
      const short = groups.filter((group) => !waiting.has(group) && this.#wake(group, task) === 'short of cpu')
      // Others may have done without those processors.
      if (this.#run.scheduler.task(task.number).readyCount > 0) for (const group of short) waiting.add(group)
    }
  }

  /** Leases blocks of a task to workers of a group. @returns why no further one gets any */
  #wake(group: ReadonlySet<Session>, task: RunningTask): Fit | 'no blocks' | 'no workers' {
    for (const session of group) {
      const ready = this.#run.scheduler.task(task.number).readyCount
      if (ready === 0) return 'no blocks'
      if (!this.#hasRoomFor(session)) return 'no workers'
      const fit = this.#fit(session, task)
      if (fit !== 'fits') return fit
      if (this.#canWork(session)) this.#leaseOf(session, task, ready)
      else this.#idle.delete(session)
    }
    return 'no workers'
  }

  /**
   * Leases blocks of the most downstream task that has some, and for which there are the resources.
   * @param only of this task
   * @returns whether there were any
   */
  #lease(session: Session, only?: RunningTask): boolean {
    for (const task of this.#run.mostDownstreamFirst) {
      if (task.pool !== session.pool || (only !== undefined && task !== only)) continue
      const ready = this.#run.scheduler.task(task.number).readyCount
      if (ready === 0) continue
      const fit = session.leases.length === 0 ? this.#fit(session, task) : 'fits'
      if (fit === 'short of cpu') return false
      if (fit !== 'fits') continue
      this.#leaseOf(session, task, ready)
      return true
    }
    return false
  }

  /** Whether a worker that has no blocks can be given some of a task. */
  #fit(session: Session, task: RunningTask): Fit {
    if (session.boundTo !== undefined && session.boundTo !== task && this.#resources.isBinding(task)) return 'lacks'
    const lacking = this.#resources.lacking(task, session)
    if (lacking.length === 0) return 'fits'
    return lacking.length === 1 && lacking[0] === 'cpu' ? 'short of cpu' : 'lacks'
  }

  /** @param ready how many blocks of the task are */
  #leaseOf(session: Session, task: RunningTask, ready: number): void {
    const { launched, joined } = session.pool
    const count = leaseSize(ready, launched.size + joined.size, task.averageMs)
    const taken = this.#run.scheduler.acquireInto(task.number, count, this.#acquired)
    this.#warnBeyond(task)
    const acquired = Array.from(this.#acquired.subarray(0, taken))
    const blocks = task.suspects.size === 0 ? acquired : this.#withoutSuspects(task, acquired)
    this.#send(session, {
      id: this.#run.nextLease++,
      task,
      blocks,
      reported: 0,
      since: this.#run.options.clock.now(),
    })
  }

  #warnBeyond(task: RunningTask): void {
    const { id, maxAhead } = task.planned
    if (
      maxAhead === undefined ||
      task.isToldBeyond ||
      (this.#run.scheduler.task(task.number).retention?.held ?? 0) <= maxAhead
    )
      return
    task.isToldBeyond = true
    const message = `${id}: more than ${maxAhead} of its blocks (maxAhead) are waited for, since nothing could go on otherwise; with a larger limit more workers would have work`
    this.#run.events.emit({ type: 'warning', message })
  }

  /** Those of some blocks that may be leased together, or one that must be alone; the others are given back. */
  #withoutSuspects(task: RunningTask, acquired: readonly number[]): readonly number[] {
    const together = acquired.filter((index) => !task.suspects.has(index))
    const alone = acquired.filter((index) => task.suspects.has(index))
    const blocks = together.length > 0 ? together : alone.splice(0, 1)
    this.#ledger.giveBack(task, alone)
    return blocks
  }

  #send(session: Session, lease: Lease): void {
    const { channel } = session
    const { task, blocks } = lease
    this.#addLease(session, lease)
    if (!session.known.has(task)) {
      session.known.add(task)
      channel?.send({ type: 'task', task: this.#wireTask(session, task.planned) })
    }
    const rois = session.wantsRois ? { rois: blocks.map((index) => roisOf(task.planned, index)) } : {}
    channel?.send({ type: 'lease', lease: lease.id, taskId: task.id, blocks, ...rois })
    this.#tellLease(session, lease)
    if (session.leases.length === 1) this.timeLimits.watch(session)
  }

  /** A worker has had a lease since an earlier start of the run. */
  restoreLease(session: Session, lease: Lease): void {
    this.#addLease(session, lease)
    this.#tellLease(session, lease)
  }

  #tellLease({ id: workerId }: Session, lease: Lease): void {
    this.#run.events.emit({ type: 'blocks-leased', taskId: lease.task.id, indices: restOf(lease), workerId })
    this.#tally.tellProgress()
  }

  #addLease(session: Session, lease: Lease): void {
    this.#idle.delete(session)
    session.leases.push(lease)
    this.#resources.take(session, lease.task)
    session.hadLease = true
    this.#onChange()
    if (session.leases.length > 1) return
    this.#run.busy.add(session)
    if (!session.isJoined) this.#busyLaunched++
  }

  /** A lease of a worker has ended, one way or another. */
  #removeLease(session: Session, lease: Lease): void {
    this.#onChange()
    session.leases.splice(session.leases.indexOf(lease), 1)
    if (session.leases.length > 0) return
    this.#resources.rest(session)
    this.#run.busy.delete(session)
    if (!session.isJoined) this.#busyLaunched--
  }

  /** A worker has nothing of a lease any more: it is no try. */
  returnLease(session: Session, lease: Lease): void {
    this.#removeLease(session, lease)
    this.#ledger.giveBack(lease.task, restOf(lease), session)
  }

  /** Takes a worker's blocks back. @param error of the block that it was at; without one that is returned, too */
  loseLeases(session: Session, error?: WireError): void {
    session.cancelTimeout?.()
    const [running] = session.leases
    for (const lease of [...session.leases]) {
      this.#removeLease(session, lease)
      const rest = restOf(lease)
      this.#noteStray(session, lease, rest)
      const diedAtIt = error !== undefined && lease === running && session.setUp.has(lease.task)
      // Of several it may have done the first ones without a word: which one it was shows when each has a lease of its own.
      if (diedAtIt && rest.length > 1) for (const index of rest) lease.task.suspects.add(index)
      const culprit = diedAtIt && rest.length === 1 ? rest.pop() : undefined
      this.#ledger.giveBack(lease.task, rest, session)
      if (culprit !== undefined) this.#ledger.fail(session, lease.task, culprit, error as WireError)
    }
  }

  /** A worker that nobody has seen end may still do blocks that others are given. */
  #noteStray({ exit, saidGoodbye }: Session, { task: { planned } }: Lease, blocks: readonly number[]): void {
    if (exit !== undefined || saidGoodbye) return
    const isReader = this.#run.tasks.some((each) => each.planned.isTransient && planned.after.includes(each.id))
    if (isReader) for (const index of blocks) this.#run.strayReads.push(planned.grid.block(index).readRoi)
  }

  /** Takes a worker's blocks away that takes too long; where that can be done, it is ended. */
  #takeFrom(session: Session, took: string): void {
    if (!isOnItsOwn(session)) {
      this.#endWorker(session, { code: 'BLOCK_TIMEOUT', message: `${took}; its worker ${session.id} was ended.` })
      return
    }
    for (const { id } of session.leases) {
      session.revoked.add(id)
      session.channel?.send({ type: 'revoked', lease: id })
    }
    const message = `${took}; it was taken from its worker ${session.id} on ${session.host}.`
    this.loseLeases(session, { code: 'BLOCK_TIMEOUT', message })
    this.handOut()
  }

  #canWork(session: Session): boolean {
    const isOn = this.#run.phase === 'running' && !this.#run.isPaused && !session.isMakingRoom
    const isLeaving = session.saidGoodbye || session.killed !== undefined
    return isOn && session.status === 'ready' && session.revoked.size === 0 && !isLeaving
  }

  /** It is not to be woken any more. */
  forgetIdle(session: Session): void {
    this.#idle.delete(session)
  }

  /** How many workers could be at blocks of these tasks at the same time. */
  mostAtWork(tasks: readonly RunningTask[]): number {
    return this.#resources.mostAtWork(tasks)
  }

  /** A worker has ended, and what it held is free. */
  freeResources(session: Session): void {
    this.#resources.end(session)
    this.#moves.forget(session)
  }

  #hasRoomFor(session: Session): boolean {
    return session.isJoined || this.#busyLaunched < this.#run.options.workers
  }

  /** A worker reports the next blocks of a lease. @throws InfrastructureError `PROTOCOL_ERROR` */
  takeOutcomes(session: Session, leaseId: number, outcomes: readonly Outcome[]): void {
    if (session.revoked.has(leaseId)) return
    const [lease] = session.leases
    if (lease?.id !== leaseId && leaseId < this.#run.nextLease && session.leases.every(({ id }) => id !== leaseId)) {
      session.channel?.send({ type: 'revoked', lease: leaseId })
      return
    }
    if (lease?.id !== leaseId || lease.reported + outcomes.length > lease.blocks.length) {
      throw new InfrastructureError(
        'PROTOCOL_ERROR',
        `Worker ${session.id} reported ${outcomes.length} blocks of lease ${leaseId}, which it does not hold.`,
      )
    }
    // That is no sign of getting on.
    if (outcomes.length === 0) return
    const begin = lease.reported
    lease.reported += outcomes.length
    if (lease.reported === lease.blocks.length) this.#removeLease(session, lease)
    this.#ledger.take(session, lease, begin, outcomes)
    this.timeLimits.watch(session)
  }

  #wireTask({ units, boundTo }: Session, planned: PlannedTask): WireTask {
    const { folder, fsync, moduleName = (url) => url } = this.#run.options
    const { grid, source, unit, id } = planned
    const node = isTaskNode(source) ? source : undefined
    return {
      id,
      module: node === undefined ? '' : moduleName(node.definition.module),
      name: node?.definition.options.name ?? id,
      config: node?.config ?? {},
      ...(folder === undefined ? {} : { folder }),
      unit,
      grid: gridOptions(grid),
      ...(fsync ? { fsync } : {}),
      ...(boundTo?.planned === planned && Object.keys(units).length > 0 ? { resources: units } : {}),
    }
  }

  [Symbol.dispose](): void {
    this.#moves[Symbol.dispose]()
  }
}

/** The blocks of a lease that have not been reported. */
const restOf = ({ blocks, reported, gone }: Lease): number[] =>
  blocks.slice(reported).filter((index) => !gone?.has(index))

const roisOf = (planned: PlannedTask, index: number): WireRois => {
  const { readRoi, writeRoi } = planned.grid.block(index)
  return { read: readRoi, write: writeRoi }
}
