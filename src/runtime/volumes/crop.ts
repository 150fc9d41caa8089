import { copyBox, offsetOf, rowMajorStrides, type StridedBytes } from '../../core/array/box-copy.ts'
import { bytesOf, dtypeOf, type TypedArray, typedArray } from '../../core/array/dtype.ts'
import { ConfigError } from '../../core/errors.ts'
import { containsRoi, type Roi, showRoi } from '../../core/geometry/roi.ts'
import { boxOf, type Voxels } from './volume-array.ts'

/**
 * The part of some voxels that fills a smaller region; a copy.
 * @param region world units, inside `voxels.roi`, a whole number of voxels; channels are kept whole
 * @throws ConfigError `OUTSIDE_ARRAY`, `NOT_VOXEL_ALIGNED`
 */
export function cropTo<Data extends TypedArray>(voxels: Voxels<Data>, region: Roi): Voxels<Data> {
  const { offset, shape } = placeIn(voxels, region)
  const data = typedArray(
    dtypeOf(voxels.data),
    shape.reduce((product, length) => product * length, 1),
  ) as Data
  const part = { data, shape, roi: region, voxelSize: voxels.voxelSize }
  copyBox(shape, data.BYTES_PER_ELEMENT, strided(voxels, offset), strided(part))
  return part
}

/**
 * Copies voxels into larger ones, at their place.
 * @param part inside `whole`, of the same dtype, voxel size and channels
 * @throws ConfigError `OUTSIDE_ARRAY`, `NOT_VOXEL_ALIGNED`, `DTYPE_MISMATCH`
 */
export function pasteInto(whole: Voxels, part: Voxels): void {
  const { offset, shape } = placeIn(whole, part.roi)
  if (part.data.constructor !== whole.data.constructor) {
    throw new ConfigError(
      'DTYPE_MISMATCH',
      `Voxels of ${dtypeOf(part.data)} can't be pasted into ${dtypeOf(whole.data)}.`,
    )
  }
  copyBox(shape, part.data.BYTES_PER_ELEMENT, strided(part), strided(whole, offset))
}

/** The box of elements, channels included, that a region takes within some voxels. */
function placeIn(voxels: Voxels, region: Roi): Roi<'voxel'> {
  if (!containsRoi(voxels.roi, region)) {
    throw new ConfigError(
      'OUTSIDE_ARRAY',
      `The region ${showRoi(region)} is not inside the voxels at ${showRoi(voxels.roi)}.`,
    )
  }
  const channels = voxels.shape.slice(0, voxels.shape.length - region.shape.length)
  const box = boxOf(region, voxels.roi.offset, voxels.voxelSize, channels)
  if (box === undefined) {
    throw new ConfigError(
      'NOT_VOXEL_ALIGNED',
      `The region ${showRoi(region)} is not a whole number of voxels of ${voxels.voxelSize.join(' × ')}.`,
    )
  }
  return box
}

function strided(
  { data, shape }: Pick<Voxels, 'data' | 'shape'>,
  offset: readonly number[] = shape.map(() => 0),
): StridedBytes {
  const strides = rowMajorStrides(shape, data.BYTES_PER_ELEMENT)
  return { bytes: bytesOf(data), start: offsetOf(offset, strides), strides }
}
