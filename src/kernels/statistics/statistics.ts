import type { TypedArray } from '../voxels.ts'
import type { Bins } from './bins.ts'
import { countedStatistics, isCountable } from './counted-statistics.ts'
import { hasMoments, momentsOf } from './moments-module.ts'
import { plainStatistics } from './plain-statistics.ts'
import type { VoxelStatistics } from './voxel-statistics.ts'

/**
 * Counts, extremes, mean, spread and histogram of values, computed in float64; extremes of 64-bit integers are exact.
 * @param data any shape
 * @param bins for a histogram @default no histogram
 * @example voxelStatistics(Uint8Array.of(0, 2, 4)).mean // 2
 * @see numpy `nanmin`, `nanmax`, `nanmean`, `nanstd`, `histogram`
 */
export function voxelStatistics(data: TypedArray, bins?: Bins): VoxelStatistics {
  if (isCountable(data)) return countedStatistics(data, bins)
  return hasMoments(data, bins) ? momentsOf(data, bins) : plainStatistics(data, bins)
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
