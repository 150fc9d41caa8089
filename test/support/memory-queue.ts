import { InfrastructureError } from '../../src/core/errors.ts'
import type { JobQueue, JobState } from '../../src/ports/job-queue.ts'

/** A batch system in memory. The test controls its jobs, and which calls fail. */
export class MemoryQueue implements JobQueue {
  readonly name = 'memory'
  /** Every submission, accepted or not. */
  readonly submissions: (readonly string[])[] = []
  /** Every call of `cancel`. */
  readonly cancelled: (readonly string[])[] = []
  readonly states = new Map<string, JobState>()
  /** The worker of each job, by job id. */
  readonly workers = new Map<string, string>()
  statusCalls = 0
  /** The error that each call throws, by name. */
  failing: Partial<Record<'submit' | 'status' | 'cancel', 'JOB_REFUSED' | 'QUEUE_UNAVAILABLE'>> = {}
  /** A submission of more jobs than this is refused. */
  maxJobs = Number.POSITIVE_INFINITY
  /** The names of calls that never return. */
  readonly hanging = new Set<'submit' | 'status' | 'cancel'>()
  /** What submissions wait for. */
  gate: Promise<void> = Promise.resolve()
  disposed = 0

  async check(): Promise<void> {}

  async submit(names: readonly string[]): Promise<readonly string[]> {
    this.submissions.push(names)
    await this.gate
    await this.#call('submit')
    const live = [...this.states.values()].filter(({ status }) => status !== 'ended').length
    if (live + names.length > this.maxJobs) throw new InfrastructureError('JOB_REFUSED', 'too many jobs')
    return names.map((name, index) => {
      const id = `${this.submissions.length}_${index}`
      this.states.set(id, { status: 'pending', reason: 'Resources' })
      this.workers.set(id, name)
      return id
    })
  }

  async status(ids: readonly string[]): Promise<ReadonlyMap<string, JobState>> {
    this.statusCalls++
    await this.#call('status')
    return new Map(ids.map((id) => [id, this.states.get(id) ?? { status: 'ended', reason: 'gone' }]))
  }

  async cancel(ids: readonly string[]): Promise<void> {
    this.cancelled.push(ids)
    await this.#call('cancel')
    for (const id of ids) this.states.set(id, { status: 'ended', reason: 'cancelled' })
  }

  logFileOf(id: string): string {
    return `logs/${id}.log`
  }

  async lastOutputOf(id: string): Promise<string> {
    return `said by ${id}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed++
  }

  async #call(what: 'submit' | 'status' | 'cancel'): Promise<void> {
    if (this.hanging.has(what)) await new Promise(() => {})
    const code = this.failing[what]
    if (code !== undefined) throw new InfrastructureError(code, `${what} failed`)
  }
}
