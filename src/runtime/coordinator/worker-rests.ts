import { MAX_FUTILE, restAfter } from '../../core/workers/futile-leases.ts'
import { isRequested } from '../../core/workers/worker-state.ts'
import type { RunningPipeline } from './running-pipeline.ts'
import type { Worker } from './workers/pool.ts'
import type { WorkerConnections } from './workers/worker-connections.ts'

/** A worker that joins waits at most this long for its welcome; workers try again after half a minute. */
const LONGEST_HOLD_MS = 20_000
/** If workers of more hosts than this have failed to be of use, all are forgotten. */
const MAX_HOSTS = 1000

interface Page {
  /** Futile leases in a row. */
  futile: number
  hasFinished: boolean
  cancelRest: (() => void) | undefined
}

/** Gives workers that finish no blocks a rest that grows, so that a run never hands out the same blocks as fast as it can. */
export class WorkerRests {
  readonly #run: RunningPipeline
  readonly #connections: WorkerConnections
  readonly #pages = new Map<Worker, Page>()
  /** How many workers that joined from a host have ended without having finished a block, in a row. */
  readonly #hosts = new Map<string, number>()
  /** Admits a worker that waits for its welcome. */
  readonly #held = new Map<() => void, () => void>()

  constructor(run: RunningPipeline, connections: WorkerConnections) {
    this.#run = run
    this.#connections = connections
  }

  /** A worker has finished a block, or an attempt at one. */
  noteFinished(worker: Worker): void {
    const page = this.#pageOf(worker)
    page.futile = 0
    if (!page.hasFinished) this.#hosts.delete(this.#connections.hostOf(worker))
    page.hasFinished = true
  }

  /** A lease of a worker has ended, and it has finished none of its blocks. */
  noteFutile(worker: Worker): void {
    const page = this.#pageOf(worker)
    page.futile++
    if (this.#run.phase !== 'running') return
    const isHopeless = page.futile >= MAX_FUTILE
    const pauseMs = isHopeless ? 0 : restAfter(page.futile)
    if (pauseMs === 0 && !isHopeless) return
    page.cancelRest?.()
    page.cancelRest = this.#run.options.clock.after(pauseMs, () => {
      page.cancelRest = undefined
      if (isHopeless) this.#dismiss(worker)
      else this.#run.control.feed(worker)
    })
    if (isHopeless) return
    this.#run.events.emit({ type: 'worker-paused', workerId: worker.id, leases: page.futile, pauseMs })
  }

  /** How many futile leases in a row a worker has had. */
  futileLeases(worker: Worker): number {
    return this.#pages.get(worker)?.futile ?? 0
  }

  hasFinished(worker: Worker): boolean {
    return this.#pages.get(worker)?.hasFinished === true
  }

  /** How many workers of a host have come and gone without having finished a block, in a row. */
  leftWithout(host: string): number {
    return this.#hosts.get(host) ?? 0
  }

  #dismiss(worker: Worker): void {
    const message = `Worker ${worker.id} was given blocks ${MAX_FUTILE} times in a row and finished none of them; it was ended.`
    this.#connections.send(worker, { type: 'refused', code: 'PROTOCOL_ERROR', message })
    this.#connections.close(worker)
    this.#run.control.handle(worker, { type: 'end', reason: { code: 'WORKER_DIED', message } })
  }

  /** Whether a worker gets no blocks for now. */
  isResting(worker: Worker): boolean {
    return this.#pages.get(worker)?.cancelRest !== undefined
  }

  /**
   * Whether a worker that joins is admitted later, since workers of its host have come and gone without having finished a block.
   * @param wait called if so; returns what is called after the time, or earlier if the run ends
   */
  hold(host: string, wait: () => () => void): boolean {
    const left = this.leftWithout(host)
    const ms = Math.min(LONGEST_HOLD_MS, restAfter(left))
    if (ms === 0 || this.#run.phase !== 'running') return false
    const admit = wait()
    const message = `${left} workers on ${host} have ended without finishing a block; the next one may join in ${ms / 1000} s`
    this.#run.events.emit({ type: 'warning', message })
    const cancel = this.#run.options.clock.after(ms, () => {
      this.#held.delete(admit)
      admit()
    })
    this.#held.set(admit, cancel)
    return true
  }

  /** A worker has ended. @returns whether workers like it are of no use, so that nothing is gained by waiting for another one */
  end(worker: Worker): boolean {
    const { futile, hasFinished, cancelRest } = this.#pageOf(worker)
    cancelRest?.()
    this.#pages.delete(worker)
    if (isRequested(worker.origin) || hasFinished) return false
    const host = this.#connections.hostOf(worker)
    if (this.#hosts.size >= MAX_HOSTS) this.#hosts.clear()
    const left = (this.#hosts.get(host) ?? 0) + 1
    this.#hosts.set(host, left)
    return futile >= MAX_FUTILE || left >= MAX_FUTILE
  }

  /** The run hands out no more blocks: nobody has to wait. */
  endAll(): void {
    for (const { cancelRest } of this.#pages.values()) cancelRest?.()
    this.#pages.clear()
    for (const [admit, cancel] of [...this.#held]) {
      cancel()
      admit()
    }
    this.#held.clear()
  }

  [Symbol.dispose](): void {
    for (const { cancelRest } of this.#pages.values()) cancelRest?.()
    for (const cancel of this.#held.values()) cancel()
  }

  #pageOf(worker: Worker): Page {
    let page = this.#pages.get(worker)
    if (page === undefined) {
      page = { futile: 0, hasFinished: false, cancelRest: undefined }
      this.#pages.set(worker, page)
    }
    return page
  }
}
