import { ConfigError } from '../errors.ts'
import { type PlacedAxis, volumeOrder } from './placement.ts'

/** A placement that the user gives in place of what a file says. All lists are in the order of storage. */
export interface PlacementOverride {
  /** The name of each axis: c is a channel, t is time, others are in space. */
  readonly axes?: readonly string[]
  /** One per axis, one per axis that is not a channel, or one for all in space. */
  readonly voxelSize?: readonly number[]
  /** Where voxel 0 starts, as many as for `voxelSize`. */
  readonly offset?: readonly number[]
  /** The unit of both and of what the file says. @default nanometer with `voxelSize`, otherwise that of the file */
  readonly unit?: string
}

const FIELDS = { axes: 'axes', voxelSize: 'voxel-size', offset: 'offset', unit: 'unit' } as const
const START = /#(?=(?:axes|voxel-size|offset|unit)=)/

/** The path of a dataset together with its placement, which every process that opens it then uses: `a.h5/raw#voxel-size=40,4,4&unit=nm`. */
export function withOverride(path: string, override: PlacementOverride): string {
  const fields = Object.entries(FIELDS).flatMap(([key, name]) => {
    const value = override[key as keyof PlacementOverride]
    return value === undefined ? [] : [`${name}=${[value].flat().join(',')}`]
  })
  return fields.length === 0 ? path : `${path.split(START)[0]}#${fields.join('&')}`
}

/** The parts of what `withOverride` made; a path without a placement has none. @throws ConfigError `INVALID_CONFIG` */
export function splitOverride(path: string): { readonly path: string; readonly override?: PlacementOverride } {
  const [bare = '', text, ...more] = path.split(START)
  if (text === undefined) return { path }
  const pairs = text.split('&').map((field) => field.split('=', 2) as [string, string])
  const fields = new Map(pairs)
  const names: readonly string[] = Object.values(FIELDS)
  if (more.length > 0 || fields.size < pairs.length || pairs.some(([name]) => !names.includes(name))) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `${path}: expected each of ${names.join(', ')} at most once after #, divided by &, such as #voxel-size=40,4,4&unit=nm.`,
    )
  }
  const numbers = (name: string) => {
    const values = fields.get(name)?.split(',').map(Number)
    if (values?.every(Number.isFinite) !== false) return values
    throw new ConfigError('INVALID_CONFIG', `${path}: expected numbers for ${name}, such as ${name}=40,4,4.`)
  }
  const [voxelSize, offset] = [numbers(FIELDS.voxelSize), numbers(FIELDS.offset)]
  const [axes, unit] = [fields.get(FIELDS.axes)?.split(','), fields.get(FIELDS.unit)]
  if (axes !== undefined && (new Set(axes).size < axes.length || !axes.every((name) => /^\w+$/.test(name)))) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `${path}: expected different names of axes, in the order of storage, such as axes=z,y,x,c.`,
    )
  }
  const override = {
    ...(axes === undefined ? {} : { axes }),
    ...(voxelSize === undefined ? {} : { voxelSize }),
    ...(offset === undefined ? {} : { offset }),
    ...(unit === undefined ? {} : { unit }),
  }
  return { path: bare, override }
}

/** The axes of an array with another placement. @throws ConfigError `RANK_MISMATCH` */
export function overridePlacement(
  path: string,
  stored: readonly PlacedAxis[],
  { axes: names, voxelSize, offset, unit: given }: PlacementOverride,
): PlacedAxis[] {
  if (names !== undefined && names.length !== stored.length) throw wrongCount(path, 'axes', names, stored.length)
  const axes = stored.map((axis, i) => (names === undefined ? axis : renamed(axis, names[i] as string)))
  const tiled = volumeOrder(axes).filter((axis) => axes[axis]?.type !== 'channel')
  tiled.sort((a, b) => a - b)
  const perAxis = (what: string, list: readonly number[] | undefined): readonly (number | undefined)[] => {
    if (list === undefined || list.length === axes.length) return list ?? []
    if (list.length === tiled.length) return axes.map((_, axis) => list[tiled.indexOf(axis)])
    if (list.length === 1) return axes.map(({ type }) => (type === 'space' ? list[0] : undefined))
    throw wrongCount(path, what, list, tiled.length)
  }
  const [sizes, starts] = [perAxis('voxel size', voxelSize), perAxis('offset', offset)]
  const unit = given ?? (voxelSize === undefined ? undefined : 'nanometer')
  return axes.map((axis, i) => {
    if (axis.type === 'channel') return { name: axis.name, type: axis.type }
    return {
      ...axis,
      ...(unit === undefined || axis.type !== 'space' ? {} : { unit }),
      ...(sizes[i] === undefined ? {} : { scale: sizes[i] }),
      ...(starts[i] === undefined ? {} : { translation: starts[i], translationOf: 'edge' as const }),
    }
  })
}

function renamed({ scale, translation, translationOf, unit, type: before }: PlacedAxis, name: string): PlacedAxis {
  const type = /^(c|channels?)$/i.test(name) ? 'channel' : /^(t|time)$/i.test(name) ? 'time' : 'space'
  if (type === 'channel' || before !== type) return { name, type }
  return {
    ...{ name, type },
    ...(unit === undefined ? {} : { unit }),
    ...(scale === undefined ? {} : { scale }),
    ...(translation === undefined ? {} : { translation }),
    ...(translationOf === undefined ? {} : { translationOf }),
  }
}

const wrongCount = (path: string, what: string, given: readonly unknown[], expected: number): ConfigError =>
  new ConfigError(
    'RANK_MISMATCH',
    `${path}: ${what} ${given.join(',')}: expected ${expected} values, got ${given.length}.`,
  )
