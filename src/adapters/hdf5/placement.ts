import { ConfigError } from '../../core/errors.ts'
import type { ArrayAxis } from '../../ports/chunked-array.ts'

const SPACE = ['z', 'y', 'x']
const TIME_UNITS = new Set(['s', 'ms', 'us', 'µs', 'ns', 'second', 'millisecond', 'microsecond', 'nanosecond'])

/** The placement of an array, and its remaining attributes. */
export interface PlacedAttributes {
  readonly axes: readonly ArrayAxis[]
  readonly attributes: Readonly<Record<string, unknown>>
}

/**
 * The axes of a dataset, from its attributes: `resolution` and `offset` as in CREMI, or funlib's `voxel_size`,
 * `offset`, `units`, `axis_names` and `types`. Lengths are in nm if no unit is given. A list with fewer entries than the array
 * has axes describes the axes that are not channels by their name or type, or else the last axes; the axes before are channels. The names
 * of axes may also come from HDF5's dimension labels and from the \`axistags\` of ilastik, a voxel size from Fiji's \`element_size_um\`.
 * @param path for messages
 * @param rank how many axes the array has
 * @throws ConfigError `INVALID_METADATA` if a list has more entries than that
 */
export function axesOf(path: string, rank: number, stored: Readonly<Record<string, unknown>>): PlacedAttributes {
  const used = new Set<string>()
  const take = <T>(name: string, isOne: (value: unknown) => value is T): readonly T[] | undefined => {
    const list = listOf(stored[name], isOne, rank)
    if (list === undefined) return undefined
    if (list.length > rank) {
      throw new ConfigError(
        'INVALID_METADATA',
        `"${path}": its attribute "${name}" has ${list.length} entries (${list.join(', ')}); expected one for each of its ${rank} axes.`,
      )
    }
    used.add(name)
    return list
  }
  const last = <T>(list: readonly T[] | undefined) => list && [...Array<undefined>(rank - list.length), ...list]
  const tags = axisTags(stored.axistags, rank)
  if (tags !== undefined) used.add('axistags')
  const names = last(take('axis_names', isString)) ?? tags ?? last(take('DIMENSION_LABELS', isString))
  const types = last(take('types', isString))
  const known = Array.from({ length: rank }, (_, axis) => knownType(types?.[axis], names?.[axis]))
  const tiled = known.flatMap((type, axis) => (type === 'channel' ? [] : [axis]))
  /** One per axis: a list that is as long as there are axes besides the channels describes those, another the last axes. */
  const perAxis = <T>(list: readonly T[] | undefined): (T | undefined)[] | undefined =>
    list === undefined || list.length === rank || list.length !== tiled.length
      ? last(list)
      : known.map((_, axis) => list[tiled.indexOf(axis)])
  const inNanometers = take('voxel_size', isNumber) ?? take('resolution', isNumber)
  if (inNanometers !== undefined && used.has('voxel_size')) used.add('resolution')
  // Written by plugins of Fiji.
  const inMicrometers = inNanometers === undefined ? take('element_size_um', isNumber) : undefined
  const scales = perAxis(inNanometers ?? inMicrometers)
  const offsets = perAxis(take('offset', isNumber))
  const units = perAxis(take('units', isString))
  const otherwise = inMicrometers === undefined ? 'nanometer' : 'micrometer'
  const axes = known.map((knownAs, axis): ArrayAxis => {
    const [scale, offset] = [scales?.[axis], offsets?.[axis]]
    const unit = units?.[axis] || (scale === undefined && offset === undefined ? undefined : otherwise)
    const isChannel = scales === undefined ? rank - axis > SPACE.length : scale === undefined
    const type = knownAs ?? (isChannel ? 'channel' : unit !== undefined && TIME_UNITS.has(unit) ? 'time' : 'space')
    return {
      name: names?.[axis]?.replace(/\^$/, '') || defaultName(axis, rank),
      type,
      ...(unit === undefined || type === 'channel' ? {} : { unit }),
      ...(scale === undefined || type === 'channel' ? {} : { scale }),
      ...(offset === undefined || type === 'channel' ? {} : { translation: offset, translationOf: 'edge' as const }),
    }
  })
  return { axes, attributes: Object.fromEntries(Object.entries(stored).filter(([name]) => !used.has(name))) }
}

/** What an axis is according to its type or its name; undefined if neither says it. */
function knownType(type: string | undefined, name = ''): ArrayAxis['type'] | undefined {
  if (type === 'space' || type === 'time' || type === 'channel') return type
  if (name.endsWith('^') || /^(c|channels?)$/i.test(name)) return 'channel'
  if (/^(t|time)$/i.test(name)) return 'time'
  return /^[xyz]$/i.test(name) ? 'space' : undefined
}

/** The names of axes that ilastik and vigra write: JSON with a key for each axis. */
function axisTags(text: unknown, rank: number): string[] | undefined {
  if (typeof text !== 'string') return undefined
  try {
    const { axes } = JSON.parse(text) as { axes?: unknown }
    const keys = Array.isArray(axes) ? axes.map((axis) => (axis as { key?: unknown } | null)?.key) : []
    return keys.length === rank && keys.every(isString) ? (keys as string[]) : undefined
  } catch {
    return undefined
  }
}

/** z, y, x for the last three; c for one axis before them, c0, c1, … for more. */
function defaultName(axis: number, rank: number): string {
  const leading = rank - SPACE.length
  if (axis >= leading) return SPACE[axis - leading]!
  return leading === 1 ? 'c' : `c${axis}`
}

const isNumber = (value: unknown): value is number => typeof value === 'number'
const isString = (value: unknown): value is string => typeof value === 'string'

/** A list of the wanted kind, or one number for every axis in space; undefined for anything else. */
function listOf<T>(value: unknown, isOne: (value: unknown) => value is T, rank: number): readonly T[] | undefined {
  if (Array.isArray(value)) return value.length > 0 && value.every(isOne) ? value : undefined
  return isOne(value) && isNumber(value) ? Array<T>(Math.min(rank, SPACE.length)).fill(value) : undefined
}
