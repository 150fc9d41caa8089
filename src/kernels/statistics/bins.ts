/** Bins of equal width from `low` to `high`. The last one includes `high`; values outside of the range are in no bin. */
export interface Bins {
  /** How many bins, ≥ 1. */
  readonly count: number
  readonly low: number
  readonly high: number
}

/** The `count + 1` edges of the bins, ascending. @example binEdges({ count: 2, low: 0, high: 10 }) // [0, 5, 10] @see numpy `linspace` */
export function binEdges({ count, low, high }: Bins): Float64Array {
  const step = (high - low) / count
  return Float64Array.from({ length: count + 1 }, (_, bin) => (bin === count ? high : low + bin * step))
}

/** The bin of a value, or undefined if it is in none. */
export function binOf(value: number, { count, low, high }: Bins, edges: Float64Array): number | undefined {
  if (!(value >= low && value <= high)) return undefined
  const bin = Math.min(count - 1, Math.floor(((value - low) / (high - low)) * count))
  // The quotient is rounded, so the edges decide.
  if (value < edges[bin]!) return bin - 1
  return bin < count - 1 && value >= edges[bin + 1]! ? bin + 1 : bin
}
