import { ConfigError } from '../errors.ts'
import { type Coordinate, coordinate } from './coordinate.ts'
import { type Decimal, decimalOf, doubleMinus, parseDecimal, roundedNumber, wholeNumber } from './decimal.ts'
import { type Roi, roi } from './roi.ts'

export const WORLD_UNITS = ['nm', 'pm', 'fm'] as const
/** What world units count: nm, or what a finer voxel size needs. */
export type WorldUnit = (typeof WORLD_UNITS)[number]

const METRE_EXPONENT: Readonly<Record<WorldUnit, number>> = { nm: -9, pm: -12, fm: -15 }

/** Length units as files name them, by their power of ten of a metre. */
const LENGTHS: Readonly<Record<string, number>> = {
  meter: 0, metre: 0, m: 0, decimeter: -1, centimeter: -2, cm: -2, millimeter: -3, mm: -3, micrometer: -6, micron: -6,
  um: -6, µm: -6, μm: -6, nanometer: -9, nm: -9, angstrom: -10, Å: -10, picometer: -12, pm: -12, femtometer: -15, fm: -15,
} // biome-ignore format: a table

/** Time units as files name them, by their power of ten of a second. */
const TIMES: Readonly<Record<string, number>> = {
  second: 0, s: 0, millisecond: -3, ms: -3, microsecond: -6, us: -6, µs: -6, nanosecond: -9, ns: -9, picosecond: -12, ps: -12,
} // biome-ignore format: a table

/**
 * Where one axis of an array lies in the world, as its file says it: decimal numbers in the file's own unit. `placeAxes`
 * turns these into exact integers.
 */
export interface PlacedAxis {
  /** @example 'z' */
  readonly name: string
  readonly type: 'space' | 'time' | 'channel'
  /** UDUNITS name as OME-NGFF writes it (`nanometer`, `second`), or absent when the file says none. */
  readonly unit?: string
  /** Units per voxel; absent when the file says none. */
  readonly scale?: number
  /** Where the array begins, in units; see `translationOf`. Absent means 0. */
  readonly translation?: number
  /** What `translation` names: the low edge of voxel 0 (the field's `offset`) or its centre (OME-NGFF). */
  readonly translationOf?: 'edge' | 'center'
}

/** Where an array lies in the world, in exact integers. */
export interface Placement {
  /** Leading axes of the array without a voxel size (channels): they are not in any Roi, a block has all of them. */
  readonly channelAxes: number
  /** World units per voxel, one per axis that is not a channel; all > 0. */
  readonly voxelSize: Coordinate
  /** Where voxel 0 begins, world units. */
  readonly offset: Coordinate
  readonly unit: WorldUnit
}

/** The finer of two world units. */
export const finerUnit = (a: WorldUnit, b: WorldUnit): WorldUnit => (METRE_EXPONENT[a] < METRE_EXPONENT[b] ? a : b)

/** How many of the leading axes are channels: those before the first one that has a voxel size or lies in space. */
export function countChannelAxes(axes: readonly PlacedAxis[]): number {
  const first = axes.findIndex((axis) => axis.type === 'space' || (axis.type === 'time' && axis.scale !== undefined))
  return first === -1 ? axes.length : first
}

/**
 * Turns the decimal placement of a file into integers of the coarsest world unit that holds it exactly, at least as
 * fine as `atLeast`. Voxel sizes without a short decimal (10/3 nm) are kept to a femtometre.
 * A length axis without a unit counts nm; one without a scale has voxels of 1.
 * @throws ConfigError `INVALID_UNIT`, `INVALID_METADATA` (a scale that is not a positive number)
 */
export function placeAxes(axes: readonly PlacedAxis[], atLeast: WorldUnit = 'nm'): Placement {
  const channelAxes = countChannelAxes(axes)
  const tiled = axes.slice(channelAxes)
  for (const axis of tiled) assertPlaced(axis)
  for (const unit of WORLD_UNITS) {
    if (METRE_EXPONENT[unit] > METRE_EXPONENT[atLeast]) continue
    const sizes = tiled.map((axis) => wholeNumber(...sizeIn(axis, unit)))
    const offsets = tiled.map((axis) => wholeNumber(...offsetIn(axis, unit)))
    if (sizes.every((size) => size !== undefined) && offsets.every((offset) => offset !== undefined)) {
      return { channelAxes, voxelSize: integers(sizes), offset: integers(offsets), unit }
    }
  }
  const sizes = tiled.map((axis) => roundedNumber(...sizeIn(axis, 'fm')))
  const offsets = tiled.map((axis) => roundedNumber(...offsetIn(axis, 'fm')))
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
      `Axis "${axis.name}" has the voxel size ${scale} and the offset ${axis.translation ?? 0}; a voxel size is a number above 0 and an offset is finite.`,
    )
  }
}

/** Arguments for `wholeNumber`: the value, its power of ten in `unit`, and what to divide by. */
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
  const exponent = LENGTHS[axis.unit ?? 'nanometer']
  if (exponent === undefined) {
    throw new ConfigError(
      'INVALID_UNIT',
      `Axis "${axis.name}" is in "${axis.unit}", which is not a unit of length known here; use nanometer, micrometer or millimeter.`,
    )
  }
  return exponent - METRE_EXPONENT[unit]
}

/** Time keeps its own unit, cut into the same parts as the length: nm ↔ 1, pm ↔ 1/1000, fm ↔ 1/1 000 000 of it. */
function timeShift(axis: PlacedAxis, unit: WorldUnit): number {
  if (axis.unit !== undefined && TIMES[axis.unit] === undefined) {
    throw new ConfigError(
      'INVALID_UNIT',
      `Axis "${axis.name}" is in "${axis.unit}", which is not a unit of time known here; use second or millisecond.`,
    )
  }
  return METRE_EXPONENT.nm - METRE_EXPONENT[unit]
}

/** World units of `unit` as a decimal number of nm (of its own unit, for a time axis): 4600 pm are 4.6. */
export const toNanometers = (value: number, unit: WorldUnit): number =>
  Number(`${value}e${METRE_EXPONENT[unit] - METRE_EXPONENT.nm}`)

/** The same placement in a finer unit. @throws ConfigError `INVALID_UNIT` when `unit` is the coarser one */
export function refinePlacement(placement: Placement, unit: WorldUnit): Placement {
  const factor = unitFactor(placement.unit, unit)
  return {
    channelAxes: placement.channelAxes,
    voxelSize: coordinate(placement.voxelSize.map((size) => size * factor)),
    offset: coordinate(placement.offset.map((value) => value * factor)),
    unit,
  }
}

/** How many of the finer unit `to` are one of `from`. */
export function unitFactor(from: WorldUnit, to: WorldUnit): number {
  if (METRE_EXPONENT[to] > METRE_EXPONENT[from]) {
    throw new ConfigError('INVALID_UNIT', `Lengths in ${from} can't be counted in ${to} without rounding.`)
  }
  return 10 ** (METRE_EXPONENT[from] - METRE_EXPONENT[to])
}

/**
 * The array axes of a placement, for a new array: lengths in nm, `translation` the low edge.
 * @param like what the axes are, and in which unit those of time count @default channels, then space
 */
export function axesOf(
  placement: Placement,
  names: readonly string[],
  like?: readonly Pick<PlacedAxis, 'type' | 'unit'>[],
): PlacedAxis[] {
  return names.map((name, index): PlacedAxis => {
    const axis = index - placement.channelAxes
    const { type, unit }: Pick<PlacedAxis, 'type' | 'unit'> = like?.[index] ?? {
      type: axis < 0 ? 'channel' : 'space',
    }
    if (axis < 0) return { name, type }
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

/**
 * A Roi as people write it, in nm with decimals where needed: `offset:shape`, `0,0,0:1000,471.04,471.04`.
 * @returns integers of `unit`
 * @throws ConfigError `INVALID_ROI`; `NOT_VOXEL_ALIGNED`, naming the nearest Roi that is whole voxels of `grid`
 */
export function parseRoi(
  text: string,
  unit: WorldUnit,
  grid: { readonly voxelSize: Coordinate; readonly offset: Coordinate },
): Roi {
  const parts = text.split(':').map((part) => part.split(','))
  const [offsetTexts, shapeTexts] = parts
  const rank = grid.voxelSize.length
  if (parts.length !== 2 || offsetTexts?.length !== rank || shapeTexts?.length !== rank) {
    throw new ConfigError(
      'INVALID_ROI',
      `"${text}" is not a Roi of ${rank} axes; write offset:shape in nm, such as ${exampleRoi(rank)}.`,
    )
  }
  const read = (value: string): Decimal => {
    try {
      return parseDecimal(value)
    } catch {
      throw new ConfigError(
        'INVALID_ROI',
        `"${value}" in the Roi "${text}" is not a number; write offset:shape in nm, such as ${exampleRoi(rank)}.`,
      )
    }
  }
  const shift = METRE_EXPONENT.nm - METRE_EXPONENT[unit]
  const ends = [offsetTexts.map(read), shapeTexts.map(read)]
  const exact = ends.map((values, which) => values.map((value, axis) => inVoxels(value, axis, which === 0)))
  function inVoxels(value: Decimal, axis: number, isOffset: boolean): number {
    const size = grid.voxelSize[axis] as number
    const start = isOffset ? (grid.offset[axis] as number) : 0
    const world = wholeNumber(value, shift)
    if (world !== undefined && (Number(world) - start) % size === 0) return Number(world)
    return Number.NaN
  }
  if (exact.flat().some(Number.isNaN)) {
    const nearest = ends.map((values, which) =>
      values.map((value, axis) => {
        const size = grid.voxelSize[axis] as number
        const start = which === 0 ? (grid.offset[axis] as number) : 0
        const voxels = Math.round((Number(roundedNumber(value, shift)) - start) / size)
        return toNanometers(start + (which === 0 ? voxels : Math.max(1, voxels)) * size, unit)
      }),
    )
    throw new ConfigError(
      'NOT_VOXEL_ALIGNED',
      `The Roi "${text}" is not a whole number of voxels (${grid.voxelSize.map((size) => toNanometers(size, unit)).join(' × ')} nm); the nearest that is: ${nearest.map((part) => part.join(',')).join(':')}.`,
    )
  }
  return roi(exact[0] as number[], exact[1] as number[])
}

const exampleRoi = (rank: number): string => `${Array(rank).fill(0).join(',')}:${Array(rank).fill(1000).join(',')}`

/** A Roi as people read it, in nm: `0,0,0:1000,471.04,471.04`. */
export const showRoiInNm = (region: Roi, unit: WorldUnit): string =>
  [region.offset, region.shape].map((part) => part.map((value) => toNanometers(value, unit)).join(',')).join(':')
