import type { ErrorCode, WireError } from '../../core/errors.ts'
import type { BlockFailure } from '../../core/events.ts'
import type { Outcome } from '../../core/protocol/messages.ts'
import { OUTCOME_CODE } from '../../core/scheduling/block-scheduler.ts'
import type { CommonFailure } from '../../core/workers/failure-streak.ts'
import { messageAndPlace } from '../tasks/error-place.ts'
import type { Lease } from './lease-book.ts'
import type { RunTally } from './run-tally.ts'
import type { RunningPipeline } from './running-pipeline.ts'
import type { TransientArrays } from './transient-arrays.ts'
import type { HostWatch } from './workers/health/host-watch.ts'
import type { LaunchedWorkers } from './workers/launched-workers.ts'
import type { RunningTask, Worker } from './workers/pool.ts'
import type { WorkerConnections } from './workers/worker-connections.ts'

/** Errors that end the run, since every other block would fail in the same way. */
const FATAL: ReadonlySet<ErrorCode> = new Set(['DISK_FULL', 'UNAUTHORIZED'])

/** At most this many failures of a task are kept with their errors; further ones are only counted. */
const MAX_FAILURES = 10_000

export interface LedgerParts {
  readonly tally: RunTally
  readonly transients: TransientArrays
  readonly connections: WorkerConnections
  readonly launched: LaunchedWorkers
  readonly hosts: HostWatch
}

/** Books the outcomes of blocks: in the scheduler, in the record, and as events. */
export class BlockLedger {
  readonly #run: RunningPipeline
  readonly #parts: LedgerParts

  constructor(run: RunningPipeline, parts: LedgerParts) {
    this.#run = run
    this.#parts = parts
  }

  /** A worker has reported blocks of a lease. @param from position in the lease of the block with the first outcome */
  take(worker: Worker, { task, blocks, finished }: Lease, from: number, outcomes: readonly Outcome[]): void {
    const done: number[] = []
    const times: number[] = []
    const returned: number[] = []
    const codes = new Uint8Array(outcomes.length)
    const ended: number[] = []
    let workingMs = 0
    for (let at = 0; at < outcomes.length; at++) {
      const index = blocks[from + at] as number
      if (finished?.has(index)) continue
      const isDoomed = this.#run.scheduler.forgetting.isDoomed(task.number, index)
      const outcome: Outcome = isDoomed ? { status: 'returned' } : (outcomes[at] as Outcome)
      if ('ms' in outcome) workingMs += outcome.ms
      switch (outcome.status) {
        case 'done':
          task.averageMs = average(task.averageMs, outcome.ms)
          done.push(index)
          times.push(outcome.ms)
          task.durations.add(outcome.ms)
          task.streak.end()
          break
        case 'skipped':
          done.push(index)
          times.push(0)
          break
        case 'returned':
          returned.push(index)
          break
        case 'failed':
          this.fail(worker, task, index, outcome.error, outcome.ms)
          continue
        default:
          outcome satisfies never
      }
      codes[ended.length] = OUTCOME_CODE[outcome.status]
      ended.push(index)
    }
    if (ended.length > 0) this.#run.scheduler.releaseMany(task.number, ended, ended.length, codes)
    this.#noteSpan(task, workingMs)
    this.#parts.tally.countBlocks(worker, done.length, workingMs)
    if (done.length > 0) this.#parts.hosts.note(worker, { done: done.length })
    if (done.length > 0) {
      task.restartsInARow = task.pool.restartsInARow = 0
      task.deathsInARow = task.pool.deathsInARow = 0
      if (task.suspects.size > 0) for (const index of done) task.suspects.delete(index)
      this.#run.options.progress?.recorder.recordCompleted(task.number, done)
      this.#run.events.emit({ type: 'blocks-done', taskId: task.id, indices: done, ms: times, workerId: worker.id })
    }
    this.#reportReturned(task, returned, worker)
    this.#parts.transients.collect()
    this.#parts.tally.reportProgress()
  }

  /** @param workingMs what the blocks that have just been reported took, one after the other */
  #noteSpan(task: RunningTask, workingMs: number): void {
    const end = this.#run.options.clock.now()
    task.span = { start: Math.min(task.span?.start ?? end, end - workingMs), end }
  }

  /** Returns blocks without a completed attempt. @param from the worker that they were leased to, if any */
  giveBack(task: RunningTask, indices: readonly number[], from?: Worker): void {
    if (indices.length === 0) return
    this.#run.scheduler.releaseMany(task.number, indices, indices.length, 'returned')
    if (from !== undefined) this.#reportReturned(task, indices, from)
  }

  #reportReturned(task: RunningTask, indices: readonly number[], { id }: Worker): void {
    if (indices.length > 0) {
      this.#run.events.emit({ type: 'blocks-returned', taskId: task.id, indices, workerId: id })
    }
  }

  /** An attempt of a block has failed. @param ms how long it took, if that is known */
  fail(worker: Worker, task: RunningTask, index: number, error: WireError, ms = 0): void {
    if (FATAL.has(error.code)) {
      this.#run.fatal ??= error
      this.giveBack(task, [index], worker)
      this.#run.control.stop()
      return
    }
    // What is left of a lease fails in the same way; it is not an attempt that anyone waits for.
    if (task.error !== undefined) {
      this.giveBack(task, [index], worker)
      return
    }
    if (this.#run.scheduler.forgetting.isDoomed(task.number, index)) {
      this.giveBack(task, [index], worker)
      return
    }
    this.#parts.hosts.note(worker, { failed: 1 })
    const attempts = this.#run.scheduler.task(task.number).failedAttempts(index) + 1
    this.#run.scheduler.releaseMany(task.number, [index], 1, 'failed')
    const workerId = worker.id
    const isFinal = this.#run.scheduler.task(task.number).blockState(index) === 'failed'
    this.#run.options.progress?.recorder.recordFailure({
      task: task.number,
      block: index,
      attempt: attempts,
      isFinal,
      error,
      workerId,
      host: this.#parts.connections.hostOf(worker),
      durationMs: ms,
      time: this.#run.options.clock.date(),
    })
    if (isFinal) {
      const logFile = this.#parts.launched.logFileOf(worker)
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
      if (error.code === 'OUT_OF_MEMORY') this.#run.control.ranOutOfMemory(worker, task, index)
    }
    task.streak.add(error)
    if (task.streak.length >= task.maxFailures) this.#run.abandon(task, describeStreak(task))
    this.#parts.tally.reportProgress()
  }
}

function describeStreak({ streak }: RunningTask): string {
  const { count, example } = streak.mostCommon() as CommonFailure<WireError>
  const error = messageAndPlace(example.message, example.stack)
  const which = count === streak.length ? 'all with the same error' : `${count} of them with this error`
  return `${streak.length} attempts in a row failed, and no block was completed in between; ${which}: ${error}. Remove the cause and start the same command again; --max-failures (maxFailures) sets another limit.`
}

const average = (before: number | undefined, ms: number): number =>
  before === undefined ? ms : before * 0.9 + ms * 0.1
