import { type DType, isBigDType, parseDType, type Scalar, type TypedArray, typedArray } from '../../core/array/dtype.ts'
import { ConfigError } from '../../core/errors.ts'
import {
  type Coordinate,
  combine,
  countElements,
  equalCoordinates,
  showCoordinate,
} from '../../core/geometry/coordinate.ts'
import {
  axesOf,
  type Placement,
  placeAxes,
  showRoiInNm,
  toNanometers,
  unitFactor,
  type WorldUnit,
} from '../../core/geometry/placement.ts'
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
import type { ArrayAxis, ArrayDescription, ChunkedArray, CreateArrayOptions } from '../../ports/chunked-array.ts'

/** Voxels in memory together with where they lie. */
export interface Voxels<Data extends TypedArray = TypedArray> {
  /** C order, one element per voxel and channel. */
  readonly data: Data
  /** Elements per axis, slowest first; leading axes that `roi` has not are channels. */
  readonly shape: readonly number[]
  /** The region they fill, world units; one axis per axis of the array that is not a channel. */
  readonly roi: Roi
  /** World units per voxel. */
  readonly voxelSize: Coordinate
}

/** How a region is read. */
export interface ReadOptions {
  /** Where to put the voxels: as many elements as are read, of the array's dtype. @default a new typed array */
  readonly into?: TypedArray
  readonly signal?: AbortSignal
}

/** What an array is and where it lies: a description in world units. */
export interface VolumeDescription extends Omit<ArrayDescription, 'axes'> {
  readonly axes: readonly ArrayAxis[]
  /** World units per voxel along each axis that is not a channel. */
  readonly voxelSize: Coordinate
  /** What world units count: nm, or finer where the voxel size is not whole in nm. */
  readonly unit: WorldUnit
  /** Where the first voxel begins, world units. */
  readonly offset: Coordinate
  /** All of it, world units. */
  readonly roi: Roi
  /** How many leading axes are channels: outside every Roi, wholly in every block. */
  readonly channelAxes: number
}

/** A stored volume, addressed in world units. */
export interface VolumeArray extends VolumeDescription, AsyncDisposable {
  readonly writable: boolean
  /**
   * Reads a region; the parts of it outside the array are the fill value.
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
  /** How many chunks (shards) are stored, where the format can tell. */
  countStoredChunks?(): Promise<{ readonly stored: number; readonly total: number }>
  close(): Promise<void>
}

/** How to make a volume: like another one, with what differs. Lengths are world units of `unit`. */
export interface CreateVolumeOptions extends Omit<CreateArrayOptions, 'shape' | 'dtype' | 'axes'> {
  /** Takes shape, dtype, placement, axes and fill value from this one, where they are not given. */
  readonly like?: VolumeDescription
  /** Voxels per axis, channels first. */
  readonly shape?: readonly number[]
  readonly dtype?: DType
  /** @default that of `like`, or 1 */
  readonly voxelSize?: Coordinate
  /** @default that of `like`, or 0 */
  readonly offset?: Coordinate
  /** @default that of `like`, or 'nm' */
  readonly unit?: WorldUnit
  /** Axis names. @default those of `like`, or z, y, x (c… before them) */
  readonly axisNames?: readonly string[]
}

/** A description in world units, counted in a unit at least as fine as `atLeast`. */
export function describeVolume(array: ArrayDescription, atLeast: WorldUnit = 'nm'): VolumeDescription {
  const placement = placeAxes(array.axes, atLeast)
  const tiledShape = array.shape.slice(placement.channelAxes) as Coordinate<'voxel'>
  const extent = fromVoxels({ offset: tiledShape.map(() => 0), shape: tiledShape }, placement.voxelSize)
  return {
    path: array.path,
    format: array.format,
    shape: array.shape,
    dtype: array.dtype,
    chunkShape: array.chunkShape,
    ...(array.shardShape === undefined ? {} : { shardShape: array.shardShape }),
    order: array.order,
    codecs: array.codecs,
    fillValue: array.fillValue,
    axes: array.axes,
    attributes: array.attributes,
    ...placement,
    roi: shiftRoi(extent, placement.offset),
  }
}

/** Counts bytes of voxels. */
export interface Traffic {
  readBytes: number
  writtenBytes: number
}

/** A stored array as a volume in world units. Disposing it disposes the array. @param trafficOf whose reads and writes these are now: it is added to */
export function volumeArray(
  array: ChunkedArray,
  atLeast: WorldUnit = 'nm',
  trafficOf?: () => Traffic | undefined,
): VolumeArray {
  const description = describeVolume(array, atLeast)
  const count = array.countStoredChunks?.bind(array)
  return {
    ...description,
    writable: array.writable,
    async read(region, { into, signal } = {}) {
      const box = voxelBox(description, region)
      const data = into ?? typedArray(array.dtype, elementCount(description, box.shape))
      await array.readVoxels(box, data, signal === undefined ? {} : { signal })
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
      await array.writeVoxels(box, values, signal === undefined ? {} : { signal })
      const traffic = trafficOf?.()
      if (traffic !== undefined) traffic.writtenBytes += values.byteLength
    },
    ...(count === undefined ? {} : { countStoredChunks: count }),
    close: () => array[Symbol.asyncDispose]() as Promise<void>,
    [Symbol.asyncDispose]: () => array[Symbol.asyncDispose](),
  }
}

function elementCount(array: VolumeDescription, shape: readonly number[]): number {
  const count = countElements(shape)
  if (count > 2n ** 32n) {
    throw new ConfigError(
      'SHAPE_MISMATCH',
      `${array.path}: ${showCoordinate(shape)} voxels are too many for one block; use smaller blocks.`,
    )
  }
  return Number(count)
}

/** The box of array indices, channels included, of a world region. */
function voxelBox(array: VolumeDescription, region: Roi): Roi<'voxel'> {
  const box = boxOf(region, array.offset, array.voxelSize, array.shape.slice(0, array.channelAxes))
  if (box === undefined) {
    throw new ConfigError(
      'NOT_VOXEL_ALIGNED',
      `${array.path}: the region ${showRoiInNm(region, array.unit)} nm is not a whole number of its voxels, which are ${array.voxelSize.map((size) => toNanometers(size, array.unit)).join(' × ')} nm and begin at ${array.offset.map((value) => toNanometers(value, array.unit)).join(', ')} nm.`,
    )
  }
  return box
}

/**
 * The box of elements that a world region takes of voxels that begin at `origin`, every channel in it.
 * @returns undefined where the region is not a whole number of voxels
 */
export function boxOf(
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

/** Voxels along each axis of a region's shape that is counted in world units. */
export const voxelsAcross = (array: Pick<VolumeDescription, 'voxelSize'>, shape: readonly number[]): number[] =>
  shape.map((length, axis) => length / (array.voxelSize[axis] as number))

/** What the storage needs to make such a volume. @throws ConfigError `INVALID_CONFIG`, `RANK_MISMATCH`, `INVALID_UNIT` */
export function createOptionsOf(path: string, options: CreateVolumeOptions): CreateArrayOptions {
  const { like, shape: shapeGiven, dtype: dtypeGiven, voxelSize, offset, unit, axisNames, ...storage } = options
  const shape = shapeGiven ?? like?.shape
  const dtype = dtypeGiven ?? like?.dtype
  if (shape === undefined || dtype === undefined) {
    throw new ConfigError('INVALID_CONFIG', `${path}: a new array needs shape and dtype, or an array that it is like.`)
  }
  parseDType(dtype)
  const placement = placementOf(path, shape, options)
  const likeAxes = like?.axes.length === shape.length ? like.axes : undefined
  const names = axisNames ?? likeAxes?.map((axis) => axis.name) ?? defaultNames(shape.length, placement.channelAxes)
  const fillValue = storage.fillValue ?? (like !== undefined && like.dtype === dtype ? like.fillValue : zeroOf(dtype))
  return {
    ...storage,
    shape: roi<'voxel'>(
      shape.map(() => 0),
      shape,
    ).shape,
    dtype,
    fillValue,
    axes: axesOf(placement, names, likeAxes),
    ...(storage.attributes !== undefined || like === undefined ? {} : { attributes: like.attributes }),
  }
}

const zeroOf = (dtype: DType): Scalar => (isBigDType(dtype) ? 0n : 0)

function placementOf(path: string, shape: readonly number[], options: CreateVolumeOptions): Placement {
  const { like } = options
  const unit = options.unit ?? like?.unit ?? 'nm'
  const factor = like === undefined ? 1 : unitFactor(like.unit, unit)
  const tiled = options.voxelSize?.length ?? options.offset?.length ?? like?.voxelSize.length ?? shape.length
  const voxelSize = options.voxelSize ?? like?.voxelSize.map((size) => size * factor) ?? Array<number>(tiled).fill(1)
  const offset = options.offset ?? like?.offset.map((value) => value * factor) ?? Array<number>(tiled).fill(0)
  if (voxelSize.length !== offset.length || voxelSize.length > shape.length) {
    throw new ConfigError(
      'RANK_MISMATCH',
      `${path}: a shape of ${shape.length} axes can't have a voxel size of ${voxelSize.length} and an offset of ${offset.length} axes.`,
    )
  }
  if (voxelSize.some((size) => !(size > 0))) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `${path}: the voxel size ${showCoordinate(voxelSize)} must be above 0 on every axis.`,
    )
  }
  return {
    channelAxes: shape.length - voxelSize.length,
    voxelSize: combine(voxelSize, voxelSize, (size) => size),
    offset: combine(offset, offset, (value) => value),
    unit,
  }
}

/** Names for axes that nobody named: channels c, then t z y x as far as they go. */
function defaultNames(rank: number, channelAxes: number): string[] {
  const tiled = rank - channelAxes
  const known = ['t', 'z', 'y', 'x'].slice(-Math.min(tiled, 4))
  const more = Array.from({ length: tiled - known.length }, (_, index) => `d${index}`)
  const channels = Array.from({ length: channelAxes }, (_, index) => (channelAxes === 1 ? 'c' : `c${index}`))
  return [...channels, ...more, ...known]
}
