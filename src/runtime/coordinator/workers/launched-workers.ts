import type { LaunchedWorker } from '../../../ports/worker-launcher.ts'
import type { Worker } from './pool.ts'

/** The processes that the run has started for its workers. */
export class LaunchedWorkers {
  readonly #launched = new Map<Worker, LaunchedWorker>()

  add(worker: Worker, launched: LaunchedWorker): void {
    this.#launched.set(worker, launched)
  }

  forget(worker: Worker): void {
    this.#launched.delete(worker)
  }

  kill(worker: Worker): void {
    this.#launched.get(worker)?.kill()
  }

  logFileOf(worker: Worker): string | undefined {
    return this.#launched.get(worker)?.logFile
  }

  /** Whether the worker reconnects by itself if it loses its coordinator. */
  connectsByItself(worker: Worker): boolean {
    return this.#launched.get(worker)?.noteConnection !== undefined
  }

  /** Whether the worker, which is in this process, runs apart from the coordinator. */
  runsApart(worker: Worker): boolean {
    return this.#launched.get(worker)?.runsApart === true
  }

  noteConnection(worker: Worker, event: 'in' | 'out' | 'left'): void {
    this.#launched.get(worker)?.noteConnection?.(event)
  }
}
