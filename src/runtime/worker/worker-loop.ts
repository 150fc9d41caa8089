import { toWireError, type WireError } from '../../core/errors.ts'
import type { TaskBlock } from '../tasks/task-options.ts'
import { attemptBlock, cutError } from './block-attempt.ts'
import {
  type ConnectionOwner,
  CoordinatorConnection,
  type Welcome,
  type WorkMessage,
} from './coordinator-connection.ts'
import { type HeldLease, HeldLeases } from './held-leases.ts'
import { ProgressBeat } from './progress-beat.ts'
import { UsageReport } from './usage-report.ts'
import type { LoadedTask, WorkerEnd, WorkerOptions } from './worker-options.ts'
import { WorkerTasks } from './worker-tasks.ts'

/** Finished blocks are reported after this at the latest, even while another block is running. Messages are received between two blocks. */
const REPORT_MS = 20
/** Blocks of a lease that have not started after this time are returned, since other workers may be waiting for them. */
const GIVE_BACK_MS = 500

/**
 * Runs a worker to its end: joins the run, does the blocks that it is given, one at a time, reports them, and leaves when asked
 * to. If the connection breaks, it continues with its block, reconnects, and reports what it has finished meanwhile.
 * @throws InfrastructureError `UNAUTHORIZED` or `PROTOCOL_ERROR` if the coordinator refuses it, `CONNECTION_LOST` if the
 * coordinator could not be reached for `reconnectMs`; ConfigError from `connect`
 */
export function runWorker(options: WorkerOptions): Promise<WorkerEnd> {
  return new Worker(options).live()
}

class Worker implements ConnectionOwner {
  readonly #options: WorkerOptions
  readonly #connection: CoordinatorConnection
  readonly #leases: HeldLeases
  readonly #tasks: WorkerTasks
  readonly #usage: UsageReport
  readonly #beat: ProgressBeat
  /** Tasks whose set-up was reported over this connection. */
  readonly #reportedReady = new Set<string>()
  #draining = false
  #ended = false
  #failure: unknown
  #blocks = 0
  #wake = () => {}

  constructor(options: WorkerOptions) {
    this.#options = options
    this.#connection = new CoordinatorConnection(options, this)
    this.#leases = new HeldLeases(this.#connection)
    this.#tasks = new WorkerTasks((task, workerId) => options.loadTask(task, workerId))
    this.#usage = new UsageReport(options, this.#connection)
    this.#beat = new ProgressBeat(options.clock, this.#connection)
  }

  async live(): Promise<WorkerEnd> {
    const { signal, drain } = this.#options
    const end = () => this.#end()
    const leave = () => {
      this.#draining = true
      this.#wake()
      // Without a connection, there is no coordinator to say goodbye to.
      if (!this.#connection.isUp && this.#leases.current === undefined) this.#end()
    }
    if (signal.aborted) end()
    if (drain?.aborted) leave()
    signal.addEventListener('abort', end)
    drain?.addEventListener('abort', leave)
    const connected = this.#connection.keep()
    const setupError = await this.#work()
    if (this.#blocks > 0) this.#usage.send()
    if (this.#failure === undefined) this.#connection.send({ type: 'goodbye' })
    this.#ended = true
    this.#connection.end()
    await connected
    signal.removeEventListener('abort', end)
    drain?.removeEventListener('abort', leave)
    if (this.#failure !== undefined) throw this.#failure
    return { blocks: this.#blocks, ...(setupError === undefined ? {} : { setupError }) }
  }

  #end(): void {
    this.#ended = true
    this.#leases.current?.ending.abort()
    this.#connection.end()
    this.#wake()
  }

  // --- the connection reports

  heldLeases(): readonly number[] {
    return this.#leases.ids()
  }

  takeWelcome({ leases }: Welcome, isRenamed: boolean): void {
    if (isRenamed) this.#usage.reset()
    this.#reportedReady.clear()
    this.#leases.renew(leases)
  }

  /** A long block may read and write all the time. */
  beforeHeartbeat(): void {
    if (this.#blocks > 0 || this.#leases.current !== undefined) this.#usage.send()
  }

  takeWork(message: WorkMessage): void {
    switch (message.type) {
      case 'task':
        this.#tasks.add(message.task)
        break
      case 'lease':
        this.#tasks.assertPlaced(message)
        this.#leases.add(message)
        break
      case 'revoked':
        this.#leases.revoke(message.lease)
        break
      case 'drain':
        this.#draining = true
        break
      default:
        message satisfies never
    }
    this.#wake()
  }

  isLeaving(): boolean {
    return this.#draining && this.#leases.current === undefined
  }

  connectionIsOver(error?: unknown): void {
    this.#failure ??= error
    this.#end()
  }

  // --- the blocks

  /** Does leases until there is a reason to leave. @returns the error, if a task could not be set up */
  async #work(): Promise<WireError | undefined> {
    while (!this.#ended) {
      const lease = this.#leases.next()
      if (lease === undefined) {
        if (this.#draining) return undefined
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        continue
      }
      const setupError = await this.#doLease(lease)
      this.#leases.finish()
      if (setupError !== undefined) return setupError
      // Let the reports go out, and receive messages.
      await this.#options.breathe()
    }
    return undefined
  }

  async #doLease(lease: HeldLease): Promise<WireError | undefined> {
    if (this.#draining) {
      for (const _ of lease.blocks) lease.outcomes.push({ status: 'returned' })
      this.#report(lease)
      return undefined
    }
    let task: LoadedTask
    try {
      task = await this.#setUp(lease.taskId)
    } catch (error) {
      const setupError = cutError(toWireError(error, 'SETUP_FAILED'))
      this.#connection.send({ type: 'setup-failed', taskId: lease.taskId, error: setupError })
      return setupError
    }
    await this.#doBlocks(lease, task)
    return undefined
  }

  async #setUp(taskId: string): Promise<LoadedTask> {
    const task = await this.#tasks.setUp(taskId, this.#connection.workerId)
    if (!this.#reportedReady.has(taskId)) {
      this.#reportedReady.add(taskId)
      this.#connection.send({ type: 'task-ready', taskId })
    }
    return task
  }

  async #doBlocks(lease: HeldLease, task: LoadedTask): Promise<void> {
    const { clock, breathe } = this.#options
    const { signal } = lease.ending
    const start = clock.now()
    let reported = start
    let cancelReport: (() => void) | undefined
    using _ = { [Symbol.dispose]: () => cancelReport?.() }
    for (let at = 0; at < lease.blocks.length; at++) {
      const now = clock.now()
      if (now - reported > REPORT_MS) {
        this.#report(lease)
        reported = now
        await breathe()
      }
      if (this.#ended || lease.isRevoked) return
      const index = lease.blocks[at] as number
      if ((this.#draining || now - start > GIVE_BACK_MS) && !task.ahead?.has(index)) {
        lease.outcomes.push({ status: 'returned' })
        continue
      }
      // A long block must not hold up the outcomes of the short ones before it.
      if (lease.outcomes.length > lease.sent) {
        cancelReport ??= clock.after(REPORT_MS, () => {
          cancelReport = undefined
          this.#report(lease)
        })
      }
      task.ahead?.offer(index, () => this.#following(lease, at))
      const block = this.#beat.addTo(this.#tasks.blockAt(lease, at), lease)
      const onFailed = (error: WireError) => this.#options.onBlockFailed?.(`${lease.taskId}/${index}`, error)
      const outcome = await attemptBlock(task, block, { clock, signal, lease: lease.id, onFailed })
      if (outcome.status === 'done' || outcome.status === 'skipped') this.#blocks++
      lease.outcomes.push(outcome)
    }
    this.#report(lease)
  }

  /** The blocks of a lease after one of them. */
  *#following(lease: HeldLease, at: number): Generator<TaskBlock> {
    for (let next = at + 1; next < lease.blocks.length; next++) yield this.#tasks.blockAt(lease, next)
  }

  #report(lease: HeldLease): void {
    // Before the outcomes: once these have arrived, the run may be over.
    if (this.#blocks > 0) this.#usage.sendIfDue()
    this.#leases.report(lease)
  }
}
