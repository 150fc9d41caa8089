import { describeControl } from '../control/control-text.ts'
import type { BlockFailure, ControlEvent, ResetTask, RunCondition, RunEvent } from '../events.ts'
import { createBlockGrid } from '../grid/block-grid.ts'
import { isInBox, splitIndex } from '../grid/index-box.ts'
import { conditionOf, type RunFacts } from '../progress/run-condition.ts'
import { reasonOf } from '../text/error-reason.ts'
import { describeBadHost } from '../workers/host-health.ts'
import { describeStall } from '../workers/stall.ts'
import { BlockHistory } from './block-history.ts'
import { MAX_MAPPED_BLOCKS } from './cell-map.ts'
import type { BlocksFrame } from './history-frames.ts'
import { type BoardTask, type IdleBlocks, RunBoard } from './run-board.ts'
import {
  type BlockDetails,
  type FailureSummary,
  MAX_FAILURES,
  MAX_MESSAGE,
  MAX_NOTES,
  type Note,
  type RunSummary,
  type TaskSummary,
} from './summary.ts'
import { remainingSeconds, TaskPace } from './task-pace.ts'
import { WorkerRoster } from './worker-roster.ts'

/** The events of a run that the page shows, besides those of blocks that are leased, done or returned. */
export type PictureEvent =
  | Extract<
      RunEvent,
      {
        type:
          | 'worker-started'
          | 'worker-died'
          | 'worker-paused'
          | 'worker-stalled'
          | 'host-failing'
          | 'worker-usage'
          | 'worker-ended'
          | 'task-abandoned'
          | 'store'
          | 'warning'
      }
    >
  | (Extract<RunEvent, { type: 'block-retried' }> & {
      /** How long the log of its worker was then; absent if it is not known. */
      readonly logBytes?: number
    })
  | {
      readonly type: 'block-failed'
      readonly taskId: string
      readonly logBytes?: number
      readonly failure: Pick<BlockFailure, 'index' | 'error' | 'attempts' | 'workerId'>
    }
  | ControlEvent
  | Pick<Extract<RunEvent, { type: 'run-finished' }>, 'type' | 'ok'>

/** A report of one failed attempt, whose duration is not known. */
const FAILED_BLOCK = { count: 1, completed: 0, ms: 0 }
/** Further failures are only counted. */
const MAX_KEPT_FAILURES = 10_000

/**
 * A picture of a run, derived from its events: the states of its blocks, its workers, its failures and its speed. Times are in
 * ms since 1970.
 */
export class RunPicture {
  readonly board: RunBoard
  readonly #ids: readonly string[]
  /** How many blocks each task has along each axis. */
  readonly #shapes: readonly (readonly number[])[]
  /** How long blocks took and which worker did them, over all starts. */
  readonly history: BlockHistory
  #paces: TaskPace[] = []
  /** Why a task was abandoned, by its number. */
  #errors = new Map<number, string>()
  #workers = new WorkerRoster()
  #failures = new Map<string, FailureSummary>()
  /** How long the log of its worker was when an attempt failed, by task, block and attempt. */
  #logPlaces = new Map<string, number>()
  #notes: Note[] = []
  #isRunning = false
  #isRemoved = false
  #isRecorded = false
  #lastEnd: RunFacts['lastEnd'] = 'unknown'
  #started: number | undefined
  #latest = 0

  constructor(tasks: readonly BoardTask[]) {
    this.board = new RunBoard(tasks)
    this.#ids = tasks.map(({ id }) => id)
    const grids = tasks.map(createBlockGrid)
    this.#shapes = grids.map(({ shape }) => shape)
    this.history = new BlockHistory(grids.map(({ blockCount }) => (blockCount <= MAX_MAPPED_BLOCKS ? blockCount : 0)))
    this.#clear()
  }

  get condition(): RunCondition {
    return conditionOf({
      isHeld: this.#isRunning,
      lastEnd: this.#lastEnd,
      isRecorded: this.#isRecorded,
      tasks: this.board.counts,
    })
  }

  /** Whether the run's folder was removed. */
  get isRemoved(): boolean {
    return this.#isRemoved
  }

  /** The run was started. @param done bitmaps of the blocks that were done before, by task @param idle of those that need not run */
  begin(time: number, done: readonly (Uint8Array | undefined)[], idle: readonly IdleBlocks[] = []): void {
    this.board.begin(done, idle)
    this.#clear()
    this.#started = time
    this.#latest = time
    this.#isRunning = true
    this.#isRecorded = false
    this.#lastEnd = 'unreported'
  }

  /**
   * The run has ended, and its record decides what is done. Blocks that are done, but not known to be from this start, were
   * done before.
   */
  settle(done: readonly (Uint8Array | undefined)[], failures: readonly FailureSummary[]): void {
    this.board.settle(done)
    this.end()
    this.#isRecorded = true
    for (const task of this.#errors.keys()) this.board.abandon(task)
    this.#failures = new Map()
    for (const failure of failures) this.#fail(failure)
  }

  /**
   * The run has ended, and its record can't be read, so its events still count.
   * @param isRemoved whether its folder was removed
   */
  end(isRemoved = false): void {
    for (const { task, index } of this.#workers.dropLeases()) this.board.giveBack(task, index)
    this.#workers.disconnectAll()
    this.#isRunning = false
    this.#isRemoved = isRemoved
  }

  blocks({ kind, task, indices, ms }: BlocksFrame, time: number, workerId: string): void {
    if (this.#ids[task] === undefined) return
    this.#latest = Math.max(this.#latest, time)
    switch (kind) {
      case 'leased':
        this.#paces[task]?.begin(this.#secondsAt(time))
        this.#workers.lease(workerId, task, indices, time)
        for (const index of indices) this.board.lease(task, index)
        return
      case 'done':
        this.#workers.report(
          workerId,
          { count: indices.length, completed: indices.length, ms: ms.reduce((sum, one) => sum + one, 0) },
          time,
        )
        this.#paces[task]?.add(this.#secondsAt(time), ms)
        this.history.add(task, indices, ms, workerId)
        for (let i = 0; i < indices.length; i++) this.board.complete(task, indices[i] as number, ms[i] === 0)
        return
      case 'returned':
        this.#workers.takeBack(workerId, task, indices, time)
        for (const index of indices) this.board.giveBack(task, index)
        return
      default:
        kind satisfies never
    }
  }

  event(event: PictureEvent, time: number): void {
    this.#latest = Math.max(this.#latest, time)
    switch (event.type) {
      case 'worker-started':
      case 'worker-usage':
        this.#workers.note(event, time)
        return
      case 'worker-died':
        this.#workers.end(event.workerId, time, { reason: event.reason })
        this.#addNote(time, `Worker ${event.workerId} ended: ${event.reason}`)
        return
      case 'worker-paused':
        this.#addNote(time, pauseText(event))
        return
      case 'worker-stalled':
        // Otherwise the attempt fails for this reason, and the note says so.
        if (event.action === 'report') this.#addNote(time, `${describeStall(event)}, at worker ${event.workerId}`)
        return
      case 'host-failing':
        this.#addNote(time, describeBadHost(event))
        return
      case 'worker-ended':
        this.#workers.end(event.workerId, time, { use: event })
        return
      case 'block-retried': {
        const { taskId, index, workerId, attempt, error, logBytes } = event
        this.#keepLogPlace(this.#ids.indexOf(taskId), index, attempt, logBytes)
        this.#workers.report(workerId, FAILED_BLOCK, time)
        this.board.giveBack(this.#ids.indexOf(taskId), index)
        this.#addNote(time, `${taskId}/${index}: attempt ${attempt} failed: ${reasonOf(error.message)}`)
        return
      }
      case 'block-failed': {
        const { index, error, attempts, workerId } = event.failure
        const task = this.#ids.indexOf(event.taskId)
        this.#workers.report(workerId, FAILED_BLOCK, time)
        this.#keepLogPlace(task, index, attempts, event.logBytes)
        this.#fail({ task, index, message: error.message, code: error.code, attempts, workerId, time })
        return
      }
      case 'task-abandoned': {
        const task = this.#ids.indexOf(event.taskId)
        this.board.abandon(task)
        this.#errors.set(task, event.error.message)
        return
      }
      case 'store':
      case 'warning':
        this.#addNote(time, event.message)
        return
      case 'stopping':
        this.#addNote(time, `The run is ${describeControl(event)}.`)
        return
      case 'scaled':
        this.#addNote(time, `The run has ${describeControl(event)}.`)
        return
      case 'retried':
        this.#retry(event.taskId === undefined ? undefined : this.#ids.indexOf(event.taskId))
        this.#addNote(time, `On request: ${describeControl(event)}.`)
        return
      case 'reset':
        this.#forget(event.tasks)
        this.#addNote(time, `On request: ${describeControl(event)}.`)
        return
      case 'run-finished':
        this.#isRunning = false
        this.#lastEnd = event.ok ? 'ok' : 'incomplete'
        this.#workers.disconnectAll()
        return
      default:
        // A later version of Bellis may write more.
        event satisfies never
    }
  }

  details(task: number, index: number): BlockDetails {
    const failure = this.#failures.get(`${task}/${index}`)
    if (failure !== undefined) {
      return { error: failure.message, attempts: failure.attempts, workerId: failure.workerId }
    }
    const workerId = this.#workers.holderOf(task, index)
    return workerId === undefined ? this.history.of(task, index) : { workerId }
  }

  /** How long the log of its worker was when an attempt at a block failed, bytes, if that is known. */
  logPlace(task: number, index: number, attempt: number): number | undefined {
    return this.#logPlaces.get(`${task}/${index}/${attempt}`)
  }

  /** The path of a worker's log, if it writes to a file. */
  logFile(workerId: string): string | undefined {
    return this.#workers.logFile(workerId)
  }

  /** @param time now, by the run's clock, milliseconds since 1970 @param volumes see {@link RunSummary.volumes} */
  summary(time: number, volumes: number): RunSummary {
    const isRunning = this.#isRunning
    const now = isRunning ? Math.max(time, this.#latest) : this.#latest
    const seconds = Math.max(0, this.#secondsAt(now))
    for (const pace of this.#paces) pace.advance(seconds)
    const tasks = this.board.counts.map((count, number): TaskSummary => {
      const error = this.#errors.get(number)
      return {
        ...count,
        ...(this.#paces[number] as TaskPace).summary(seconds, isRunning),
        ...(error === undefined ? {} : { error: shortened(error) }),
      }
    })
    const { workers, workerCounts } = this.#workers.summary(Math.max(now, this.#latest))
    const running = workers.flatMap(({ task, since = now }) => (task === undefined ? [] : [{ task, ms: now - since }]))
    const etaSeconds = isRunning ? remainingSeconds(tasks, workerCounts.busy, running) : undefined
    return {
      condition: this.condition,
      isRemoved: this.#isRemoved,
      now,
      ...(this.#started === undefined ? {} : { started: this.#started }),
      ...(this.#started === undefined || isRunning ? {} : { ended: this.#latest }),
      seconds,
      ...(etaSeconds === undefined ? {} : { etaSeconds }),
      tasks,
      stepSeconds: Math.max(...this.#paces.map(({ stepSeconds }) => stepSeconds)),
      workers,
      workerCounts,
      failures: [...this.#failures.values()]
        .slice(-MAX_FAILURES)
        .reverse()
        .map((failure) => ({ ...failure, message: shortened(failure.message) })),
      notes: this.#notes.toReversed(),
      volumes,
    }
  }

  /** Forgets an earlier start, but not how long its blocks took. */
  #clear(): void {
    this.#paces = this.#ids.map(() => new TaskPace())
    this.#errors = new Map()
    this.#workers = new WorkerRoster()
    this.#failures = new Map()
    this.#logPlaces = new Map()
    this.#notes = []
  }

  #keepLogPlace(task: number, index: number, attempt: number, bytes: number | undefined): void {
    if (bytes !== undefined && this.#logPlaces.size < MAX_KEPT_FAILURES)
      this.#logPlaces.set(`${task}/${index}/${attempt}`, bytes)
  }

  #secondsAt(time: number): number {
    return (time - (this.#started ?? time)) / 1000
  }

  #fail(failure: FailureSummary): void {
    this.board.fail(failure.task, failure.index)
    if (this.#failures.size < MAX_KEPT_FAILURES) this.#failures.set(`${failure.task}/${failure.index}`, failure)
  }

  #retry(task: number | undefined): void {
    this.board.reopen({ failedOf: task })
    const isChosen = (number: number) => task === undefined || number === task
    for (const [key, failure] of this.#failures) if (isChosen(failure.task)) this.#failures.delete(key)
    for (const number of this.#errors.keys()) if (isChosen(number)) this.#errors.delete(number)
  }

  #forget(tasks: readonly ResetTask[]): void {
    const boxes = this.#ids.map((id) => tasks.find((task) => task.id === id)?.boxes ?? [])
    this.board.reopen({ boxes })
    const at: number[] = []
    for (const [key, { task, index }] of this.#failures) {
      splitIndex(index, this.#shapes[task] ?? [], at)
      if (boxes[task]?.some((box) => isInBox(at, box))) this.#failures.delete(key)
    }
  }

  #addNote(time: number, text: string): void {
    this.#notes.push({ time, text: shortened(text) })
    if (this.#notes.length > MAX_NOTES) this.#notes.shift()
  }
}

const pauseText = ({ workerId, leases, pauseMs }: Extract<PictureEvent, { type: 'worker-paused' }>): string =>
  `Worker ${workerId} finished none of the blocks of its last ${leases} leases, and gets none for ${pauseMs / 1000} s`

const shortened = (text: string): string => (text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)} …` : text)
