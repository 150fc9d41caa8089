import { areLargeIntegers, type TypedArray } from '../voxels.ts'
import { type Bins, binEdges, binOf } from './bins.ts'
import type { VoxelStatistics } from './voxel-statistics.ts'

/** Statistics in plain TypeScript: for types that WebAssembly does not know, and what its results are compared with. */
export function plainStatistics(data: TypedArray, bins?: Bins): VoxelStatistics {
  const isBig = areLargeIntegers(data)
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
