import { assertVoxels } from '../../../core/array/assert-voxels.ts'
import { copyBox, fillBox, offsetOf } from '../../../core/array/box-copy.ts'
import { BYTES_PER_ELEMENT, bytesOf, typedArray } from '../../../core/array/dtype.ts'
import { rowMajorStrides } from '../../../core/array/strides.ts'
import { assertSameRank, coordinate, countElements } from '../../../core/geometry/coordinate.ts'
import { containsRoi, intersectRoi, isEmptyRoi, type Roi, roi } from '../../../core/geometry/roi.ts'
import type { ChunkedArray } from '../../../ports/chunked-array.ts'

/** The first voxels of an array along each axis, for reading; what lies beyond is the fill value. */
export function croppedArray(array: ChunkedArray, shape: readonly number[]): ChunkedArray {
  const { path, dtype, fillValue } = array
  const extent: Roi<'voxel'> = roi(
    shape.map(() => 0),
    shape,
  )
  const size = BYTES_PER_ELEMENT[dtype]
  const one = typedArray(dtype, 1)
  one[0] = fillValue as never
  const { format, order, codecs, axes, attributes, warnings, chunkShape } = array
  return {
    ...{ path, dtype, fillValue, format, order, codecs, axes, attributes, writable: false },
    ...(warnings === undefined ? {} : { warnings }),
    shape: coordinate<'voxel'>(shape),
    chunkShape: coordinate<'voxel'>(chunkShape.map((length, axis) => Math.min(length, shape[axis] as number))),
    async readVoxels(box, into, options) {
      assertSameRank(shape, box.shape, 'shapes of an array and a box in it')
      if (containsRoi(extent, box)) return array.readVoxels(box, into, options)
      options?.signal?.throwIfAborted()
      assertVoxels(path, dtype, box.shape, into)
      const inside = intersectRoi(box, extent)
      const target = { bytes: bytesOf(into), start: 0, strides: rowMajorStrides(box.shape, size) }
      fillBox(box.shape, bytesOf(one), target)
      if (isEmptyRoi(inside)) return
      const part = typedArray(dtype, Number(countElements(inside.shape)))
      await array.readVoxels(inside, part, options)
      const at = inside.offset.map((start, axis) => start - (box.offset[axis] as number))
      const source = { bytes: bytesOf(part), start: 0, strides: rowMajorStrides(inside.shape, size) }
      copyBox(inside.shape, size, source, { ...target, start: offsetOf(at, target.strides) })
    },
    writeVoxels: array.writeVoxels.bind(array),
    [Symbol.asyncDispose]: () => array[Symbol.asyncDispose]() as Promise<void>,
  }
}
