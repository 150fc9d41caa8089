import type { TypedArray } from '../voxels.ts'
import { type Bins, binEdges, binOf } from './bins.ts'
import type { VoxelStatistics } from './voxel-statistics.ts'

type Countable = Uint8Array | Int8Array | Uint16Array | Int16Array

/** Whether it is faster to count each value of the type first. */
export const isCountable = (data: TypedArray): data is Countable =>
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
export function countedStatistics(data: Countable, bins: Bins | undefined): VoxelStatistics {
  const [counts, lowest] = [countValues(data), lowestOf(data)]
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
