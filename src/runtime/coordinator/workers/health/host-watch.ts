import { HostHealth, type HostRecord } from '../../../../core/workers/host-health.ts'
import { isRequested } from '../../../../core/workers/worker-state.ts'
import type { Crew } from '../../control/crew.ts'
import type { RunningPipeline } from '../../running-pipeline.ts'
import type { Worker } from '../pool.ts'
import type { WorkerConnections } from '../worker-connections.ts'

export interface HostWatchParts {
  readonly connections: WorkerConnections
  readonly crew: Crew
}

/** Names hosts on which more fails than elsewhere, and has further workers started on others, where that is possible. */
export class HostWatch {
  readonly #run: RunningPipeline
  readonly #parts: HostWatchParts
  readonly #health = new HostHealth()

  constructor(run: RunningPipeline, parts: HostWatchParts) {
    this.#run = run
    this.#parts = parts
  }

  /** A worker has done blocks, or an attempt of it has failed, or the worker itself. */
  note(worker: Worker, record: Partial<HostRecord>): void {
    if (this.#run.phase !== 'running') return
    const host = this.#parts.connections.hostOf(worker)
    const bad = host === '' ? undefined : this.#health.note(host, record)
    if (bad === undefined) return
    const launchers = new Set(this.#run.pools.flatMap(({ launcher }) => launcher ?? []))
    const isLeftOut = [...launchers].filter((launcher) => launcher.avoid?.(this.#health.bad)).length > 0
    this.#run.events.emit({ type: 'host-failing', ...bad, isLeftOut })
    if (!isLeftOut) return
    for (const each of this.#run.workers.values()) {
      if (isRequested(each.origin) && this.#parts.connections.hostOf(each) === host) this.#parts.crew.renew(each)
    }
  }
}
