/** Longest series; beyond it, pairs of steps are merged. */
const MAX_STEPS = 480
/** Shortest time in seconds over which a rate is meaningful. */
const SHORTEST = 0.25

/** Blocks that ended per time step, in bounded space for runs of any length. */
export class RateSeries {
  #stepSeconds = 1
  #counts: number[] = []

  get stepSeconds(): number {
    return this.#stepSeconds
  }

  /** @param seconds since the start */
  add(seconds: number, count: number): void {
    while (seconds >= this.#stepSeconds * MAX_STEPS) this.#halve()
    const step = Math.max(0, Math.floor(seconds / this.#stepSeconds))
    for (let at = this.#counts.length; at <= step; at++) this.#counts.push(0)
    this.#counts[step]! += count
  }

  /** Blocks per second for each step that has ended by then; if none has, one rate for the time so far. */
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

/** Steps in the window of a {@link RecentRate}. */
const RECENT_STEPS = 100

/** Recent blocks per second, over a sliding window, so that one block does not make it jump. */
export class RecentRate {
  readonly #windowSeconds: number
  readonly #counts = new Float64Array(RECENT_STEPS + 1)
  /** The step of each count; the two arrays are a ring buffer. */
  readonly #steps = new Float64Array(RECENT_STEPS + 1).fill(-1)
  #startedAt: number | undefined

  constructor(windowSeconds = 30) {
    this.#windowSeconds = windowSeconds
  }

  /** The first block is leased; time before that (no workers, other tasks first) does not count. Later calls have no effect. */
  begin(seconds: number): void {
    this.#startedAt ??= seconds
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
    const from = Math.max(this.#startedAt ?? 0, seconds - this.#windowSeconds)
    const first = Math.floor((from / this.#windowSeconds) * RECENT_STEPS)
    const count = this.#counts.reduce((sum, each, place) => sum + (this.#steps[place]! >= first ? each : 0), 0)
    return count / Math.max(seconds - from, SHORTEST)
  }
}
