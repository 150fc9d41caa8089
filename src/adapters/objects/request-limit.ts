const MOST = 48
const FIRST = 16

/**
 * Bounds how many requests are under way at once. The bound is halved when the service asks to slow down, at most once a second, and grows
 * by one with each round of requests that succeed.
 */
export class RequestLimit {
  #most = FIRST
  #running = 0
  #succeeded = 0
  #slowed = Number.NEGATIVE_INFINITY
  readonly #waiting: (() => void)[] = []
  readonly #now: () => number

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  get most(): number {
    return this.#most
  }

  /** Runs a request as soon as there is room for it. */
  async during<T>(request: () => Promise<T>): Promise<T> {
    while (this.#running >= this.#most) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#running++
    try {
      return await request()
    } finally {
      this.#running--
      this.#waiting.shift()?.()
    }
  }

  noteSuccess(): void {
    if (++this.#succeeded < this.#most) return
    this.#succeeded = 0
    if (this.#most >= MOST) return
    this.#most++
    this.#waiting.shift()?.()
  }

  noteSlowDown(): void {
    if (this.#now() - this.#slowed < 1000) return
    this.#slowed = this.#now()
    this.#succeeded = 0
    this.#most = Math.max(1, Math.floor(this.#most / 2))
  }
}
