import type { WireError } from '../errors.ts'
import { createBlockGrid } from '../grid/block-grid.ts'
import { MAX_MAPPED_BLOCKS } from './cell-map.ts'
import type { BlocksFrame } from './history-frames.ts'
import { RateSeries, RecentRate } from './rate-series.ts'
import { type BoardTask, RunBoard } from './run-board.ts'
import {
  type BlockDetails,
  type FailureSummary,
  MAX_FAILURES,
  MAX_MESSAGE,
  MAX_NOTES,
  MAX_WORKERS,
  type Note,
  type RunCondition,
  type RunSummary,
  type TaskSummary,
  type WorkerSummary,
} from './summary.ts'

/** What a run tells besides its blocks, as far as it is shown; `time` is in milliseconds since 1970. */
export type PictureEvent =
  | {
      readonly type: 'worker-started'
      readonly workerId: string
      readonly pid: number
      readonly host: string
      readonly logFile?: string
    }
  | { readonly type: 'worker-died'; readonly workerId: string; readonly reason: string }
  | { readonly type: 'worker-ended'; readonly workerId: string }
  | {
      readonly type: 'block-retried'
      readonly taskId: string
      readonly index: number
      readonly workerId: string
      readonly attempt: number
      readonly error: WireError
    }
  | {
      readonly type: 'block-failed'
      readonly taskId: string
      readonly failure: {
        readonly index: number
        readonly error: WireError
        readonly attempts: number
        readonly workerId: string
      }
    }
  | { readonly type: 'task-abandoned'; readonly taskId: string; readonly error: WireError }
  | { readonly type: 'store' | 'warning'; readonly message: string }
  | { readonly type: 'run-finished'; readonly ok: boolean }

interface Lease {
  readonly task: number
  /** Those that are left, in the order in which they are done. */
  indices: readonly number[]
  /** How many of them have been reported. */
  at: number
}

interface Worker {
  readonly id: string
  host: string
  pid: number
  logFile?: string
  isThere: boolean
  readonly leases: Lease[]
  since: number
  done: number
  reason?: string
}

/** What is known of a task besides the states of its blocks. */
interface TaskFacts {
  readonly series: RateSeries
  readonly recent: RecentRate
  msSum: number
  msCount: number
  error?: string
}

/** How long blocks took and who did them; kept over starts of the run. */
interface BlockFacts {
  readonly ms: Float32Array
  /** Numbers of names, from 1 on; 0: unknown. */
  readonly worker: Uint32Array
}

/** More failures than this are counted alone. */
const MAX_KEPT_FAILURES = 10_000
/** Of those that have ended the first ones are forgotten. */
const MAX_KEPT_WORKERS = 5000
const SMALLEST_SHARE_FOR_ETA = 0.002

/** A picture of a run, made of what it tells as it goes: the states of its blocks, its workers, its failures, its speed. */
export class RunPicture {
  readonly board: RunBoard
  readonly #ids: readonly string[]
  readonly #facts: (BlockFacts | undefined)[]
  readonly #mapped: readonly number[]
  readonly #names: string[] = ['']
  readonly #numberOf = new Map<string, number>()
  #tasks: TaskFacts[] = []
  #workers = new Map<string, Worker>()
  #failures = new Map<string, FailureSummary>()
  #notes: Note[] = []
  #condition: RunCondition = 'waiting'
  #started: number | undefined
  #latest = 0

  constructor(tasks: readonly BoardTask[]) {
    this.board = new RunBoard(tasks)
    this.#ids = tasks.map(({ id }) => id)
    this.#facts = tasks.map(() => undefined)
    this.#mapped = tasks.map((task) => {
      const { blockCount } = createBlockGrid(task)
      return blockCount <= MAX_MAPPED_BLOCKS ? blockCount : 0
    })
    this.#forget()
  }

  get condition(): RunCondition {
    return this.#condition
  }

  /** A start of the run: what it does now begins at `time`. @param done bitmaps of what was done before, by task */
  begin(time: number, done: readonly (Uint8Array | undefined)[]): void {
    this.board.begin(done)
    this.#forget()
    this.#started = time
    this.#latest = time
    this.#condition = 'on'
  }

  /** The run is not on, and its record says what is done; what this start is not known to have done was done before. */
  settle(done: readonly (Uint8Array | undefined)[], failures: readonly FailureSummary[]): void {
    this.board.settle(done)
    this.end()
    for (const [task, { error }] of this.#tasks.entries()) if (error !== undefined) this.board.abandon(task)
    this.#failures = new Map()
    for (const failure of failures) this.#fail(failure)
    if (this.#condition === 'waiting') this.#condition = this.#conditionByCounts()
  }

  /** The run is not on, and no record says what is done: that stays as it was told. */
  end(): void {
    for (const worker of this.#workers.values()) {
      for (const { task, indices, at } of worker.leases) {
        for (const index of indices.slice(at)) this.board.giveBack(task, index)
      }
      worker.isThere = false
      worker.leases.length = 0
    }
    if (this.#condition === 'on') this.#condition = 'killed'
  }

  /** The run's folder is gone. */
  remove(): void {
    this.end()
    this.#condition = 'removed'
  }

  #conditionByCounts(): RunCondition {
    const counts = this.board.counts()
    if (counts.every(({ completed, total }) => completed === total)) return 'done'
    return counts.some(({ failed, orphaned }) => failed + orphaned > 0) ? 'failed' : 'stopped'
  }

  blocks({ kind, task, indices, ms }: BlocksFrame, time: number, workerId: string): void {
    if (this.#ids[task] === undefined) return
    this.#latest = Math.max(this.#latest, time)
    const worker = this.#worker(workerId)
    switch (kind) {
      case 'leased':
        if (worker.leases.length === 0) worker.since = time
        this.#tasks[task]?.recent.begin((time - (this.#started ?? time)) / 1000)
        worker.leases.push({ task, indices, at: 0 })
        for (const index of indices) this.board.lease(task, index)
        return
      case 'done':
        this.#advance(worker, indices.length, time)
        worker.done += indices.length
        this.#count(task, indices, ms, time)
        this.note(task, indices, ms, workerId)
        for (let i = 0; i < indices.length; i++) this.board.complete(task, indices[i] as number, ms[i] === 0)
        return
      case 'returned':
        takeFrom(worker, task, new Set(indices))
        for (const index of indices) this.board.giveBack(task, index)
        return
      default:
        kind satisfies never
    }
  }

  event(event: PictureEvent, time: number): void {
    this.#latest = Math.max(this.#latest, time)
    switch (event.type) {
      case 'worker-started': {
        const { host, pid, logFile } = event
        Object.assign(this.#worker(event.workerId), { host, pid, isThere: true }, logFile ? { logFile } : {})
        return
      }
      case 'worker-died': {
        const worker = this.#worker(event.workerId)
        worker.isThere = false
        worker.leases.length = 0
        worker.reason = event.reason
        this.#tell(time, `Worker ${event.workerId} ended: ${event.reason}`)
        return
      }
      case 'worker-ended': {
        const worker = this.#worker(event.workerId)
        worker.isThere = false
        worker.leases.length = 0
        return
      }
      case 'block-retried': {
        const task = this.#ids.indexOf(event.taskId)
        this.#advance(this.#worker(event.workerId), 1, time)
        this.board.giveBack(task, event.index)
        this.#tell(time, `${event.taskId}/${event.index}: try ${event.attempt} failed: ${event.error.message}`)
        return
      }
      case 'block-failed': {
        const { index, error, attempts, workerId } = event.failure
        const task = this.#ids.indexOf(event.taskId)
        this.#advance(this.#worker(workerId), 1, time)
        this.#fail({ task, index, message: error.message, code: error.code, attempts, workerId, time })
        return
      }
      case 'task-abandoned': {
        const task = this.#ids.indexOf(event.taskId)
        this.board.abandon(task)
        const facts = this.#tasks[task]
        if (facts !== undefined) facts.error = event.error.message
        return
      }
      case 'store':
      case 'warning':
        this.#tell(time, event.message)
        return
      case 'run-finished':
        this.#condition = event.ok ? 'done' : this.#conditionByCounts()
        for (const worker of this.#workers.values()) worker.isThere = false
        return
      default:
        // Of a Bellis that tells more.
        event satisfies never
    }
  }

  /** Keeps how long blocks took, and who did them: of an earlier start, that is all that still counts. */
  note(task: number, indices: readonly number[], ms: readonly number[], workerId: string): void {
    const count = this.#mapped[task] ?? 0
    if (count === 0) return
    const facts = this.#facts[task] ?? { ms: new Float32Array(count), worker: new Uint32Array(count) }
    this.#facts[task] = facts
    const number = this.#nameNumber(workerId)
    for (let i = 0; i < indices.length; i++) {
      facts.ms[indices[i] as number] = ms[i] as number
      facts.worker[indices[i] as number] = number
    }
  }

  details(task: number, index: number): BlockDetails {
    const failure = this.#failures.get(`${task}/${index}`)
    if (failure !== undefined) {
      return { error: failure.message, attempts: failure.attempts, workerId: failure.workerId }
    }
    const at = [...this.#workers.values()].find((worker) =>
      worker.leases.some((lease) => lease.task === task && lease.indices.indexOf(index, lease.at) >= 0),
    )
    if (at !== undefined) return { workerId: at.id }
    const facts = this.#facts[task]
    const worker = facts?.worker[index] ?? 0
    return facts === undefined || worker === 0
      ? {}
      : { workerId: this.#names[worker] as string, ...(facts.ms[index] === 0 ? {} : { ms: facts.ms[index] as number }) }
  }

  /** Where a worker's output goes, if that is a file. */
  logFile(workerId: string): string | undefined {
    return this.#workers.get(workerId)?.logFile
  }

  /** @param now by the run's clock, milliseconds since 1970 */
  summary(now: number, volumes: number): RunSummary {
    const isOn = this.#condition === 'on'
    const until = isOn ? Math.max(now, this.#latest) : this.#latest
    const seconds = this.#started === undefined ? 0 : Math.max(0, until - this.#started) / 1000
    const counts = this.board.counts()
    // All have steps of the same length.
    for (const { series } of this.#tasks) series.add(seconds, 0)
    const tasks = counts.map((count, number): TaskSummary => {
      const { series, recent, msSum, msCount, error } = this.#tasks[number] as TaskFacts
      return {
        ...count,
        rate: isOn ? recent.rate(seconds) : 0,
        series: series.rates(seconds).map((rate) => Math.round(rate * 100) / 100),
        ...(msCount === 0 ? {} : { meanMs: msSum / msCount }),
        ...(error === undefined ? {} : { error: shortened(error) }),
      }
    })
    const all = [...this.#workers.values()].map((worker) => workerSummary(worker))
    const order = { busy: 0, idle: 1, ended: 2 }
    const count = (status: WorkerSummary['status']) => all.filter((worker) => worker.status === status).length
    const workerCounts = { busy: count('busy'), idle: count('idle'), ended: count('ended') }
    const etaSeconds = isOn ? this.#eta(tasks, workerCounts.busy) : undefined
    return {
      condition: this.#condition,
      now,
      ...(this.#started === undefined ? {} : { started: this.#started }),
      seconds,
      ...(etaSeconds === undefined ? {} : { etaSeconds }),
      tasks,
      stepSeconds: Math.max(...this.#tasks.map(({ series }) => series.stepSeconds)),
      workers: all.sort((a, b) => order[a.status] - order[b.status]).slice(0, MAX_WORKERS),
      workerCounts,
      failures: [...this.#failures.values()]
        .slice(-MAX_FAILURES)
        .reverse()
        .map((failure) => ({ ...failure, message: shortened(failure.message) })),
      notes: this.#notes.toReversed(),
      volumes,
    }
  }

  /** What is left, as long as a block of its task takes, shared by the workers that are there. */
  #eta(tasks: readonly TaskSummary[], busy: number): number | undefined {
    let left = 0
    let known = 0
    let ms = 0
    for (const task of tasks) {
      const open = task.total - task.completed - task.failed - task.orphaned
      left += open
      if (open > 0 && task.meanMs === undefined) continue
      known += open
      ms += open * (task.meanMs ?? 0)
    }
    if (left === 0) return 0
    if (known === 0 || busy === 0) return undefined
    const done = tasks.reduce((sum, { completed, skipped }) => sum + completed - skipped, 0)
    if (done < 2 && done / (left + done) < SMALLEST_SHARE_FOR_ETA) return undefined
    // Tasks of which none is done yet are taken for what the others are on average.
    return (ms * (left / known)) / busy / 1000
  }

  #forget(): void {
    this.#tasks = this.#ids.map(() => ({ series: new RateSeries(), recent: new RecentRate(), msSum: 0, msCount: 0 }))
    this.#workers = new Map()
    this.#failures = new Map()
    this.#notes = []
  }

  #count(task: number, indices: readonly number[], ms: readonly number[], time: number): void {
    const facts = this.#tasks[task] as TaskFacts
    const seconds = (time - (this.#started ?? time)) / 1000
    facts.series.add(seconds, indices.length)
    facts.recent.add(seconds, indices.length)
    for (const one of ms) {
      if (one === 0) continue
      facts.msSum += one
      facts.msCount++
    }
  }

  #fail(failure: FailureSummary): void {
    this.board.fail(failure.task, failure.index)
    const key = `${failure.task}/${failure.index}`
    if (this.#failures.size < MAX_KEPT_FAILURES) this.#failures.set(key, failure)
  }

  /** A worker has reported its next blocks. */
  #advance(worker: Worker, count: number, time: number): void {
    worker.since = time
    let rest = count
    while (rest > 0) {
      const [lease] = worker.leases
      if (lease === undefined) return
      const some = Math.min(rest, lease.indices.length - lease.at)
      lease.at += some
      rest -= some
      if (lease.at === lease.indices.length) worker.leases.shift()
    }
  }

  #worker(id: string): Worker {
    const known = this.#workers.get(id)
    if (known !== undefined) return known
    const worker: Worker = { id, host: '', pid: 0, isThere: true, leases: [], since: 0, done: 0 }
    if (this.#workers.size >= MAX_KEPT_WORKERS) {
      const ended = [...this.#workers.values()].find(({ isThere }) => !isThere)
      if (ended !== undefined) this.#workers.delete(ended.id)
    }
    this.#workers.set(id, worker)
    return worker
  }

  #nameNumber(name: string): number {
    const known = this.#numberOf.get(name)
    if (known !== undefined) return known
    this.#numberOf.set(name, this.#names.length)
    return this.#names.push(name) - 1
  }

  #tell(time: number, text: string): void {
    this.#notes.push({ time, text: shortened(text) })
    if (this.#notes.length > MAX_NOTES) this.#notes.shift()
  }
}

const shortened = (text: string): string => (text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)} …` : text)

/** Blocks that a worker has no longer, wherever they stand. */
function takeFrom(worker: Worker, task: number, gone: ReadonlySet<number>): void {
  for (const lease of worker.leases) {
    if (lease.task !== task) continue
    lease.indices = lease.indices.slice(lease.at).filter((index) => !gone.has(index))
    lease.at = 0
  }
  const left = worker.leases.filter(({ indices, at }) => at < indices.length)
  worker.leases.splice(0, worker.leases.length, ...left)
}

function workerSummary({ id, host, pid, logFile, isThere, leases, since, done, reason }: Worker): WorkerSummary {
  const [lease] = leases
  const now =
    lease === undefined || !isThere ? {} : { task: lease.task, block: lease.indices[lease.at] as number, since }
  return {
    id,
    host,
    pid,
    status: !isThere ? 'ended' : lease === undefined ? 'idle' : 'busy',
    ...now,
    done,
    hasLog: logFile !== undefined,
    ...(reason === undefined ? {} : { reason }),
  }
}
