import { edgeOf } from '../../../core/geometry/decimal.ts'
import type { ArrayAxis } from '../../../ports/chunked-array.ts'
import type { Json, JsonObject } from './exact-json.ts'
import { isJsonObject, plainCopy } from './exact-json.ts'
import type { ZarrMetadata } from './metadata.ts'

/**
 * The attributes of an array that define its placement: `resolution` of older EM tools, `voxel_size`, `offset`,
 * `units`, `axis_names` and `types` of funlib.persistence, `_ARRAY_DIMENSIONS` of xarray, `dimension_units` of Neuroglancer and
 * tensorstore. They are part of the placement, so they are not listed among the user's attributes.
 */
const PLACEMENT_KEYS = [
  ...['resolution', 'voxel_size', 'offset', 'units', 'axis_names', 'types', '_ARRAY_DIMENSIONS', 'dimension_units'],
] as const

/** The user's attributes as plain JSON, since code that prints them may not support `bigint`. */
export function withoutPlacement(attributes: JsonObject): JsonObject {
  const own = { ...attributes } as Record<string, Json>
  for (const key of PLACEMENT_KEYS) delete own[key]
  return plainCopy(own) as JsonObject
}

const UNIT_NAMES: ReadonlyMap<string, string> = new Map(Object.entries({
  m: 'meter', cm: 'centimeter', mm: 'millimeter', um: 'micrometer', µm: 'micrometer', μm: 'micrometer', micron: 'micrometer',
  nm: 'nanometer', Å: 'angstrom', pm: 'picometer', fm: 'femtometer', s: 'second', ms: 'millisecond', us: 'microsecond',
  µs: 'microsecond', ns: 'nanosecond', ps: 'picosecond',
})) // biome-ignore format: a table

/** A unit's full name in OME-NGFF; an unknown unit is returned unchanged, for the reader to interpret. */
export const unitName = (unit: string): string => {
  const singular = /^[a-z]+meters$|^[a-z]*seconds$/.test(unit) ? unit.slice(0, -1) : unit
  return UNIT_NAMES.get(singular) ?? singular
}

const numbers = (value: Json | undefined): number[] | undefined => {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'number' || typeof item === 'bigint'))
    return undefined
  return value.map(Number)
}

const strings = (value: Json | undefined): (string | null)[] | undefined =>
  Array.isArray(value) && value.every((item) => item === null || typeof item === 'string')
    ? (value as (string | null)[])
    : undefined

/** The axes that an array's own metadata describes. */
export function readAxes(metadata: Pick<ZarrMetadata, 'attributes' | 'shape' | 'dimensionNames'>): ArrayAxis[] {
  const { attributes, shape, dimensionNames } = metadata
  const rank = shape.length
  const perAxis = <T>(list: readonly T[] | undefined) => (list?.length === rank ? list : undefined)
  const scales = numbers(attributes.voxel_size) ?? numbers(attributes.resolution)
  const offsets = numbers(attributes.offset)
  const units = strings(attributes.units)
  const fieldNames = perAxis(strings(attributes.axis_names))
  const names = perAxis(dimensionNames) ?? perAxis(strings(attributes._ARRAY_DIMENSIONS)) ?? fieldNames
  const tiled = Math.min(rank, (scales ?? offsets)?.length ?? rank)
  const types = typesOf(rank, tiled, perAxis(strings(attributes.types)), fieldNames ?? names)
  const physical = types.flatMap((type, axis) => (type === 'channel' ? [] : [axis]))
  const at = <T>(list: readonly T[] | undefined, axis: number): T | undefined => valueAt(list, axis, rank, physical)
  const lengths = perAxis(strings(attributes.dimension_units))
  const isPlaced = scales !== undefined || offsets !== undefined
  const otherwise = defaultNames(rank, isPlaced ? types : undefined)
  return types.map((type, axis): ArrayAxis => {
    const name = names?.[axis]?.replace(/\^$/, '') || (otherwise[axis] as string)
    if (type === 'channel') return { name, type }
    const scale = at(scales, axis)
    const translation = at(offsets, axis)
    const unit = at(units, axis)
    if (!isPlaced) return { name, type, ...parseLength(lengths?.[axis]) }
    return {
      name,
      type,
      ...(unit ? { unit: unitName(unit) } : type === 'space' ? { unit: 'nanometer' } : {}),
      ...(scale === undefined ? {} : { scale }),
      ...(translation === undefined ? {} : { translation, translationOf: 'edge' as const }),
    }
  })
}

/** The entry for an axis, from a list with one entry per axis, per axis that is not a channel, or per trailing axis. */
function valueAt<T>(
  list: readonly T[] | undefined,
  axis: number,
  rank: number,
  physical: readonly number[],
): T | undefined {
  if (list === undefined) return undefined
  if (list.length === physical.length && list.length !== rank) return list[physical.indexOf(axis)]
  return list[axis - (rank - list.length)]
}

type AxisType = ArrayAxis['type']

/**
 * The type of each axis: from `types`, then from funlib's older `^` mark of channels, then from its name; leading axes without
 * a voxel size are channels.
 */
function typesOf(
  rank: number,
  tiled: number,
  types: readonly (string | null)[] | undefined,
  names: readonly (string | null)[] | undefined,
): AxisType[] {
  return Array.from({ length: rank }, (_, axis): AxisType => {
    const type = types?.[axis]
    if (type === 'space' || type === 'time' || type === 'channel') return type
    const name = names?.[axis] ?? ''
    if (name.endsWith('^') || (types !== undefined && type !== null)) return 'channel'
    const meant = typeOfName(name)
    if (meant === 'space' && axis < rank - tiled && !names?.some((other) => other?.endsWith('^'))) return 'channel'
    return meant
  })
}

export function typeOfName(name: string): AxisType {
  if (/^(c|channels?)\^?$/i.test(name)) return 'channel'
  return /^(t|time)$/i.test(name) ? 'time' : 'space'
}

/** z, y, x (the usual order in EM) if the array has a voxel size; d0, d1, … otherwise. */
function defaultNames(rank: number, types: readonly AxisType[] | undefined): string[] {
  const names = Array.from({ length: rank }, (_, axis) => `d${axis}`)
  const space = types?.flatMap((type, axis) => (type === 'space' ? [axis] : [])) ?? []
  const channels = types?.flatMap((type, axis) => (type === 'channel' ? [axis] : [])) ?? []
  if (types === undefined || space.length > 3) return names
  const letters = ['z', 'y', 'x'].slice(3 - space.length)
  space.forEach((axis, i) => {
    names[axis] = letters[i] as string
  })
  channels.forEach((axis, i) => {
    names[axis] = channels.length === 1 ? 'c' : `c${i}`
  })
  return names
}

const LENGTH = /^\s*([+\d.eE-]*?)\s*([a-zA-Zµμ]*)\s*$/
const LONGEST_LENGTH = 64

/** A length such as `4.6 nm`, as in `dimension_units`. */
function parseLength(text: string | null | undefined): Pick<ArrayAxis, 'scale' | 'unit'> {
  // Blanks and letters can be divided in many ways, which takes long for long texts.
  const match = (text ?? '').length > LONGEST_LENGTH ? null : LENGTH.exec(text ?? '')
  const unit = match?.[2] ?? ''
  const scale = match?.[1] === '' ? 1 : Number(match?.[1])
  return match === null || unit === '' || !(scale > 0) ? {} : { scale, unit: unitName(unit) }
}

const SHORT_UNITS: ReadonlyMap<string, string> = new Map(Object.entries({
  nanometer: 'nm', micrometer: 'um', millimeter: 'mm', picometer: 'pm', femtometer: 'fm', meter: 'm', second: 's',
  millisecond: 'ms', microsecond: 'us', nanosecond: 'ns',
})) // biome-ignore format: a table

/** The start of an axis, in its unit. */
export const edgeOfAxis = ({ scale = 1, translation = 0, translationOf }: ArrayAxis): number =>
  translationOf === 'center' ? edgeOf(translation, scale) : translation

/** The attributes that place a new array; none if no axis has a voxel size. */
export function placementAttributes(axes: readonly ArrayAxis[], zarrFormat: 2 | 3): JsonObject {
  const names: JsonObject =
    zarrFormat === 2 && axes.length > 0 ? { _ARRAY_DIMENSIONS: axes.map((axis) => axis.name) } : {}
  const placed = axes.filter((axis) => axis.type !== 'channel')
  if (!placed.some((axis) => axis.scale !== undefined)) return names
  const voxelSize = placed.map((axis) => axis.scale ?? 1)
  return {
    ...names,
    resolution: voxelSize,
    voxel_size: voxelSize,
    offset: placed.map(edgeOfAxis),
    units: placed.map((axis) => SHORT_UNITS.get(axis.unit ?? '') ?? axis.unit ?? ''),
    axis_names: axes.map((axis) => (axis.type === 'channel' ? `${axis.name}^` : axis.name)),
    types: axes.map((axis) => axis.type),
    dimension_units: axes.map(dimensionUnit),
  }
}

function dimensionUnit(axis: ArrayAxis): string | null {
  const unit = SHORT_UNITS.get(axis.unit ?? '')
  return axis.type === 'channel' || axis.scale === undefined || unit === undefined ? null : `${axis.scale} ${unit}`
}

export const asJsonObject = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : {})
