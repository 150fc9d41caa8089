import type { RunEvent } from '../events.ts'
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
  /** When it started its current block, milliseconds since 1970. */
  since: number
  done: number
  reason?: string
}

/** If more workers than this are known, the first ones that ended are forgotten. */
const MAX_KEPT_WORKERS = 5000

/** The workers of a run and the blocks that each has leased. */
export class WorkerRoster {
  readonly #workers = new Map<string, Worker>()

  start({ workerId, host, pid, logFile }: Extract<RunEvent, { type: 'worker-started' }>): void {
    Object.assign(this.#get(workerId), { host, pid, isConnected: true }, logFile ? { logFile } : {})
  }

  /** @param reason why it died; undefined if it left */
  end(id: string, reason?: string): void {
    const worker = this.#get(id)
    worker.isConnected = false
    worker.leases.length = 0
    if (reason !== undefined) worker.reason = reason
  }

  lease(id: string, task: number, indices: readonly number[], time: number): void {
    const worker = this.#get(id)
    if (worker.leases.length === 0) worker.since = time
    worker.leases.push({ task, indices, at: 0 })
  }

  /** A worker has reported its next blocks. @param completed how many of them it completed or skipped */
  report(id: string, count: number, completed: number, time: number): void {
    const worker = this.#get(id)
    worker.since = time
    worker.done += completed
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
  takeBack(id: string, task: number, indices: readonly number[]): void {
    const { leases } = this.#get(id)
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
  summary(): {
    readonly workers: readonly WorkerSummary[]
    readonly workerCounts: Readonly<Record<WorkerSummary['status'], number>>
  } {
    const all = [...this.#workers.values()].map((worker) => workerSummary(worker))
    const order = { busy: 0, idle: 1, ended: 2 }
    const count = (status: WorkerSummary['status']) => all.filter((worker) => worker.status === status).length
    return {
      workers: all.sort((a, b) => order[a.status] - order[b.status]).slice(0, MAX_WORKERS),
      workerCounts: { busy: count('busy'), idle: count('idle'), ended: count('ended') },
    }
  }

  #get(id: string): Worker {
    const known = this.#workers.get(id)
    if (known !== undefined) return known
    const worker: Worker = { id, host: '', pid: 0, isConnected: true, leases: [], since: 0, done: 0 }
    if (this.#workers.size >= MAX_KEPT_WORKERS) {
      const ended = [...this.#workers.values()].find(({ isConnected }) => !isConnected)
      if (ended !== undefined) this.#workers.delete(ended.id)
    }
    this.#workers.set(id, worker)
    return worker
  }
}

function workerSummary({ id, host, pid, logFile, isConnected, leases, since, done, reason }: Worker): WorkerSummary {
  const [lease] = leases
  const current =
    lease === undefined || !isConnected ? {} : { task: lease.task, block: lease.indices[lease.at] as number, since }
  return {
    id,
    host,
    pid,
    status: !isConnected ? 'ended' : lease === undefined ? 'idle' : 'busy',
    ...current,
    done,
    hasLog: logFile !== undefined,
    ...(reason === undefined ? {} : { reason }),
  }
}
