import { assertVoxels } from '../../src/core/array/assert-voxels.ts'
import { copyBox, offsetOf, type StridedBytes } from '../../src/core/array/box-copy.ts'
import {
  BYTES_PER_ELEMENT,
  bytesOf,
  type DType,
  isBigDType,
  type Scalar,
  type TypedArray,
  typedArray,
} from '../../src/core/array/dtype.ts'
import { rowMajorStrides } from '../../src/core/array/strides.ts'
import { ConfigError } from '../../src/core/errors.ts'
import {
  assertSameRank,
  coordinate,
  countElements,
  showCoordinate,
  subtractCoordinates,
} from '../../src/core/geometry/coordinate.ts'
import { containsRoi, equalRois, intersectRoi, type Roi, roi, showRoi } from '../../src/core/geometry/roi.ts'
import { boxIndices, splitIndex } from '../../src/core/grid/index-box.ts'
import type { ArrayAxis, ChunkedArray } from '../../src/ports/chunked-array.ts'

export interface MemoryArrayOptions {
  readonly shape: readonly number[]
  readonly dtype: DType
  /** The voxels in C order. They are not copied, so writes change them. @default filled with `fillValue` */
  readonly data?: TypedArray
  /** The chunk shape that the array reports; it has no chunks. @default `shape` */
  readonly chunkShape?: readonly number[]
  /** One per axis. @default names d0…, in space, no scale */
  readonly axes?: readonly ArrayAxis[]
  /** Also the value of all voxels outside the array. @default 0 */
  readonly fillValue?: Scalar
  /** @default 'memory' */
  readonly path?: string
}

/**
 * An array in memory, which implements the array port without a file.
 * @throws ConfigError `INVALID_ROI` (a negative shape), `RANK_MISMATCH`, `SHAPE_MISMATCH`, `DTYPE_MISMATCH`
 */
export function memoryArray(options: MemoryArrayOptions): ChunkedArray {
  const { dtype, path = 'memory' } = options
  const extent = roi<'voxel'>(
    options.shape.map(() => 0),
    options.shape,
  )
  const shape = extent.shape
  const fillValue = isBigDType(dtype) ? BigInt(options.fillValue ?? 0) : Number(options.fillValue ?? 0)
  const voxels = options.data ?? fillArray(typedArray(dtype, Number(countElements(shape))), fillValue)
  const chunkShape = coordinate<'voxel'>(options.chunkShape ?? shape.map((length) => Math.max(1, length)))
  const axes = options.axes ?? shape.map((_, axis): ArrayAxis => ({ name: `d${axis}`, type: 'space' }))
  assertSameRank(shape, chunkShape, 'shape and chunk shape')
  assertSameRank(
    shape,
    axes.map(({ name }) => name),
    'shape and axes',
  )
  assertVoxels(path, dtype, shape, voxels)

  /** Where a box inside `around` lies in memory that contains all of `around`. */
  const placeIn = (data: TypedArray, around: Roi<'voxel'>, box: Roi<'voxel'>): StridedBytes => {
    const strides = rowMajorStrides(around.shape, BYTES_PER_ELEMENT[dtype])
    return { bytes: bytesOf(data), start: offsetOf(subtractCoordinates(box.offset, around.offset), strides), strides }
  }
  const copy = (box: Roi<'voxel'>, from: StridedBytes, to: StridedBytes) =>
    copyBox(box.shape, BYTES_PER_ELEMENT[dtype], from, to)

  return {
    path,
    format: 'memory',
    shape,
    dtype,
    chunkShape,
    order: 'C',
    codecs: [],
    fillValue,
    axes,
    attributes: {},
    writable: true,
    async readVoxels(box, into, { signal } = {}) {
      signal?.throwIfAborted()
      assertSameRank(shape, box.shape, 'shapes of an array and a box in it')
      assertVoxels(path, dtype, box.shape, into)
      const inside = intersectRoi(box, extent)
      if (!equalRois(inside, box)) fillArray(into, fillValue)
      copy(inside, placeIn(voxels, extent, inside), placeIn(into, box, inside))
    },
    async writeVoxels(box, data, { signal } = {}) {
      signal?.throwIfAborted()
      assertSameRank(shape, box.shape, 'shapes of an array and a box in it')
      assertVoxels(path, dtype, box.shape, data)
      if (!containsRoi(extent, box)) {
        throw new ConfigError(
          'OUTSIDE_ARRAY',
          `The box ${showRoi(box)} is not inside "${path}" of ${showCoordinate(shape)} voxels.`,
        )
      }
      copy(box, placeIn(data, box, box), placeIn(voxels, extent, box))
    },
    async removeChunks(box) {
      const chunks = shape.map((length, axis) => Math.ceil(length / (chunkShape[axis] as number)))
      for (const index of boxIndices({ start: chunks.map(() => 0), end: chunks }, chunks)) {
        const at: number[] = []
        splitIndex(index, chunks, at)
        const chunk = roi<'voxel'>(
          at.map((k, axis) => k * (chunkShape[axis] as number)),
          chunkShape,
        )
        const inside = intersectRoi(chunk, extent)
        if (!containsRoi(box, inside)) continue
        const none = fillArray(typedArray(dtype, Number(countElements(inside.shape))), fillValue)
        copy(inside, placeIn(none, inside, inside), placeIn(voxels, extent, inside))
      }
    },
    async [Symbol.asyncDispose]() {},
  }
}

function fillArray(data: TypedArray, value: Scalar): TypedArray {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return data.fill(BigInt(value))
  return data.fill(Number(value))
}
