import { type DType, isBigDType, parseDType, type Scalar } from '../../core/array/dtype.ts'
import { ConfigError } from '../../core/errors.ts'
import { type Coordinate, coordinate, showCoordinate } from '../../core/geometry/coordinate.ts'
import { axesOfPlacement, type Placement, storedOrder } from '../../core/geometry/placement.ts'
import { roi } from '../../core/geometry/roi.ts'
import { unitFactor, type WorldUnit } from '../../core/geometry/world-unit.ts'
import { withoutProvenance } from '../../core/progress/array-provenance.ts'
import type { CreateArrayOptions } from '../../ports/chunked-array.ts'
import type { VolumeDescription } from './volume-array.ts'

/** Options of a new volume, which may be like another one with differences. Lengths are world units of `unit`. */
export interface CreateVolumeOptions extends Omit<CreateArrayOptions, 'shape' | 'dtype' | 'axes' | 'likeFill'> {
  /** A volume from which shape, dtype, placement, axes and fill value are taken unless they are given here. */
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

/** The options of the stored array of such a volume. @throws ConfigError `INVALID_CONFIG`, `RANK_MISMATCH`, `INVALID_UNIT` */
export function createOptionsOf(path: string, options: CreateVolumeOptions): CreateArrayOptions {
  const { like, shape: shapeGiven, dtype: dtypeGiven, voxelSize, offset, unit, axisNames, ...storage } = options
  const shape = shapeGiven ?? like?.shape
  const dtype = dtypeGiven ?? like?.dtype
  if (shape === undefined || dtype === undefined) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `${path}: shape or dtype is missing; give both, or "like": an array to take them from.`,
    )
  }
  parseDType(dtype)
  const placement = placementOf(path, shape, options)
  const likeAxes = like?.axes.length === shape.length ? like.axes : undefined
  const names = axisNames ?? likeAxes?.map((axis) => axis.name) ?? defaultNames(shape.length, placement.channelAxes)
  const likeFill = like !== undefined && like.dtype === dtype ? like.fillValue : zeroOf(dtype)
  const axes = axesOfPlacement(placement, names, likeAxes)
  const order = storedOrder(axes)
  const inOrder = <T>(list: readonly T[]): T[] =>
    // A list of another length is refused with the shape that the user gave.
    list.length === order.length ? order.map((axis) => list[axis] as T) : [...list]
  const { chunkShape, shardShape } = storage
  return {
    ...storage,
    shape: roi<'voxel'>(
      shape.map(() => 0),
      inOrder(shape),
    ).shape,
    ...(chunkShape === undefined ? {} : { chunkShape: inOrder(chunkShape) as Coordinate<'voxel'> }),
    ...(shardShape === undefined ? {} : { shardShape: inOrder(shardShape) as Coordinate<'voxel'> }),
    dtype,
    likeFill,
    axes: inOrder(axes),
    ...(storage.attributes !== undefined || like === undefined
      ? {}
      : { attributes: withoutProvenance(like.attributes) }),
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
      `${path}: the voxel size has ${voxelSize.length} and the offset ${offset.length} axes; a shape of ${shape.length} axes needs the same number for both, at most ${shape.length}.`,
    )
  }
  if (voxelSize.some((size) => !(size > 0))) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `${path}: the voxel size is ${showCoordinate(voxelSize)}; expected a number above 0 on every axis.`,
    )
  }
  return {
    channelAxes: shape.length - voxelSize.length,
    voxelSize: coordinate(voxelSize),
    offset: coordinate(offset),
    unit,
  }
}

/** Default names of axes: c for channels, then the last of t z y x. */
function defaultNames(rank: number, channelAxes: number): string[] {
  const tiled = rank - channelAxes
  const known = ['t', 'z', 'y', 'x'].slice(-Math.min(tiled, 4))
  const more = Array.from({ length: tiled - known.length }, (_, index) => `d${index}`)
  const channels = Array.from({ length: channelAxes }, (_, index) => (channelAxes === 1 ? 'c' : `c${index}`))
  return [...channels, ...more, ...known]
}
