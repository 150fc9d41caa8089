import type { ErrorCode, WireError } from '../../core/errors.ts'
import type { BlockFailure } from '../../core/events.ts'
import type { Outcome } from '../../core/protocol/messages.ts'
import { OUTCOME_CODE } from '../../core/scheduling/block-scheduler.ts'
import type { RunTally } from './run-tally.ts'
import type { RunningPipeline } from './running-pipeline.ts'
import type { TransientArrays } from './transient-arrays.ts'
import type { Lease, RunningTask, Session } from './workers/session.ts'

/** Errors after which going on is of no use: every other block would meet them too. */
const FATAL: ReadonlySet<ErrorCode> = new Set(['DISK_FULL'])

/** Failures that are kept with their errors; more are counted. */
const MAX_FAILURES = 10_000

/** What becomes of blocks: told to the scheduler, to the record, and to whoever listens. */
export class BlockLedger {
  readonly #run: RunningPipeline
  readonly #tally: RunTally
  readonly #transients: TransientArrays

  constructor(run: RunningPipeline, tally: RunTally, transients: TransientArrays) {
    this.#run = run
    this.#tally = tally
    this.#transients = transients
  }

  /** Blocks of a lease have ended. @param from the place in the lease of the block that the first outcome is that of */
  take(session: Session, { task, blocks, gone }: Lease, from: number, outcomes: readonly Outcome[]): void {
    const done: number[] = []
    const times: number[] = []
    const returned: number[] = []
    const codes = new Uint8Array(outcomes.length)
    const ended: number[] = []
    for (let at = 0; at < outcomes.length; at++) {
      const outcome = outcomes[at] as Outcome
      const index = blocks[from + at] as number
      if (gone?.has(index)) continue
      if ('ms' in outcome) session.workingMs += outcome.ms
      switch (outcome.status) {
        case 'done':
          task.averageMs = average(task.averageMs, outcome.ms)
          done.push(index)
          times.push(outcome.ms)
          task.durations.add(outcome.ms)
          break
        case 'skipped':
          done.push(index)
          times.push(0)
          break
        case 'returned':
          returned.push(index)
          break
        case 'failed':
          this.fail(session, task, index, outcome.error, outcome.ms)
          continue
        default:
          outcome satisfies never
      }
      codes[ended.length] = OUTCOME_CODE[outcome.status]
      ended.push(index)
    }
    if (ended.length > 0) this.#run.scheduler.releaseMany(task.number, ended, ended.length, codes)
    if (done.length > 0) {
      task.restartsInARow = task.pool.restartsInARow = 0
      if (task.suspects.size > 0) for (const index of done) task.suspects.delete(index)
      session.completed += done.length
      this.#run.options.progress?.recorder.recordCompleted(task.number, done)
      this.#run.events.emit({ type: 'blocks-done', taskId: task.id, indices: done, ms: times, workerId: session.id })
    }
    this.#tellReturned(task, returned, session)
    this.#transients.collect()
    this.#tally.tellProgress()
  }

  /** Blocks that were not begun, or given up in an orderly way. @param from whom they were leased to, if they were */
  giveBack(task: RunningTask, indices: readonly number[], from?: Session): void {
    if (indices.length === 0) return
    this.#run.scheduler.releaseMany(task.number, indices, indices.length, 'returned')
    if (from !== undefined) this.#tellReturned(task, indices, from)
  }

  #tellReturned(task: RunningTask, indices: readonly number[], { id }: Session): void {
    if (indices.length > 0) {
      this.#run.events.emit({ type: 'blocks-returned', taskId: task.id, indices, workerId: id })
    }
  }

  /** A try of a block has failed. @param ms how long the try took, where that is known */
  fail(session: Session, task: RunningTask, index: number, error: WireError, ms = 0): void {
    if (FATAL.has(error.code)) {
      this.#run.fatal ??= error
      this.giveBack(task, [index], session)
      this.#run.control.stop()
      return
    }
    const attempts = this.#run.scheduler.task(task.number).failedAttempts(index) + 1
    this.#run.scheduler.releaseMany(task.number, [index], 1, 'failed')
    const { id: workerId, host } = session
    const isFinal = this.#run.scheduler.task(task.number).blockState(index) === 'failed'
    this.#run.options.progress?.recorder.recordFailure({
      task: task.number,
      block: index,
      attempt: attempts,
      isFinal,
      error,
      workerId,
      host,
      durationMs: ms,
      time: Date.now(),
    })
    if (isFinal) {
      const { logFile } = session.worker ?? {}
      const { readRoi, writeRoi } = task.planned.grid.block(index)
      const failure: BlockFailure = {
        block: `${task.id}/${index}`,
        index,
        readRoi,
        writeRoi,
        error,
        attempts,
        workerId,
        ...(logFile === undefined ? {} : { logFile }),
      }
      if (task.failures.length < MAX_FAILURES) task.failures.push(failure)
      this.#run.events.emit({ type: 'block-failed', taskId: task.id, failure })
    } else {
      this.#run.events.emit({ type: 'block-retried', taskId: task.id, index, workerId, attempt: attempts, error })
    }
    this.#tally.tellProgress()
  }
}

const average = (before: number | undefined, ms: number): number =>
  before === undefined ? ms : before * 0.9 + ms * 0.1
