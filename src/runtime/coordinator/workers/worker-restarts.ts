import { withLastOutput } from '../../../core/text/error-reason.ts'
import { isRequested, type WorkerExit, type WorkerFate } from '../../../core/workers/worker-state.ts'
import { messageAndPlace } from '../../tasks/error-place.ts'
import type { Crew } from '../control/crew.ts'
import type { LeaseBook } from '../lease-book.ts'
import type { RunTally } from '../run-tally.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import type { RunningTask, Worker } from './pool.ts'
import type { TaskSetups } from './task-setups.ts'

const FIRST_RESTART_MS = 100
const MAX_RESTART_MS = 30_000

/** A worker that has ended. */
export interface EndedWorker {
  readonly worker: Worker
  /** The task of its blocks, or the task that it could not set up. */
  readonly task: RunningTask | undefined
  readonly exit: WorkerExit
  readonly fate: WorkerFate
  /** Whether it failed, rather than being interrupted by the end of the run. */
  readonly isBlamed: boolean
  /** Whether it was sent away. */
  readonly isSentAway: boolean
  /** Whether it had joined, and nothing is gained by waiting for another one like it. */
  readonly isUseless: boolean
}

export interface RestartsParts {
  readonly book: LeaseBook
  readonly setups: TaskSetups
  readonly tally: RunTally
  readonly crew: Crew
}

/** Replaces workers that have ended: with a growing delay, and a limited number of times in a row. */
export class WorkerRestarts {
  readonly #run: RunningPipeline
  readonly #parts: RestartsParts
  /** Each cancels a restart that is waiting for its delay. */
  readonly #waiting = new Set<() => void>()

  constructor(run: RunningPipeline, parts: RestartsParts) {
    this.#run = run
    this.#parts = parts
  }

  replace(ended: EndedWorker): void {
    const { worker, fate, isBlamed, isSentAway } = ended
    if (ended.exit.isRefused) this.#abandonRefused(ended)
    else if (isBlamed) this.#reportDeath(ended)
    else if (this.#run.phase === 'running' && isRequested(worker.origin)) {
      // Even an orderly end counts: if workers keep leaving without having done a block, the run does not advance.
      const hasReason = fate.how === 'missed' || isSentAway
      const didNothing = this.#parts.book.hasHadLease(worker) && this.#parts.tally.completedBy(worker) === 0
      this.#restartAfter(worker, didNothing && !hasReason ? (this.#restartDelay(ended) ?? 0) : 0)
    }
    if (ended.isUseless) this.#abandonWithout(ended)
  }

  /** A run that waits for workers to join goes on waiting, unless those that come are of no use. */
  #abandonWithout({ worker, exit, fate }: EndedWorker): void {
    const { pool } = worker
    if (this.#run.phase !== 'running' || pool.launcher !== undefined) return
    if (pool.requested.size + pool.joined.size > 0) return
    const why = `the workers that joined finished none of the blocks that they were given; the last one: ${lastWordsOf(exit, fate)}`
    for (const task of pool.tasks) if (!this.#run.isOver(task)) this.#run.abandon(task, why)
  }

  /** A worker like this one can't be started. With others, the run goes on. */
  #abandonRefused({ worker: { pool }, exit }: EndedWorker): void {
    if (this.#run.phase !== 'running' || pool.requested.size + pool.joined.size > 0) return
    for (const task of pool.tasks) if (!this.#run.isOver(task)) this.#run.abandon(task, exit.reason)
  }

  #reportDeath(ended: EndedWorker): void {
    const { worker, task, exit, fate } = ended
    const reason = fate.how === 'ended' ? fate.reason : undefined
    const dead = {
      type: 'worker-died',
      workerId: worker.id,
      reason: reason?.message ?? exit.reason,
      lastOutput: exit.lastOutput,
      ...(task === undefined ? {} : { taskId: task.id }),
    } as const
    // A block that took too long has used up an attempt, so this ends eventually; set-ups could take too long forever.
    const isOverdue = reason?.code === 'BLOCK_TIMEOUT' || reason?.code === 'BLOCK_STALLED'
    const isBlockTimeout = isOverdue && task !== undefined && this.#parts.setups.isSetUp(worker, task)
    const restartMs = !isRequested(worker.origin) ? undefined : isBlockTimeout ? 0 : this.#restartDelay(ended)
    this.#run.events.emit(restartMs === undefined ? dead : { ...dead, restartMs })
    if (restartMs !== undefined) this.#restartAfter(worker, restartMs)
  }

  /** How long to wait before a worker is replaced, ms; undefined if the limit is reached, so that its tasks are abandoned. */
  #restartDelay({ worker, task, exit, fate }: EndedWorker): number | undefined {
    const { maxWorkerRestarts = 5 } = this.#run.options
    // The death of a worker without blocks counts for its pool; a completed block of any task resets that count.
    const deaths = task ?? worker.pool
    const restarts = deaths.restartsInARow
    deaths.deathsInARow++
    // Workers that die together, for example when the machine runs out of memory, count once; only one started later counts
    // again.
    const counts = worker.number >= deaths.countsFrom
    if (!counts || restarts < maxWorkerRestarts) {
      if (counts) {
        deaths.restartsInARow++
        deaths.countsFrom = this.#run.nextWorker
      }
      return Math.min(MAX_RESTART_MS, FIRST_RESTART_MS * 2 ** Math.max(0, counts ? restarts : restarts - 1))
    }
    if (this.#isFineElsewhere(worker, task)) return MAX_RESTART_MS
    const blamed = task === undefined ? worker.pool.tasks.filter((each) => !this.#run.isOver(each)) : [task]
    this.#abandon(blamed, deaths.deathsInARow, lastWordsOf(exit, fate))
    return worker.pool.tasks.every((each) => this.#run.isOver(each)) ? undefined : 0
  }

  #abandon(tasks: readonly RunningTask[], deaths: number, lastWords: string): void {
    const why = `its workers ended ${deaths} times in a row without completing a block; the last one: ${lastWords}`
    for (const each of tasks) this.#run.abandon(each, why)
  }

  /**
   * Whether the worker had not started a block, while another worker of its pool is running one. Its machine may then be at
   * fault, for example because the data are missing there. On a cluster, a node where every job fails is soon free
   * for the next job; it must not end the run.
   */
  #isFineElsewhere(worker: Worker, task: RunningTask | undefined): boolean {
    const { book, setups } = this.#parts
    if (task !== undefined && setups.isSetUp(worker, task)) return false
    const isRunningOne = (other: Worker) =>
      book.leasesOf(other).some(({ task: its }) => setups.isSetUp(other, its) && (task === undefined || its === task))
    return [...book.busy].some((other) => other.pool === worker.pool && isRunningOne(other))
  }

  #restartAfter({ pool }: Worker, ms: number): void {
    const cancel = this.#run.options.clock.after(ms, () => {
      this.#waiting.delete(cancel)
      const hasWork = pool.tasks.some((task) => !this.#run.isOver(task))
      if (hasWork && this.#parts.crew.hasRoom(pool)) this.#run.control.start(pool)
    })
    this.#waiting.add(cancel)
  }

  [Symbol.dispose](): void {
    for (const cancel of this.#waiting) cancel()
  }
}

/** Describes the end of a worker, for users. */
function lastWordsOf(exit: WorkerExit, fate: WorkerFate): string {
  // Its output would only repeat the error, with its stack.
  if (fate.how === 'ended') return messageAndPlace(fate.reason.message, fate.reason.stack)
  return withLastOutput(exit.reason, exit.lastOutput)
}
