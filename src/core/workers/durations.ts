/** Buckets per factor of two: the bounds of a bucket differ by 9 %. */
const PER_DOUBLING = 8
/** Shorter durations count in the first bucket, ms. */
const SHORTEST = 2 ** -10
const BUCKETS = 42 * PER_DOUBLING

/** How long blocks took, ms. */
export interface DurationSummary {
  readonly count: number
  readonly mean: number
  /** The median, to within 5 %. */
  readonly p50: number
  /** The 95th percentile, to within 5 %. */
  readonly p95: number
  readonly max: number
}

/** A histogram of how long blocks took, of the same size for ten blocks and for 10^10. */
export class Durations {
  readonly #counts = new Float64Array(BUCKETS)
  #count = 0
  #sum = 0
  #max = 0

  add(ms: number): void {
    this.#count++
    this.#sum += ms
    if (ms > this.#max) this.#max = ms
    const bucket = Math.floor(Math.log2(Math.max(ms, SHORTEST) / SHORTEST) * PER_DOUBLING)
    this.#counts[Math.min(bucket, BUCKETS - 1)]!++
  }

  /** The sum of all durations, ms. */
  get sum(): number {
    return this.#sum
  }

  summary(): DurationSummary {
    const mean = this.#count === 0 ? 0 : this.#sum / this.#count
    return { count: this.#count, mean, p50: this.#quantile(0.5), p95: this.#quantile(0.95), max: this.#max }
  }

  #quantile(share: number): number {
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]!
      if (seen > 0 && seen >= share * this.#count) {
        return Math.min(this.#max, SHORTEST * 2 ** ((bucket + 0.5) / PER_DOUBLING))
      }
    }
    return 0
  }
}
