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
