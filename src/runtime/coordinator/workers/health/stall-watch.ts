import { type Stall, setupStallLimit, stallLimit } from '../../../../core/workers/stall.ts'
import type { Lease, LeaseBook } from '../../lease-book.ts'
import type { RunningPipeline } from '../../running-pipeline.ts'
import type { RunningTask, Worker } from '../pool.ts'
import type { TaskSetups } from '../task-setups.ts'
import type { Heartbeats } from './heartbeats.ts'
import { LEAST_SETUP_MS } from './time-limits.ts'

const LONGEST_SWEEP_MS = 10_000
const SHORTEST_SWEEP_MS = 20

/** How far a worker was when it was last looked at. */
interface Sight {
  readonly lease: Lease
  readonly reported: number
  readonly isSetUp: boolean
  readonly beats: number
  /** How long it has been there, as far as this process was running itself, ms. */
  ms: number
  isTold: boolean
}

/**
 * Finds workers that hold blocks and do not advance: their processes were stopped, or what they read does not answer. It looks at
 * them from time to time, so that messages cost nothing more. Only the time between two looks that are not far apart counts: if
 * this process itself was suspended, its workers were not at fault.
 */
export class StallWatch {
  readonly #run: RunningPipeline
  readonly #book: LeaseBook
  readonly #setups: TaskSetups
  readonly #heartbeats: Heartbeats
  readonly #sights = new Map<Worker, Sight>()
  /** How often each worker has said that it advances. */
  readonly #beats = new Map<Worker, number>()
  #lookedAt = 0
  #cancelLook: (() => void) | undefined

  constructor(run: RunningPipeline, book: LeaseBook, setups: TaskSetups, heartbeats: Heartbeats) {
    this.#run = run
    this.#book = book
    this.#setups = setups
    this.#heartbeats = heartbeats
  }

  /** Some worker has been given blocks. */
  start(): void {
    if (this.#cancelLook !== undefined || this.#run.options.stallMs === Number.POSITIVE_INFINITY) return
    this.#lookedAt = this.#run.options.clock.now()
    this.#wait()
  }

  /** A worker advances in its block. */
  noteProgress(worker: Worker): void {
    this.#beats.set(worker, (this.#beats.get(worker) ?? 0) + 1)
  }

  forget(worker: Worker): void {
    this.#sights.delete(worker)
    this.#beats.delete(worker)
  }

  get #everyMs(): number {
    const { stallMs = Number.POSITIVE_INFINITY } = this.#run.options
    return Math.max(SHORTEST_SWEEP_MS, Math.min(LONGEST_SWEEP_MS, stallMs / 4))
  }

  #wait(): void {
    this.#cancelLook = this.#run.options.clock.after(this.#everyMs, () => {
      const now = this.#run.options.clock.now()
      const elapsed = Math.min(now - this.#lookedAt, 2 * this.#everyMs)
      this.#lookedAt = now
      this.#look(elapsed)
      // Not before: the blocks of a stalled worker are given to others meanwhile, which would start a second series of looks.
      this.#cancelLook = undefined
      if (this.#book.busy.size > 0) this.#wait()
      else this.#sights.clear()
    })
  }

  #look(elapsed: number): void {
    for (const worker of this.#sights.keys()) if (!this.#book.busy.has(worker)) this.#sights.delete(worker)
    const times = new Map(this.#run.tasks.map((task) => [task, task.durations.summary()]))
    const stalled: { worker: Worker; stall: Stall }[] = []
    for (const worker of this.#book.busy) {
      const sight = this.#see(worker, elapsed)
      if (sight.isTold || sight.ms < (this.#limitOf(sight, times.get(sight.lease.task)) ?? Number.POSITIVE_INFINITY))
        continue
      sight.isTold = true
      stalled.push({ worker, stall: this.#describe(worker, sight) })
    }
    for (const { worker, stall } of stalled) this.#run.control.takeStalled(worker, stall)
  }

  #see(worker: Worker, elapsed: number): Sight {
    const [lease] = this.#book.leasesOf(worker) as readonly [Lease]
    const now = {
      lease,
      reported: lease.reported,
      isSetUp: this.#setups.isSetUp(worker, lease.task),
      beats: this.#beats.get(worker) ?? 0,
    }
    const before = this.#sights.get(worker)
    if (before !== undefined && isSame(before, now)) {
      before.ms += elapsed
      return before
    }
    const sight = { ...now, ms: 0, isTold: false }
    this.#sights.set(worker, sight)
    return sight
  }

  /** @param times how long the blocks of its task take */
  #limitOf({ lease, reported, isSetUp }: Sight, times = lease.task.durations.summary()): number | undefined {
    const { task } = lease
    const { stallMs, setupTimeoutMs } = this.#run.options
    if (!isSetUp) {
      if (setupTimeoutMs !== undefined) return undefined
      return stallMs === undefined ? setupStallLimit(times) : Math.max(stallMs, LEAST_SETUP_MS)
    }
    return stallMs ?? stallLimit(times, this.#attemptsAt(task, lease.blocks[reported] as number))
  }

  #attemptsAt(task: RunningTask, index: number): number {
    return this.#run.scheduler.task(task.number).failedAttempts(index)
  }

  #describe(worker: Worker, { lease, reported, isSetUp, ms }: Sight): Stall {
    const isAlive = this.#heartbeats.isHeard(worker, ms)
    return {
      workerId: worker.id,
      taskId: lease.task.id,
      ...(isSetUp ? { index: lease.blocks[reported] as number } : {}),
      seconds: ms / 1000,
      ...(isAlive === undefined ? {} : { isAlive }),
    }
  }

  [Symbol.dispose](): void {
    this.#cancelLook?.()
  }
}

const isSame = (one: Omit<Sight, 'ms' | 'isTold'>, other: Omit<Sight, 'ms' | 'isTold'>): boolean =>
  one.lease === other.lease &&
  one.reported === other.reported &&
  one.isSetUp === other.isSetUp &&
  one.beats === other.beats
