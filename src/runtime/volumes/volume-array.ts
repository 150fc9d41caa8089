import { BYTES_PER_ELEMENT, type TypedArray, typedArray } from '../../core/array/dtype.ts'
import { ConfigError } from '../../core/errors.ts'
import { type Coordinate, countElements, equalCoordinates, showCoordinate } from '../../core/geometry/coordinate.ts'
import { placeAxes, volumeOrder } from '../../core/geometry/placement.ts'
import {
  fromVoxels,
  isAlignedRoi,
  type Roi,
  roi,
  roiFrom,
  shiftRoi,
  showRoi,
  toVoxels,
} from '../../core/geometry/roi.ts'
import { showRoiInNm } from '../../core/geometry/roi-text.ts'
import { toNanometers, type WorldUnit } from '../../core/geometry/world-unit.ts'
import type { ArrayAxis, ArrayDescription, ChunkedArray } from '../../ports/chunked-array.ts'
import { channelsFirst } from './channels-first.ts'

// Terms for arrays:
//   ArrayFormat         one storage format (Zarr, HDF5): opens, creates and lists arrays        ports/chunked-array.ts
//   ArrayStore          all formats, addressed by the paths that users write                       ports/array-store.ts
//   ArrayDescription    shape, dtype and chunks of a stored array, in voxels                 ports/chunked-array.ts
//   ChunkedArray        an open stored array: reads and writes boxes of voxels                  ports/chunked-array.ts
//   VolumeDescription   an ArrayDescription and its placement, in world units                   here
//   VolumeArray         a ChunkedArray addressed in world units; what tasks open                here

/** Voxels in memory with their placement. */
export interface Voxels<Data extends TypedArray = TypedArray> {
  /** C order, one element per voxel and channel. */
  readonly data: Data
  /** Elements per axis, slowest first; leading axes that `roi` does not have are channels. */
  readonly shape: readonly number[]
  /** The region that they fill, world units; it has every axis of the array that is not a channel. */
  readonly roi: Roi
  /** World units per voxel. */
  readonly voxelSize: Coordinate
}

/** How a region is read. */
export interface ReadOptions {
  /** Memory for the voxels: as many elements as are read, of the array's dtype. @default a new typed array */
  readonly into?: TypedArray
  readonly signal?: AbortSignal
}

/** An array and its placement, in world units. */
export interface VolumeDescription extends Omit<ArrayDescription, 'axes'> {
  readonly axes: readonly ArrayAxis[]
  /** World units per voxel along each axis that is not a channel. */
  readonly voxelSize: Coordinate
  /** What world units count: nm, or a finer unit if the voxel size is not a whole number of nm. */
  readonly unit: WorldUnit
  /** The low edge of the first voxel, world units. */
  readonly offset: Coordinate
  /** The region that the array fills, world units. */
  readonly roi: Roi
  /** How many leading axes are channels: no Roi has them, and every block contains all of them. */
  readonly channelAxes: number
}

/** A stored volume, addressed in world units. */
export interface VolumeArray extends VolumeDescription, AsyncDisposable {
  readonly writable: boolean
  /**
   * Reads a region; outside the array it has the fill value.
   * @param region world units, a whole number of voxels
   * @throws ConfigError `NOT_VOXEL_ALIGNED`, `RANK_MISMATCH`, `SHAPE_MISMATCH`, `DTYPE_MISMATCH`; InfrastructureError `CORRUPT_DATA`, `IO_ERROR`
   */
  read(region: Roi, options?: ReadOptions): Promise<Voxels>
  /**
   * Writes a region, inside the array.
   * @param region world units, a whole number of voxels
   * @param data one element per voxel of the region (and channel), C order, of the array's dtype
   * @throws ConfigError `OUTSIDE_ARRAY`, `READ_ONLY` and those of `read`; InfrastructureError `DISK_FULL`, `IO_ERROR`
   */
  write(
    region: Roi,
    data: TypedArray | Pick<Voxels, 'data' | 'shape'>,
    options?: { readonly signal?: AbortSignal },
  ): Promise<void>
  /**
   * Writes a region with the voxels of another volume, chunk by chunk, in little memory. Where both store chunks in the same way, these are
   * taken over as they are, once each was decoded as a check. Absent if the format can't do that.
   * @param region world units, a whole number of voxels, inside both
   * @param from a volume that a task has opened for the same unit, of the same voxel size
   * @returns false, and has written nothing, if their chunks do not lie on each other: then read the region, and write it
   * @throws as `read` and `write`
   */
  copyChunks?(region: Roi, from: VolumeArray, options?: { readonly signal?: AbortSignal }): Promise<boolean>
  /** How many chunks (or shards) are stored; absent if the format can't tell. */
  countStoredChunks?(): Promise<{ readonly stored: number; readonly total: number }>
  close(): Promise<void>
}

/** The description of an array, its channels first, in world units of a unit at least as fine as `atLeast`. */
export function describeVolume(array: ArrayDescription, atLeast: WorldUnit = 'nm'): VolumeDescription {
  const order = volumeOrder(array.axes)
  const inOrder = <T>(list: readonly T[]): T[] => order.map((axis) => list[axis] as T)
  const axes = inOrder(array.axes)
  const shape = inOrder(array.shape) as Coordinate<'voxel'>
  const placement = placeAxes(axes, atLeast)
  const tiledShape = shape.slice(placement.channelAxes) as Coordinate<'voxel'>
  const extent = fromVoxels({ offset: tiledShape.map(() => 0), shape: tiledShape }, placement.voxelSize)
  return {
    path: array.path,
    format: array.format,
    shape,
    dtype: array.dtype,
    chunkShape: inOrder(array.chunkShape) as Coordinate<'voxel'>,
    ...(array.shardShape === undefined ? {} : { shardShape: inOrder(array.shardShape) as Coordinate<'voxel'> }),
    ...(array.chunksVary ? { chunksVary: true as const } : {}),
    order: array.order,
    codecs: array.codecs,
    fillValue: array.fillValue,
    axes,
    attributes: array.attributes,
    ...((array.warnings ?? []).length === 0 ? {} : { warnings: array.warnings as readonly string[] }),
    ...placement,
    roi: shiftRoi(extent, placement.offset),
  }
}

/** Counts bytes of voxels. */
export interface Traffic {
  readBytes: number
  writtenBytes: number
}

/**
 * A stored array as a volume in world units. Disposing it disposes the array.
 * @param trafficOf called at each read and write: the traffic to which its bytes are added
 */
export function volumeArray(
  array: ChunkedArray,
  atLeast: WorldUnit = 'nm',
  trafficOf?: () => Traffic | undefined,
): VolumeArray {
  const description = describeVolume(array, atLeast)
  const { readVoxels, writeVoxels } = channelsFirst(array)
  const count = array.countStoredChunks?.bind(array)
  const volume: VolumeArray = {
    ...description,
    writable: array.writable,
    async read(region, { into, signal } = {}) {
      const box = voxelBox(description, region)
      const data = into ?? typedArray(array.dtype, elementCount(description, box.shape))
      await readVoxels(box, data, signal === undefined ? {} : { signal })
      const traffic = trafficOf?.()
      if (traffic !== undefined) traffic.readBytes += data.byteLength
      return { data, shape: box.shape, roi: region, voxelSize: description.voxelSize }
    },
    async write(region, data, { signal } = {}) {
      const box = voxelBox(description, region)
      const values = ArrayBuffer.isView(data) ? data : data.data
      if (!ArrayBuffer.isView(data) && !equalCoordinates(data.shape, box.shape)) {
        throw new ConfigError(
          'SHAPE_MISMATCH',
          `${description.path}: the region ${showRoi(region)} is ${showCoordinate(box.shape)} voxels, but the data has the shape ${showCoordinate(data.shape)}; crop it with cropTo(voxels, region).`,
        )
      }
      await writeVoxels(box, values, signal === undefined ? {} : { signal })
      const traffic = trafficOf?.()
      if (traffic !== undefined) traffic.writtenBytes += values.byteLength
    },
    ...(array.copyChunks === undefined
      ? {}
      : { copyChunks: (...args) => copyChunks(volume, array, trafficOf, ...args) }),
    ...(count === undefined ? {} : { countStoredChunks: count }),
    close: () => array[Symbol.asyncDispose]() as Promise<void>,
    [Symbol.asyncDispose]: () => array[Symbol.asyncDispose](),
  }
  storedArrays.set(volume, array)
  return volume
}

/** The stored arrays behind volumes. */
const storedArrays = new WeakMap<VolumeArray, ChunkedArray>()

async function copyChunks(
  volume: VolumeArray,
  array: ChunkedArray,
  trafficOf: (() => Traffic | undefined) | undefined,
  region: Roi,
  from: VolumeArray,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<boolean> {
  const source = storedArrays.get(from)
  const isInOrder = (axes: readonly ArrayAxis[]) => volumeOrder(axes).every((axis, position) => axis === position)
  const isSameGrid =
    source !== undefined &&
    volume.unit === from.unit &&
    volume.channelAxes === from.channelAxes &&
    equalCoordinates(volume.voxelSize, from.voxelSize) &&
    isInOrder(array.axes) &&
    isInOrder(source.axes)
  if (!isSameGrid) return false
  const box = voxelBox(volume, region)
  const there = voxelBox(from, region)
  const shift = there.offset.map((position, axis) => position - (box.offset[axis] as number))
  if (!equalCoordinates(box.shape, there.shape)) return false
  if (!(await array.copyChunks?.(box, source, shift, signal === undefined ? {} : { signal }))) return false
  const traffic = trafficOf?.()
  if (traffic !== undefined) {
    const bytes = Number(countElements(box.shape)) * BYTES_PER_ELEMENT[volume.dtype]
    traffic.readBytes += bytes
    traffic.writtenBytes += bytes
  }
  return true
}

function elementCount(array: VolumeDescription, shape: readonly number[]): number {
  const count = countElements(shape)
  if (count > 2n ** 32n) {
    throw new ConfigError(
      'SHAPE_MISMATCH',
      `${array.path}: a block of ${showCoordinate(shape)} voxels exceeds 2^32 elements; use smaller blocks.`,
    )
  }
  return Number(count)
}

/** The box of array indices, including channels, of a world region. */
function voxelBox(array: VolumeDescription, region: Roi): Roi<'voxel'> {
  const box = elementBox(region, array.offset, array.voxelSize, array.shape.slice(0, array.channelAxes))
  if (box === undefined) {
    throw new ConfigError(
      'NOT_VOXEL_ALIGNED',
      `${array.path}: the region ${showRoiInNm(region, array.unit)} nm is not a whole number of its voxels, which are ${array.voxelSize.map((size) => toNanometers(size, array.unit)).join(' × ')} nm and start at ${array.offset.map((value) => toNanometers(value, array.unit)).join(', ')} nm.`,
    )
  }
  return box
}

/**
 * The box of elements of a world region, with every channel.
 * @param origin low edge of the first voxel
 * @param channels elements of the leading axes
 * @returns undefined if the region is not a whole number of voxels
 */
export function elementBox(
  region: Roi,
  origin: Coordinate,
  voxelSize: Coordinate,
  channels: readonly number[],
): Roi<'voxel'> | undefined {
  const local = roiFrom(region, origin)
  if (!isAlignedRoi(local, voxelSize)) return undefined
  const { offset, shape } = toVoxels(local, voxelSize)
  return roi<'voxel'>([...channels.map(() => 0), ...offset], [...channels, ...shape])
}

/** A shape in world units as voxels per axis. */
export const voxelsAcross = (array: Pick<VolumeDescription, 'voxelSize'>, shape: readonly number[]): number[] =>
  shape.map((length, axis) => length / (array.voxelSize[axis] as number))

/** The shape that storage writes as a unit, in voxels without channels: a shard, or a chunk if the array has no shards. */
export const storageVoxels = (array: VolumeDescription): readonly number[] =>
  (array.shardShape ?? array.chunkShape).slice(array.channelAxes)

/** The same in world units. */
export const storageShape = (array: VolumeDescription): Coordinate =>
  storageVoxels(array).map((length, axis) => length * (array.voxelSize[axis] as number))
