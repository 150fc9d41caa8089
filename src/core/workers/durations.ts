/** Buckets to a doubling: a bucket's ends differ by 9 %. */
const PER_DOUBLING = 8
/** Everything shorter is in the first bucket, milliseconds. */
const SHORTEST = 2 ** -10
const BUCKETS = 42 * PER_DOUBLING

/** How long blocks took, milliseconds. */
export interface DurationSummary {
  readonly count: number
  readonly mean: number
  /** Half of the blocks took no longer; to within 5 %. */
  readonly p50: number
  /** 19 of 20 blocks took no longer; to within 5 %. */
  readonly p95: number
  readonly max: number
}

/** Gathers how long blocks took, in the same few numbers for ten blocks and for ten thousand million. */
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

  /** Of all, milliseconds. */
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
