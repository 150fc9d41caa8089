import type { Leases } from '../leases.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import { createSession, isOnItsOwn, type Lease, type SavedSession, saveSession } from './session.ts'
import type { WorkerDepartures } from './worker-departures.ts'

/** Who is at which block is saved at most this often: blocks that are shorter are not worth it. */
const SAVE_SESSIONS_MS = 200
/** Beyond every number that was given after the last saving. */
const SAVED_GAP = 1_000_000

/** Keeps who is at which blocks, for a coordinator that is started again, and expects those of an earlier start. */
export class SessionSaver {
  readonly #run: RunningPipeline
  #cancelSave: (() => void) | undefined
  #hasSaved = false

  constructor(run: RunningPipeline) {
    this.#run = run
  }

  /**
   * Expects the workers that were at blocks when an earlier start of the run was killed: their blocks wait for them as they
   * do when a link breaks.
   * @returns how many of them had been started by the run
   */
  restore(leases: Leases, departures: WorkerDepartures): number {
    const { sessions, clock, reconnectMs = 10_000 } = this.#run.options
    const pool = this.#run.networkPool()
    if (sessions?.saved === undefined || pool === undefined || this.#run.phase !== 'running') return 0
    this.#run.nextWorker = sessions.saved.nextWorker + SAVED_GAP
    this.#run.nextLease = sessions.saved.nextLease + SAVED_GAP
    let launched = 0
    for (const saved of sessions.saved.sessions) {
      const held = saved.leases.flatMap((lease) => this.#restoreLease(lease) ?? [])
      if (held.length === 0) continue
      const session = createSession(saved.number, saved.key, pool, !saved.wasLaunched, true)
      Object.assign(session, { status: 'away', isRemote: true, host: saved.host })
      this.#run.add(session)
      for (const lease of held) leases.restoreLease(session, lease)
      if (saved.wasLaunched) launched++
      session.cancelAway = clock.after(reconnectMs, () =>
        departures.endSession(session, { reason: 'it did not come back', lastOutput: '' }),
      )
    }
    return launched
  }

  /** @returns undefined where nothing of it is left to do */
  #restoreLease({ id, taskId, blocks, reported }: SavedSession['leases'][number]): Lease | undefined {
    const task = this.#run.tasks.find((each) => each.id === taskId)
    if (task === undefined) return undefined
    const gone = new Set<number>()
    for (const [at, index] of blocks.entries()) {
      if (at < reported || !this.#run.scheduler.hold(task.number, index)) gone.add(index)
    }
    return gone.size === blocks.length
      ? undefined
      : { id, task, blocks, reported, gone, since: this.#run.options.clock.now() }
  }

  /** Saves who is at which blocks, of the workers that look for the run by themselves when its coordinator is gone. */
  note(): void {
    const { sessions, clock } = this.#run.options
    if (sessions === undefined || this.#cancelSave !== undefined) return
    this.#cancelSave = clock.after(SAVE_SESSIONS_MS, () => {
      this.#cancelSave = undefined
      const old = clock.now() - SAVE_SESSIONS_MS
      const saved: SavedSession[] = []
      for (const session of this.#run.busy) {
        if (!session.isRemote || !(isOnItsOwn(session) || session.worker?.onLink)) continue
        const leases = session.leases.filter(({ since }) => since <= old)
        if (leases.length > 0) saved.push(saveSession(session, leases))
        if (leases.length < session.leases.length) this.note()
      }
      if (saved.length > 0 || this.#hasSaved) this.#save(saved)
    })
  }

  /** There is nothing to come back to any more. */
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
