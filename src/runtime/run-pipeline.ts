import { type ErrorCode, InfrastructureError, messageOf, type WireError } from '../core/errors.ts'
import { gridOptions } from '../core/grid/block-grid.ts'
import { type Outcome, PROTOCOL_VERSION, type WireTask } from '../core/protocol/messages.ts'
import { parseWorkerMessage } from '../core/protocol/parse.ts'
import { orderTasks } from '../core/scheduling/pipeline.ts'
import { createScheduler, type Scheduler } from '../core/scheduling/scheduler.ts'
import type { Clock } from '../ports/clock.ts'
import type { LaunchedWorker, WorkerExit, WorkerLauncher } from '../ports/worker-launcher.ts'
import type { PlannedPipeline, PlannedTask } from './plan-pipeline.ts'
import { type BlockFailure, EventStream, type TaskCounts } from './run-events.ts'

/** How a task ended. */
export interface TaskResult extends TaskCounts {
  readonly blocksPerSecond: number
  readonly voxelsPerSecond: number
  /** Blocks that failed for good, in the order in which they did; at most `MAX_FAILURES`. */
  readonly failures: readonly BlockFailure[]
  /** Why the task was given up, when it was. */
  readonly error?: WireError
}

export interface RunResult {
  /** Whether every block of every task is completed: that, and nothing weaker. */
  readonly ok: boolean
  /** Whether it was stopped before its end. */
  readonly interrupted: boolean
  readonly seconds: number
  readonly tasks: readonly TaskResult[]
  /** What stopped the run before its end, when that was no one's wish: a full disk. The same run can go on after it. */
  readonly error?: WireError
}

/** Errors after which going on is of no use: every other block would meet them too. */
const FATAL: ReadonlySet<ErrorCode> = new Set(['DISK_FULL'])

/** Failures that are kept with their errors; more are counted. */
const MAX_FAILURES = 10_000
/** Leases are made as long as this, of blocks that are shorter. */
const LEASE_MS = 30
/** Blocks shorter than this are handed out one lease ahead, so that no worker waits for the next. */
const AHEAD_MS = 15
const MAX_LEASE_BLOCKS = 1024
/** Progress is told at most this often. */
const PROGRESS_MS = 100
const FIRST_RESTART_MS = 100
const MAX_RESTART_MS = 30_000

export interface RunPipelineOptions {
  /** Starts the workers of a task; tasks with the same launcher share its workers. */
  launcherOf(task: PlannedTask): WorkerLauncher
  /** Workers in all, for all tasks together. */
  readonly workers: number
  readonly clock: Clock
  /** Further tries of a block that failed. @default 2 */
  readonly maxRetries?: number
  /** What one block may take; its worker is ended then. @default no limit */
  readonly timeoutMs?: number
  /** How often in a row a worker that died is replaced without a completed block, before its task is abandoned. @default 5 */
  readonly maxWorkerRestarts?: number
  /** How long running blocks may go on after `signal`. @default 5000 */
  readonly stopGraceMs?: number
  /** Stops handing out blocks, lets the running ones finish. */
  readonly signal?: AbortSignal
  readonly events?: EventStream
}

/** Runs a planned pipeline to its end, whatever happens to its workers. Outputs must exist already. */
export function runPipeline(pipeline: PlannedPipeline, options: RunPipelineOptions): Promise<RunResult> {
  return new Coordinator(pipeline, options).run()
}

interface Lease {
  readonly id: number
  readonly task: RunningTask
  readonly blocks: readonly number[]
  /** How many of them have been reported. */
  reported: number
}

/** One connected or starting worker. */
interface Session {
  readonly id: string
  /** Counts up over all workers of the run. */
  readonly number: number
  readonly pool: Pool
  status: 'starting' | 'ready' | 'draining'
  worker?: LaunchedWorker
  readonly leases: Lease[]
  readonly known: Set<RunningTask>
  readonly setUp: Set<RunningTask>
  saidGoodbye: boolean
  /** Why the coordinator ended it, when it did. */
  killed?: WireError
  cancelTimeout?: () => void
}

/** Workers that one launcher starts. */
interface Pool {
  readonly launcher: WorkerLauncher
  readonly tasks: RunningTask[]
  readonly sessions: Set<Session>
}

interface RunningTask {
  readonly planned: PlannedTask
  readonly id: string
  /** Its place in the scheduler. */
  readonly number: number
  readonly pool: Pool
  /** Moving average of a block's time; undefined before the first. */
  averageMs?: number
  restartsInARow: number
  /** The first worker that was started since a restart was last counted. */
  countsFrom: number
  readonly failures: BlockFailure[]
  /** Blocks at one of which a worker died: leased one by one. */
  readonly suspects: Set<number>
  error?: WireError
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
  /** Call off restarts that wait for their delay. */
  readonly #restarts = new Set<() => void>()
  #fatal: WireError | undefined
  #settle: (result: RunResult) => void = () => {}

  constructor(pipeline: PlannedPipeline, options: RunPipelineOptions) {
    this.#options = options
    this.#events = options.events ?? new EventStream()
    this.#begun = options.clock.now()
    this.#scheduler = createScheduler(
      pipeline.tasks.map(({ id, after, grid }) => ({ id, after, ...gridOptions(grid) })),
      options.maxRetries === undefined ? {} : { maxRetries: options.maxRetries },
    )
    this.#tasks = pipeline.tasks.map((planned, number) => this.#startTask(planned, number))
    this.#mostDownstreamFirst = orderTasks(pipeline.tasks).priority.map((number) => this.#tasks[number] as RunningTask)
  }

  #startTask(planned: PlannedTask, number: number): RunningTask {
    const launcher = this.#options.launcherOf(planned)
    let pool = this.#pools.find((known) => known.launcher === launcher)
    if (pool === undefined) {
      pool = { launcher, tasks: [], sessions: new Set() }
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
    for (const pool of this.#pools) {
      const blocks = pool.tasks.reduce((sum, task) => sum + task.planned.grid.blockCount, 0)
      for (let started = 0; started < Math.min(workers, blocks); started++) this.#startWorker(pool)
    }
    this.#finishIfDone()
    try {
      return await promise
    } finally {
      signal?.removeEventListener('abort', stop)
      this.#cancelProgress?.()
      this.#cancelGrace?.()
      for (const cancel of this.#restarts) cancel()
    }
  }

  // --- workers come and go

  #startWorker(pool: Pool): void {
    if (this.#state !== 'running') return
    const number = this.#nextWorker++
    const session: Session = {
      id: `w${number}`,
      number,
      pool,
      status: 'starting',
      leases: [],
      known: new Set(),
      setUp: new Set(),
      saidGoodbye: false,
    }
    pool.sessions.add(session)
    pool.launcher.launch(session.id).then(
      (worker) => {
        session.worker = worker
        void worker.exited.then((exit) => this.#workerExited(session, exit))
        worker.channel.onMessage((message) => this.#receive(session, message))
        if (this.#state !== 'running') worker.kill()
      },
      (error: unknown) => this.#workerExited(session, { reason: messageOf(error), lastOutput: '' }),
    )
  }

  #receive(session: Session, raw: unknown): void {
    try {
      const message = parseWorkerMessage(raw)
      switch (message.type) {
        case 'hello':
          if (message.protocol !== PROTOCOL_VERSION) {
            throw new InfrastructureError(
              'PROTOCOL_ERROR',
              `Worker ${session.id} speaks version ${message.protocol} of the protocol, this run version ${PROTOCOL_VERSION}; use the same Bellis everywhere.`,
            )
          }
          session.status = 'ready'
          session.worker?.channel.send({ type: 'welcome', protocol: PROTOCOL_VERSION, workerId: session.id })
          this.#events.emit({ type: 'worker-started', workerId: session.id, pid: message.pid, host: message.host })
          break
        case 'task-ready':
          for (const task of session.known) if (task.id === message.taskId) session.setUp.add(task)
          this.#watchTime(session)
          break
        case 'outcomes':
          this.#takeOutcomes(session, message.lease, message.outcomes)
          break
        case 'setup-failed':
          session.killed = message.error
          break
        case 'goodbye':
          session.saidGoodbye = true
          break
        default:
          message satisfies never
      }
    } catch (error) {
      this.#endWorker(session, { code: 'PROTOCOL_ERROR', message: messageOf(error) })
    }
    this.#handOut()
  }

  #endWorker(session: Session, reason: WireError): void {
    session.killed ??= reason
    session.worker?.kill()
  }

  #workerExited(session: Session, exit: WorkerExit): void {
    session.cancelTimeout?.()
    session.pool.sessions.delete(session)
    const [running] = session.leases
    const task = running?.task
    const reason = session.killed?.message ?? exit.reason
    const leftOrderly = session.saidGoodbye && session.killed === undefined
    for (const lease of session.leases) {
      const rest = lease.blocks.slice(lease.reported)
      const diedAtIt = lease === running && session.setUp.has(lease.task) && !leftOrderly
      // Of several it may have done the first ones without a word: which one it was shows when each has a lease of its own.
      if (diedAtIt && rest.length > 1) for (const index of rest) lease.task.suspects.add(index)
      const culprit = diedAtIt && rest.length === 1 ? rest.pop() : undefined
      this.#give(lease.task, rest, 'returned')
      if (culprit !== undefined) this.#fail(session, lease.task, culprit, session.killed ?? deathError(session, exit))
    }
    session.leases.length = 0
    if (this.#state === 'running' && leftOrderly) this.#restartAfter(session.pool, 0)
    else if (this.#state === 'running') {
      const dead = {
        type: 'worker-died',
        workerId: session.id,
        reason,
        lastOutput: exit.lastOutput,
        ...(task === undefined ? {} : { taskId: task.id }),
      } as const
      // That took a try of its block, so it can't go on for ever; a setup that takes too long could.
      const timedOut = session.killed?.code === 'BLOCK_TIMEOUT' && task !== undefined && session.setUp.has(task)
      const restartMs = timedOut ? 0 : this.#restartDelay(session, task, exit)
      this.#events.emit(restartMs === undefined ? dead : { ...dead, restartMs })
      if (restartMs !== undefined) this.#restartAfter(session.pool, restartMs)
    }
    this.#handOut()
    this.#finishIfDone()
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

  #restartAfter(pool: Pool, ms: number): void {
    const cancel = this.#options.clock.after(ms, () => {
      this.#restarts.delete(cancel)
      if (pool.tasks.some((task) => !this.#isOver(task))) this.#startWorker(pool)
    })
    this.#restarts.add(cancel)
  }

  #isOver(task: RunningTask): boolean {
    return this.#scheduler.isTaskFinished(task.id)
  }

  // --- blocks go out and come back

  #handOut(): void {
    if (this.#state !== 'running') return
    for (const pool of this.#pools) {
      for (const session of pool.sessions) {
        if (session.status !== 'ready') continue
        while (this.#wantsLease(session) && this.#lease(session)) {}
      }
    }
    this.#finishIfDone()
  }

  #wantsLease(session: Session): boolean {
    const [first] = session.leases
    if (first === undefined) return this.#busyCount() < this.#options.workers
    return session.leases.length === 1 && (first.task.averageMs ?? Number.POSITIVE_INFINITY) < AHEAD_MS
  }

  #busyCount(): number {
    let busy = 0
    for (const pool of this.#pools) for (const session of pool.sessions) if (session.leases.length > 0) busy++
    return busy
  }

  /** Leases blocks of the most downstream task that has some. @returns whether there were any */
  #lease(session: Session): boolean {
    for (const task of this.#mostDownstreamFirst) {
      if (task.pool !== session.pool) continue
      const ready = this.#scheduler.readyCount(task.id)
      if (ready === 0) continue
      const fair = Math.ceil(ready / (2 * this.#options.workers))
      const fitting = task.averageMs === undefined ? 1 : Math.floor(LEASE_MS / Math.max(task.averageMs, 1e-3))
      const count = Math.max(1, Math.min(fair, fitting, MAX_LEASE_BLOCKS))
      const taken = this.#scheduler.acquireInto(task.number, count, this.#acquired)
      const blocks = Array.from(this.#acquired.subarray(0, taken))
      const { suspects } = task
      const together = suspects.size === 0 ? blocks : blocks.filter((index) => !suspects.has(index))
      const alone = suspects.size === 0 ? [] : blocks.filter((index) => suspects.has(index)).map((index) => [index])
      for (const piece of together.length === 0 ? alone : [together, ...alone]) {
        this.#send(session, { id: this.#nextLease++, task, blocks: piece, reported: 0 })
      }
      return true
    }
    return false
  }

  #send(session: Session, lease: Lease): void {
    const channel = session.worker?.channel
    if (!session.known.has(lease.task)) {
      session.known.add(lease.task)
      channel?.send({ type: 'task', task: wireTask(lease.task.planned) })
    }
    session.leases.push(lease)
    channel?.send({ type: 'lease', lease: lease.id, taskId: lease.task.id, blocks: lease.blocks })
    this.#events.emit({ type: 'blocks-leased', taskId: lease.task.id, indices: lease.blocks, workerId: session.id })
    if (session.leases.length === 1) this.#watchTime(session)
  }

  /** Ends the worker when the block that it is at, from now on, takes too long. Setting a task up has its time, too. */
  #watchTime(session: Session): void {
    const { timeoutMs, clock } = this.#options
    session.cancelTimeout?.()
    const [lease] = session.leases
    if (timeoutMs === undefined || lease === undefined) return
    const { id } = lease.task
    const isLast = lease.reported + 1 === lease.blocks.length
    const block = `Block ${id}/${lease.blocks[lease.reported]}${isLast ? '' : ', or one that was leased with it,'}`
    const what = session.setUp.has(lease.task) ? block : `Setting up "${id}"`
    session.cancelTimeout = clock.after(timeoutMs, () =>
      this.#endWorker(session, {
        code: 'BLOCK_TIMEOUT',
        message: `${what} took longer than ${timeoutMs / 1000} s; its worker ${session.id} was ended.`,
      }),
    )
  }

  #takeOutcomes(session: Session, leaseId: number, outcomes: readonly Outcome[]): void {
    const [lease] = session.leases
    if (lease?.id !== leaseId || lease.reported + outcomes.length > lease.blocks.length) {
      throw new InfrastructureError(
        'PROTOCOL_ERROR',
        `Worker ${session.id} reported ${outcomes.length} blocks of lease ${leaseId}, which it does not hold.`,
      )
    }
    const done: number[] = []
    const times: number[] = []
    for (const outcome of outcomes) {
      const index = lease.blocks[lease.reported++] as number
      switch (outcome.status) {
        case 'done':
          this.#give(lease.task, [index], 'done')
          lease.task.averageMs = average(lease.task.averageMs, outcome.ms)
          done.push(index)
          times.push(outcome.ms)
          break
        case 'skipped':
          this.#give(lease.task, [index], 'skipped')
          done.push(index)
          times.push(0)
          break
        case 'returned':
          this.#give(lease.task, [index], 'returned')
          break
        case 'failed':
          this.#fail(session, lease.task, index, outcome.error)
          break
        default:
          outcome satisfies never
      }
    }
    if (done.length > 0) {
      lease.task.restartsInARow = 0
      this.#events.emit({ type: 'blocks-done', taskId: lease.task.id, indices: done, ms: times, workerId: session.id })
    }
    if (lease.reported === lease.blocks.length) session.leases.shift()
    this.#watchTime(session)
    this.#tellProgress()
  }

  #give(task: RunningTask, indices: readonly number[], outcome: 'done' | 'skipped' | 'returned'): void {
    if (indices.length > 0) this.#scheduler.releaseMany(task.number, indices, indices.length, outcome)
  }

  #fail(session: Session, task: RunningTask, index: number, error: WireError): void {
    if (FATAL.has(error.code)) {
      this.#fatal ??= error
      this.#give(task, [index], 'returned')
      this.#stop()
      return
    }
    const attempts = this.#scheduler.failedTries(task.id, index) + 1
    this.#scheduler.release({ taskId: task.id, index }, 'failed')
    const { id: workerId } = session
    if (this.#scheduler.blockState(task.id, index) === 'failed') {
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
      busyWorkers: this.#busyCount(),
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
    for (const pool of this.#pools) {
      for (const session of pool.sessions) {
        // One that has not said hello yet holds nothing: it need not finish starting.
        if (session.status === 'starting') session.worker?.kill()
        else session.worker?.channel.send({ type: 'drain' })
        session.status = 'draining'
      }
    }
    this.#cancelGrace = this.#options.clock.after(this.#options.stopGraceMs ?? 5000, () => {
      for (const pool of this.#pools) for (const session of pool.sessions) session.worker?.kill()
    })
  }

  #finishIfDone(): void {
    if (this.#state === 'running' && this.#scheduler.isFinished()) {
      this.#state = 'finishing'
      this.#drain()
    }
    const live = this.#pools.some((pool) => pool.sessions.size > 0)
    if (this.#state === 'running' || live) return
    const seconds = this.#seconds()
    const counts = this.#counts()
    const tasks = this.#tasks.map((task, index): TaskResult => {
      const count = counts[index] as TaskCounts
      const blocksPerSecond = (count.completed - count.skipped) / Math.max(seconds, 1e-3)
      return {
        ...count,
        blocksPerSecond,
        voxelsPerSecond: blocksPerSecond * task.planned.voxelsPerBlock,
        failures: task.failures,
        ...(task.error === undefined ? {} : { error: task.error }),
      }
    })
    const ok = counts.every((count) => count.completed === count.total)
    this.#events.emit({ type: 'progress', tasks: counts, seconds, busyWorkers: 0 })
    this.#events.emit({ type: 'run-finished', ok, seconds, tasks: counts })
    const error = this.#fatal
    const interrupted = this.#state === 'stopping' && !ok && error === undefined
    this.#settle({ ok, interrupted, seconds, tasks, ...(error === undefined ? {} : { error }) })
    this.#settle = () => {}
  }
}

function wireTask({ grid, source, unit, id }: PlannedTask): WireTask {
  const node = 'kind' in source ? source : undefined
  return {
    id,
    module: node?.definition.module ?? '',
    name: node?.definition.options.name ?? id,
    config: node?.config ?? {},
    unit,
    grid: gridOptions(grid),
  }
}

const average = (before: number | undefined, ms: number): number =>
  before === undefined ? ms : before * 0.9 + ms * 0.1

function deathError(session: Session, exit: WorkerExit): WireError {
  const output = exit.lastOutput === '' ? '' : `; its last output: ${exit.lastOutput}`
  return { code: 'WORKER_DIED', message: `Worker ${session.id} died (${exit.reason})${output}` }
}
