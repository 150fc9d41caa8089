import type { WireError } from '../../core/errors.ts'
import type { Roi } from '../../core/geometry/roi.ts'
import { given } from '../../core/given.ts'
import { gridOptions } from '../../core/grid/grid-options.ts'
import { BlockScheduler } from '../../core/scheduling/block-scheduler.ts'
import { orderTasks } from '../../core/scheduling/pipeline.ts'
import { Durations } from '../../core/workers/durations.ts'
import { FailureStreak } from '../../core/workers/failure-streak.ts'
import type { Stall } from '../../core/workers/stall.ts'
import { isRequested, type WorkerEvent } from '../../core/workers/worker-state.ts'
import type { PlannedPipeline, PlannedTask } from '../tasks/planned-task.ts'
import { hasOwnCheck, isTaskNode } from '../tasks/task-node.ts'
import { EventStream } from './event-stream.ts'
import { memoryRetryOf } from './run-limits.ts'
import type { RunPipelineOptions } from './run-options.ts'
import { createPool, type Pool, type RunningTask, type Worker } from './workers/pool.ts'

/** The receiver of events in the parts of a run: timers, messages, and processes of workers. */
export interface RunControl {
  /** Runs a callback, and ends the run if nothing is left to do. Every callback that acts on the run goes through here. */
  turn(act: () => void): void
  /** Something has happened to a worker. */
  handle(worker: Worker, event: WorkerEvent): void
  /** A worker takes too long. @param took what took how long, for users */
  takeOverdue(worker: Worker, took: string): void
  /** A worker holds blocks and does not advance. */
  takeStalled(worker: Worker, stall: Stall): void
  /** A worker ran out of memory with a block, which will be tried again. */
  ranOutOfMemory(worker: Worker, task: RunningTask, index: number): void
  /** A worker may be given blocks again. */
  feed(worker: Worker): void
  /** Starts a worker. */
  start(pool: Pool): void
  /** Hands out no more blocks, and lets the running ones finish. */
  stop(): void
}

/** The state shared by the parts of a run. */
export class RunningPipeline {
  readonly options: RunPipelineOptions
  readonly control: RunControl
  readonly scheduler: BlockScheduler
  readonly tasks: readonly RunningTask[]
  readonly mostDownstreamFirst: readonly RunningTask[]
  readonly pools: Pool[] = []
  readonly events: EventStream
  /** Workers that were started or have joined and have not ended, by id. */
  readonly workers = new Map<string, Worker>()
  phase: 'running' | 'finishing' | 'stopping' = 'running'
  /** No blocks are handed out for now. */
  isPaused = false
  /** Why the run cannot continue. */
  fatal: WireError | undefined
  /** Read ROIs of blocks that were taken from workers which may still be running them. */
  readonly strayReads: Roi[] = []
  nextLease = 1
  nextWorker = 1
  readonly #startedAt: number

  constructor(pipeline: PlannedPipeline, options: RunPipelineOptions, control: RunControl) {
    this.options = options
    this.control = control
    this.events = options.events ?? new EventStream()
    this.#startedAt = options.clock.now()
    this.scheduler = new BlockScheduler(
      pipeline.tasks.map((task, number) => {
        const done = hasOwnCheck(task.source) ? undefined : options.progress?.recorder.completed(number)
        return {
          id: task.id,
          after: task.after,
          ...gridOptions(task.grid),
          ...(done === undefined ? {} : { done }),
          ...given({
            masked: task.masked,
            leftOut: task.leftOut,
            maxAhead: task.maxAhead,
            maxRetries: task.maxRetries,
          }),
          transient: task.isTransient,
        }
      }),
      options.maxRetries === undefined ? {} : { maxRetries: options.maxRetries },
    )
    this.tasks = pipeline.tasks.map((planned, number) => this.#startTask(planned, number))
    this.mostDownstreamFirst = orderTasks(pipeline.tasks).priority.map((number) => this.tasks[number] as RunningTask)
  }

  #startTask(planned: PlannedTask, number: number): RunningTask {
    const { maxFailures = 300, maxRetries = 2 } = this.options
    const launcher = this.options.launcherOf(planned)
    let pool = this.pools.find((known) => known.launcher === launcher)
    if (pool === undefined) {
      pool = createPool(launcher)
      this.pools.push(pool)
    }
    const task: RunningTask = {
      planned,
      id: planned.id,
      number,
      pool,
      requires: planned.requires,
      restartsInARow: 0,
      deathsInARow: 0,
      countsFrom: 0,
      failures: [],
      durations: new Durations(),
      suspects: new Set(),
      streak: new FailureStreak(),
      maxFailures: Math.max(planned.maxFailures ?? maxFailures, (planned.maxRetries ?? maxRetries) + 1),
      memoryRetry: planned.memoryRetry ?? memoryRetryOf(this.options, planned.id),
      hasWarnedAhead: false,
    }
    pool.tasks.push(task)
    return task
  }

  /** A worker is being started, or has joined. */
  add(worker: Worker): void {
    this.workers.set(worker.id, worker)
    likeOf(worker).add(worker)
  }

  /** A worker has ended. */
  remove(worker: Worker): void {
    this.workers.delete(worker.id)
    likeOf(worker).delete(worker)
  }

  /** Gives up a task: its blocks that have not ended are orphaned. @param why for users */
  abandon(task: RunningTask, why: string): void {
    if (task.error !== undefined) return
    task.error = { code: 'TASK_ABANDONED', message: `Task "${task.id}" was abandoned: ${why}` }
    this.scheduler.abandon(task.number)
    this.events.emit({ type: 'task-abandoned', taskId: task.id, error: task.error })
  }

  /** Seconds since the start of the run. */
  seconds(): number {
    return (this.options.clock.now() - this.#startedAt) / 1000
  }

  /** The pool of workers that join. @param taskId the task that the worker names */
  networkPool(taskId?: string): Pool | undefined {
    const isOfNetwork = ({ planned, id }: RunningTask) =>
      isTaskNode(planned.source) && (taskId === undefined || id === taskId)
    return this.pools.find(({ tasks }) => tasks.some(isOfNetwork))
  }

  isOver(task: RunningTask): boolean {
    return this.scheduler.task(task.number).isFinished
  }
}

const likeOf = ({ pool, origin }: Worker): Set<Worker> => (isRequested(origin) ? pool.requested : pool.joined)
