import { BlockwiseError, messageOf } from '../../core/errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { JobQueue } from '../../ports/job-queue.ts'
import type { JobSlot } from './job-slot.ts'

/** Workers requested within this time are submitted together. */
const BATCH_MS = 20
const FIRST_RETRY_MS = 1000
const MAX_RETRY_MS = 60_000
/** After this many unanswered submissions in a row, about four minutes, the workers that wait for them fail. */
const MAX_UNANSWERED = 8
/** After this many refusals in a row, about an hour, a run that has had jobs, but has none left, gives up. */
const MAX_REFUSED = 60

/** The owner of a {@link JobSubmitter}. */
export interface SubmitterOwner {
  /** Whether any submitted job is not known to be over. */
  hasJobs(): boolean
  submitted(slot: JobSlot, jobId: string): void
  /** The job of this worker can't be submitted. @param isRefused the batch system refuses it, instead of not answering */
  failed(slot: JobSlot, reason: string, isRefused: boolean): void
  /** A submission succeeded or failed. @param trouble why it failed */
  reportSubmission(trouble?: string): void
}

/** Submits the jobs of workers, many at a time, and tries again while the batch system does not answer. */
export class JobSubmitter {
  readonly #queue: JobQueue
  readonly #clock: Clock
  readonly #owner: SubmitterOwner
  /** To be submitted, in this order. */
  #waiting: JobSlot[] = []
  #submitting: Promise<void> | undefined
  #cancelTimer: (() => void) | undefined
  #unanswered = 0
  #refused = 0
  #hasHadJobs = false
  #isClosed = false

  constructor(queue: JobQueue, clock: Clock, owner: SubmitterOwner) {
    this.#queue = queue
    this.#clock = clock
    this.#owner = owner
  }

  /** Workers whose jobs are not submitted yet. */
  get waiting(): readonly JobSlot[] {
    return this.#waiting
  }

  add(slot: JobSlot): void {
    this.#waiting.push(slot)
    this.#submitAfter(BATCH_MS)
  }

  /** Forgets a worker. If it is being submitted, it is still reported as submitted. */
  remove(slot: JobSlot): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting !== slot)
  }

  /** Submits nothing more. Resolves when a submission in progress has ended. */
  close(): Promise<void> {
    this.#isClosed = true
    this.#cancelTimer?.()
    return this.#submitting ?? Promise.resolve()
  }

  #submitAfter(ms: number): void {
    if (this.#cancelTimer !== undefined || this.#submitting !== undefined || this.#isClosed) return
    this.#cancelTimer = this.#clock.after(ms, () => {
      this.#cancelTimer = undefined
      this.#submitting = this.#submitWaiting().then((retryMs) => {
        this.#submitting = undefined
        if (this.#waiting.length > 0) this.#submitAfter(retryMs)
      })
    })
  }

  /** Submits all waiting workers, together if the system accepts that many. @returns when to submit the remaining ones */
  async #submitWaiting(): Promise<number> {
    let size = this.#waiting.length
    while (this.#waiting.length > 0 && !this.#isClosed) {
      const slots = this.#waiting.slice(0, size)
      try {
        const ids = await this.#queue.submit(slots.map(({ name }) => name))
        this.#unanswered = 0
        this.#refused = 0
        this.#hasHadJobs = true
        for (const [index, slot] of slots.entries()) {
          this.remove(slot)
          this.#owner.submitted(slot, ids[index] as string)
        }
      } catch (error) {
        const isRefused = error instanceof BlockwiseError && error.code === 'JOB_REFUSED'
        if (isRefused && slots.length > 1) {
          // The reason may be a limit on the number of jobs, so try fewer.
          size = Math.floor(slots.length / 2)
          continue
        }
        const retryMs = this.#retryAfter(error, isRefused)
        if (retryMs !== undefined) return retryMs
      }
    }
    this.#owner.reportSubmission()
    return BATCH_MS
  }

  /** @returns when to try again; undefined if the waiting workers have failed */
  #retryAfter(error: unknown, isRefused: boolean): number | undefined {
    const reason = messageOf(error)
    this.#owner.reportSubmission(reason)
    // A place may become free when one of the accepted jobs ends, or another job of the user.
    if (isRefused && (this.#owner.hasJobs() || (this.#hasHadJobs && ++this.#refused < MAX_REFUSED))) return MAX_RETRY_MS
    if (!isRefused && ++this.#unanswered < MAX_UNANSWERED) return backoff(this.#unanswered)
    this.#unanswered = 0
    for (const slot of [...this.#waiting]) this.#owner.failed(slot, reason, isRefused)
    return undefined
  }
}

/** How long to wait after so many failures in a row, in milliseconds. */
export const backoff = (failures: number): number => Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** failures)
