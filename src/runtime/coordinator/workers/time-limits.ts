import type { RunningPipeline } from '../running-pipeline.ts'
import type { Session } from './session.ts'

/** Where blocks have a time limit, setting up has one, too, that loading a large model does not meet. */
const SETUP_TIMEOUT_MS = 600_000

/** Watches how long workers take over a block, or over setting up its task. */
export class TimeLimits {
  readonly #run: RunningPipeline
  readonly #onOver: (session: Session, took: string) => void

  /** @param onOver told of a worker that takes too long, and over what, for people */
  constructor(run: RunningPipeline, onOver: (session: Session, took: string) => void) {
    this.#run = run
    this.#onOver = onOver
  }

  /** Watches what a worker is at, from now on. */
  watch(session: Session): void {
    const { timeoutMs, clock } = this.#run.options
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
      this.#onOver(session, `${what} took longer than ${limitMs / 1000} s`)
    })
  }

  #setupTimeoutMs(): number | undefined {
    const { timeoutMs, setupTimeoutMs } = this.#run.options
    return setupTimeoutMs ?? (timeoutMs === undefined ? undefined : Math.max(timeoutMs, SETUP_TIMEOUT_MS))
  }
}
