import { BlockwiseError, messageOf } from '../../core/errors.ts'
import type { JobsReport } from '../../core/events.ts'
import type { WorkerExit } from '../../core/workers/worker-state.ts'
import type { Clock } from '../../ports/clock.ts'
import type { JobQueue, JobState } from '../../ports/job-queue.ts'
import type { LaunchedWorker, WorkerLauncher } from '../../ports/worker-launcher.ts'

export interface JobLauncherOptions {
  /** Ended together with the launcher. */
  readonly queue: JobQueue
  readonly clock: Clock
  /** Told when it has changed. */
  readonly onReport?: (report: JobsReport) => void
}

/** Workers that are asked for within this are submitted together. */
const BATCH_MS = 20
const FIRST_POLL_MS = 1000
const MAX_POLL_MS = 30_000
const POLL_GROWTH = 1.5
/** The same for calls that fail, submissions and polls alike. */
const FIRST_RETRY_MS = 1000
const MAX_RETRY_MS = 60_000
/** Submissions in a row that are not answered, before the workers that wait for it are given up: some four minutes. */
const MAX_UNANSWERED = 8
/** How long a link may outlive its job's end: what was sent last may be under way. */
const LINK_AFTER_END_MS = 2000
/** Jobs pending for less are not spoken of. */
const QUIET_MS = 5000
/** A worker that has not come in for this long since its job runs is spoken of. */
const ABSENT_MS = 20_000
/** What a call may take that the run's end waits for. */
const PATIENCE_MS = 5000

/** One worker, from when it is asked for to its end. */
interface Slot {
  readonly name: string
  readonly since: number
  readonly exit: PromiseWithResolvers<WorkerExit>
  jobId?: string
  /** The last that was known. */
  state: JobState
  /** When its job was first seen to run. */
  runningSince?: number
  isLinked: boolean
  wasLinked: boolean
  isOver: boolean
}

/** Workers that are jobs of a batch system. They come in by themselves; what is asked of the system is whether they live. */
export function jobLauncher(options: JobLauncherOptions): WorkerLauncher {
  return new JobLauncher(options)
}

class JobLauncher implements WorkerLauncher {
  readonly #options: JobLauncherOptions
  /** To be submitted, in this order. */
  #waiting: Slot[] = []
  /** Submitted and not known to be over, by job. */
  readonly #jobs = new Map<string, Slot>()
  #submitting: Promise<void> | undefined
  #cancelSubmit: (() => void) | undefined
  #unanswered = 0
  #cancelPoll: (() => void) | undefined
  #isPolling = false
  #pollMs = FIRST_POLL_MS
  #failedPolls = 0
  /** Slots to be ended by the system, together. */
  #killing: Slot[] = []
  /** What failed last, by what it was for. */
  readonly #troubles = new Map<'submit' | 'status' | 'cancel', string>()
  #lastReport = ''
  #isClosed = false

  constructor(options: JobLauncherOptions) {
    this.#options = options
  }

  async launch(workerId: string, session: string): Promise<LaunchedWorker> {
    const slot: Slot = {
      name: `${workerId}:${session}`,
      since: this.#options.clock.now(),
      exit: Promise.withResolvers<WorkerExit>(),
      state: { status: 'pending', reason: 'not submitted yet' },
      isLinked: false,
      wasLinked: false,
      isOver: false,
    }
    this.#waiting.push(slot)
    if (this.#isClosed) this.#end(slot, 'the run is over')
    else this.#submitAfter(BATCH_MS)
    const { queue } = this.#options
    return {
      get logFile() {
        return slot.jobId === undefined ? undefined : queue.logFileOf(slot.jobId)
      },
      exited: slot.exit.promise,
      kill: () => this.#kill(slot),
      noteConnection: (event) => this.#linkChanged(slot, event),
    }
  }

  // --- submitting

  #submitAfter(ms: number): void {
    if (this.#cancelSubmit !== undefined || this.#submitting !== undefined || this.#isClosed) return
    this.#cancelSubmit = this.#options.clock.after(ms, () => {
      this.#cancelSubmit = undefined
      this.#submitting = this.#submitWaiting().then((againMs) => {
        this.#submitting = undefined
        if (this.#waiting.length > 0) this.#submitAfter(againMs)
      })
    })
  }

  /** Submits all that wait, together if the system takes so many. @returns when to try those that are left again */
  async #submitWaiting(): Promise<number> {
    let size = this.#waiting.length
    while (this.#waiting.length > 0 && !this.#isClosed) {
      const slots = this.#waiting.slice(0, size)
      try {
        const ids = await this.#options.queue.submit(slots.map(({ name }) => name))
        this.#unanswered = 0
        for (const [index, slot] of slots.entries()) this.#submitted(slot, ids[index] as string)
        this.#pollSoon()
      } catch (error) {
        const reason = messageOf(error)
        const refused = error instanceof BlockwiseError && error.code === 'JOB_REFUSED'
        if (refused && slots.length > 1) {
          // A limit on jobs, perhaps: it may take fewer.
          size = Math.floor(slots.length / 2)
          continue
        }
        this.#report('submit', reason)
        if (refused && this.#jobs.size > 0) return MAX_RETRY_MS
        if (!refused && ++this.#unanswered < MAX_UNANSWERED) return backoff(this.#unanswered)
        this.#unanswered = 0
        for (const slot of [...this.#waiting]) this.#end(slot, reason)
      }
    }
    this.#report('submit')
    return BATCH_MS
  }

  #submitted(slot: Slot, jobId: string): void {
    slot.jobId = jobId
    this.#waiting = this.#waiting.filter((waiting) => waiting !== slot)
    if (slot.isOver) void this.#options.queue.cancel([jobId]).catch(() => {})
    else this.#jobs.set(jobId, slot)
  }

  // --- following

  #pollSoon(): void {
    this.#pollMs = FIRST_POLL_MS
    this.#cancelPoll?.()
    this.#pollAfter(FIRST_POLL_MS)
  }

  #pollAfter(ms: number): void {
    if (this.#isClosed || this.#isPolling || this.#jobs.size === 0) return
    this.#cancelPoll = this.#options.clock.after(ms, () => {
      this.#isPolling = true
      void this.#poll().then((nextMs) => {
        this.#isPolling = false
        this.#pollAfter(nextMs)
      })
    })
  }

  /** Asks once. What is not answered leaves everything as it was. @returns when to ask again */
  async #poll(): Promise<number> {
    const { queue } = this.#options
    let states: ReadonlyMap<string, JobState>
    try {
      states = await queue.status([...this.#jobs.keys()])
    } catch (error) {
      this.#report('status', `${messageOf(error)} (going on with what was known before)`)
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

  #learn(slot: Slot, state: JobState): void {
    slot.state = state
    if (state.status === 'running') slot.runningSince ??= this.#options.clock.now()
    if (state.status !== 'ended') return
    if (!slot.isLinked) this.#end(slot, state.reason)
    else this.#options.clock.after(LINK_AFTER_END_MS, () => this.#end(slot, state.reason))
  }

  #linkChanged(slot: Slot, event: 'in' | 'out' | 'left'): void {
    slot.isLinked = event === 'in'
    slot.wasLinked = true
    if (event === 'left') this.#end(slot, 'it left')
    else if (event === 'out' && slot.state.status === 'ended') this.#end(slot, slot.state.reason)
    else if (event === 'out' && !slot.isOver) this.#pollSoon()
  }

  // --- ending

  #kill(slot: Slot): void {
    if (slot.isOver) return
    if (slot.jobId === undefined) this.#end(slot, 'it was called off')
    else if (!this.#killing.includes(slot) && this.#killing.push(slot) === 1)
      this.#options.clock.after(BATCH_MS, () => void this.#cancelKilled())
  }

  async #cancelKilled(): Promise<void> {
    const { queue } = this.#options
    const slots = this.#killing
    this.#killing = []
    await this.#try(queue.cancel(slots.map(({ jobId }) => jobId as string)))
    for (const slot of slots) this.#end(slot, 'its job was ended')
  }

  /** Cancels, if that can be done now; a job that is left ends by itself, when its worker finds no run. */
  #try(cancelling: PromiseLike<void>, ms = PATIENCE_MS): Promise<void> {
    const done = Promise.resolve(cancelling).then(
      () => this.#report('cancel'),
      (error: unknown) => this.#report('cancel', messageOf(error)),
    )
    return this.#atMost(ms, done)
  }

  /** Waits for something, but not longer than that: a system that does not answer must not hold up the run's end. */
  async #atMost(ms: number, action: Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#options.clock.after(ms, resolve)
    await Promise.race([action, promise])
    cancel()
  }

  #end(slot: Slot, reason: string): void {
    if (slot.isOver) return
    slot.isOver = true
    const { queue } = this.#options
    const { jobId } = slot
    // One that is being submitted just now is cancelled when its id is known.
    this.#waiting = this.#waiting.filter((waiting) => waiting !== slot)
    if (jobId === undefined) {
      slot.exit.resolve({ reason, lastOutput: '' })
      return
    }
    this.#jobs.delete(jobId)
    void queue.lastOutputOf(jobId).then((lastOutput) => {
      slot.exit.resolve({ reason: `${reason}; ${queue.name} job ${jobId}`, lastOutput })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancelSubmit?.()
    this.#cancelPoll?.()
    // What failed before is of no more interest.
    this.#troubles.clear()
    // What is accepted in this very moment would else come after the cancelling.
    const { queue, clock } = this.#options
    const begun = clock.now()
    await this.#atMost(PATIENCE_MS, this.#submitting ?? Promise.resolve())
    const jobIds = [...this.#jobs.keys()]
    for (const slot of [...this.#waiting, ...this.#jobs.values()]) this.#end(slot, 'the run is over')
    const left = Math.max(0, PATIENCE_MS - (clock.now() - begun))
    if (jobIds.length > 0) await this.#try(queue.cancel(jobIds), left)
    await this.#try(queue[Symbol.asyncDispose]())
  }

  // --- what is told

  /** @param trouble what went wrong with it; absent: nothing did */
  #report(what: 'submit' | 'status' | 'cancel', trouble?: string): void {
    const { onReport, queue, clock } = this.#options
    if (trouble === undefined) this.#troubles.delete(what)
    else this.#troubles.set(what, trouble)
    const jobs = [...this.#jobs.values()]
    const counts = new Map<string, number>()
    for (const { state, since } of jobs) {
      if (state.status !== 'pending' || clock.now() - since < QUIET_MS) continue
      counts.set(state.reason, (counts.get(state.reason) ?? 0) + 1)
    }
    const absent = jobs.filter(
      ({ wasLinked, runningSince = Number.POSITIVE_INFINITY }) => !wasLinked && clock.now() - runningSince >= ABSENT_MS,
    )
    const count = (status: JobState['status']) => jobs.filter(({ state }) => state.status === status).length
    const report: JobsReport = {
      queue: queue.name,
      waiting: this.#waiting.length,
      pending: count('pending'),
      running: count('running'),
      reasons: [...counts].map(([reason, count]) => ({ reason, count })).sort((a, b) => b.count - a.count),
      ...(absent.length === 0
        ? {}
        : { absent: { count: absent.length, logFile: queue.logFileOf(absent[0]?.jobId as string) } }),
      ...(this.#troubles.size === 0 ? {} : { trouble: [...this.#troubles.values()].join('; ') }),
    }
    const text = JSON.stringify(report)
    if (text === this.#lastReport) return
    this.#lastReport = text
    onReport?.(report)
  }
}

const backoff = (failures: number): number => Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** failures)
