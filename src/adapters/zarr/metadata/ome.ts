import { addExactly, multiplyExactly } from '../../../core/geometry/decimal.ts'
import { type OmeAxis, omeAxes, omeTransformations } from '../../../core/geometry/ome.ts'
import { axesOfPlacement, placeAxes } from '../../../core/geometry/placement.ts'
import type { ArrayAxis } from '../../../ports/chunked-array.ts'
import { isJsonObject, type Json, type JsonObject, showName } from './exact-json.ts'
import { edgeOfAxis, typeOfName, unitName } from './placement-attributes.ts'

// OME-NGFF: a group's `multiscales` name arrays below it by path, finest first, and place them; in Zarr 2 (version 0.4) among the
// group's attributes, in Zarr 3 (version 0.5) in its attribute `ome`. A translation is the position of the centre of voxel 0;
// in time it is the start of frame 0: a film starts at 0, not half a frame earlier.

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
 * @returns undefined if they do not name it or describe another number of axes
 */
export function readOmeAxes(attributes: JsonObject, path: string, rank: number): ArrayAxis[] | undefined {
  for (const multiscale of multiscalesOf(attributes)) {
    const datasets = objects(multiscale.datasets)
    const dataset = datasets.find((candidate) => candidate.path === path)
    const axes = multiscale.axes
    if (dataset === undefined || !Array.isArray(axes) || axes.length !== rank) continue
    const outer = combine(multiscale.coordinateTransformations, rank)
    const own = combine(dataset.coordinateTransformations, rank)
    // If other levels have a translation, a level without one has the centre of its voxel 0 at the origin.
    const isCentered = datasets.some((level) => hasTranslation(level.coordinateTransformations))
    return axes.map((axis, i) => readAxis(axis, own, outer, i, isCentered))
  }
  return undefined
}

interface Transform {
  readonly scale: readonly number[] | undefined
  readonly translation: readonly number[] | undefined
}

const hasAxes = ({ axes }: JsonObject, rank: number): boolean => Array.isArray(axes) && axes.length === rank

const hasTranslation = (transformations: Json | undefined): boolean =>
  objects(transformations).some(({ type }) => type === 'translation')

function combine(transformations: Json | undefined, rank: number): Transform {
  const find = (type: 'scale' | 'translation') => {
    const found = objects(transformations).find((candidate) => candidate.type === type)?.[type]
    const numbers = Array.isArray(found) && found.length === rank ? found.map(numberOf) : []
    return numbers.length > 0 && numbers.every(Number.isFinite) ? numbers : undefined
  }
  return { scale: find('scale'), translation: find('translation') }
}

/** NaN for what is neither a number nor the text of one. */
const numberOf = (value: Json): number =>
  ['number', 'bigint', 'string'].includes(typeof value) ? Number(value) : Number.NaN

function readAxis(axis: Json, own: Transform, outer: Transform, i: number, isCentered: boolean): ArrayAxis {
  const { name = `d${i}`, type: given, unit } = isJsonObject(axis) ? axis : { name: axis }
  const type =
    given === 'space' || given === 'time' || given === 'channel'
      ? given
      : given === undefined
        ? typeOfName(showName(name))
        : 'channel'
  if (type === 'channel') return { name: showName(name), type }
  const outerScale = outer.scale?.[i] ?? 1
  const scale = own.scale === undefined ? outer.scale?.[i] : multiplyExactly(own.scale[i] as number, outerScale)
  const isTranslated = isCentered || own.translation !== undefined || outer.translation !== undefined
  const translation = addExactly(multiplyExactly(own.translation?.[i] ?? 0, outerScale), outer.translation?.[i] ?? 0)
  return {
    name: showName(name),
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

/** An array below a group, and its placement. */
export interface OmeLevel {
  /** Below the group. */
  readonly path: string
  readonly axes: readonly ArrayAxis[]
}

/**
 * A group's attributes with one array placed in its multiscales: the entry that names it is changed, or one is added.
 * Each array beside a pyramid gets a separate entry, so readers that use only the first entry still see a complete one.
 * @param finest the array whose pyramid this one joins as a coarser level; it gets an entry if it has none
 * @returns undefined if the version of the group's metadata doesn't support adding arrays
 */
export function placeInOme(
  attributes: JsonObject,
  level: OmeLevel,
  zarrFormat: 2 | 3,
  finest?: OmeLevel,
): JsonObject | undefined {
  const ome = isJsonObject(attributes.ome) ? attributes.ome : {}
  if (zarrFormat === 3 && ome.version !== undefined && ome.version !== '0.5') return undefined
  const isNamed =
    ({ path, axes }: OmeLevel) =>
    (entry: JsonObject) =>
      datasetPaths(entry).includes(path) && (datasetPaths(entry).length === 1 || hasAxes(entry, axes.length))
  const all = multiscalesOf(attributes)
  // A level of a pyramid has no separate entry.
  const before =
    finest === undefined ? all : all.filter((entry) => datasetPaths(entry).some((path) => path !== level.path))
  const mine = before.find(isNamed(finest ?? level))
  const isPyramid = finest !== undefined || (mine !== undefined && datasetPaths(mine).length > 1)
  const entry = isPyramid
    ? withLevel(mine ?? newMultiscale(finest as OmeLevel, zarrFormat), level)
    : newMultiscale(level, zarrFormat)
  const after = mine === undefined ? [...before, entry] : before.map((other) => (other === mine ? entry : other))
  if (zarrFormat === 2) return { ...attributes, multiscales: after }
  return { ...attributes, ome: { ...ome, version: '0.5', multiscales: after } }
}

/** A group's attributes without the entries that name only this array; undefined if nothing changes. */
export function withoutOme(attributes: JsonObject, path: string): JsonObject | undefined {
  const before = multiscalesOf(attributes)
  const after = before.filter((multiscale) => !datasetPaths(multiscale).every((named) => named === path))
  if (after.length === before.length) return undefined
  return isJsonObject(attributes.ome)
    ? { ...attributes, ome: { ...attributes.ome, multiscales: after } }
    : { ...attributes, multiscales: after }
}

const transformations = (axes: readonly ArrayAxis[]): JsonObject[] =>
  omeTransformations(
    axes.map(
      (axis): OmeAxis => ({
        ...axis,
        scale: axis.type === 'channel' ? 1 : (axis.scale ?? 1),
        edge: edgeOfAxis(axis),
        translationOf: axis.type === 'space' ? 'center' : 'edge',
      }),
    ),
  )

const newMultiscale = ({ path, axes }: OmeLevel, zarrFormat: 2 | 3): JsonObject => ({
  ...(zarrFormat === 2 ? { version: '0.4' } : {}),
  name: path,
  axes: omeAxes(axes),
  datasets: [{ path, coordinateTransformations: transformations(axes) }],
})

/**
 * A pyramid with one level added or moved; finest first. The positions of the other levels stay, converted to nm like the new
 * one:
 * all levels share one list of axes. For the same reason, a transformation of the complete pyramid is merged into each level.
 */
function withLevel(multiscale: JsonObject, level: OmeLevel): JsonObject {
  const { coordinateTransformations: _, ...kept } = multiscale
  const rank = level.axes.length
  const others = objects(multiscale.datasets).flatMap((dataset) => {
    const axes = readOmeAxes({ multiscales: [multiscale] }, showName(dataset.path), rank)
    return axes === undefined || dataset.path === level.path ? [] : [{ dataset, axes: inNanometers(axes) }]
  })
  const mine = objects(multiscale.datasets).find(({ path }) => path === level.path) ?? { path: level.path }
  const volume = (axes: readonly ArrayAxis[]) => axes.reduce((product, { scale = 1 }) => product * scale, 1)
  const levels = [...others, { dataset: mine, axes: level.axes }].sort((a, b) => volume(a.axes) - volume(b.axes))
  return {
    ...kept,
    axes: omeAxes(level.axes),
    datasets: levels.map(({ dataset, axes }) => ({ ...dataset, coordinateTransformations: transformations(axes) })),
  }
}

/** The same axes with lengths in nm. */
export const inNanometers = (axes: readonly ArrayAxis[]): ArrayAxis[] =>
  axesOfPlacement(
    placeAxes(axes),
    axes.map((axis) => axis.name),
    axes,
  )
