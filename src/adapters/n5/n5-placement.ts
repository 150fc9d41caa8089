import { centerOf, multiplyExactly } from '../../core/geometry/decimal.ts'
import { type SoundAxes, soundAxes } from '../../core/geometry/sound-axes.ts'
import type { ArrayAxis } from '../../ports/chunked-array.ts'
import { isJsonObject, type Json, type JsonObject, plainCopy } from '../zarr/metadata/exact-json.ts'
import { edgeOfAxis, readAxes, typeOfName, unitName } from '../zarr/metadata/placement-attributes.ts'
import { DATASET_KEYS } from './n5-metadata.ts'

/**
 * The attributes of a dataset that place it: `resolution`, `offset` and `units` of Paintera, funlib and tensorstore; `pixelResolution` and
 * `downsamplingFactors` of N5 Viewer and BigStitcher; `transform` of COSEM. But for `transform`, lists have the fastest axis first.
 */
const PLACEMENT_KEYS = [
  ...['resolution', 'offset', 'units', 'axes', 'types', 'transform', 'pixelResolution', 'downsamplingFactors'],
] as const

/** The user's attributes. */
export function ownAttributes(attributes: JsonObject): JsonObject {
  const own = { ...attributes } as Record<string, Json>
  for (const key of [...DATASET_KEYS, ...PLACEMENT_KEYS]) delete own[key]
  return plainCopy(own) as JsonObject
}

const reversed = (value: Json | undefined): Json => (Array.isArray(value) ? [...(value as Json[])].reverse() : null)

const numbers = (value: Json | undefined): readonly number[] | undefined =>
  Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'number')
    ? (value as readonly number[])
    : undefined

const strings = (value: Json | undefined): readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string') ? (value as readonly string[]) : []

/**
 * The axes of a dataset, slowest first.
 * @param groups the attributes of the groups above it, innermost first, which may place all levels of a pyramid
 */
export function n5Axes(attributes: JsonObject, groups: readonly JsonObject[], rank: number): SoundAxes {
  const factors = numbers(attributes.downsamplingFactors)
  for (const [level, place] of [attributes, ...groups].entries()) {
    if (numbers(place.resolution) !== undefined)
      return fromLists(place, level === 0 ? undefined : factors, attributes, rank)
    if (level === 0 && isJsonObject(place.transform)) {
      const axes = fromTransform(place.transform, rank)
      if (axes !== undefined) return soundAxes(axes, { expectsUnits: true })
    }
    const pixel = place.pixelResolution
    const dimensions = isJsonObject(pixel) ? pixel.dimensions : pixel
    if (numbers(dimensions) !== undefined) {
      const unit = isJsonObject(pixel) && typeof pixel.unit === 'string' ? pixel.unit : ''
      return fromLists({ resolution: dimensions as Json, units: [unit] }, factors, attributes, rank)
    }
  }
  return fromLists({ resolution: factors ?? null, units: [''] }, undefined, attributes, rank)
}

/** @param own the attributes of the dataset, which may name its axes */
function fromLists(
  place: JsonObject,
  factors: readonly number[] | undefined,
  own: JsonObject,
  rank: number,
): SoundAxes {
  const resolution = numbers(place.resolution)?.map((size, axis) => multiplyExactly(size, factors?.[axis] ?? 1))
  const units = strings(place.units)
  const names = strings(own.axes)
  const isNamed = names.length === rank
  const count = resolution?.length ?? rank
  const attributes: JsonObject = {
    resolution: reversed(resolution),
    offset: reversed(place.offset),
    // One unit for all.
    ...(units.length === 1
      ? { units: Array<string>(count).fill(units[0] as string) }
      : { units: reversed(place.units) }),
    ...(isNamed ? { axis_names: reversed(own.axes) } : { axis_names: defaultNames(rank, count) }),
    ...(strings(own.types).length === rank ? { types: reversed(own.types) } : {}),
  }
  const axes = readAxes({ attributes, shape: Array<number>(rank).fill(1) })
  const isUnknown = units.length === 1 && units[0] === ''
  // The units that `readAxes` supposes are those of files that never name one.
  const stripped = isUnknown ? axes.map(({ unit: _, ...axis }) => axis) : axes
  return soundAxes(stripped, { expectsUnits: isUnknown })
}

/** Files of N5 have x first; after z come the channel and time. @param count of the axes with a resolution */
function defaultNames(rank: number, count: number): string[] {
  const inSpace = Math.min(3, rank, count)
  const more = rank - inSpace
  const leading =
    more === 0 ? [] : more === 1 ? ['c'] : more === 2 ? ['t', 'c'] : Array.from({ length: more }, (_, i) => `c${i}^`)
  return [...leading, ...['z', 'y', 'x'].slice(3 - inSpace)]
}

function fromTransform({ axes, scale, translate, units, ordering }: JsonObject, rank: number): ArrayAxis[] | undefined {
  const inOrder = <T>(list: readonly T[]) => (ordering === 'F' ? [...list].reverse() : list)
  const names = inOrder(strings(axes))
  const scales = inOrder(numbers(scale) ?? [])
  const starts = inOrder(numbers(translate) ?? [])
  const lengths = inOrder(strings(units))
  if (scales.length === 0 || names.length !== scales.length || names.length > rank) return undefined
  const leading = Array.from({ length: rank - names.length }, (_, i): ArrayAxis => ({ name: `c${i}`, type: 'channel' }))
  const placed = names.map((name, axis): ArrayAxis => {
    const type = typeOfName(name)
    if (type === 'channel') return { name, type }
    const unit = lengths[axis]
    return {
      ...{ name, type, scale: scales[axis] as number },
      ...(unit === undefined ? {} : { unit: unitName(unit) }),
      ...(starts[axis] === undefined ? {} : { translation: starts[axis], translationOf: 'center' as const }),
    }
  })
  return [...leading, ...placed]
}

const SHORT_UNITS: Readonly<Record<string, string>> = {
  nanometer: 'nm', micrometer: 'um', millimeter: 'mm', picometer: 'pm', femtometer: 'fm', meter: 'm', second: 's', millisecond: 'ms',
} // biome-ignore format: a table

/** The attributes that place a new dataset. */
export function n5Placement(axes: readonly ArrayAxis[]): JsonObject {
  const stored = [...axes].reverse()
  const names = { axes: stored.map(({ name }) => name), types: stored.map(({ type }) => type) }
  if (!axes.some(({ scale }) => scale !== undefined)) return names
  const unitOf = ({ unit = '' }: ArrayAxis) => SHORT_UNITS[unit] ?? unit
  const space = axes.filter(({ type }) => type === 'space')
  const [first] = space
  const isOneUnit = first !== undefined && space.every((axis) => unitOf(axis) === unitOf(first))
  const centre = (axis: ArrayAxis) => centerOf(edgeOfAxis(axis), axis.scale ?? 1)
  return {
    ...names,
    resolution: stored.map(({ type, scale }) => (type === 'channel' ? 1 : (scale ?? 1))),
    offset: stored.map((axis) => (axis.type === 'channel' ? 0 : edgeOfAxis(axis))),
    units: stored.map((axis) => (axis.type === 'channel' ? '' : unitOf(axis))),
    ...(isOneUnit
      ? { pixelResolution: { unit: unitOf(first), dimensions: [...space].reverse().map(({ scale = 1 }) => scale) } }
      : {}),
    ...(space.length === axes.length
      ? {
          transform: {
            axes: axes.map(({ name }) => name),
            ordering: 'C',
            scale: axes.map(({ scale = 1 }) => scale),
            translate: axes.map(centre),
            units: axes.map(unitOf),
          },
        }
      : {}),
  }
}
