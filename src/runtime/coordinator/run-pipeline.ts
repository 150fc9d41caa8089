import type { ControlCommand } from '../../core/control/commands.ts'
import { ConfigError, toWireError } from '../../core/errors.ts'
import type { ControlEvent, StoreStatus } from '../../core/events.ts'
import { describeStall, type Stall } from '../../core/workers/stall.ts'
import { isKillable, type WorkerEvent } from '../../core/workers/worker-state.ts'
import type { PlannedPipeline } from '../tasks/planned-task.ts'
import { BlockLedger } from './block-ledger.ts'
import { Autoscale } from './control/autoscale.ts'
import { BlockReset } from './control/block-reset.ts'
import { Crew } from './control/crew.ts'
import { RunSteering } from './control/run-steering.ts'
import { Dispatcher } from './dispatcher.ts'
import { LeaseBook } from './lease-book.ts'
import { Leases } from './leases.ts'
import type { ProgressRecorder } from './progress-recorder.ts'
import type { RunPipelineOptions } from './run-options.ts'
import type { RunResult } from './run-result.ts'
import { RunTally } from './run-tally.ts'
import { type RunControl, RunningPipeline } from './running-pipeline.ts'
import { TransientArrays } from './transient-arrays.ts'
import { WorkerRests } from './worker-rests.ts'
import { Heartbeats } from './workers/health/heartbeats.ts'
import { HostWatch } from './workers/health/host-watch.ts'
import { StallWatch } from './workers/health/stall-watch.ts'
import { TimeLimits } from './workers/health/time-limits.ts'
import { LaunchedWorkers } from './workers/launched-workers.ts'
import { MemoryRetries } from './workers/memory-retries.ts'
import type { Pool, RunningTask, Worker } from './workers/pool.ts'
import { SessionSaver } from './workers/session-saver.ts'
import { TaskSetups } from './workers/task-setups.ts'
import { WorkerConnections } from './workers/worker-connections.ts'
import { WorkerDepartures } from './workers/worker-departures.ts'
import { WorkerLinks } from './workers/worker-links.ts'
import { WorkerLives } from './workers/worker-lives.ts'
import { WorkerResources } from './workers/worker-resources.ts'
import { WorkerRestarts } from './workers/worker-restarts.ts'

/** How long a stopped run waits for a record that can't be reached. */
const LAST_FLUSH_MS = 5000

/** Runs a planned pipeline to its end, even if workers fail. Outputs must exist already. */
export function runPipeline(pipeline: PlannedPipeline, options: RunPipelineOptions): Promise<RunResult> {
  return new Coordinator(pipeline, options).run()
}

/** The parts of a run that know its workers and blocks. Each is built from those before it. */
function createBase(run: RunningPipeline) {
  const book = new LeaseBook()
  const connections = new WorkerConnections()
  const heartbeats = new Heartbeats(run, book, connections)
  const setups = new TaskSetups()
  const launched = new LaunchedWorkers()
  const resources = new WorkerResources(run.options.resources, run.tasks)
  const crew = new Crew(run, resources)
  const transients = new TransientArrays(run)
  const tally = new RunTally(run, book)
  const lives = new WorkerLives(run, book, connections)
  const timeLimits = new TimeLimits(run, book, setups)
  const stalls = new StallWatch(run, book, setups, heartbeats)
  const rests = new WorkerRests(run, connections)
  const saver = new SessionSaver(run, book, connections, launched)
  const hosts = new HostWatch(run, { connections, crew })
  const ledger = new BlockLedger(run, { tally, transients, connections, launched, hosts })
  return {
    ...{ book, connections, heartbeats, setups, launched, resources, crew, transients, tally, lives, timeLimits },
    ...{ stalls, rests, saver, hosts, ledger },
  }
}

/** All parts of a run. Each is built from those before it, and reports later events to the others through `RunControl`. */
function createParts(run: RunningPipeline) {
  const base = createBase(run)
  const { book, lives } = base
  const leases = new Leases(run, base)
  const memory = new MemoryRetries(run, { ...base, leases })
  const dispatcher = new Dispatcher(run, { ...base, leases, memory })
  const restarts = new WorkerRestarts(run, base)
  const shared = { ...base, leases, memory, dispatcher }
  const departures = new WorkerDepartures(run, { ...shared, restarts })
  const links = new WorkerLinks(run, shared)
  const resets = new BlockReset(run, shared)
  const resize = (workers: number) => void steering.resize(workers, { isByItself: true })
  const autoscale = new Autoscale(run, { book, lives }, resize)
  const steering: RunSteering = new RunSteering(run, { ...shared, autoscale, departures, resets })
  return { ...shared, restarts, departures, links, resets, autoscale, steering }
}

/** Runs a pipeline from its start to its end. */
export class Coordinator implements RunControl {
  /** What its parts share. */
  readonly shared: RunningPipeline
  readonly parts: ReturnType<typeof createParts>
  readonly #ended = Promise.withResolvers<RunResult>()
  /** Aborted when the run is to stop, for whatever reason. */
  readonly #stopping = new AbortController()
  #isEnding = false

  constructor(pipeline: PlannedPipeline, options: RunPipelineOptions) {
    this.shared = new RunningPipeline(pipeline, options, this)
    this.parts = createParts(this.shared)
  }

  async run(): Promise<RunResult> {
    const { signal, listener } = this.shared.options
    const {
      tally,
      transients,
      dispatcher,
      departures,
      links,
      heartbeats,
      stalls,
      lives,
      rests,
      saver,
      restarts,
      autoscale,
    } = this.parts
    tally.reportStart()
    const stop = () => this.turn(() => this.stop())
    if (signal?.aborted) this.stop()
    signal?.addEventListener('abort', stop, { once: true })
    this.#stopIfFailed(this.shared.options.failed)
    this.#followRecord()
    this.turn(() => {
      this.#restoreWorkers()
      listener?.onArrival((channel, join) => links.arrive(channel, join))
      for (const pool of this.shared.pools) this.parts.crew.fill(pool)
      autoscale.start()
    })
    this.shared.options.commands?.onCommand((command) => this.#carryOut(command))
    try {
      return await this.#ended.promise
    } finally {
      signal?.removeEventListener('abort', stop)
      for (const part of [
        tally,
        transients,
        dispatcher,
        departures,
        heartbeats,
        stalls,
        lives,
        rests,
        saver,
        restarts,
        autoscale,
      ])
        part[Symbol.dispose]()
    }
  }

  /** Expects the workers of an earlier start to reconnect; they keep their blocks meanwhile. */
  #restoreWorkers(): void {
    const { connections, leases, lives, saver } = this.parts
    for (const { worker, host, leases: held } of saver.restore()) {
      connections.restore(worker, host)
      lives.expect(worker)
      for (const lease of held) leases.restore(worker, lease)
    }
    // If nothing is left to do, nothing is written.
    if (!this.shared.scheduler.isFinished()) leases.allowHeld()
  }

  /** While the record can't be written, no blocks are handed out; if the record fails permanently, the run stops. */
  #followRecord(): void {
    const { progress } = this.shared.options
    if (progress === undefined) return
    this.#stopIfFailed(progress.failed)
    let wasLost = false
    progress.onRecordStatus((status: StoreStatus) => {
      this.shared.isPaused = status.status !== 'back'
      if (status.status === 'lost' || (status.status === 'back' && wasLost)) {
        wasLost = status.status === 'lost'
        this.shared.events.emit({ type: 'store', ...status })
      }
      this.turn(() => {
        // Includes workers that became idle meanwhile.
        for (const worker of this.shared.workers.values()) this.parts.dispatcher.feed(worker)
        this.parts.dispatcher.handOut()
      })
    })
  }

  #stopIfFailed(failed: AbortSignal | undefined): void {
    const fail = () => {
      this.shared.fatal ??= toWireError(failed?.reason, 'IO_ERROR')
      this.turn(() => this.stop())
    }
    if (failed?.aborted) fail()
    failed?.addEventListener('abort', fail, { once: true })
  }

  turn(act: () => void): void {
    act()
    this.parts.resets.releaseIfClear()
    this.#finishIfDone()
  }

  handle(worker: Worker, event: WorkerEvent): void {
    this.turn(() => this.parts.departures.handle(worker, event))
  }

  takeOverdue(worker: Worker, took: string): void {
    this.#takeFrom(worker, 'BLOCK_TIMEOUT', took, isKillable(worker.origin))
  }

  takeStalled(worker: Worker, stall: Stall): void {
    const { onStall = 'end' } = this.shared.options
    const action = onStall === 'end' && !isKillable(worker.origin) ? 'move' : onStall
    this.shared.events.emit({ type: 'worker-stalled', ...stall, action })
    if (action !== 'report') this.#takeFrom(worker, 'BLOCK_STALLED', describeStall(stall), action === 'end')
  }

  /** @param why for users @param isEnding whether the worker is ended, rather than asked to drop its leases */
  #takeFrom(worker: Worker, code: 'BLOCK_TIMEOUT' | 'BLOCK_STALLED', why: string, isEnding: boolean): void {
    if (isEnding) {
      this.handle(worker, { type: 'end', reason: { code, message: `${why}; its worker ${worker.id} was ended.` } })
      return
    }
    this.turn(() => {
      this.parts.leases.revoke(worker, code, why)
      this.parts.dispatcher.handOut()
    })
  }

  ranOutOfMemory(worker: Worker, task: RunningTask, index: number): void {
    this.parts.memory.hold(worker, task, index)
  }

  feed(worker: Worker): void {
    this.turn(() => {
      this.parts.dispatcher.feed(worker)
      this.parts.dispatcher.handOut()
    })
  }

  start(pool: Pool): void {
    this.parts.links.start(pool)
  }

  stop(): void {
    this.#stopping.abort()
    if (this.shared.phase !== 'running') return
    this.shared.phase = 'stopping'
    this.parts.memory.giveBackAll()
    if (this.shared.fatal === undefined) this.shared.events.emit({ type: 'stopping', now: false })
    this.parts.departures.drain()
  }

  async #carryOut(command: ControlCommand): Promise<ControlEvent> {
    if (this.#isEnding) throw new ConfigError('NOT_RUNNING', 'The run has just ended.')
    let event: ControlEvent | undefined
    this.turn(() => {
      event = this.parts.steering.carryOut(command)
    })
    // What the user is told stays true if the run is killed now.
    if (command.type === 'reset') await this.parts.resets.recorded
    return event as ControlEvent
  }

  #finishIfDone(): void {
    if (this.shared.phase === 'running' && this.shared.scheduler.isFinished()) {
      this.shared.phase = 'finishing'
      this.parts.departures.drain()
    }
    if (this.shared.phase === 'running' || this.shared.workers.size > 0 || this.#isEnding) return
    this.#isEnding = true
    void this.#flushAndEnd(this.shared.options.progress?.recorder)
  }

  /** Flushes the record first, so that it contains all blocks that the result counts as done. */
  async #flushAndEnd(recorder: ProgressRecorder | undefined): Promise<void> {
    using patience = this.#patience()
    try {
      await recorder?.flush({ signal: patience.signal })
      await this.parts.transients.finish()
    } catch (error) {
      this.shared.fatal ??= toWireError(error, 'IO_ERROR')
    }
    this.parts.saver.clear()
    this.#ended.resolve(this.parts.tally.end())
  }

  /** A run that has reached its end waits for its record as long as necessary; a stopped one waits only briefly. */
  #patience(): Disposable & { readonly signal: AbortSignal } {
    const { clock } = this.shared.options
    const stopped = this.#stopping.signal
    const out = new AbortController()
    let cancel = () => {}
    const limit = () => {
      cancel = clock.after(LAST_FLUSH_MS, () => out.abort())
    }
    if (this.shared.phase === 'stopping') limit()
    else stopped.addEventListener('abort', limit, { once: true })
    return {
      signal: out.signal,
      [Symbol.dispose]() {
        stopped.removeEventListener('abort', limit)
        cancel()
      },
    }
  }
}
