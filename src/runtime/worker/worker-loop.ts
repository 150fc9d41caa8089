import { toWireError, type WireError } from '../../core/errors.ts'
import { attemptBlock, cutError } from './block-attempt.ts'
import { CoordinatorLink, type LinkOwner, type Welcome, type WorkMessage } from './coordinator-link.ts'
import { type HeldLease, HeldLeases } from './held-leases.ts'
import { UsageReport } from './usage-report.ts'
import type { LoadedTask, WorkerEnd, WorkerOptions } from './worker-options.ts'
import { WorkerTasks } from './worker-tasks.ts'

/** Finished blocks are reported after this at the latest, also while another block waits; messages are let in between two. */
const REPORT_MS = 20
/** Blocks of a lease that are not begun after this are handed back: others may be waiting for them. */
const GIVE_BACK_MS = 500

/**
 * The life of a worker: says hello, does the blocks that it is given, one at a time, reports them, and leaves when it is
 * told to. When the link breaks it goes on with its block, comes back and reports what it finished meanwhile.
 * @throws InfrastructureError `UNAUTHORIZED` or `PROTOCOL_ERROR` when the coordinator sends it away, `CONNECTION_LOST` when
 * the coordinator was not reached for `reconnectMs`; what `connect` throws for good
 */
export function runWorker(options: WorkerOptions): Promise<WorkerEnd> {
  return new Worker(options).live()
}

class Worker implements LinkOwner {
  readonly #options: WorkerOptions
  readonly #link: CoordinatorLink
  readonly #leases: HeldLeases
  readonly #tasks: WorkerTasks
  readonly #usage: UsageReport
  /** Tasks whose set-up was told over this link. */
  readonly #toldReady = new Set<string>()
  #draining = false
  #ended = false
  #failure: unknown
  #blocks = 0
  #wake = () => {}

  constructor(options: WorkerOptions) {
    this.#options = options
    this.#link = new CoordinatorLink(options, this)
    this.#leases = new HeldLeases(this.#link)
    this.#tasks = new WorkerTasks((task, workerId) => options.loadTask(task, workerId))
    this.#usage = new UsageReport(options, this.#link)
  }

  async live(): Promise<WorkerEnd> {
    const { signal, drain } = this.#options
    const end = () => this.#end()
    const leave = () => {
      this.#draining = true
      this.#wake()
      // One that is not linked has no one to say goodbye to.
      if (!this.#link.isUp && this.#leases.current === undefined) this.#end()
    }
    if (signal.aborted) end()
    if (drain?.aborted) leave()
    signal.addEventListener('abort', end)
    drain?.addEventListener('abort', leave)
    const linked = this.#link.keep()
    const setupError = await this.#work()
    if (this.#blocks > 0) this.#usage.tell()
    if (this.#failure === undefined) this.#link.send({ type: 'goodbye' })
    this.#ended = true
    this.#link.end()
    await linked
    signal.removeEventListener('abort', end)
    drain?.removeEventListener('abort', leave)
    if (this.#failure !== undefined) throw this.#failure
    return { blocks: this.#blocks, ...(setupError === undefined ? {} : { setupError }) }
  }

  #end(): void {
    this.#ended = true
    this.#leases.current?.ending.abort()
    this.#link.end()
    this.#wake()
  }

  // --- what the link has to say

  heldLeases(): readonly number[] {
    return this.#leases.ids()
  }

  takeWelcome({ leases }: Welcome, isRenamed: boolean): void {
    if (isRenamed) this.#usage.beginAnew()
    this.#toldReady.clear()
    this.#leases.renew(leases)
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

  linkIsOver(error?: unknown): void {
    this.#failure ??= error
    this.#end()
  }

  // --- the blocks

  /** Does leases until there is a reason to leave. @returns the error of a task that could not be set up */
  async #work(): Promise<WireError | undefined> {
    while (!this.#ended) {
      const lease = this.#leases.begin()
      if (lease === undefined) {
        if (this.#draining) return undefined
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        continue
      }
      const setupError = await this.#doLease(lease)
      this.#leases.leave()
      if (setupError !== undefined) return setupError
      // What was reported goes out, and what has come in is received.
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
      this.#link.send({ type: 'setup-failed', taskId: lease.taskId, error: setupError })
      return setupError
    }
    await this.#doBlocks(lease, task)
    return undefined
  }

  async #setUp(taskId: string): Promise<LoadedTask> {
    const task = await this.#tasks.setUp(taskId, this.#link.workerId)
    if (!this.#toldReady.has(taskId)) {
      this.#toldReady.add(taskId)
      this.#link.send({ type: 'task-ready', taskId })
    }
    return task
  }

  async #doBlocks(lease: HeldLease, task: LoadedTask): Promise<void> {
    const { clock, breathe } = this.#options
    const { signal } = lease.ending
    const begun = clock.now()
    let reported = begun
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
      if (this.#draining || now - begun > GIVE_BACK_MS) {
        lease.outcomes.push({ status: 'returned' })
        continue
      }
      // A long block after short ones must not keep their outcomes back.
      if (lease.outcomes.length > lease.sent) {
        cancelReport ??= clock.after(REPORT_MS, () => {
          cancelReport = undefined
          this.#report(lease)
        })
      }
      const outcome = await attemptBlock(task, this.#tasks.blockAt(lease, at), { clock, signal })
      if (outcome.status === 'done' || outcome.status === 'skipped') this.#blocks++
      lease.outcomes.push(outcome)
    }
    this.#report(lease)
  }

  #report(lease: HeldLease): void {
    // Before the outcomes: once these have come, the run may be over.
    if (this.#blocks > 0) this.#usage.tellNowAndThen()
    this.#leases.report(lease)
  }
}
