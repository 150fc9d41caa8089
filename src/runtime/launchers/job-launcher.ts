import { messageOf } from '../../core/errors.ts'
import type { JobsReport } from '../../core/events.ts'
import { given } from '../../core/given.ts'
import { HEAP_IS_FULL, isHeapFull } from '../../core/workers/full-heap.ts'
import type { WorkerExit } from '../../core/workers/worker-state.ts'
import type { Clock } from '../../ports/clock.ts'
import type { JobQueue, JobState } from '../../ports/job-queue.ts'
import type { LaunchedWorker, WorkerLauncher } from '../../ports/worker-launcher.ts'
import { type JobAction, JobReporter } from './job-reporter.ts'
import type { JobSlot } from './job-slot.ts'
import { backoff, JobSubmitter, type SubmitterOwner } from './job-submitter.ts'

export interface JobLauncherOptions {
  /** Disposed together with the launcher. */
  readonly queue: JobQueue
  readonly clock: Clock
  /** Called when the state of the jobs has changed. */
  readonly onReport?: (report: JobsReport) => void
  /** Makes the launcher of jobs with this many times the memory; undefined if the options ask for no memory. */
  readonly larger?: (factor: number) => WorkerLauncher | undefined
}

const FIRST_POLL_MS = 1000
const MAX_POLL_MS = 30_000
const POLL_GROWTH = 1.5
/** Workers killed within this time are cancelled together. */
const BATCH_MS = 20
/** How long a connection may outlive its job: the last messages may still be on their way. */
const CONNECTION_AFTER_END_MS = 2000
/** Time limit for a call that the end of the run waits for. */
const PATIENCE_MS = 5000

/**
 * Starts workers as jobs of a batch system. They connect by themselves; the batch system is asked only whether they are
 * pending, running or over.
 */
export function jobLauncher(options: JobLauncherOptions): WorkerLauncher {
  return new JobLauncher(options)
}

class JobLauncher implements WorkerLauncher, SubmitterOwner {
  readonly #queue: JobQueue
  readonly #clock: Clock
  readonly #submitter: JobSubmitter
  readonly #reporter: JobReporter
  readonly #makeLarger: JobLauncherOptions['larger']
  readonly #larger = new Map<number, WorkerLauncher | undefined>()
  /** Submitted and not known to be over, by job id. */
  readonly #jobs = new Map<string, JobSlot>()
  #cancelPoll: (() => void) | undefined
  #isPolling = false
  #pollMs = FIRST_POLL_MS
  #failedPolls = 0
  /** To be cancelled together. */
  #killing: JobSlot[] = []
  #isClosed = false

  constructor({ queue, clock, onReport = () => {}, larger }: JobLauncherOptions) {
    this.#makeLarger = larger
    this.#queue = queue
    this.#clock = clock
    this.#submitter = new JobSubmitter(queue, clock, this)
    this.#reporter = new JobReporter(queue, clock, onReport)
  }

  async launch(workerId: string, session: string): Promise<LaunchedWorker> {
    const slot: JobSlot = {
      name: `${workerId}:${session}`,
      since: this.#clock.now(),
      exit: Promise.withResolvers<WorkerExit>(),
      state: { status: 'pending', reason: 'not submitted yet' },
      isConnected: false,
      wasConnected: false,
      isOver: false,
    }
    if (this.#isClosed) this.#end(slot, 'the run is over')
    else this.#submitter.add(slot)
    const queue = this.#queue
    return {
      get logFile() {
        return slot.jobId === undefined ? undefined : queue.logFileOf(slot.jobId)
      },
      exited: slot.exit.promise,
      kill: () => this.#kill(slot),
      noteConnection: (event) => this.#connectionChanged(slot, event),
    }
  }

  avoid(hosts: readonly string[]): boolean {
    for (const launcher of this.#larger.values()) launcher?.avoid?.(hosts)
    return this.#queue.avoid?.(hosts) ?? false
  }

  withMemory(factor: number): WorkerLauncher | undefined {
    if (!this.#larger.has(factor)) this.#larger.set(factor, this.#makeLarger?.(factor))
    return this.#larger.get(factor)
  }

  // --- the submitter reports

  hasJobs(): boolean {
    return this.#jobs.size > 0
  }

  submitted(slot: JobSlot, jobId: string): void {
    slot.jobId = jobId
    if (slot.isOver) {
      void this.#queue.cancel([jobId]).catch(() => {})
      return
    }
    this.#jobs.set(jobId, slot)
    this.#pollSoon()
  }

  failed(slot: JobSlot, reason: string, isRefused: boolean): void {
    this.#end(slot, reason, isRefused)
  }

  reportSubmission(trouble?: string): void {
    this.#report('submit', trouble)
  }

  // --- following

  #pollSoon(): void {
    this.#pollMs = FIRST_POLL_MS
    this.#cancelPoll?.()
    this.#pollAfter(FIRST_POLL_MS)
  }

  #pollAfter(ms: number): void {
    if (this.#isClosed || this.#isPolling || this.#jobs.size === 0) return
    this.#cancelPoll = this.#clock.after(ms, () => {
      this.#isPolling = true
      void this.#poll().then((nextMs) => {
        this.#isPolling = false
        this.#pollAfter(nextMs)
      })
    })
  }

  /** Asks for the state of all jobs once. Without an answer, nothing changes. @returns when to ask again */
  async #poll(): Promise<number> {
    let states: ReadonlyMap<string, JobState>
    try {
      states = await this.#queue.status([...this.#jobs.keys()])
    } catch (error) {
      this.#report('status', `${messageOf(error)} (continuing with the last known state)`)
      return Math.max(this.#pollMs, backoff(++this.#failedPolls))
    }
    this.#failedPolls = 0
    for (const [jobId, state] of states) {
      const slot = this.#jobs.get(jobId)
      if (slot !== undefined) this.#learn(slot, state)
    }
    this.#report('status')
    this.#pollMs = Math.min(MAX_POLL_MS, this.#pollMs * POLL_GROWTH)
    return this.#pollMs
  }

  #learn(slot: JobSlot, state: JobState): void {
    slot.state = state
    if (state.status === 'running') slot.runningSince ??= this.#clock.now()
    if (state.status !== 'ended') return
    if (!slot.isConnected) this.#end(slot, state.reason)
    else this.#clock.after(CONNECTION_AFTER_END_MS, () => this.#end(slot, state.reason))
  }

  #connectionChanged(slot: JobSlot, event: 'in' | 'out' | 'left'): void {
    slot.isConnected = event === 'in'
    slot.wasConnected = true
    if (event === 'left') this.#end(slot, 'it left')
    else if (event === 'out' && slot.state.status === 'ended') this.#end(slot, slot.state.reason)
    else if (event === 'out' && !slot.isOver) this.#pollSoon()
  }

  // --- ending

  #kill(slot: JobSlot): void {
    if (slot.isOver) return
    if (slot.jobId === undefined) this.#end(slot, 'it was cancelled before its job was submitted')
    else if (!this.#killing.includes(slot) && this.#killing.push(slot) === 1)
      this.#clock.after(BATCH_MS, () => void this.#cancelKilled())
  }

  async #cancelKilled(): Promise<void> {
    const slots = this.#killing
    this.#killing = []
    await this.#try(this.#queue.cancel(slots.map(({ jobId }) => jobId as string)))
    for (const slot of slots) this.#end(slot, 'its job was cancelled')
  }

  /** Cancels within the time limit, if possible. A remaining job ends by itself when its worker finds no run. */
  #try(cancelling: PromiseLike<void>, ms = PATIENCE_MS): Promise<void> {
    const done = Promise.resolve(cancelling).then(
      () => this.#report('cancel'),
      (error: unknown) => this.#report('cancel', messageOf(error)),
    )
    return this.#atMost(ms, done)
  }

  /** Waits for an action up to a time limit: a system that does not answer must not hold up the end of the run. */
  async #atMost(ms: number, action: Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#clock.after(ms, resolve)
    await Promise.race([action, promise])
    cancel()
  }

  #end(slot: JobSlot, reason: string, isRefused = false): void {
    if (slot.isOver) return
    slot.isOver = true
    this.#submitter.remove(slot)
    const { jobId } = slot
    // If it is being submitted, `submitted` cancels it.
    if (jobId === undefined) {
      slot.exit.resolve({ reason, lastOutput: '', ...(isRefused ? { isRefused } : {}) })
      return
    }
    this.#jobs.delete(jobId)
    void this.#queue.lastOutputOf(jobId).then((lastOutput) => {
      const heap = isHeapFull(lastOutput) ? {} : undefined
      const { outOfMemory = heap } = slot.state.status === 'ended' ? slot.state : {}
      const why = heap === undefined ? reason : HEAP_IS_FULL
      slot.exit.resolve({ reason: `${why}; ${this.#queue.name} job ${jobId}`, lastOutput, ...given({ outOfMemory }) })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const larger = [...this.#larger.values()].map((launcher) => launcher?.[Symbol.asyncDispose]())
    this.#cancelPoll?.()
    this.#reporter.clear()
    const start = this.#clock.now()
    // Jobs that are being accepted right now must be known before all are cancelled.
    await this.#atMost(PATIENCE_MS, this.#submitter.close())
    const jobIds = [...this.#jobs.keys()]
    for (const slot of [...this.#submitter.waiting, ...this.#jobs.values()]) this.#end(slot, 'the run is over')
    const left = Math.max(0, PATIENCE_MS - (this.#clock.now() - start))
    if (jobIds.length > 0) await this.#try(this.#queue.cancel(jobIds), left)
    await this.#try(this.#queue[Symbol.asyncDispose]())
    await Promise.all(larger)
  }

  /** @param trouble why the action failed; absent if it succeeded */
  #report(action: JobAction, trouble?: string): void {
    const waiting = this.#submitter.waiting.length
    this.#reporter.report(action, { waiting, jobs: [...this.#jobs.values()] }, trouble)
  }
}
