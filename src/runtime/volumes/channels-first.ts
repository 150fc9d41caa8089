import { copyBox } from '../../core/array/box-copy.ts'
import { bytesOf, type TypedArray, typedArray } from '../../core/array/dtype.ts'
import { rowMajorStrides } from '../../core/array/strides.ts'
import { volumeOrder } from '../../core/geometry/placement.ts'
import { type Roi, roi } from '../../core/geometry/roi.ts'
import type { ChunkedArray, TransferOptions } from '../../ports/chunked-array.ts'

/** A box of a volume, whose channels come first, as a box of the stored array. */
export function storedBox({ axes }: Pick<ChunkedArray, 'axes'>, box: Roi<'voxel'>): Roi<'voxel'> {
  const order = volumeOrder(axes)
  const stored = (list: readonly number[]) => order.map((_, axis) => list[order.indexOf(axis)] as number)
  return roi(stored(box.offset), stored(box.shape))
}

/** Reads and writes an array as if its channels came first, wherever they are stored. */
export function channelsFirst(array: ChunkedArray): Pick<ChunkedArray, 'readVoxels' | 'writeVoxels'> {
  const order = volumeOrder(array.axes)
  if (order.every((axis, position) => axis === position)) {
    return { readVoxels: array.readVoxels.bind(array), writeVoxels: array.writeVoxels.bind(array) }
  }
  /** The same voxels in memory, in the order of the volume and in that of the array. */
  const bothOrders = (box: Roi<'voxel'>, data: TypedArray) => {
    const stored = storedBox(array, box)
    const inOrder = typedArray(array.dtype, data.length)
    const size = data.BYTES_PER_ELEMENT
    const strides = rowMajorStrides(stored.shape, size)
    const inArray = { bytes: bytesOf(inOrder), start: 0, strides: order.map((axis) => strides[axis] as number) }
    const inVolume = { bytes: bytesOf(data), start: 0, strides: rowMajorStrides(box.shape, size) }
    return { stored, inOrder, size, inArray, inVolume }
  }
  return {
    async readVoxels(box: Roi<'voxel'>, into: TypedArray, options?: TransferOptions) {
      const { stored, inOrder, size, inArray, inVolume } = bothOrders(box, into)
      await array.readVoxels(stored, inOrder, options)
      copyBox(box.shape, size, inArray, inVolume)
    },
    async writeVoxels(box: Roi<'voxel'>, data: TypedArray, options?: TransferOptions) {
      const { stored, inOrder, size, inArray, inVolume } = bothOrders(box, data)
      copyBox(box.shape, size, inVolume, inArray)
      await array.writeVoxels(stored, inOrder, options)
    },
  }
}
