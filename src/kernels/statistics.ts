import type { TypedArray } from './voxels.ts'

/** Statistics of some voxels. NaN is counted in `nan` only. */
export interface VoxelStatistics {
  /** How many values are not NaN. */
  readonly count: number
  /** How many values are NaN. */
  readonly nan: number
  /** How many values are neither NaN nor 0. */
  readonly nonzero: number
  /** The smallest value: `bigint` for 64-bit integers; undefined if there is no value. */
  readonly min: number | bigint | undefined
  /** The largest value, as `min`. */
  readonly max: number | bigint | undefined
  /** 0 if there is no value. */
  readonly mean: number
  /** The sum of the squared deviations from the mean: the variance times `count`. */
  readonly squares: number
  /** The number of values in each bin; empty if no bins were given. */
  readonly histogram: Float64Array
}

/** Bins of equal width from `low` to `high`. The last one includes `high`; values outside of the range are in no bin. */
export interface Bins {
  /** How many bins, ≥ 1. */
  readonly count: number
  readonly low: number
  readonly high: number
}

/**
 * Counts, extremes, mean, spread and histogram of values, computed in float64; extremes of 64-bit integers are exact.
 * @param data any shape
 * @param bins for a histogram @default no histogram
 * @example voxelStatistics(Uint8Array.of(0, 2, 4)).mean // 2
 * @see numpy `nanmin`, `nanmax`, `nanmean`, `nanstd`, `histogram`
 */
export function voxelStatistics(data: TypedArray, bins?: Bins): VoxelStatistics {
  const isBig = data instanceof BigInt64Array || data instanceof BigUint64Array
  const values = isBig ? Float64Array.from(data, Number) : data
  let [nan, nonzero, sum] = [0, 0, 0]
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (Number.isNaN(value)) {
      nan++
      continue
    }
    if (value !== 0) nonzero++
    if (value < low) low = value
    if (value > high) high = value
    sum += value
  }
  const count = values.length - nan
  const mean = count === 0 ? 0 : sum / count
  let squares = 0
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (!Number.isNaN(value)) squares += (value - mean) ** 2
  }
  const [min, max] = count === 0 ? [undefined, undefined] : isBig ? bigExtremes(data) : [low, high]
  return { count, nan, nonzero, min, max, mean, squares, histogram: histogramOf(values, bins) }
}

function bigExtremes(data: BigInt64Array | BigUint64Array): [bigint, bigint] {
  let [low, high] = [data[0]!, data[0]!]
  for (let i = 1; i < data.length; i++) {
    const value = data[i]!
    if (value < low) low = value
    else if (value > high) high = value
  }
  return [low, high]
}

/**
 * Merges the statistics of two sets of voxels, with the same bins, into those of both together. With infinite values the mean is
 * infinite or NaN.
 * @example mergeStatistics(voxelStatistics(a), voxelStatistics(b)).count // a.length + b.length, without NaN
 */
export function mergeStatistics(a: VoxelStatistics, b: VoxelStatistics): VoxelStatistics {
  const count = a.count + b.count
  const apart = b.mean - a.mean
  const pick = (one: VoxelStatistics['min'], other: VoxelStatistics['min'], isLess: boolean) =>
    one === undefined || (other !== undefined && other < one === isLess) ? other : one
  return {
    count,
    nan: a.nan + b.nan,
    nonzero: a.nonzero + b.nonzero,
    min: pick(a.min, b.min, true),
    max: pick(a.max, b.max, false),
    mean: a.count === 0 ? b.mean : b.count === 0 ? a.mean : a.mean + (apart * b.count) / count,
    squares: a.squares + b.squares + (a.count === 0 || b.count === 0 ? 0 : apart ** 2 * ((a.count * b.count) / count)),
    histogram: a.histogram.map((binned, bin) => binned + (b.histogram[bin] as number)),
  }
}

/** The `count + 1` edges of the bins, ascending. @example binEdges({ count: 2, low: 0, high: 10 }) // [0, 5, 10] @see numpy `linspace` */
export function binEdges({ count, low, high }: Bins): Float64Array {
  const step = (high - low) / count
  return Float64Array.from({ length: count + 1 }, (_, bin) => (bin === count ? high : low + bin * step))
}

function histogramOf(values: ArrayLike<number>, bins: Bins | undefined): Float64Array {
  if (bins === undefined) return new Float64Array(0)
  const { count, low, high } = bins
  const counts = new Float64Array(count)
  const edges = binEdges(bins)
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (!(value >= low && value <= high)) continue
    let bin = Math.min(count - 1, Math.floor(((value - low) / (high - low)) * count))
    // The quotient is rounded, so the edges decide.
    if (value < edges[bin]!) bin--
    else if (bin < count - 1 && value >= edges[bin + 1]!) bin++
    counts[bin]!++
  }
  return counts
}
