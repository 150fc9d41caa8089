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
 * has axes describes the last axes; the axes before are channels.
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
    return [...Array<undefined>(rank - list.length), ...list] as T[]
  }
  const scales = take('voxel_size', isNumber) ?? take('resolution', isNumber)
  if (scales !== undefined && used.has('voxel_size')) used.add('resolution')
  const offsets = take('offset', isNumber)
  const units = take('units', isString)
  const names = take('axis_names', isString) ?? take('DIMENSION_LABELS', isString)
  const types = take('types', isString)
  const axes = Array.from({ length: rank }, (_, axis): ArrayAxis => {
    const written = names?.[axis]
    const scale = scales?.[axis]
    const unit = units?.[axis] || (scale === undefined && offsets?.[axis] === undefined ? undefined : 'nanometer')
    const fromEnd = rank - axis
    const channel =
      written?.endsWith('^') === true || (scales === undefined ? fromEnd > SPACE.length : scale === undefined)
    const type = typeOf(types?.[axis], written, unit, channel)
    return {
      name: written?.replace(/\^$/, '') || defaultName(axis, rank),
      type,
      ...(unit === undefined ? {} : { unit }),
      ...(scale === undefined ? {} : { scale }),
      ...(offsets?.[axis] === undefined ? {} : { translation: offsets[axis], translationOf: 'edge' as const }),
    }
  })
  return { axes, attributes: Object.fromEntries(Object.entries(stored).filter(([name]) => !used.has(name))) }
}

function typeOf(
  type: string | undefined,
  name: string | undefined,
  unit: string | undefined,
  channel: boolean,
): ArrayAxis['type'] {
  if (type === 'space' || type === 'time' || type === 'channel') return type
  if (channel) return 'channel'
  return name === 't' || (unit !== undefined && TIME_UNITS.has(unit)) ? 'time' : 'space'
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
