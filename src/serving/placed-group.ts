import { type OmeAxis, omeAxes, omeTransformations } from '../core/geometry/ome.ts'
import { countChannelAxes, type PlacedAxis, placeAxes } from '../core/geometry/placement.ts'
import { finerUnit, toNanometers, type WorldUnit } from '../core/geometry/world-unit.ts'
import type { ArrayDescription } from '../ports/chunked-array.ts'
import type { ResourceTree } from '../ports/resource.ts'
import { jsonResource } from './virtual-zarr.ts'

/** One array of a group, and its files. */
export interface Level {
  readonly array: ArrayDescription
  readonly files: ResourceTree
}

/** An axis with the name and unit used on the page. Numbers are exact, one per level. */
interface GroupAxis {
  readonly name: string
  readonly type: PlacedAxis['type']
  /** OME's name of the unit; absent if the axis has none. */
  readonly unit?: string
  readonly scales: readonly number[]
  /** Start of voxel 0. */
  readonly edges: readonly number[]
}

/** OME's names of world units. */
export const UNITS: Readonly<Record<WorldUnit, string>> = { nm: 'nanometer', pm: 'picometer', fm: 'femtometer' }
/** The base unit and power of ten of the OME units used here. */
const EXPONENTS: Readonly<Record<string, readonly ['m' | 's', number]>> = {
  nanometer: ['m', -9], picometer: ['m', -12], femtometer: ['m', -15],
  second: ['s', 0], millisecond: ['s', -3], microsecond: ['s', -6], nanosecond: ['s', -9], picosecond: ['s', -12],
} // biome-ignore format: a table

/** A scale in metres or seconds, calculated like Neuroglancer does, to the last bit. */
export function siScale({ unit, scales }: GroupAxis): { readonly scale: number; readonly unit: 'm' | 's' | '' } {
  const [base, exponent] = EXPONENTS[unit ?? ''] ?? ['', 0]
  return { scale: 10 ** exponent * (scales[0] as number), unit: base as 'm' | 's' | '' }
}

/**
 * The common axes of the levels of a pyramid. Spatial axes are in whole numbers of one unit. Unnamed axes get names that let layers overlap:
 * the last three spatial axes are z, y, x.
 */
export function groupAxes(levels: readonly ArrayDescription[]): readonly GroupAxis[] {
  const [finest] = levels as readonly [ArrayDescription, ...ArrayDescription[]]
  const unit = levels.map((level) => placeAxes(level.axes).unit).reduce(finerUnit)
  const placements = levels.map((level) => placeAxes(level.axes, unit))
  const channels = countChannelAxes(finest.axes)
  const names = axisNames(finest.axes)
  return finest.axes.map((axis, i): GroupAxis => {
    const pick = (key: 'voxelSize' | 'offset') => placements.map((placement) => placement[key][i - channels] as number)
    const name = names[i] as string
    if (i < channels || axis.type === 'channel') {
      return { name, type: axis.type, scales: levels.map(() => 1), edges: levels.map(() => 0) }
    }
    if (axis.type === 'space') {
      return { name, type: 'space', unit: UNITS[unit], scales: pick('voxelSize'), edges: pick('offset') }
    }
    const own = (values: readonly number[]) => values.map((value) => toNanometers(value, unit))
    const known = axis.unit !== undefined && axis.unit in EXPONENTS
    return {
      name,
      type: 'time',
      ...(known ? { unit: axis.unit } : {}),
      scales: own(pick('voxelSize')),
      edges: own(pick('offset')),
    }
  })
}

function axisNames(axes: readonly PlacedAxis[]): string[] {
  const space = axes.flatMap(({ type }, i) => (type === 'space' ? [i] : []))
  const isNamed = space.some((i) => /^[xyz]$/i.test(axes[i]?.name ?? ''))
  const letters = ['z', 'y', 'x'].slice(-Math.min(3, space.length))
  const taken = new Set<string>()
  return axes.map(({ name, type }, i) => {
    const place = space.indexOf(i) - (space.length - letters.length)
    const wanted = type === 'space' && !isNamed && place >= 0 ? (letters[place] as string) : name.toLowerCase()
    const valid = /^[a-z][a-z_0-9]*$/.test(wanted) && !taken.has(wanted) ? wanted : `d${i}`
    taken.add(valid)
    return valid
  })
}

/** A Zarr group with OME placement over arrays named 0, 1, …, from which Neuroglancer learns their position. */
export function placedGroup(levels: readonly Level[], zarrFormat: 2 | 3): ResourceTree {
  const multiscales = [multiscale(levels)]
  const files =
    zarrFormat === 2
      ? { '.zgroup': { zarr_format: 2 }, '.zattrs': { multiscales } }
      : { 'zarr.json': { zarr_format: 3, node_type: 'group', attributes: { ome: { version: '0.5', multiscales } } } }
  const resources = new Map(Object.entries(files).map(([name, json]) => [name, jsonResource(json)]))
  return {
    async open(names, options) {
      const [first = '', ...rest] = names
      if (rest.length === 0) return resources.get(first)
      return /^\d{1,3}$/.test(first) ? levels[Number(first)]?.files.open(rest, options) : undefined
    },
  }
}

function multiscale(levels: readonly Level[]) {
  const axes = groupAxes(levels.map((level) => level.array))
  return {
    version: '0.4',
    axes: omeAxes(axes),
    datasets: levels.map((_, i) => ({
      path: String(i),
      coordinateTransformations: omeTransformations(
        axes.map(
          // Neuroglancer takes every translation for the centre of voxel 0, also along time and channels.
          ({ name, type, scales, edges }): OmeAxis => ({
            ...{ name, type, translationOf: 'center' },
            ...{ scale: scales[i] as number, edge: edges[i] as number },
          }),
        ),
      ),
    })),
  }
}
