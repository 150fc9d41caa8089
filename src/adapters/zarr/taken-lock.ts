import { InfrastructureError } from '../../core/errors.ts'
import { BEAT_MS, type LockHolder } from './lock-holder.ts'

/** A lock that this process holds. Disposing releases it. */
export interface LockFile extends AsyncDisposable {
  readonly status: 'taken'
  /** Aborted, with an InfrastructureError as reason, when the file was removed, or another process has taken the lock over. */
  readonly lost: AbortSignal
  /** Ends the lock without removing its file, for one that was removed with its folder. */
  abandon(): void
}

/** A lock that somebody else holds. `holder` is absent if the file can't be read. */
export interface HeldLockFile {
  readonly status: 'held'
  readonly holder?: LockHolder
  /** How long it has given no sign of life, ms; 0 for a process of this machine. */
  readonly silentMs: number
}

/** Where a lock is kept: a file, or an object. */
export interface LockPlace {
  /** As users write it. */
  readonly where: string
  /** For messages: what belongs to whoever holds the lock. */
  readonly what: string
  look(): Promise<{
    /** undefined if the lock is missing, or can't be understood. */
    readonly holder: LockHolder | undefined
    /** Writes it again, as it was found: its time is the sign of life. */
    touch(): Promise<unknown>
  }>
  remove(): Promise<void>
}

/** The life of a lock from when its place names this process as the holder. */
export class TakenLock implements LockFile {
  readonly status = 'taken'
  readonly #place: LockPlace
  readonly #holder: LockHolder
  readonly #losing = new AbortController()
  readonly #timer: NodeJS.Timeout
  #isHeld = true

  constructor(place: LockPlace, holder: LockHolder) {
    this.#place = place
    this.#holder = holder
    this.#timer = setInterval(() => void this.#beat().catch(() => {}), BEAT_MS).unref()
  }

  get lost(): AbortSignal {
    return this.#losing.signal
  }

  abandon(): void {
    this.#isHeld = false
    clearInterval(this.#timer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isHeld) return
    this.abandon()
    const { holder } = await this.#place.look()
    if (holder?.token === this.#holder.token) await this.#place.remove()
  }

  async #beat(): Promise<void> {
    const found = await this.#place.look()
    if (!this.#isHeld) return
    if (found.holder?.token === this.#holder.token) await found.touch()
    else this.#lose(found.holder)
  }

  #lose(holder: LockHolder | undefined): void {
    this.abandon()
    const { where, what } = this.#place
    const event = holder === undefined ? 'was removed' : `was taken over by process ${holder.pid} on ${holder.host}`
    const message = `${where} ${event}, so ${what} no longer belongs to this process, which stops here.`
    this.#losing.abort(new InfrastructureError('RUN_LOCKED', message))
  }
}

/** How somebody waits for a lock. */
export interface WaitOptions {
  /** How often to try, on average. @default 20 */
  readonly everyMs?: number | undefined
  /** Is told each time that somebody else holds it; what it throws ends the waiting. */
  readonly onHeld?: ((lock: HeldLockFile) => void) | undefined
}

/** Takes a lock, and waits for it if somebody else holds it. @throws what `take` and `onHeld` throw */
export async function awaitLock(
  take: () => Promise<LockFile | HeldLockFile>,
  { everyMs = 20, onHeld }: WaitOptions = {},
): Promise<LockFile> {
  for (;;) {
    const lock = await take()
    if (lock.status === 'taken') return lock
    onHeld?.(lock)
    await new Promise((resolve) => setTimeout(resolve, everyMs * (0.5 + Math.random())))
  }
}
