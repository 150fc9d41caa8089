import { Unavailable } from '../core/unavailable.ts'

/** A part of a {@link MemoryBudget}. Disposing returns it. */
export interface MemoryShare extends Disposable {
  /** From now on, the share may be taken back: `evict` is called then, which has to dispose it. */
  offer(evict: () => void): void
  /** The share is in use again. */
  withdraw(): void
}

interface Waiting {
  readonly bytes: number
  readonly grant: () => void
}

/** Bytes that requests may use together. Those for which nothing is left wait, in the order in which they came. */
export class MemoryBudget {
  readonly #limit: number
  readonly #mostWaiting: number
  #free: number
  readonly #waiting: Waiting[] = []
  /** Shares that may be taken back, the one that was offered first first. */
  readonly #offered = new Map<MemoryShare, () => void>()

  /** @param mostWaiting further ones are refused */
  constructor({ bytes, mostWaiting }: { readonly bytes: number; readonly mostWaiting: number }) {
    this.#limit = bytes
    this.#free = bytes
    this.#mostWaiting = mostWaiting
  }

  /**
   * Takes a share, when there is enough for it. One that is larger than the whole budget gets all of it.
   * @throws Unavailable if too many are waiting; the reason of the signal
   */
  async take(bytes: number, signal?: AbortSignal): Promise<MemoryShare> {
    signal?.throwIfAborted()
    const needed = Math.min(bytes, this.#limit)
    if (this.#waiting.length > 0 || !this.#reserve(needed)) await this.#wait(needed, signal)
    let isReturned = false
    const share: MemoryShare = {
      offer: (evict) => {
        this.#offered.set(share, evict)
        this.#serve()
      },
      withdraw: () => void this.#offered.delete(share),
      [Symbol.dispose]: () => {
        this.#offered.delete(share)
        if (!isReturned) this.#free += needed
        isReturned = true
        this.#serve()
      },
    }
    return share
  }

  #reserve(bytes: number): boolean {
    while (bytes > this.#free) {
      const [oldest] = this.#offered
      if (oldest === undefined) return false
      this.#offered.delete(oldest[0])
      oldest[1]()
    }
    this.#free -= bytes
    return true
  }

  #wait(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.length >= this.#mostWaiting) {
      throw new Unavailable('Too many requests are waiting for memory at the moment; try again soon.')
    }
    return new Promise((resolve, reject) => {
      const stop = () => {
        const place = this.#waiting.indexOf(waiting)
        if (place >= 0) this.#waiting.splice(place, 1)
        reject(signal?.reason)
        this.#serve()
      }
      const grant = () => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }
      const waiting = { bytes, grant }
      this.#waiting.push(waiting)
      signal?.addEventListener('abort', stop, { once: true })
    })
  }

  #serve(): void {
    for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
      // Evicting serves others, too.
      this.#waiting.shift()
      if (!this.#reserve(next.bytes)) {
        this.#waiting.unshift(next)
        return
      }
      next.grant()
    }
  }
}
