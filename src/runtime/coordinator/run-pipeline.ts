import { toWireError } from '../../core/errors.ts'
import type { PlannedPipeline } from '../tasks/planned-task.ts'
import { BlockLedger } from './block-ledger.ts'
import { Leases } from './leases.ts'
import type { ProgressRecorder } from './progress-recorder.ts'
import type { RunPipelineOptions } from './run-options.ts'
import type { RunResult } from './run-result.ts'
import { RunTally } from './run-tally.ts'
import { type RunControl, RunningPipeline } from './running-pipeline.ts'
import { TransientArrays } from './transient-arrays.ts'
import type { RunningTask } from './workers/session.ts'
import { SessionSaver } from './workers/session-saver.ts'
import { WorkerDepartures } from './workers/worker-departures.ts'
import { WorkerLinks } from './workers/worker-links.ts'
import { WorkerRestarts } from './workers/worker-restarts.ts'

export type { RunPipelineOptions, RunProgress } from './run-options.ts'
export type { RunResult, TaskResult, WorkersResult } from './run-result.ts'

/** How long a run that was stopped waits for a store that is out of reach. */
const LAST_FLUSH_MS = 5000

/** Runs a planned pipeline to its end, whatever happens to its workers. Outputs must exist already. */
export function runPipeline(pipeline: PlannedPipeline, options: RunPipelineOptions): Promise<RunResult> {
  return new Coordinator(pipeline, options).run()
}

/** Puts the parts of a run together, and sees it to its end. */
class Coordinator implements RunControl {
  readonly #run: RunningPipeline
  readonly #tally: RunTally
  readonly #leases: Leases
  readonly #saver: SessionSaver
  readonly #transients: TransientArrays
  readonly #restarts: WorkerRestarts
  readonly #departures: WorkerDepartures
  readonly #links: WorkerLinks
  #isEnding = false
  #settle: (result: RunResult) => void = () => {}

  constructor(pipeline: PlannedPipeline, options: RunPipelineOptions) {
    this.#run = new RunningPipeline(pipeline, options, this)
    this.#tally = new RunTally(this.#run)
    this.#saver = new SessionSaver(this.#run)
    this.#transients = new TransientArrays(this.#run)
    this.#leases = new Leases(this.#run, new BlockLedger(this.#run, this.#tally, this.#transients), this.#tally, {
      endWorker: (session, reason) => this.#departures.endWorker(session, reason),
      onChange: () => this.#saver.note(),
    })
    this.#restarts = new WorkerRestarts(this.#run, (pool) => this.#links.start(pool))
    this.#departures = new WorkerDepartures(this.#run, this.#leases, this.#restarts, this.#tally)
    this.#links = new WorkerLinks(this.#run, this.#leases, this.#departures)
  }

  async run(): Promise<RunResult> {
    const { promise, resolve } = Promise.withResolvers<RunResult>()
    this.#settle = resolve
    const { signal, workers } = this.#run.options
    this.#tally.tellStart()
    const stop = () => this.stop()
    if (signal?.aborted) this.#run.phase = 'stopping'
    signal?.addEventListener('abort', stop, { once: true })
    this.#followStore()
    const awaited = this.#saver.restore(this.#leases, this.#departures)
    this.#run.options.listener?.onArrival((channel, hello) => this.#links.arrive(channel, hello))
    for (const pool of this.#run.pools) {
      if (pool.launcher === undefined) continue
      const blocks = pool.tasks.reduce((sum, task) => sum + this.#blocksLeft(task), 0)
      const most = Math.min(workers, blocks, this.#leases.mostAtWork(pool.tasks))
      for (let started = awaited; started < most; started++) this.#links.start(pool)
    }
    this.finishIfDone()
    try {
      return await promise
    } finally {
      signal?.removeEventListener('abort', stop)
      for (const part of [
        this.#tally,
        this.#transients,
        this.#leases,
        this.#departures,
        this.#links,
        this.#saver,
        this.#restarts,
      ])
        part[Symbol.dispose]()
    }
  }

  #blocksLeft({ number }: RunningTask): number {
    const { total, completed } = this.#run.scheduler.task(number).counts()
    return total - completed
  }

  /** Nothing is handed out while what is done can't be written down, and when that fails for good the run stops. */
  #followStore(): void {
    const { progress } = this.#run.options
    const fail = () => {
      this.#run.fatal ??= toWireError(progress?.failed.reason, 'IO_ERROR')
      this.stop()
    }
    if (progress?.failed.aborted) fail()
    progress?.failed.addEventListener('abort', fail, { once: true })
    let wasLost = false
    progress?.onLink((link) => {
      this.#run.isPaused = link.status !== 'back'
      if (link.status === 'lost' || (link.status === 'back' && wasLost)) {
        wasLost = link.status === 'lost'
        this.#run.events.emit({ type: 'store', ...link })
      }
      // Those that have come back with nothing left to do meanwhile, too.
      for (const session of this.#run.sessions.values()) this.#leases.feed(session)
      this.#leases.handOut()
    })
  }

  stop(): void {
    if (this.#run.phase !== 'running') return
    this.#run.phase = 'stopping'
    this.#departures.drain()
    this.finishIfDone()
  }

  finishIfDone(): void {
    if (this.#run.phase === 'running' && this.#run.scheduler.isFinished()) {
      this.#run.phase = 'finishing'
      this.#departures.drain()
    }
    if (this.#run.phase === 'running' || this.#run.sessions.size > 0 || this.#isEnding) return
    this.#isEnding = true
    void this.#flushAndEnd(this.#run.options.progress?.recorder)
  }

  /** What a result calls done is written down. */
  async #flushAndEnd(recorder: ProgressRecorder | undefined): Promise<void> {
    using patience = this.#patience()
    try {
      await recorder?.flush({ signal: patience.signal })
      await this.#transients.finish()
    } catch (error) {
      this.#run.fatal ??= toWireError(error, 'IO_ERROR')
    }
    this.#end()
  }

  /** A run that has come to its end waits for its store as it did all the time; one that is stopped, for a moment. */
  #patience(): Disposable & { readonly signal: AbortSignal } {
    const { signal: stopped, clock } = this.#run.options
    const out = new AbortController()
    let cancel = () => {}
    const begin = () => {
      cancel = clock.after(LAST_FLUSH_MS, () => out.abort())
    }
    if (this.#run.phase === 'stopping') begin()
    else stopped?.addEventListener('abort', begin, { once: true })
    return {
      signal: out.signal,
      [Symbol.dispose]() {
        stopped?.removeEventListener('abort', begin)
        cancel()
      },
    }
  }

  #end(): void {
    this.#saver.clear()
    this.#settle(this.#tally.end())
  }
}
