import { type ErrorCode, InfrastructureError, messageOf, toWireError, type WireError } from '../core/errors.ts'
import { gridOptions } from '../core/grid/block-grid.ts'
import {
  type Hello,
  type Outcome,
  PROTOCOL_VERSION,
  type ServerMessage,
  type WireRois,
  type WireTask,
} from '../core/protocol/messages.ts'
import { parseWorkerMessage } from '../core/protocol/parse.ts'
import { type DurationSummary, Durations } from '../core/scheduling/durations.ts'
import { leaseSize, MAX_LEASE_BLOCKS } from '../core/scheduling/lease-size.ts'
import { orderTasks } from '../core/scheduling/pipeline.ts'
import { createScheduler, OUTCOME_CODE, type Scheduler } from '../core/scheduling/scheduler.ts'
import type { Channel } from '../ports/channel.ts'
import type { Clock } from '../ports/clock.ts'
import type { Listener } from '../ports/listener.ts'
import type { StoreLink } from '../ports/progress-store.ts'
import type { WorkerExit, WorkerLauncher } from '../ports/worker-launcher.ts'
import type { PlannedPipeline, PlannedTask } from './plan-pipeline.ts'
import type { ProgressRecorder } from './progress-recorder.ts'
import { type BlockFailure, EventStream, type TaskCounts } from './run-events.ts'
import {
  createPool,
  createSession,
  isOnItsOwn,
  type Lease,
  type Pool,
  type RunningTask,
  type SavedSession,
  type Session,
  type SessionKeeper,
  saveSession,
} from './session.ts'

/** How a task ended. */
export interface TaskResult extends TaskCounts {
  readonly blocksPerSecond: number
  readonly voxelsPerSecond: number
  /** How long the blocks of this start took, milliseconds. */
  readonly blockMs: DurationSummary
  /** Blocks that failed for good, in the order in which they did; at most `MAX_FAILURES`. */
  readonly failures: readonly BlockFailure[]
  /** Why the task was given up, when it was. */
  readonly error?: WireError
}

/** What the workers of a run did with their time, and what they needed. */
export interface WorkersResult {
  /** How long they were there, all of them together. */
  readonly seconds: number
  /** How much of that they spent in blocks. */
  readonly workingSeconds: number
  /** Bytes of voxels that they read and wrote. */
  readonly readBytes: number
  readonly writtenBytes: number
  /** The most memory that one of them had, bytes; 0 where none has said it. */
  readonly peakMemory: number
}

export interface RunResult {
  /** Whether every block of every task is completed: that, and nothing weaker. */
  readonly ok: boolean
  /** Whether it was stopped before its end. */
  readonly interrupted: boolean
  readonly seconds: number
  readonly tasks: readonly TaskResult[]
  readonly workers: WorkersResult
  /** What stopped the run before its end, when that was no one's wish: a full disk. The same run can go on after it. */
  readonly error?: WireError
}

/** Errors after which going on is of no use: every other block would meet them too. */
const FATAL: ReadonlySet<ErrorCode> = new Set(['DISK_FULL'])

/** Failures that are kept with their errors; more are counted. */
const MAX_FAILURES = 10_000
/** Blocks shorter than this are handed out one lease ahead, so that no worker waits for the next. */
const AHEAD_MS = 15
/** Progress is told at most this often. */
const PROGRESS_MS = 100
const FIRST_RESTART_MS = 100
const MAX_RESTART_MS = 30_000
/** What a worker that came over a network is asked to be heard at, while it is idle. */
const HEARTBEAT_MS = 10_000
/** Heartbeats that may be missing in a row. */
const MAX_QUIET = 3
/** How long the last messages of a worker that has ended may take to come. */
const LAST_WORDS_MS = 1000
/** How long the end of a run waits for workers whose links are broken just then. */
const FAREWELL_MS = 2000
/** Who is at which block is saved at most this often: blocks that are shorter are not worth it. */
const SAVE_SESSIONS_MS = 200
/** Beyond every number that was given after the last saving. */
const SAVED_GAP = 1_000_000
/** How long the end of a run waits for a store that is out of reach. */
const LAST_FLUSH_MS = 10_000
/** Where blocks have a time limit, setting up has one, too, that loading a large model does not meet. */
const SETUP_TIMEOUT_MS = 600_000
/** How long a worker that was killed may take to be gone before it is given up. */
const KILL_WAIT_MS = 5000

export interface RunPipelineOptions {
  /** Starts the workers of a task; tasks with the same launcher share its workers. undefined: they come by themselves. */
  launcherOf(task: PlannedTask): WorkerLauncher | undefined
  /** Where workers come in that no launcher holds a link to. They do the tasks that have a module. @default nowhere */
  readonly listener?: Listener
  /** Workers in all, for all tasks together. */
  readonly workers: number
  readonly clock: Clock
  /** Further tries of a block that failed. @default 2 */
  readonly maxRetries?: number
  /** What one block may take; its worker is ended then. @default no limit */
  readonly timeoutMs?: number
  /** What setting a task up in a worker may take. @default no limit without `timeoutMs`; with it 600000, or as long as a block */
  readonly setupTimeoutMs?: number
  /** How often in a row a worker that died is replaced without a completed block, before its task is abandoned. @default 5 */
  readonly maxWorkerRestarts?: number
  /** How long a worker whose link ended may take to come back before its blocks go to others. @default 10000 */
  readonly reconnectMs?: number
  /** What relative paths in configurations start from, for workers elsewhere. */
  readonly folder?: string
  /** A block is done when what it wrote is on the disk itself. @default false */
  readonly fsync?: boolean
  /** How workers elsewhere are told a task's module. @default by its URL */
  moduleName?(url: string): string
  /** How long running blocks may go on after `signal`. @default 5000 */
  readonly stopGraceMs?: number
  /** Stops handing out blocks, lets the running ones finish. */
  readonly signal?: AbortSignal
  readonly events?: EventStream
  /** Where it is kept which workers are at which blocks, for a coordinator that is started again. @default nowhere */
  readonly sessions?: SessionKeeper
  /** What was done before, and where it is written down what is done now. @default nothing and nowhere */
  readonly progress?: RunProgress
}

/** The progress of a run, kept somewhere. */
export interface RunProgress {
  readonly recorder: ProgressRecorder
  /** Aborted when it can't be kept any more, with the error as its reason: the run stops. */
  readonly failed: AbortSignal
  /** Has the run told when the store is out of reach: no block is handed out until it is back. */
  onLink(receive: (link: StoreLink) => void): void
}

/** Runs a planned pipeline to its end, whatever happens to its workers. Outputs must exist already. */
export function runPipeline(pipeline: PlannedPipeline, options: RunPipelineOptions): Promise<RunResult> {
  return new Coordinator(pipeline, options).run()
}

class Coordinator {
  readonly #options: RunPipelineOptions
  readonly #scheduler: Scheduler
  readonly #tasks: readonly RunningTask[]
  readonly #mostDownstreamFirst: readonly RunningTask[]
  readonly #acquired = new Float64Array(MAX_LEASE_BLOCKS)
  readonly #pools: Pool[] = []
  readonly #events: EventStream
  readonly #begun: number
  #nextLease = 1
  #nextWorker = 1
  #state: 'running' | 'finishing' | 'stopping' = 'running'
  #cancelProgress: (() => void) | undefined
  #progressDue = false
  #cancelGrace: (() => void) | undefined
  #fatal: WireError | undefined
  #isPaused = false
  readonly #needed = { seconds: 0, readBytes: 0, writtenBytes: 0, peakMemory: 0 }
  #cancelSave: (() => void) | undefined
  #hasSaved = false
  #isEnding = false
  #cancelSweep: (() => void) | undefined
  /** Call off restarts that wait for their delay. */
  readonly #restarts = new Set<() => void>()
  readonly #sessions = new Map<string, Session>()
  /** Workers that hold a lease, and how many of those were started by this run. */
  readonly #busy = new Set<Session>()
  #busyLaunched = 0
  #settle: (result: RunResult) => void = () => {}

  constructor(pipeline: PlannedPipeline, options: RunPipelineOptions) {
    this.#options = options
    this.#events = options.events ?? new EventStream()
    this.#begun = options.clock.now()
    this.#scheduler = createScheduler(
      pipeline.tasks.map((task, number) => {
        const done = hasCheck(task) ? undefined : options.progress?.recorder.completed(number)
        return { id: task.id, after: task.after, ...gridOptions(task.grid), ...(done === undefined ? {} : { done }) }
      }),
      options.maxRetries === undefined ? {} : { maxRetries: options.maxRetries },
    )
    this.#tasks = pipeline.tasks.map((planned, number) => this.#startTask(planned, number))
    this.#mostDownstreamFirst = orderTasks(pipeline.tasks).priority.map((number) => this.#tasks[number] as RunningTask)
  }

  #startTask(planned: PlannedTask, number: number): RunningTask {
    const launcher = this.#options.launcherOf(planned)
    let pool = this.#pools.find((known) => known.launcher === launcher)
    if (pool === undefined) {
      pool = createPool(launcher)
      this.#pools.push(pool)
    }
    const task: RunningTask = {
      planned,
      id: planned.id,
      number,
      pool,
      restartsInARow: 0,
      countsFrom: 0,
      failures: [],
      durations: new Durations(),
      suspects: new Set(),
    }
    pool.tasks.push(task)
    return task
  }

  async run(): Promise<RunResult> {
    const { promise, resolve } = Promise.withResolvers<RunResult>()
    this.#settle = resolve
    const { signal, workers } = this.#options
    this.#events.emit({ type: 'run-started', tasks: this.#counts(), workers })
    const stop = () => this.#stop()
    if (signal?.aborted) this.#state = 'stopping'
    signal?.addEventListener('abort', stop, { once: true })
    this.#followStore()
    const awaited = this.#restoreSessions()
    this.#options.listener?.onArrival((channel, hello) => this.#arrive(channel, hello))
    for (const pool of this.#pools) {
      if (pool.launcher === undefined) continue
      const blocks = pool.tasks.reduce((sum, task) => sum + this.#blocksLeft(task), 0)
      for (let started = awaited; started < Math.min(workers, blocks); started++) this.#startWorker(pool)
    }
    this.#finishIfDone()
    try {
      return await promise
    } finally {
      signal?.removeEventListener('abort', stop)
      this.#cancelProgress?.()
      this.#cancelGrace?.()
      this.#cancelSweep?.()
      this.#cancelSave?.()
      for (const cancel of this.#restarts) cancel()
    }
  }

  #blocksLeft({ id }: RunningTask): number {
    const { total, completed } = this.#scheduler.taskState(id)
    return total - completed
  }

  /** Nothing is handed out while what is done can't be written down, and when that fails for good the run stops. */
  #followStore(): void {
    const { progress } = this.#options
    const fail = () => {
      this.#fatal ??= toWireError(progress?.failed.reason, 'IO_ERROR')
      this.#stop()
    }
    if (progress?.failed.aborted) fail()
    progress?.failed.addEventListener('abort', fail, { once: true })
    progress?.onLink((link) => {
      this.#isPaused = link.status === 'lost'
      this.#events.emit({ type: 'store', ...link })
      this.#handOut()
    })
  }

  /**
   * Expects the workers that were at blocks when an earlier start of the run was killed: their blocks wait for them as they
   * do when a link breaks.
   * @returns how many of them had been started by the run
   */
  #restoreSessions(): number {
    const { sessions, clock, reconnectMs = 10_000 } = this.#options
    const pool = this.#networkPool()
    if (sessions?.saved === undefined || pool === undefined || this.#state !== 'running') return 0
    this.#nextWorker = sessions.saved.nextWorker + SAVED_GAP
    this.#nextLease = sessions.saved.nextLease + SAVED_GAP
    let launched = 0
    for (const saved of sessions.saved.sessions) {
      const leases = saved.leases.flatMap((lease) => this.#restoreLease(lease) ?? [])
      if (leases.length === 0) continue
      const session = createSession(saved.number, saved.key, pool, !saved.wasLaunched, true)
      Object.assign(session, { status: 'away', isRemote: true, host: saved.host })
      pool.sessions.add(session)
      this.#sessions.set(session.id, session)
      for (const lease of leases) {
        this.#addLease(session, lease)
        this.#events.emit({
          type: 'blocks-leased',
          taskId: lease.task.id,
          indices: restOf(lease),
          workerId: session.id,
        })
      }
      if (saved.wasLaunched) launched++
      session.cancelAway = clock.after(reconnectMs, () =>
        this.#endSession(session, { reason: 'it did not come back', lastOutput: '' }),
      )
    }
    return launched
  }

  /** @returns undefined where nothing of it is left to do */
  #restoreLease({ id, taskId, blocks, reported }: SavedSession['leases'][number]): Lease | undefined {
    const task = this.#tasks.find((each) => each.id === taskId)
    if (task === undefined) return undefined
    const gone = new Set<number>()
    for (const [at, index] of blocks.entries()) {
      if (at < reported || this.#scheduler.acquireBlock(taskId, index) === undefined) gone.add(index)
    }
    return gone.size === blocks.length
      ? undefined
      : { id, task, blocks, reported, gone, since: this.#options.clock.now() }
  }

  /** Saves who is at which blocks, of the workers that look for the run by themselves when its coordinator is gone. */
  #noteSessions(): void {
    const { sessions, clock } = this.#options
    if (sessions === undefined || this.#cancelSave !== undefined) return
    this.#cancelSave = clock.after(SAVE_SESSIONS_MS, () => {
      this.#cancelSave = undefined
      const old = clock.now() - SAVE_SESSIONS_MS
      const saved: SavedSession[] = []
      for (const session of this.#busy) {
        if (!session.isRemote || !(isOnItsOwn(session) || session.worker?.onLink)) continue
        const leases = session.leases.filter(({ since }) => since <= old)
        if (leases.length > 0) saved.push(saveSession(session, leases))
        if (leases.length < session.leases.length) this.#noteSessions()
      }
      if (saved.length > 0 || this.#hasSaved) this.#saveSessions(saved)
    })
  }

  #saveSessions(sessions: readonly SavedSession[]): void {
    this.#hasSaved = sessions.length > 0
    this.#options.sessions?.save({ nextWorker: this.#nextWorker, nextLease: this.#nextLease, sessions })
  }

  /** Where workers come in that nobody has started. */
  #networkPool(): Pool | undefined {
    return this.#pools.find(({ tasks }) => tasks.some(({ planned }) => 'kind' in planned.source))
  }

  // --- workers come and go

  #startWorker(pool: Pool): void {
    const { launcher } = pool
    if (this.#state !== 'running' || launcher === undefined) return
    const session = this.#addSession(pool, false)
    launcher.launch(session.id, session.key).then(
      (worker) => {
        session.worker = worker
        void worker.exited.then((exit) => this.#takeExit(session, exit))
        const { channel } = worker
        // Its first message is its hello.
        channel?.onMessage((raw) => this.#guard(session, () => this.#attach(session, channel, asHello(raw), false)))
        if (this.#state !== 'running' || session.status === 'over') worker.kill()
      },
      (error: unknown) => this.#endSession(session, { reason: messageOf(error), lastOutput: '' }),
    )
  }

  #addSession(pool: Pool, isJoined: boolean): Session {
    const key = this.#options.listener?.newSession() ?? ''
    const session = createSession(this.#nextWorker++, key, pool, isJoined)
    pool.sessions.add(session)
    this.#sessions.set(session.id, session)
    return session
  }

  /** A worker has come in by itself: one that was started, one that comes back, or a new one. */
  #arrive(channel: Channel<ServerMessage>, hello: Hello): void {
    const known = hello.worker === undefined ? undefined : this.#sessions.get(hello.worker)
    if (known !== undefined && known.key === hello.session) {
      this.#guard(known, () => this.#attach(known, channel, hello, true))
      return
    }
    const pool = this.#networkPool()
    if (this.#state !== 'running' || pool === undefined) {
      channel.send({ type: 'refused', code: 'RUN_OVER', message: 'This run has nothing left to do.' })
      channel.close()
      return
    }
    const session = this.#addSession(pool, true)
    this.#guard(session, () => this.#attach(session, channel, hello, true))
  }

  #attach(session: Session, channel: Channel<ServerMessage>, hello: Hello, isRemote: boolean): void {
    if (hello.protocol !== PROTOCOL_VERSION) {
      const message = `Worker ${session.id} speaks version ${hello.protocol} of the protocol, this run version ${PROTOCOL_VERSION}; use the same Bellis everywhere.`
      channel.send({ type: 'refused', code: 'PROTOCOL_ERROR', message })
      channel.close()
      throw new InfrastructureError('PROTOCOL_ERROR', message)
    }
    const isFirst = session.status === 'starting' || session.isMissed
    session.isMissed = false
    session.cameAt ??= this.#options.clock.now()
    session.cancelAway?.()
    session.channel?.close()
    session.channel = channel
    session.isRemote = isRemote
    session.status = 'ready'
    session.host = hello.host
    session.wantsRois = hello.rois ?? false
    session.quiet = 0
    session.known.clear()
    if (hello.leases === undefined) {
      // It begins anew: what it had under its name died with it.
      this.#loseLeases(session, { code: 'WORKER_DIED', message: `Worker ${session.id} died and was started again.` })
      session.setUp.clear()
    }
    const named = hello.leases ?? []
    for (const lease of [...session.leases]) {
      if (!named.includes(lease.id)) this.#returnLease(session, lease)
    }
    session.revoked.clear()
    for (const id of named) if (!session.leases.some((lease) => lease.id === id)) session.revoked.add(id)
    void channel.closed.then(() => {
      if (session.channel === channel) this.#linkEnded(session)
    })
    channel.onMessage((raw) => {
      if (session.channel === channel) this.#receive(session, raw)
    })
    channel.send({
      type: 'welcome',
      protocol: PROTOCOL_VERSION,
      workerId: session.id,
      session: session.key,
      heartbeatMs: isRemote ? HEARTBEAT_MS : 0,
      leases: session.leases.map(({ id, reported }) => ({ lease: id, reported })),
    })
    if (this.#state !== 'running') channel.send({ type: 'drain' })
    if (isRemote) this.#startSweep()
    session.worker?.onLink?.('in')
    this.#watchTime(session)
    if (isFirst) {
      const { pid, host } = hello
      const log = session.worker?.logFile === undefined ? {} : { logFile: session.worker.logFile }
      this.#events.emit({ type: 'worker-started', workerId: session.id, pid, host, ...log })
    }
    this.#feed(session)
    this.#handOut()
  }

  #receive(session: Session, raw: unknown): void {
    this.#guard(session, () => {
      const message = parseWorkerMessage(raw)
      session.quiet = 0
      switch (message.type) {
        case 'hello':
          throw new InfrastructureError('PROTOCOL_ERROR', `Worker ${session.id} said hello twice.`)
        case 'task-ready':
          for (const task of session.known) if (task.id === message.taskId) session.setUp.add(task)
          this.#watchTime(session)
          return
        case 'usage':
          session.usage = message
          return
        case 'heartbeat':
          session.channel?.send({ type: 'heartbeat' })
          return
        case 'outcomes':
          this.#takeOutcomes(session, message.lease, message.outcomes)
          break
        case 'dropped':
          session.revoked.delete(message.lease)
          break
        case 'setup-failed':
          session.killed = message.error
          break
        case 'goodbye':
          session.saidGoodbye = true
          this.#loseLeases(session)
          break
        default:
          message satisfies never
      }
      this.#feed(session)
      this.#handOut()
      this.#feedAhead(session)
    })
  }

  /** Does something with what a worker sent; when that was wrong, the worker is sent away. */
  #guard(session: Session, act: () => void): void {
    try {
      act()
    } catch (error) {
      const message = messageOf(error)
      const { channel } = session
      channel?.send({ type: 'refused', code: 'PROTOCOL_ERROR', message })
      this.#endWorker(session, { code: 'PROTOCOL_ERROR', message })
    }
  }

  /** Ends a worker at once, as far as that can be done. */
  #endWorker(session: Session, reason: WireError): void {
    session.killed ??= reason
    const exit = { reason: session.killed.message, lastOutput: '' }
    if (session.worker === undefined) {
      if (isOnItsOwn(session)) this.#endSession(session, exit)
      return
    }
    session.worker.kill()
    session.cancelAway?.()
    session.cancelAway = this.#options.clock.after(KILL_WAIT_MS, () => this.#endSession(session, exit))
  }

  #linkEnded(session: Session): void {
    delete session.channel
    if (session.status === 'over') return
    session.status = 'away'
    this.#forgetIdle(session)
    session.worker?.onLink?.(session.saidGoodbye ? 'left' : 'out')
    const { reconnectMs = 10_000, clock } = this.#options
    if (session.exit !== undefined) {
      this.#endSession(session, session.exit)
    } else if (session.saidGoodbye && isOnItsOwn(session)) {
      this.#endSession(session, { reason: 'it left', lastOutput: '' })
    } else if (isOnItsOwn(session) && this.#state !== 'running' && session.leases.length === 0) {
      this.#waitForFarewell(session)
    } else if (session.isRemote && session.saidGoodbye) {
      // It should be about to exit; something in it may keep it from that.
      session.cancelAway = clock.after(KILL_WAIT_MS, () => session.worker?.kill())
    } else if (session.isRemote && session.killed === undefined) {
      session.cancelAway?.()
      session.cancelAway = clock.after(reconnectMs, () =>
        this.#endWorker(session, {
          code: 'WORKER_DIED',
          message: `Worker ${session.id} on ${session.host} was lost: its connection ended and it did not come back within ${reconnectMs / 1000} s.`,
        }),
      )
    }
    this.#finishIfDone()
  }

  /** One whose link broke just at the end would look for this run for minutes: it is told when it comes back soon. */
  #waitForFarewell(session: Session): void {
    session.cancelAway?.()
    session.cancelAway = this.#options.clock.after(FAREWELL_MS, () =>
      this.#endSession(session, { reason: 'the run ended', lastOutput: '' }),
    )
  }

  /** A started worker has ended; what it sent last may still be on its way. */
  #takeExit(session: Session, exit: WorkerExit): void {
    session.exit = exit
    if (session.channel === undefined || !session.isRemote) {
      this.#endSession(session, exit)
      return
    }
    session.cancelAway?.()
    session.cancelAway = this.#options.clock.after(LAST_WORDS_MS, () => this.#endSession(session, exit))
  }

  #endSession(session: Session, exit: WorkerExit): void {
    if (session.status === 'over') return
    session.status = 'over'
    this.#addNeeds(session)
    session.cancelTimeout?.()
    session.cancelAway?.()
    session.channel?.close()
    session.pool.sessions.delete(session)
    this.#sessions.delete(session.id)
    this.#forgetIdle(session)
    const task = session.leases[0]?.task
    const leftOrderly = session.saidGoodbye && session.killed === undefined
    // At the end of a run no one is to blame for what was cut short.
    const isBlamed = !leftOrderly && !session.isMissed && this.#state === 'running'
    this.#loseLeases(session, isBlamed ? (session.killed ?? deathError(session, exit)) : undefined)
    if (isBlamed) this.#tellDeath(session, task, exit)
    else if (this.#state === 'running' && !session.isJoined) {
      // Leaving again and again without a block done is no way to go on, however orderly.
      const wasOfNoUse = session.hadLease && session.completed === 0 && !session.isMissed
      this.#restartAfter(session, wasOfNoUse ? (this.#restartDelay(session, task, exit) ?? 0) : 0)
    }
    this.#handOut()
    this.#finishIfDone()
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
    this.#events.emit(restartMs === undefined ? dead : { ...dead, restartMs })
    if (restartMs !== undefined) this.#restartAfter(session, restartMs)
  }

  /** How long to wait before a dead worker is replaced; undefined when that was done often enough, and its task abandoned. */
  #restartDelay(session: Session, task: RunningTask | undefined, exit: WorkerExit): number | undefined {
    const { maxWorkerRestarts = 5 } = this.#options
    // A worker that dies without a block at hand is counted for all that it was there for.
    const blamed = task === undefined ? session.pool.tasks.filter((each) => !this.#isOver(each)) : [task]
    const restarts = Math.max(0, ...blamed.map((each) => each.restartsInARow))
    // Workers that die together, as when the machine runs out of memory, count once: only one that was started since counts again.
    const counts = blamed.every((each) => session.number >= each.countsFrom)
    if (!counts || restarts < maxWorkerRestarts) {
      if (counts) {
        for (const each of blamed) {
          each.restartsInARow++
          each.countsFrom = this.#nextWorker
        }
      }
      return Math.min(MAX_RESTART_MS, FIRST_RESTART_MS * 2 ** Math.max(0, counts ? restarts : restarts - 1))
    }
    const last = session.killed?.message ?? exit.reason
    const output = exit.lastOutput === '' ? '' : `\n${exit.lastOutput}`
    for (const each of blamed) {
      if (each.error !== undefined) continue
      each.error = {
        code: 'TASK_ABANDONED',
        message: `Task "${each.id}" was abandoned: its workers ended ${restarts + 1} times in a row without completing a block; the last one: ${last}${output}`,
      }
      this.#scheduler.abandon(each.id)
      this.#events.emit({ type: 'task-abandoned', taskId: each.id, error: each.error })
    }
    return session.pool.tasks.every((each) => this.#isOver(each)) ? undefined : 0
  }

  #restartAfter({ pool }: Session, ms: number): void {
    const cancel = this.#options.clock.after(ms, () => {
      this.#restarts.delete(cancel)
      if (pool.tasks.some((task) => !this.#isOver(task))) this.#startWorker(pool)
    })
    this.#restarts.add(cancel)
  }

  /** Notices idle workers whose machine or network has gone without a word; a busy one has its block's time for that. */
  #startSweep(): void {
    this.#cancelSweep ??= this.#options.clock.after(HEARTBEAT_MS, () => {
      this.#cancelSweep = undefined
      for (const session of this.#sessions.values()) {
        if (!session.isRemote || session.channel === undefined) continue
        if (session.quiet++ >= MAX_QUIET && session.leases.length === 0) session.channel.close()
        this.#startSweep()
      }
    })
  }

  #isOver(task: RunningTask): boolean {
    return this.#scheduler.isTaskFinished(task.id)
  }

  // --- blocks go out and come back

  /** Gives a worker what it needs to go on; one that gets nothing is remembered as idle. */
  #feed(session: Session): void {
    if (session.leases.length === 0) {
      if (!this.#canWork(session)) return
      const isIdle = session.isJoined ? session.pool.idleJoined : session.pool.idleLaunched
      if (this.#hasRoomFor(session) && this.#lease(session)) isIdle.delete(session)
      else isIdle.add(session)
    }
  }

  /** Short blocks are sent one lease ahead, once no worker waits for them. */
  #feedAhead(session: Session): void {
    const [first, second] = session.leases
    if (first === undefined || second !== undefined || !this.#canWork(session)) return
    if ((first.task.averageMs ?? Number.POSITIVE_INFINITY) < AHEAD_MS) this.#lease(session)
  }

  #canWork(session: Session): boolean {
    const isOn = this.#state === 'running' && !this.#isPaused
    return isOn && session.status === 'ready' && session.revoked.size === 0 && !session.saidGoodbye
  }

  #hasRoomFor(session: Session): boolean {
    return session.isJoined || this.#busyLaunched < this.#options.workers
  }

  #forgetIdle(session: Session): void {
    session.pool.idleLaunched.delete(session)
    session.pool.idleJoined.delete(session)
  }

  /** Wakes idle workers, as far as there are blocks for them. */
  #handOut(): void {
    if (this.#state !== 'running' || this.#isPaused) return
    for (const pool of this.#pools) {
      for (const idle of [pool.idleLaunched, pool.idleJoined]) {
        for (const session of idle) {
          if (!this.#hasRoomFor(session) || !this.#lease(session)) break
          idle.delete(session)
        }
      }
    }
    this.#finishIfDone()
  }

  /** Leases blocks of the most downstream task that has some. @returns whether there were any */
  #lease(session: Session): boolean {
    for (const task of this.#mostDownstreamFirst) {
      if (task.pool !== session.pool) continue
      const ready = this.#scheduler.readyCount(task.id)
      if (ready === 0) continue
      const count = leaseSize(ready, session.pool.sessions.size, task.averageMs)
      const taken = this.#scheduler.acquireInto(task.number, count, this.#acquired)
      const acquired = Array.from(this.#acquired.subarray(0, taken))
      const blocks = task.suspects.size === 0 ? acquired : this.#withoutSuspects(task, acquired)
      this.#send(session, { id: this.#nextLease++, task, blocks, reported: 0, since: this.#options.clock.now() })
      return true
    }
    return false
  }

  /** Those of some blocks that may be leased together, or one that must be alone; the others are given back. */
  #withoutSuspects(task: RunningTask, acquired: readonly number[]): readonly number[] {
    const together = acquired.filter((index) => !task.suspects.has(index))
    const alone = acquired.filter((index) => task.suspects.has(index))
    const blocks = together.length > 0 ? together : alone.splice(0, 1)
    this.#giveBack(task, alone)
    return blocks
  }

  #send(session: Session, lease: Lease): void {
    const { channel } = session
    const { task, blocks } = lease
    if (!session.known.has(task)) {
      session.known.add(task)
      channel?.send({ type: 'task', task: this.#wireTask(task.planned) })
    }
    this.#addLease(session, lease)
    const rois = session.wantsRois ? { rois: blocks.map((index) => roisOf(task.planned, index)) } : {}
    channel?.send({ type: 'lease', lease: lease.id, taskId: task.id, blocks, ...rois })
    this.#events.emit({ type: 'blocks-leased', taskId: task.id, indices: blocks, workerId: session.id })
    if (session.leases.length === 1) this.#watchTime(session)
  }

  #addLease(session: Session, lease: Lease): void {
    session.leases.push(lease)
    session.hadLease = true
    this.#noteSessions()
    if (session.leases.length > 1) return
    this.#busy.add(session)
    if (!session.isJoined) this.#busyLaunched++
  }

  /** A lease of a worker has ended, one way or another. */
  #removeLease(session: Session, lease: Lease): void {
    this.#noteSessions()
    session.leases.splice(session.leases.indexOf(lease), 1)
    if (session.leases.length > 0) return
    this.#busy.delete(session)
    if (!session.isJoined) this.#busyLaunched--
  }

  #returnLease(session: Session, lease: Lease): void {
    this.#removeLease(session, lease)
    this.#giveBack(lease.task, restOf(lease), session)
  }

  /** Takes a worker's blocks back. @param error of the block that it was at; without one that is returned, too */
  #loseLeases(session: Session, error?: WireError): void {
    session.cancelTimeout?.()
    const [running] = session.leases
    for (const lease of [...session.leases]) {
      this.#removeLease(session, lease)
      const rest = restOf(lease)
      const diedAtIt = error !== undefined && lease === running && session.setUp.has(lease.task)
      // Of several it may have done the first ones without a word: which one it was shows when each has a lease of its own.
      if (diedAtIt && rest.length > 1) for (const index of rest) lease.task.suspects.add(index)
      const culprit = diedAtIt && rest.length === 1 ? rest.pop() : undefined
      this.#giveBack(lease.task, rest, session)
      if (culprit !== undefined) this.#fail(session, lease.task, culprit, error as WireError)
    }
  }

  /**
   * Ends the worker when what it is at, from now on, takes too long: a block, or setting up its task; one that can't be
   * ended loses its leases.
   */
  #watchTime(session: Session): void {
    const { timeoutMs, clock } = this.#options
    session.cancelTimeout?.()
    const [lease] = session.leases
    if (lease === undefined) return
    const isSetUp = session.setUp.has(lease.task)
    const limitMs = isSetUp ? timeoutMs : this.#setupTimeoutMs()
    if (limitMs === undefined) return
    const { id } = lease.task
    const isLast = lease.reported + 1 === lease.blocks.length
    const block = `Block ${id}/${lease.blocks[lease.reported]}${isLast ? '' : ', or one that was leased with it,'}`
    const what = isSetUp ? block : `Setting up "${id}"`
    session.cancelTimeout = clock.after(limitMs, () => {
      const took = `${what} took longer than ${limitMs / 1000} s`
      if (!isOnItsOwn(session)) {
        this.#endWorker(session, { code: 'BLOCK_TIMEOUT', message: `${took}; its worker ${session.id} was ended.` })
        return
      }
      for (const { id } of session.leases) {
        session.revoked.add(id)
        session.channel?.send({ type: 'revoked', lease: id })
      }
      const message = `${took}; it was taken from its worker ${session.id} on ${session.host}.`
      this.#loseLeases(session, { code: 'BLOCK_TIMEOUT', message })
      this.#handOut()
    })
  }

  #setupTimeoutMs(): number | undefined {
    const { timeoutMs, setupTimeoutMs } = this.#options
    return setupTimeoutMs ?? (timeoutMs === undefined ? undefined : Math.max(timeoutMs, SETUP_TIMEOUT_MS))
  }

  #takeOutcomes(session: Session, leaseId: number, outcomes: readonly Outcome[]): void {
    if (session.revoked.has(leaseId)) return
    const [lease] = session.leases
    if (lease?.id !== leaseId && leaseId < this.#nextLease && session.leases.every(({ id }) => id !== leaseId)) {
      session.channel?.send({ type: 'revoked', lease: leaseId })
      return
    }
    if (lease?.id !== leaseId || lease.reported + outcomes.length > lease.blocks.length) {
      throw new InfrastructureError(
        'PROTOCOL_ERROR',
        `Worker ${session.id} reported ${outcomes.length} blocks of lease ${leaseId}, which it does not hold.`,
      )
    }
    const { task } = lease
    const begin = lease.reported
    lease.reported += outcomes.length
    if (lease.reported === lease.blocks.length) this.#removeLease(session, lease)
    const done: number[] = []
    const times: number[] = []
    const returned: number[] = []
    const codes = new Uint8Array(outcomes.length)
    const ended: number[] = []
    for (let at = 0; at < outcomes.length; at++) {
      const outcome = outcomes[at] as Outcome
      const index = lease.blocks[begin + at] as number
      if (lease.gone?.has(index)) continue
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
          this.#fail(session, task, index, outcome.error, outcome.ms)
          continue
        default:
          outcome satisfies never
      }
      codes[ended.length] = OUTCOME_CODE[outcome.status]
      ended.push(index)
    }
    if (ended.length > 0) this.#scheduler.releaseMany(task.number, ended, ended.length, codes)
    if (done.length > 0) {
      task.restartsInARow = 0
      if (task.suspects.size > 0) for (const index of done) task.suspects.delete(index)
      session.completed += done.length
      this.#options.progress?.recorder.recordCompleted(task.number, done)
      this.#events.emit({ type: 'blocks-done', taskId: task.id, indices: done, ms: times, workerId: session.id })
    }
    this.#tellReturned(task, returned, session)
    this.#watchTime(session)
    this.#tellProgress()
  }

  /** @param from whom they were leased to, if they were */
  #giveBack(task: RunningTask, indices: readonly number[], from?: Session): void {
    if (indices.length === 0) return
    this.#scheduler.releaseMany(task.number, indices, indices.length, 'returned')
    if (from !== undefined) this.#tellReturned(task, indices, from)
  }

  #tellReturned(task: RunningTask, indices: readonly number[], { id }: Session): void {
    if (indices.length > 0) {
      this.#events.emit({ type: 'blocks-returned', taskId: task.id, indices, workerId: id })
    }
  }

  /** @param ms how long the try took, where that is known */
  #fail(session: Session, task: RunningTask, index: number, error: WireError, ms = 0): void {
    if (FATAL.has(error.code)) {
      this.#fatal ??= error
      this.#giveBack(task, [index], session)
      this.#stop()
      return
    }
    const attempts = this.#scheduler.failedTries(task.id, index) + 1
    this.#scheduler.release({ taskId: task.id, index }, 'failed')
    const { id: workerId, host } = session
    const isFinal = this.#scheduler.blockState(task.id, index) === 'failed'
    this.#options.progress?.recorder.recordFailure({
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
      this.#events.emit({ type: 'block-failed', taskId: task.id, failure })
    } else {
      this.#events.emit({ type: 'block-retried', taskId: task.id, index, workerId, attempt: attempts, error })
    }
    this.#tellProgress()
  }

  #wireTask(planned: PlannedTask): WireTask {
    const { folder, fsync, moduleName = (url) => url } = this.#options
    const { grid, source, unit, id } = planned
    const node = 'kind' in source ? source : undefined
    return {
      id,
      module: node === undefined ? '' : moduleName(node.definition.module),
      name: node?.definition.options.name ?? id,
      config: node?.config ?? {},
      ...(folder === undefined ? {} : { folder }),
      unit,
      grid: gridOptions(grid),
      ...(fsync ? { fsync } : {}),
    }
  }

  // --- what is told

  #counts(): TaskCounts[] {
    return this.#scheduler.states()
  }

  #seconds(): number {
    return (this.#options.clock.now() - this.#begun) / 1000
  }

  /** Tells the counts now, or, when that was done just before, a little later. */
  #tellProgress(): void {
    this.#progressDue = true
    if (this.#cancelProgress !== undefined) return
    this.#emitProgress()
    const again = (): void => {
      this.#cancelProgress = undefined
      if (this.#progressDue) this.#tellProgress()
    }
    this.#cancelProgress = this.#options.clock.after(PROGRESS_MS, again)
  }

  #emitProgress(): void {
    this.#progressDue = false
    this.#events.emit({
      type: 'progress',
      tasks: this.#counts(),
      seconds: this.#seconds(),
      busyWorkers: this.#busy.size,
    })
  }

  // --- the end

  #stop(): void {
    if (this.#state !== 'running') return
    this.#state = 'stopping'
    this.#drain()
    this.#finishIfDone()
  }

  #drain(): void {
    for (const session of [...this.#sessions.values()]) {
      // One that has not said hello yet holds nothing: it need not finish starting. Nor need one that lost its link.
      if (session.status === 'starting' || (session.status === 'away' && session.leases.length === 0)) {
        if (isOnItsOwn(session)) this.#waitForFarewell(session)
        else session.worker?.kill()
      } else session.channel?.send({ type: 'drain' })
    }
    this.#cancelGrace = this.#options.clock.after(this.#options.stopGraceMs ?? 5000, () => {
      for (const session of [...this.#sessions.values()]) {
        this.#endWorker(session, { code: 'INTERRUPTED', message: 'The run was stopped.' })
      }
    })
  }

  #finishIfDone(): void {
    if (this.#state === 'running' && this.#scheduler.isFinished()) {
      this.#state = 'finishing'
      this.#drain()
    }
    if (this.#state === 'running' || this.#sessions.size > 0 || this.#isEnding) return
    this.#isEnding = true
    const { progress } = this.#options
    if (progress === undefined) this.#end()
    else void this.#flushAndEnd(progress.recorder)
  }

  /** What a result calls done is written down. */
  async #flushAndEnd(recorder: ProgressRecorder): Promise<void> {
    try {
      await recorder.flush({ signal: AbortSignal.timeout(LAST_FLUSH_MS) })
    } catch (error) {
      this.#fatal ??= toWireError(error, 'IO_ERROR')
    }
    this.#end()
  }

  #workersResult(): WorkersResult {
    const workingSeconds = this.#tasks.reduce((sum, { durations }) => sum + durations.sum, 0) / 1000
    return { ...this.#needed, workingSeconds }
  }

  /** Adds up what a worker did that has ended. */
  #addNeeds({ usage, cameAt }: Session): void {
    if (cameAt !== undefined) this.#needed.seconds += (this.#options.clock.now() - cameAt) / 1000
    if (usage === undefined) return
    this.#needed.readBytes += usage.readBytes
    this.#needed.writtenBytes += usage.writtenBytes
    this.#needed.peakMemory = Math.max(this.#needed.peakMemory, usage.peakMemory)
  }

  #end(): void {
    if (this.#hasSaved || this.#options.sessions?.saved !== undefined) this.#saveSessions([])
    const seconds = this.#seconds()
    const counts = this.#counts()
    const tasks = this.#tasks.map((task, index): TaskResult => {
      const count = counts[index] as TaskCounts
      const blocksPerSecond = (count.completed - count.skipped) / Math.max(seconds, 1e-3)
      return {
        ...count,
        blocksPerSecond,
        blockMs: task.durations.summary(),
        voxelsPerSecond: blocksPerSecond * task.planned.voxelsPerBlock,
        failures: task.failures,
        ...(task.error === undefined ? {} : { error: task.error }),
      }
    })
    const ok = this.#fatal === undefined && counts.every((count) => count.completed === count.total)
    this.#events.emit({ type: 'progress', tasks: counts, seconds, busyWorkers: 0 })
    this.#events.emit({ type: 'run-finished', ok, seconds, tasks: counts })
    const error = this.#fatal
    const interrupted = this.#state === 'stopping' && !ok && error === undefined
    this.#settle({
      ok,
      interrupted,
      seconds,
      tasks,
      workers: this.#workersResult(),
      ...(error === undefined ? {} : { error }),
    })
  }
}

/** Where a task says itself which blocks are done, its record does not. */
export const hasCheck = ({ source }: PlannedTask): boolean =>
  ('kind' in source ? source.definition.options.isDone : source.isDone) !== undefined

/** The blocks of a lease that have not been reported. */
const restOf = ({ blocks, reported, gone }: Lease): number[] =>
  blocks.slice(reported).filter((index) => !gone?.has(index))

const roisOf = (planned: PlannedTask, index: number): WireRois => {
  const { readRoi, writeRoi } = planned.grid.block(index)
  return { read: readRoi, write: writeRoi }
}

function asHello(raw: unknown): Hello {
  const message = parseWorkerMessage(raw)
  if (message.type === 'hello') return message
  throw new InfrastructureError('PROTOCOL_ERROR', `A worker began with "${message.type}"; it must begin with "hello".`)
}

const average = (before: number | undefined, ms: number): number =>
  before === undefined ? ms : before * 0.9 + ms * 0.1

function deathError(session: Session, exit: WorkerExit): WireError {
  const output = exit.lastOutput === '' ? '' : `; its last output: ${exit.lastOutput}`
  return { code: 'WORKER_DIED', message: `Worker ${session.id} died (${exit.reason})${output}` }
}
