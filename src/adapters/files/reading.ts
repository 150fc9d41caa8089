import { assertVoxels } from '../../core/array/assert-voxels.ts'
import { bytesOf, type TypedArray } from '../../core/array/dtype.ts'
import { ConfigError } from '../../core/errors.ts'
import { assertSameRank } from '../../core/geometry/coordinate.ts'
import { equalRois, intersectRoi, type Roi, roi } from '../../core/geometry/roi.ts'
import type { ChunkedArray } from '../../ports/chunked-array.ts'

/**
 * Checks a read of an array whose fill value is 0, and fills the part of `into` that lies beyond the array.
 * @returns the part of the box that lies inside, still to be read; it may be empty
 * @throws ConfigError `RANK_MISMATCH`, `SHAPE_MISMATCH`, `DTYPE_MISMATCH`
 */
export function partInside(
  { path, shape, dtype }: Pick<ChunkedArray, 'path' | 'shape' | 'dtype'>,
  box: Roi<'voxel'>,
  into: TypedArray,
): Roi<'voxel'> {
  assertSameRank(shape, box.shape, 'shapes of an array and a box in it')
  assertVoxels(path, dtype, box.shape, into)
  const extent = roi<'voxel'>(
    shape.map(() => 0),
    shape,
  )
  const inside = intersectRoi(box, extent)
  if (!equalRois(inside, box)) bytesOf(into).fill(0)
  return inside
}

/** The error of a write. */
export const onlyRead = (path: string): ConfigError =>
  new ConfigError('READ_ONLY', `${path} can only be read; Bellis writes Zarr, N5 and precomputed.`)
