import type { RunEvent, WorkerUse } from '../events.ts'
import { MAX_WORKERS, type WorkerSummary } from './summary.ts'

interface Lease {
  readonly task: number
  /** The remaining blocks, in the order in which they are processed. */
  indices: readonly number[]
  /** How many of them have been reported. */
  at: number
}

interface Worker {
  readonly id: string
  host: string
  pid: number
  logFile?: string
  isConnected: boolean
  readonly leases: Lease[]
  /** When it was first and last heard of, milliseconds since 1970. */
  readonly startedAt: number
  heardAt: number
  /** When it started its current block, milliseconds since 1970. */
  since: number
  done: number
  /** The durations of its blocks together. */
  workingMs: number
  /** Bytes; 0 if unknown. */
  peakMemory: number
  reason?: string
}

/** If more workers than this are known, the first ones that ended are forgotten. */
const MAX_KEPT_WORKERS = 5000

/** What a worker reports about its next blocks. */
export interface WorkerReport {
  readonly count: number
  /** How many of them it completed or skipped. */
  readonly completed: number
  /** Their durations together, as far as they are known. */
  readonly ms: number
}

/** The workers of a run and the blocks that each has leased. Times are in ms since 1970. */
export class WorkerRoster {
  readonly #workers = new Map<string, Worker>()

  /** A worker has started, or says what it has used so far. */
  note(event: Extract<RunEvent, { type: 'worker-started' | 'worker-usage' }>, time: number): void {
    const worker = this.#get(event.workerId, time)
    if (event.type === 'worker-usage') {
      worker.peakMemory = event.peakMemory
      return
    }
    const { host, pid, logFile } = event
    Object.assign(worker, { host, pid, isConnected: true }, logFile ? { logFile } : {})
  }

  /** A worker has left, or died. */
  end(id: string, time: number, { reason, use }: { readonly reason?: string; readonly use?: WorkerUse } = {}): void {
    const worker = this.#get(id, time)
    worker.isConnected = false
    worker.leases.length = 0
    if (reason !== undefined) worker.reason = reason
    if (use === undefined) return
    worker.workingMs = use.workingSeconds * 1000
    worker.peakMemory = use.peakMemory
  }

  lease(id: string, task: number, indices: readonly number[], time: number): void {
    const worker = this.#get(id, time)
    if (worker.leases.length === 0) worker.since = time
    worker.leases.push({ task, indices, at: 0 })
  }

  report(id: string, { count, completed, ms }: WorkerReport, time: number): void {
    const worker = this.#get(id, time)
    worker.since = time
    worker.done += completed
    worker.workingMs += ms
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

  /** Blocks were taken back from a worker, wherever they are in its leases. */
  takeBack(id: string, task: number, indices: readonly number[], time: number): void {
    const { leases } = this.#get(id, time)
    const taken = new Set(indices)
    for (const lease of leases) {
      if (lease.task !== task) continue
      lease.indices = lease.indices.slice(lease.at).filter((index) => !taken.has(index))
      lease.at = 0
    }
    const left = leases.filter(({ indices, at }) => at < indices.length)
    leases.splice(0, leases.length, ...left)
  }

  /** All workers ended with the run. */
  disconnectAll(): void {
    for (const worker of this.#workers.values()) worker.isConnected = false
  }

  /** Removes all leases. @yields the blocks that were leased and not reported */
  *dropLeases(): Generator<{ readonly task: number; readonly index: number }> {
    for (const { leases } of this.#workers.values()) {
      for (const { task, indices, at } of leases) for (const index of indices.slice(at)) yield { task, index }
      leases.length = 0
    }
  }

  /** The worker that has leased a block. */
  holderOf(task: number, index: number): string | undefined {
    const holder = [...this.#workers.values()].find(({ leases }) =>
      leases.some((lease) => lease.task === task && lease.indices.indexOf(index, lease.at) >= 0),
    )
    return holder?.id
  }

  /** The path of a worker's log, if it writes to a file. */
  logFile(id: string): string | undefined {
    return this.#workers.get(id)?.logFile
  }

  /** Busy workers first, at most {@link MAX_WORKERS} of them, and the counts of all. */
  summary(now: number): {
    readonly workers: readonly WorkerSummary[]
    readonly workerCounts: Readonly<Record<WorkerSummary['status'], number>>
  } {
    const all = [...this.#workers.values()].map((worker) => workerSummary(worker, now))
    const order = { busy: 0, idle: 1, ended: 2 }
    const count = (status: WorkerSummary['status']) => all.filter((worker) => worker.status === status).length
    return {
      workers: all.sort((a, b) => order[a.status] - order[b.status]).slice(0, MAX_WORKERS),
      workerCounts: { busy: count('busy'), idle: count('idle'), ended: count('ended') },
    }
  }

  #get(id: string, time: number): Worker {
    const known = this.#workers.get(id)
    if (known !== undefined) {
      known.heardAt = Math.max(known.heardAt, time)
      return known
    }
    const worker: Worker = {
      ...{ id, host: '', pid: 0, isConnected: true, leases: [], startedAt: time, heardAt: time },
      ...{ since: 0, done: 0, workingMs: 0, peakMemory: 0 },
    }
    if (this.#workers.size >= MAX_KEPT_WORKERS) {
      const ended = [...this.#workers.values()].find(({ isConnected }) => !isConnected)
      if (ended !== undefined) this.#workers.delete(ended.id)
    }
    this.#workers.set(id, worker)
    return worker
  }
}

function workerSummary(worker: Worker, now: number): WorkerSummary {
  const { id, host, pid, logFile, isConnected, leases, since, done, reason, startedAt, heardAt, peakMemory } = worker
  const lease = isConnected ? leases[0] : undefined
  const current = lease === undefined ? {} : { task: lease.task, block: lease.indices[lease.at] as number, since }
  const seconds = Math.max(0, (isConnected ? now : heardAt) - startedAt) / 1000
  const currentMs = lease === undefined ? 0 : Math.max(0, now - since)
  return {
    id,
    host,
    pid,
    status: !isConnected ? 'ended' : lease === undefined ? 'idle' : 'busy',
    ...current,
    done,
    seconds,
    workingSeconds: Math.min(seconds, (worker.workingMs + currentMs) / 1000),
    ...(peakMemory === 0 ? {} : { peakMemory }),
    hasLog: logFile !== undefined,
    ...(reason === undefined ? {} : { reason }),
  }
}
