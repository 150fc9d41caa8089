import type { TypedArray } from './voxels.ts'

/** What there is to say of some voxels. NaN counts in `nan` alone. */
export interface VoxelStatistics {
  /** Values that are not NaN. */
  readonly count: number
  readonly nan: number
  /** Values that are neither NaN nor 0. */
  readonly nonzero: number
  /** The smallest and the largest value: `bigint` for 64-bit integers; undefined where there is no value. */
  readonly min: number | bigint | undefined
  readonly max: number | bigint | undefined
  /** 0 where there is no value. */
  readonly mean: number
  /** The sum of the squares of the distances from the mean. */
  readonly squares: number
  /** How many values are in each bin, if bins were asked for. */
  readonly histogram: Float64Array
}

/** Equal bins over a range. The last one holds its upper end, too; what lies outside of the range is in none. */
export interface Bins {
  readonly count: number
  readonly low: number
  readonly high: number
}

/**
 * Counts, extremes, mean, spread and histogram of values, in float64; extremes of 64-bit integers are exact.
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

/** The statistics of two sets of voxels together. Of infinities the mean is infinite or NaN. */
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

/** Where the bins begin, and where the last one ends. @see numpy `linspace` */
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
    // The quotient is rounded: the edges decide.
    if (value < edges[bin]!) bin--
    else if (bin < count - 1 && value >= edges[bin + 1]!) bin++
    counts[bin]!++
  }
  return counts
}
