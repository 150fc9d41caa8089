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
  if (isCountable(data)) return statisticsOfCounts(countValues(data), lowestOf(data), bins)
  const isBig = data instanceof BigInt64Array || data instanceof BigUint64Array
  const values = isBig ? asFloat64(data) : data
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

// `Float64Array.from` would collect all bigints first: 80 bytes per voxel.
function asFloat64(data: BigInt64Array | BigUint64Array): Float64Array {
  const values = new Float64Array(data.length)
  for (let i = 0; i < data.length; i++) values[i] = Number(data[i]!)
  return values
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
  const counts = new Float64Array(bins.count)
  const edges = binEdges(bins)
  for (let i = 0; i < values.length; i++) {
    const bin = binOf(values[i]!, bins, edges)
    if (bin !== undefined) counts[bin]!++
  }
  return counts
}

function binOf(value: number, { count, low, high }: Bins, edges: Float64Array): number | undefined {
  if (!(value >= low && value <= high)) return undefined
  const bin = Math.min(count - 1, Math.floor(((value - low) / (high - low)) * count))
  // The quotient is rounded, so the edges decide.
  if (value < edges[bin]!) return bin - 1
  return bin < count - 1 && value >= edges[bin + 1]! ? bin + 1 : bin
}

type Countable = Uint8Array | Int8Array | Uint16Array | Int16Array

/** Whether it is faster to count each value of the type first. */
const isCountable = (data: TypedArray): data is Countable =>
  data instanceof Uint8Array ||
  data instanceof Int8Array ||
  ((data instanceof Uint16Array || data instanceof Int16Array) && data.length >= 2 ** 16)

const lowestOf = (data: Countable): number =>
  data instanceof Int8Array ? -(2 ** 7) : data instanceof Int16Array ? -(2 ** 15) : 0

/** How often each value of the type occurs, ascending. */
function countValues(data: Countable): Float64Array {
  const { buffer, byteOffset, length } = data
  const isByte = data.BYTES_PER_ELEMENT === 1
  const counts = isByte
    ? countBytes(new Uint8Array(buffer, byteOffset, length))
    : countShorts(new Uint16Array(buffer, byteOffset, length))
  // Two's complement: the negative values are the upper half.
  const half = counts.length / 2
  return Float64Array.from(lowestOf(data) < 0 ? [...counts.subarray(half), ...counts.subarray(0, half)] : counts)
}

/** A value that repeats would wait for its count, so neighbours are counted apart. */
function countBytes(data: Uint8Array): Uint32Array {
  const [first, second, third, fourth] = [0, 1, 2, 3].map(() => new Uint32Array(2 ** 8)) as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ]
  const whole = data.length - (data.length % 4)
  for (let i = 0; i < whole; i += 4) {
    first[data[i]!]!++
    second[data[i + 1]!]!++
    third[data[i + 2]!]!++
    fourth[data[i + 3]!]!++
  }
  for (let i = whole; i < data.length; i++) first[data[i]!]!++
  return first.map((count, value) => count + second[value]! + third[value]! + fourth[value]!)
}

/** The counts stay in the second-level cache, so there is one of each. */
function countShorts(data: Uint16Array): Uint32Array {
  const counts = new Uint32Array(2 ** 16)
  for (let i = 0; i < data.length; i++) counts[data[i]!]!++
  return counts
}

/** The statistics of integers of which it is known how often each occurs. The sum is exact. */
function statisticsOfCounts(counts: Float64Array, lowest: number, bins: Bins | undefined): VoxelStatistics {
  let [count, sum] = [0, 0]
  let min: number | undefined
  let max: number | undefined
  for (let rank = 0; rank < counts.length; rank++) {
    const times = counts[rank]!
    if (times === 0) continue
    const value = lowest + rank
    count += times
    sum += times * value
    min ??= value
    max = value
  }
  const mean = count === 0 ? 0 : sum / count
  let squares = 0
  const histogram = new Float64Array(bins?.count ?? 0)
  const edges = bins === undefined ? undefined : binEdges(bins)
  for (let rank = 0; rank < counts.length; rank++) {
    const times = counts[rank]!
    if (times === 0) continue
    squares += times * (lowest + rank - mean) ** 2
    const bin = bins === undefined ? undefined : binOf(lowest + rank, bins, edges!)
    if (bin !== undefined) histogram[bin]! += times
  }
  return { count, nan: 0, nonzero: count - (counts[-lowest] ?? 0), min, max, mean, squares, histogram }
}
