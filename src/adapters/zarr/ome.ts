import type { ArrayAxis } from '../../ports/chunked-array.ts'
import { addExactly, centerOf, multiplyExactly } from './decimals.ts'
import { isJsonObject, type Json, type JsonObject } from './exact-json.ts'
import { edgeOfAxis, typeOfName, unitName } from './placement-attributes.ts'

// OME-NGFF: a group's `multiscales` name arrays below it by path, finest first, and place them; in Zarr 2 (version 0.4) among the
// group's attributes, in Zarr 3 (version 0.5) in its attribute `ome`. A translation is where the centre of voxel 0 lies; in time,
// where it begins: a film starts at 0, not half a frame before.

/** The `multiscales` entries of a group. */
export function multiscalesOf(attributes: JsonObject): readonly JsonObject[] {
  const { multiscales } = isJsonObject(attributes.ome) ? attributes.ome : attributes
  return Array.isArray(multiscales) ? multiscales.filter(isJsonObject) : []
}

const objects = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? value.filter(isJsonObject) : []

/** The paths of the arrays that one entry names, finest first. */
export const datasetPaths = (multiscale: JsonObject): string[] =>
  objects(multiscale.datasets).flatMap(({ path }) => (typeof path === 'string' ? [path] : []))

/**
 * The axes of an array that a group's multiscales place.
 * @param path of the array below the group
 * @param rank axes of the array
 * @returns undefined where they do not name it, or describe another number of axes
 */
export function readOmeAxes(attributes: JsonObject, path: string, rank: number): ArrayAxis[] | undefined {
  for (const multiscale of multiscalesOf(attributes)) {
    const datasets = objects(multiscale.datasets)
    const dataset = datasets.find((candidate) => candidate.path === path)
    const axes = multiscale.axes
    if (dataset === undefined || !Array.isArray(axes) || axes.length !== rank) continue
    const outer = combine(multiscale.coordinateTransformations, rank)
    const own = combine(dataset.coordinateTransformations, rank)
    // Levels without a translation next to levels with one lie with the centre of voxel 0 at the origin.
    const isCentered = datasets.some((level) => hasTranslation(level.coordinateTransformations))
    return axes.map((axis, i) => readAxis(axis, own, outer, i, isCentered))
  }
  return undefined
}

interface Transform {
  readonly scale: readonly number[] | undefined
  readonly translation: readonly number[] | undefined
}

const hasTranslation = (transformations: Json | undefined): boolean =>
  objects(transformations).some(({ type }) => type === 'translation')

function combine(transformations: Json | undefined, rank: number): Transform {
  const find = (type: 'scale' | 'translation') => {
    const found = objects(transformations).find((candidate) => candidate.type === type)?.[type]
    return Array.isArray(found) && found.length === rank ? found.map(Number) : undefined
  }
  return { scale: find('scale'), translation: find('translation') }
}

function readAxis(axis: Json, own: Transform, outer: Transform, i: number, isCentered: boolean): ArrayAxis {
  const { name = `d${i}`, type: given, unit } = isJsonObject(axis) ? axis : { name: axis }
  const type =
    given === 'space' || given === 'time' || given === 'channel'
      ? given
      : given === undefined
        ? typeOfName(String(name))
        : 'channel'
  if (type === 'channel') return { name: String(name), type }
  const outerScale = outer.scale?.[i] ?? 1
  const scale = own.scale === undefined ? outer.scale?.[i] : multiplyExactly(own.scale[i] as number, outerScale)
  const isTranslated = isCentered || own.translation !== undefined || outer.translation !== undefined
  const translation = addExactly(multiplyExactly(own.translation?.[i] ?? 0, outerScale), outer.translation?.[i] ?? 0)
  return {
    name: String(name),
    type,
    ...(typeof unit === 'string' ? { unit: unitName(unit) } : {}),
    ...(scale === undefined ? {} : { scale }),
    ...(isTranslated ? { translation, translationOf: type === 'time' ? ('edge' as const) : ('center' as const) } : {}),
  }
}

/** Whether OME-NGFF can describe these axes: 2 to 5 of them, time first, then at most one channel, then 2 or 3 in space. */
export function isOmeShaped(axes: readonly ArrayAxis[]): boolean {
  const order = axes.map((axis) => axis.type[0]).join('')
  const names = new Set(axes.map((axis) => axis.name))
  return /^t?c?s{2,3}$/.test(order) && names.size === axes.length && axes.some((axis) => axis.scale !== undefined)
}

/**
 * A group's attributes with one array placed in its multiscales: the entry that names it is changed, or one is added.
 * Each array beside a pyramid gets an entry of its own, so readers that know the first entry alone still see a whole one.
 * @param path of the array below the group
 * @returns undefined where the group's metadata are of a version that can't be added to
 */
export function placeInOme(
  attributes: JsonObject,
  path: string,
  axes: readonly ArrayAxis[],
  zarrFormat: 2 | 3,
): JsonObject | undefined {
  const ome = isJsonObject(attributes.ome) ? attributes.ome : {}
  if (zarrFormat === 3 && ome.version !== undefined && ome.version !== '0.5') return undefined
  const before = multiscalesOf(attributes)
  const mine = before.find((multiscale) => datasetPaths(multiscale).includes(path))
  const after =
    mine === undefined
      ? [...before, newMultiscale(path, axes, zarrFormat)]
      : before.map((multiscale) => (multiscale === mine ? replaced(mine, path, axes, zarrFormat) : multiscale))
  if (zarrFormat === 2) return { ...attributes, multiscales: after }
  return { ...attributes, ome: { ...ome, version: '0.5', multiscales: after } }
}

/** A group's attributes without the entries that name this array alone; undefined where nothing changes. */
export function withoutOme(attributes: JsonObject, path: string): JsonObject | undefined {
  const before = multiscalesOf(attributes)
  const after = before.filter((multiscale) => !datasetPaths(multiscale).every((named) => named === path))
  if (after.length === before.length) return undefined
  return isJsonObject(attributes.ome)
    ? { ...attributes, ome: { ...attributes.ome, multiscales: after } }
    : { ...attributes, multiscales: after }
}

const transformations = (axes: readonly ArrayAxis[]): JsonObject[] => [
  { type: 'scale', scale: axes.map((axis) => (axis.type === 'channel' ? 1 : (axis.scale ?? 1))) },
  {
    type: 'translation',
    translation: axes.map((axis) =>
      axis.type === 'space' ? centerOf(edgeOfAxis(axis), axis.scale ?? 1) : edgeOfAxis(axis),
    ),
  },
]

const newMultiscale = (path: string, axes: readonly ArrayAxis[], zarrFormat: 2 | 3): JsonObject => ({
  ...(zarrFormat === 2 ? { version: '0.4' } : {}),
  name: path,
  axes: axes.map(({ name, type, unit }) => ({ name, type, ...(unit === undefined ? {} : { unit }) })),
  datasets: [{ path, coordinateTransformations: transformations(axes) }],
})

/** A level of a pyramid keeps the others and what the group says of all; an entry for one array is made anew. */
function replaced(multiscale: JsonObject, path: string, axes: readonly ArrayAxis[], zarrFormat: 2 | 3): JsonObject {
  if (datasetPaths(multiscale).length === 1) return newMultiscale(path, axes, zarrFormat)
  const datasets = objects(multiscale.datasets).map((dataset) =>
    dataset.path === path ? { ...dataset, coordinateTransformations: transformations(axes) } : dataset,
  )
  return { ...multiscale, datasets }
}
