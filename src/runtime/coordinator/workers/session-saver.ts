import { isKillable, isRequested } from '../../../core/workers/worker-state.ts'
import type { Lease, LeaseBook } from '../lease-book.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import type { LaunchedWorkers } from './launched-workers.ts'
import { createWorker, type Worker } from './pool.ts'
import type { SavedSession } from './saved-sessions.ts'
import type { WorkerConnections } from './worker-connections.ts'

/** Sessions are saved at most this often; leases that are shorter are not worth saving. */
const SAVE_SESSIONS_MS = 200
/** After each time, the saver rests so many times as long: of thousands of workers, it takes 1 % of this thread's time. */
const REST = 99
/** Added to saved numbers: more than can have been assigned since they were saved. */
const SAVED_GAP = 1_000_000

/** A worker of an earlier start, and its leases with blocks left to do. */
export interface RestoredWorker {
  readonly worker: Worker
  readonly host: string
  readonly leases: readonly Lease[]
}

/** Saves which worker holds which blocks, for a restarted coordinator, and restores what an earlier start saved. */
export class SessionSaver {
  readonly #run: RunningPipeline
  readonly #book: LeaseBook
  readonly #connections: WorkerConnections
  readonly #launched: LaunchedWorkers
  #cancelSave: (() => void) | undefined
  /** How long saving took the last time, ms. */
  #savingMs = 0
  #hasSaved = false

  constructor(run: RunningPipeline, book: LeaseBook, connections: WorkerConnections, launched: LaunchedWorkers) {
    this.#run = run
    this.#book = book
    this.#connections = connections
    this.#launched = launched
  }

  /** The workers that held blocks when an earlier start of the run was killed. Their blocks are acquired in the scheduler. */
  restore(): readonly RestoredWorker[] {
    const { saved } = this.#run.options.sessions ?? {}
    this.#run.nextLease = this.#run.options.fence?.firstLease ?? 1
    const pool = this.#run.networkPool()
    if (saved === undefined || pool === undefined || this.#run.phase !== 'running') return []
    this.#run.nextWorker = saved.nextWorker + SAVED_GAP
    this.#run.nextLease = Math.max(this.#run.nextLease, saved.nextLease + SAVED_GAP)
    return saved.sessions.flatMap(({ number, key, host, wasLaunched, leases }) => {
      const held = leases.flatMap((lease) => this.#restoreLease(lease) ?? [])
      if (held.length === 0) return []
      const worker = createWorker(number, key, pool, wasLaunched ? 'launched-earlier' : 'joined-earlier')
      return [{ worker, host, leases: held }]
    })
  }

  /** @returns undefined if all of its blocks are done */
  #restoreLease({ id, taskId, blocks, reported }: SavedSession['leases'][number]): Lease | undefined {
    const task = this.#run.tasks.find((each) => each.id === taskId)
    if (task === undefined) return undefined
    const finished = new Set<number>()
    for (const [at, index] of blocks.entries()) {
      if (at < reported || !this.#run.scheduler.hold(task.number, index)) finished.add(index)
    }
    return finished.size === blocks.length
      ? undefined
      : { id, task, blocks, reported, finished, since: this.#run.options.clock.now() }
  }

  /** The leases have changed: saves those of workers that reconnect by themselves when they lose the coordinator. */
  noteChange(): void {
    const { sessions, clock } = this.#run.options
    if (sessions === undefined || this.#cancelSave !== undefined) return
    this.#cancelSave = clock.after(Math.max(SAVE_SESSIONS_MS, REST * this.#savingMs), () => {
      this.#cancelSave = undefined
      this.saveNow()
    })
  }

  /** Saves the sessions without leases that are new, or were recalled: a later start must not take their blocks for done. */
  saveNow(): void {
    const { sessions, clock } = this.#run.options
    if (sessions === undefined) return
    const now = clock.now()
    const old = now - SAVE_SESSIONS_MS
    const saved: SavedSession[] = []
    for (const worker of this.#book.busy) {
      if (!this.#connections.isRemote(worker) || !this.#canReconnect(worker)) continue
      const held = this.#book.leasesOf(worker).filter(({ isRecalled }) => isRecalled !== true)
      const leases = held.filter(({ since }) => since <= old)
      if (leases.length > 0) saved.push(this.#sessionOf(worker, leases))
      if (leases.length < held.length) this.noteChange()
    }
    if (saved.length > 0 || this.#hasSaved) this.#save(saved)
    this.#savingMs = clock.now() - now
  }

  #canReconnect(worker: Worker): boolean {
    return !isKillable(worker.origin) || this.#launched.connectsByItself(worker)
  }

  #sessionOf(worker: Worker, leases: readonly Lease[]): SavedSession {
    return {
      number: worker.number,
      key: worker.key,
      host: this.#connections.hostOf(worker),
      wasLaunched: isRequested(worker.origin),
      leases: leases.map(({ id, task, blocks, reported }) => ({ id, taskId: task.id, blocks, reported })),
    }
  }

  /** The run has ended: no worker may reconnect. */
  clear(): void {
    if (this.#hasSaved || this.#run.options.sessions?.saved !== undefined) this.#save([])
  }

  #save(sessions: readonly SavedSession[]): void {
    this.#hasSaved = sessions.length > 0
    this.#run.options.sessions?.save({ nextWorker: this.#run.nextWorker, nextLease: this.#run.nextLease, sessions })
  }

  [Symbol.dispose](): void {
    this.#cancelSave?.()
  }
}
