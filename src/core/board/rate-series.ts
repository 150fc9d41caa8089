/** The most steps that are kept: then two become one. */
const MAX_STEPS = 480
/** Seconds below which a rate would be one of chance. */
const SHORTEST = 0.25

/** How many blocks ended in each step of time, for any length of a run in bounded space. */
export class RateSeries {
  #stepSeconds = 1
  #counts: number[] = []

  get stepSeconds(): number {
    return this.#stepSeconds
  }

  /** @param seconds since the start, not below those before by more than the steps kept */
  add(seconds: number, count: number): void {
    while (seconds >= this.#stepSeconds * MAX_STEPS) this.#halve()
    const step = Math.max(0, Math.floor(seconds / this.#stepSeconds))
    for (let at = this.#counts.length; at <= step; at++) this.#counts.push(0)
    this.#counts[step]! += count
  }

  /** Blocks per second, a number for each step that has ended by then; where none has, one for the time until then. */
  rates(seconds: number): number[] {
    const steps = Math.min(MAX_STEPS, Math.floor(seconds / this.#stepSeconds))
    if (steps === 0) return [(this.#counts[0] ?? 0) / Math.max(seconds, SHORTEST)]
    return Array.from({ length: steps }, (_, step) => (this.#counts[step] ?? 0) / this.#stepSeconds)
  }

  #halve(): void {
    const halved: number[] = []
    for (let at = 0; at < this.#counts.length; at += 2) {
      halved.push(this.#counts[at]! + (this.#counts[at + 1] ?? 0))
    }
    this.#counts = halved
    this.#stepSeconds *= 2
  }
}

/** Steps of the window of a {@link RecentRate}: fine enough. */
const RECENT_STEPS = 100

/** Blocks per second lately: of the last half minute or so, and no jump when one block ends. */
export class RecentRate {
  readonly #windowSeconds: number
  readonly #counts = new Float64Array(RECENT_STEPS + 1)
  /** Which step each count is of; steps take each other's places. */
  readonly #steps = new Float64Array(RECENT_STEPS + 1).fill(-1)
  #begun: number | undefined

  constructor(windowSeconds = 30) {
    this.#windowSeconds = windowSeconds
  }

  /** Work begins; the time before, when nobody was there or others had to be waited for, is none of its. Only the first counts. */
  begin(seconds: number): void {
    this.#begun ??= seconds
  }

  add(seconds: number, count: number): void {
    const step = Math.max(0, Math.floor((seconds / this.#windowSeconds) * RECENT_STEPS))
    const place = step % this.#counts.length
    if (step < this.#steps[place]!) return
    if (step > this.#steps[place]!) this.#counts[place] = 0
    this.#steps[place] = step
    this.#counts[place]! += count
  }

  rate(seconds: number): number {
    const from = Math.max(this.#begun ?? 0, seconds - this.#windowSeconds)
    const first = Math.floor((from / this.#windowSeconds) * RECENT_STEPS)
    const count = this.#counts.reduce((sum, each, place) => sum + (this.#steps[place]! >= first ? each : 0), 0)
    return count / Math.max(seconds - from, SHORTEST)
  }
}
