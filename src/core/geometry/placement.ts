import { ConfigError } from '../errors.ts'
import { type Coordinate, coordinate } from './coordinate.ts'
import { type Decimal, decimalOf, doubleMinus, exactInteger, roundedInteger } from './decimal.ts'
import { METRE_EXPONENT, toNanometers, WORLD_UNITS, type WorldUnit } from './world-unit.ts'

/** Names of length units in files, with their power of ten of a metre. */
const LENGTHS: Readonly<Record<string, number>> = {
  gigameter: 9, megameter: 6, kilometer: 3, km: 3, hectometer: 2, meter: 0, metre: 0, m: 0, decimeter: -1, centimeter: -2, cm: -2,
  millimeter: -3, mm: -3, micrometer: -6, micron: -6, um: -6, µm: -6, μm: -6, nanometer: -9, nm: -9, angstrom: -10, Å: -10,
  picometer: -12, pm: -12, femtometer: -15, fm: -15, attometer: -18,
} // biome-ignore format: a table

/** Names of time units in files. Times are never converted. */
const TIMES = new Set([
  ...['day', 'd', 'hour', 'hr', 'h', 'minute', 'min', 'kilosecond', 'second', 'sec', 's', 'decisecond', 'centisecond'],
  ...['millisecond', 'msec', 'ms', 'microsecond', 'us', 'µs', 'μs', 'nanosecond', 'ns', 'picosecond', 'ps'],
  ...['femtosecond', 'fs', 'attosecond'],
])

export const isLengthUnit = (unit: string): boolean => Object.hasOwn(LENGTHS, unit)
export const isTimeUnit = (unit: string): boolean => TIMES.has(unit)

/**
 * The placement of one axis of an array in the world, as its file gives it: decimal numbers in the file's own unit. `placeAxes`
 * turns them into exact integers.
 */
export interface PlacedAxis {
  /** @example 'z' */
  readonly name: string
  readonly type: 'space' | 'time' | 'channel'
  /** UDUNITS name, as in OME-NGFF (`nanometer`, `second`); absent if the file gives none. */
  readonly unit?: string
  /** Units per voxel; absent if the file gives none. */
  readonly scale?: number
  /** Where the array starts, in units; see `translationOf`. Absent means 0. */
  readonly translation?: number
  /** What `translation` refers to: the low edge of voxel 0 (like `offset` in EM files) or its centre (as in OME-NGFF). */
  readonly translationOf?: 'edge' | 'center'
}

/** Where voxel 0 of an array starts, and the size of a voxel, in world units, one per axis that is not a channel. */
export interface VoxelPlacement {
  readonly offset: readonly number[]
  readonly voxelSize: readonly number[]
}

/** The placement of an array in the world, in exact integers. */
export interface Placement {
  /** Leading axes of the array without a voxel size (channels): no Roi has them, and every block contains all of them. */
  readonly channelAxes: number
  /** World units per voxel, one per axis that is not a channel; all > 0. */
  readonly voxelSize: Coordinate
  /** The low edge of voxel 0, world units. */
  readonly offset: Coordinate
  readonly unit: WorldUnit
}

/** Whether no Roi has an axis, and every block contains all of it: a channel, or time without a step. */
const isChannelAxis = ({ type, scale }: PlacedAxis): boolean =>
  type === 'channel' || (type === 'time' && scale === undefined)

/**
 * The order in which a volume has the axes of a stored array: channels first, wherever they are stored.
 * @returns for each axis of the volume, its number in the array
 */
export function volumeOrder(axes: readonly PlacedAxis[]): number[] {
  const numbers = axes.map((_, axis) => axis)
  const isChannel = (axis: number) => isChannelAxis(axes[axis] as PlacedAxis)
  return [...numbers.filter(isChannel), ...numbers.filter((axis) => !isChannel(axis))]
}

/**
 * The order in which a new array stores the axes of a volume: time before the channels, as OME-NGFF wants it.
 * @returns for each axis of the array, its number in the volume
 */
export function storedOrder(axes: readonly PlacedAxis[]): number[] {
  const numbers = axes.map((_, axis) => axis)
  const isTime = (axis: number) => axes[axis]?.type === 'time' && axes[axis]?.scale !== undefined
  return [...numbers.filter(isTime), ...numbers.filter((axis) => !isTime(axis))]
}

/** How many of the leading axes are channels: those before the first axis that has a voxel size or lies in space. */
export function countChannelAxes(axes: readonly PlacedAxis[]): number {
  const first = axes.findIndex((axis) => axis.type === 'space' || (axis.type === 'time' && axis.scale !== undefined))
  return first === -1 ? axes.length : first
}

/**
 * Turns the decimal placement of a file into integers of the coarsest world unit that represents it exactly, at least as
 * fine as `atLeast`. Voxel sizes without a short decimal (10/3 nm) are rounded to a femtometre.
 * A length axis without a unit is in nm; an axis without a scale has voxels of 1.
 * @throws ConfigError `INVALID_UNIT`, `INVALID_METADATA` (a scale that is not a positive number)
 */
export function placeAxes(axes: readonly PlacedAxis[], atLeast: WorldUnit = 'nm'): Placement {
  const channelAxes = countChannelAxes(axes)
  const tiled = axes.slice(channelAxes)
  for (const axis of tiled) assertPlaced(axis)
  for (const unit of WORLD_UNITS) {
    if (METRE_EXPONENT[unit] > METRE_EXPONENT[atLeast]) continue
    const sizes = tiled.map((axis) => exactInteger(...sizeIn(axis, unit)))
    const offsets = tiled.map((axis) => exactInteger(...offsetIn(axis, unit)))
    if (sizes.every((size) => size !== undefined) && offsets.every((offset) => offset !== undefined)) {
      return { channelAxes, voxelSize: integers(sizes), offset: integers(offsets), unit }
    }
  }
  const sizes = tiled.map((axis) => roundedInteger(...sizeIn(axis, 'fm')))
  const offsets = tiled.map((axis) => roundedInteger(...offsetIn(axis, 'fm')))
  return {
    channelAxes,
    voxelSize: integers(sizes.map((s) => (s > 0n ? s : 1n))),
    offset: integers(offsets),
    unit: 'fm',
  }
}

const integers = (values: readonly (bigint | undefined)[]): Coordinate => coordinate(values.map(Number))

function assertPlaced(axis: PlacedAxis): void {
  const scale = axis.scale ?? 1
  if (!(scale > 0 && Number.isFinite(scale)) || !Number.isFinite(axis.translation ?? 0)) {
    throw new ConfigError(
      'INVALID_METADATA',
      `Axis "${axis.name}" has the voxel size ${scale} and the offset ${axis.translation ?? 0}; expected a voxel size above 0 and a finite offset.`,
    )
  }
}

/** Arguments of `exactInteger`: a value, its power of ten in the world unit, and a divisor. */
type Scaled = [value: Decimal, shift: number, divisor: bigint]

function sizeIn(axis: PlacedAxis, unit: WorldUnit): Scaled {
  return [decimalOf(axis.scale ?? 1), shiftOf(axis, unit), 1n]
}

function offsetIn(axis: PlacedAxis, unit: WorldUnit): Scaled {
  const translation = decimalOf(axis.translation ?? 0)
  if (axis.translationOf !== 'center' || axis.translation === undefined) return [translation, shiftOf(axis, unit), 1n]
  return [doubleMinus(translation, decimalOf(axis.scale ?? 1)), shiftOf(axis, unit), 2n]
}

function shiftOf(axis: PlacedAxis, unit: WorldUnit): number {
  if (axis.type === 'channel' || axis.scale === undefined)
    return axis.translation === undefined ? 0 : lengthShift(axis, unit)
  if (axis.type === 'time') return timeShift(axis, unit)
  return lengthShift(axis, unit)
}

function lengthShift(axis: PlacedAxis, unit: WorldUnit): number {
  const { unit: own = 'nanometer' } = axis
  const exponent = isLengthUnit(own) ? LENGTHS[own] : undefined
  if (exponent === undefined) {
    throw new ConfigError(
      'INVALID_UNIT',
      `Axis "${axis.name}" has the unit "${axis.unit}", which is not a known unit of length; use nanometer, micrometer or millimeter.`,
    )
  }
  return exponent - METRE_EXPONENT[unit]
}

/** Time keeps its own unit, divided as finely as lengths: nm ↔ 1, pm ↔ 1/1000, fm ↔ 1/1 000 000 of it. */
function timeShift(axis: PlacedAxis, unit: WorldUnit): number {
  if (axis.unit !== undefined && !isTimeUnit(axis.unit)) {
    throw new ConfigError(
      'INVALID_UNIT',
      `Axis "${axis.name}" has the unit "${axis.unit}", which is not a known unit of time; use second or millisecond.`,
    )
  }
  return METRE_EXPONENT.nm - METRE_EXPONENT[unit]
}

/**
 * The array axes of a placement, for a new array: lengths in nm, `translation` the low edge.
 * @param like gives the type of each axis, and the unit of time axes @default channels, then space
 */
export function axesOfPlacement(
  placement: Placement,
  names: readonly string[],
  like?: readonly Pick<PlacedAxis, 'type' | 'unit'>[],
): PlacedAxis[] {
  return names.map((name, index): PlacedAxis => {
    const axis = index - placement.channelAxes
    const { type, unit }: Pick<PlacedAxis, 'type' | 'unit'> = like?.[index] ?? {
      type: axis < 0 ? 'channel' : 'space',
    }
    // Time without a step, too: written as time, it would have a step when it is read again.
    if (axis < 0) return { name, type: 'channel' }
    return {
      name,
      type,
      ...(type === 'space' ? { unit: 'nanometer' } : unit === undefined ? {} : { unit }),
      scale: toNanometers(placement.voxelSize[axis] as number, placement.unit),
      translation: toNanometers(placement.offset[axis] as number, placement.unit),
      translationOf: 'edge',
    }
  })
}
