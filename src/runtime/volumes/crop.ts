import { assertVoxels } from '../../core/array/assert-voxels.ts'
import { copyBox, offsetOf, type StridedBytes } from '../../core/array/box-copy.ts'
import { bytesOf, dtypeOf, type TypedArray, typedArray } from '../../core/array/dtype.ts'
import { rowMajorStrides } from '../../core/array/strides.ts'
import { ConfigError } from '../../core/errors.ts'
import { productOf } from '../../core/geometry/coordinate.ts'
import { containsRoi, type Roi, showRoi } from '../../core/geometry/roi.ts'
import { elementBox, type Voxels } from './volume-array.ts'

/**
 * Copies the part of some voxels that fills a smaller region.
 * @param region world units, inside `voxels.roi`, a whole number of voxels; every channel is kept
 * @param into memory for the copy, apart from `voxels.data`: of its type, as many elements as are copied @default a new typed array
 * @throws ConfigError `OUTSIDE_ARRAY`, `NOT_VOXEL_ALIGNED`, `DTYPE_MISMATCH`, `SHAPE_MISMATCH`
 */
export function cropTo<Data extends TypedArray>(voxels: Voxels<Data>, region: Roi, into?: Data): Voxels<Data> {
  const { offset, shape } = placeIn(voxels, region)
  const dtype = dtypeOf(voxels.data)
  if (into !== undefined) assertVoxels('The memory to crop into', dtype, shape, into)
  const data = into ?? (typedArray(dtype, productOf(shape)) as Data)
  const part = { data, shape, roi: region, voxelSize: voxels.voxelSize }
  copyBox(shape, data.BYTES_PER_ELEMENT, strided(voxels, offset), strided(part))
  return part
}

/**
 * Copies voxels into the part of larger ones that fills the same region.
 * @param part inside `whole`, of the same dtype, voxel size and channels
 * @throws ConfigError `OUTSIDE_ARRAY`, `NOT_VOXEL_ALIGNED`, `DTYPE_MISMATCH`
 */
export function pasteInto(whole: Voxels, part: Voxels): void {
  const { offset, shape } = placeIn(whole, part.roi)
  if (part.data.constructor !== whole.data.constructor) {
    throw new ConfigError(
      'DTYPE_MISMATCH',
      `The voxels to paste are ${dtypeOf(part.data)}, but the target is ${dtypeOf(whole.data)}; convert them first.`,
    )
  }
  copyBox(shape, part.data.BYTES_PER_ELEMENT, strided(part), strided(whole, offset))
}

/** The box of elements, including channels, of a region within some voxels. */
function placeIn(voxels: Voxels, region: Roi): Roi<'voxel'> {
  if (!containsRoi(voxels.roi, region)) {
    throw new ConfigError(
      'OUTSIDE_ARRAY',
      `The region ${showRoi(region)} is not inside the region of the voxels, ${showRoi(voxels.roi)}.`,
    )
  }
  const channels = voxels.shape.slice(0, voxels.shape.length - region.shape.length)
  const box = elementBox(region, voxels.roi.offset, voxels.voxelSize, channels)
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
