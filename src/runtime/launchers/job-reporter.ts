import type { JobsReport } from '../../core/events.ts'
import type { Clock } from '../../ports/clock.ts'
import type { JobQueue, JobState } from '../../ports/job-queue.ts'
import type { JobSlot } from './job-slot.ts'

/** Jobs that have been pending for less are not reported with their reason. */
const QUIET_MS = 5000
/** A worker that has not connected this long after its job started is reported as absent. */
const ABSENT_MS = 20_000

export type JobAction = 'submit' | 'status' | 'cancel'

/** The workers to report. */
export interface ReportedJobs {
  /** Not submitted yet. */
  readonly waiting: number
  /** Submitted and not known to be over. */
  readonly jobs: readonly JobSlot[]
}

/** Reports the state of a run's jobs whenever it has changed. */
export class JobReporter {
  readonly #queue: JobQueue
  readonly #clock: Clock
  readonly #onReport: (report: JobsReport) => void
  /** The last failure of each action that has not succeeded since. */
  readonly #troubles = new Map<JobAction, string>()
  #last = ''

  constructor(queue: JobQueue, clock: Clock, onReport: (report: JobsReport) => void) {
    this.#queue = queue
    this.#clock = clock
    this.#onReport = onReport
  }

  /** @param trouble why the action failed; absent if it succeeded */
  report(action: JobAction, reported: ReportedJobs, trouble?: string): void {
    if (trouble === undefined) this.#troubles.delete(action)
    else this.#troubles.set(action, trouble)
    const report = this.#describe(reported)
    const text = JSON.stringify(report)
    if (text === this.#last) return
    this.#last = text
    this.#onReport(report)
  }

  /** Forgets all failures: the run is ending. */
  clear(): void {
    this.#troubles.clear()
  }

  #describe({ waiting, jobs }: ReportedJobs): JobsReport {
    const count = (status: JobState['status']) => jobs.filter(({ state }) => state.status === status).length
    const absent = this.#absentIn(jobs)
    return {
      queue: this.#queue.name,
      waiting,
      pending: count('pending'),
      running: count('running'),
      reasons: this.#reasonsOf(jobs),
      ...(absent.length === 0
        ? {}
        : { absent: { count: absent.length, logFile: this.#queue.logFileOf(absent[0]?.jobId as string) } }),
      ...(this.#troubles.size === 0 ? {} : { trouble: [...this.#troubles.values()].join('; ') }),
    }
  }

  /** Why jobs are pending, the most frequent reason first. */
  #reasonsOf(jobs: readonly JobSlot[]): JobsReport['reasons'] {
    const counts = new Map<string, number>()
    for (const { state, since } of jobs) {
      if (state.status !== 'pending' || this.#clock.now() - since < QUIET_MS) continue
      counts.set(state.reason, (counts.get(state.reason) ?? 0) + 1)
    }
    return [...counts].map(([reason, count]) => ({ reason, count })).sort((a, b) => b.count - a.count)
  }

  #absentIn(jobs: readonly JobSlot[]): JobSlot[] {
    const now = this.#clock.now()
    return jobs.filter(
      ({ wasConnected, runningSince = Number.POSITIVE_INFINITY }) => !wasConnected && now - runningSince >= ABSENT_MS,
    )
  }
}
