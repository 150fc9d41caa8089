import type { WireError } from '../../core/errors.ts'
import type { Roi } from '../../core/geometry/roi.ts'
import { gridOptions } from '../../core/grid/grid-options.ts'
import { BlockScheduler } from '../../core/scheduling/block-scheduler.ts'
import { orderTasks } from '../../core/scheduling/pipeline.ts'
import { Durations } from '../../core/workers/durations.ts'
import type { PlannedPipeline, PlannedTask } from '../tasks/planned-task.ts'
import { hasOwnCheck, isTaskNode } from '../tasks/task-node.ts'
import { EventStream } from './event-stream.ts'
import type { RunPipelineOptions } from './run-options.ts'
import { createPool, type Pool, type RunningTask, type Session } from './workers/session.ts'

/** What the parts of a run ask of the run itself. */
export interface RunControl {
  /** Hands out no more blocks, and lets the running ones finish. */
  stop(): void
  /** Ends the run when nothing is left to do, and nobody is left to wait for. */
  finishIfDone(): void
}

/** A pipeline that is run: what the parts of its run have in common. */
export class RunningPipeline {
  readonly options: RunPipelineOptions
  readonly control: RunControl
  readonly scheduler: BlockScheduler
  readonly tasks: readonly RunningTask[]
  readonly mostDownstreamFirst: readonly RunningTask[]
  readonly pools: Pool[] = []
  readonly events: EventStream
  /** Workers that were started, or have come in, and have not ended. */
  readonly sessions = new Map<string, Session>()
  /** Workers that hold a lease. */
  readonly busy = new Set<Session>()
  phase: 'running' | 'finishing' | 'stopping' = 'running'
  /** Nothing is handed out for now. */
  isPaused = false
  /** Why the run can't go on. */
  fatal: WireError | undefined
  /** What blocks read that were taken from workers which may still be at them. */
  readonly strayReads: Roi[] = []
  nextLease = 1
  nextWorker = 1
  readonly #begun: number

  constructor(pipeline: PlannedPipeline, options: RunPipelineOptions, control: RunControl) {
    this.options = options
    this.control = control
    this.events = options.events ?? new EventStream()
    this.#begun = options.clock.now()
    this.scheduler = new BlockScheduler(
      pipeline.tasks.map((task, number) => {
        const done = hasOwnCheck(task.source) ? undefined : options.progress?.recorder.completed(number)
        return {
          id: task.id,
          after: task.after,
          ...gridOptions(task.grid),
          ...(done === undefined ? {} : { done }),
          ...(task.maxAhead === undefined ? {} : { maxAhead: task.maxAhead }),
          transient: task.isTransient,
        }
      }),
      options.maxRetries === undefined ? {} : { maxRetries: options.maxRetries },
    )
    this.tasks = pipeline.tasks.map((planned, number) => this.#startTask(planned, number))
    this.mostDownstreamFirst = orderTasks(pipeline.tasks).priority.map((number) => this.tasks[number] as RunningTask)
  }

  #startTask(planned: PlannedTask, number: number): RunningTask {
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
      countsFrom: 0,
      failures: [],
      durations: new Durations(),
      suspects: new Set(),
      isToldBeyond: false,
    }
    pool.tasks.push(task)
    return task
  }

  /** A worker is started, or has come in. */
  add(session: Session): void {
    this.sessions.set(session.id, session)
    workersLike(session).add(session)
  }

  /** A worker has ended. */
  remove(session: Session): void {
    this.sessions.delete(session.id)
    workersLike(session).delete(session)
  }

  /** Seconds since its start. */
  seconds(): number {
    return (this.options.clock.now() - this.#begun) / 1000
  }

  /** Where workers come in that nobody has started. */
  networkPool(): Pool | undefined {
    return this.pools.find(({ tasks }) => tasks.some(({ planned }) => isTaskNode(planned.source)))
  }

  isOver(task: RunningTask): boolean {
    return this.scheduler.task(task.number).isFinished
  }
}

const workersLike = ({ pool, isJoined }: Session): Set<Session> => (isJoined ? pool.joined : pool.launched)
