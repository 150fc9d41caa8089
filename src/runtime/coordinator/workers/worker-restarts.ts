import type { WorkerExit } from '../../../ports/worker-launcher.ts'
import { messageAndPlace } from '../../tasks/error-place.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import type { Pool, RunningTask, Session } from './session.ts'

const FIRST_RESTART_MS = 100
const MAX_RESTART_MS = 30_000

/** Replaces workers that have ended: later each time, and not for ever. */
export class WorkerRestarts {
  readonly #run: RunningPipeline
  readonly #startWorker: (pool: Pool) => void
  /** Call off restarts that wait for their delay. */
  readonly #waiting = new Set<() => void>()

  constructor(run: RunningPipeline, startWorker: (pool: Pool) => void) {
    this.#run = run
    this.#startWorker = startWorker
  }

  /** @param task that it had blocks of @param isBlamed whether it died, and was not just cut short at the end */
  replace(session: Session, task: RunningTask | undefined, exit: WorkerExit, isBlamed: boolean): void {
    if (isBlamed) this.#tellDeath(session, task, exit)
    else if (this.#run.phase === 'running' && !session.isJoined) {
      // Leaving again and again without a block done is no way to go on, however orderly.
      const hasReason = session.isMissed || session.isMakingRoom
      const wasOfNoUse = session.hadLease && session.completed === 0 && !hasReason
      this.#restartAfter(session, wasOfNoUse ? (this.#restartDelay(session, task, exit) ?? 0) : 0)
    }
  }

  #tellDeath(session: Session, task: RunningTask | undefined, exit: WorkerExit): void {
    const dead = {
      type: 'worker-died',
      workerId: session.id,
      reason: session.killed?.message ?? exit.reason,
      lastOutput: exit.lastOutput,
      ...(task === undefined ? {} : { taskId: task.id }),
    } as const
    // That took a try of its block, so it can't go on for ever; a setup that takes too long could.
    const timedOut = session.killed?.code === 'BLOCK_TIMEOUT' && task !== undefined && session.setUp.has(task)
    const restartMs = session.isJoined ? undefined : timedOut ? 0 : this.#restartDelay(session, task, exit)
    this.#run.events.emit(restartMs === undefined ? dead : { ...dead, restartMs })
    if (restartMs !== undefined) this.#restartAfter(session, restartMs)
  }

  /** How long to wait before a dead worker is replaced; undefined when that was done often enough, and its task abandoned. */
  #restartDelay(session: Session, task: RunningTask | undefined, exit: WorkerExit): number | undefined {
    const { maxWorkerRestarts = 5 } = this.#run.options
    // One that dies without a block at hand is no task's: together these count as long as no task gets on.
    const deaths = task ?? session.pool
    const restarts = deaths.restartsInARow
    // Workers that die together, as when the machine runs out of memory, count once: only one that was started since counts again.
    const counts = session.number >= deaths.countsFrom
    if (!counts || restarts < maxWorkerRestarts) {
      if (counts) {
        deaths.restartsInARow++
        deaths.countsFrom = this.#run.nextWorker
      }
      return Math.min(MAX_RESTART_MS, FIRST_RESTART_MS * 2 ** Math.max(0, counts ? restarts : restarts - 1))
    }
    if (this.#isFineElsewhere(session, task)) return MAX_RESTART_MS
    const blamed = task === undefined ? session.pool.tasks.filter((each) => !this.#run.isOver(each)) : [task]
    const { killed } = session
    const last = killed === undefined ? exit.reason : messageAndPlace(killed.message, killed.stack)
    // What it printed is that same error once more, with its stack.
    const output = killed !== undefined || exit.lastOutput === '' ? '' : `\n${exit.lastOutput}`
    for (const each of blamed) {
      if (each.error !== undefined) continue
      each.error = {
        code: 'TASK_ABANDONED',
        message: `Task "${each.id}" was abandoned: its workers ended ${restarts + 1} times in a row without completing a block; the last one: ${last}${output}`,
      }
      this.#run.scheduler.abandon(each.number)
      this.#run.events.emit({ type: 'task-abandoned', taskId: each.id, error: each.error })
    }
    return session.pool.tasks.every((each) => this.#run.isOver(each)) ? undefined : 0
  }

  /**
   * Whether it was not at a block yet, while another worker of its kind is at one: it may be its machine that has no such data,
   * and a node of a cluster on which all jobs fail at once, so that it is free for the next, must not end what the others do.
   */
  #isFineElsewhere({ pool, setUp }: Session, task: RunningTask | undefined): boolean {
    if (task !== undefined && setUp.has(task)) return false
    const isAtOne = (other: Session) =>
      other.leases.some(({ task: its }) => other.setUp.has(its) && (task === undefined || its === task))
    return [...this.#run.busy].some((other) => other.pool === pool && isAtOne(other))
  }

  #restartAfter({ pool }: Session, ms: number): void {
    const cancel = this.#run.options.clock.after(ms, () => {
      this.#waiting.delete(cancel)
      if (pool.tasks.some((task) => !this.#run.isOver(task))) this.#startWorker(pool)
    })
    this.#waiting.add(cancel)
  }

  [Symbol.dispose](): void {
    for (const cancel of this.#waiting) cancel()
  }
}
