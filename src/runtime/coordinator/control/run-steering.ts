import type { ControlCommand } from '../../../core/control/commands.ts'
import { chooseDismissed, type Dismissable } from '../../../core/control/dismissal.ts'
import { ConfigError } from '../../../core/errors.ts'
import type { ControlEvent } from '../../../core/events.ts'
import type { Dispatcher } from '../dispatcher.ts'
import type { LeaseBook } from '../lease-book.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import type { MemoryRetries } from '../workers/memory-retries.ts'
import type { Worker } from '../workers/pool.ts'
import type { WorkerDepartures } from '../workers/worker-departures.ts'
import type { WorkerLives } from '../workers/worker-lives.ts'
import type { WorkerResources } from '../workers/worker-resources.ts'
import type { Autoscale } from './autoscale.ts'
import type { BlockReset } from './block-reset.ts'
import { type RetryParts, retryBlocks } from './retry-blocks.ts'

export interface SteeringParts extends RetryParts {
  readonly book: LeaseBook
  readonly lives: WorkerLives
  readonly dispatcher: Dispatcher
  readonly resources: WorkerResources
  readonly departures: WorkerDepartures
  readonly resets: BlockReset
  readonly memory: MemoryRetries
  readonly autoscale: Autoscale
}

/** Carries out the commands of users for a running run. */
export class RunSteering {
  readonly #run: RunningPipeline
  readonly #parts: SteeringParts

  constructor(run: RunningPipeline, parts: SteeringParts) {
    this.#run = run
    this.#parts = parts
  }

  /** @returns what happened, which is reported as an event, too @throws ConfigError if the run can't do that; nothing was changed then */
  carryOut(command: ControlCommand): ControlEvent {
    switch (command.type) {
      case 'stop':
        return this.#stop(command.now)
      case 'scale':
        return this.#scale(command.workers, command.least)
      case 'retry': {
        this.#assertRunning()
        const retried = retryBlocks(this.#run, this.#parts, command)
        this.#parts.dispatcher.handOut()
        return retried
      }
      case 'reset': {
        this.#assertRunning()
        this.#parts.memory.giveBackAll()
        const reset = this.#parts.resets.reset(command)
        this.#parts.dispatcher.handOut()
        return reset
      }
      default:
        return command satisfies never
    }
  }

  /** The first time as Ctrl-C does; the second time, or with `now`, at once. */
  #stop(now: boolean): ControlEvent {
    if (this.#run.phase === 'finishing') {
      throw new ConfigError('NOT_RUNNING', 'All blocks of the run have ended, and it is about to end itself.')
    }
    const isSecond = this.#run.phase === 'stopping'
    this.#run.control.stop()
    if (!isSecond && !now) return { type: 'stopping', now: false }
    const stopping = { type: 'stopping', now: true } as const
    this.#run.events.emit(stopping)
    this.#parts.departures.endAll()
    return stopping
  }

  /** @param least fewer, down to this many, if there is less work @default always as many as `most` */
  #scale(most: number, least = most): ControlEvent {
    this.#assertRunning()
    const { autoscale, crew } = this.#parts
    if (this.#run.pools.every(({ launcher }) => launcher === undefined)) {
      throw new ConfigError(
        'UNSUPPORTED',
        'The run starts no workers itself (--pool none): add workers with bellis worker, and end them with Ctrl-C there.',
      )
    }
    return this.resize(
      autoscale.setRange({ least, most }, crew.limit),
      least === most ? {} : { range: { least, most } },
    )
  }

  /** Makes the run have this many workers. @param more what the event says besides */
  resize(
    workers: number,
    more: Pick<Extract<ControlEvent, { type: 'scaled' }>, 'range' | 'isByItself'> = {},
  ): ControlEvent {
    const { crew, dispatcher, resources } = this.#parts
    const pools = this.#run.pools.filter(({ launcher }) => launcher !== undefined)
    const before = crew.limit
    crew.setLimit(workers)
    for (const pool of pools) {
      const staff = crew
        .staff(pool)
        .map((worker) => ({ worker, number: worker.number, activity: this.#activityOf(worker) }))
      for (const { worker } of chooseDismissed(staff, staff.length - workers)) crew.dismiss(worker)
      crew.fill(pool)
    }
    const most = Math.min(...pools.map(({ tasks }) => resources.mostAtWork(tasks)))
    const scaled: ControlEvent = { type: 'scaled', workers, before, ...(most < workers ? { most } : {}), ...more }
    this.#run.events.emit(scaled)
    dispatcher.handOut()
    return scaled
  }

  #activityOf(worker: Worker): Dismissable['activity'] {
    const { book, lives } = this.#parts
    if (book.leasesOf(worker).length > 0) return 'busy'
    return lives.isReady(worker) ? 'idle' : 'starting'
  }

  #assertRunning(): void {
    if (this.#run.phase === 'running') return
    throw new ConfigError('NOT_RUNNING', 'The run is about to end; the same command continues it.')
  }
}
