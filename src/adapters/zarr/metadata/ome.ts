import { addExactly, multiplyExactly } from '../../../core/geometry/decimal.ts'
import { type OmeAxis, omeAxes, omeTransformations } from '../../../core/geometry/ome.ts'
import { axesOfPlacement, placeAxes } from '../../../core/geometry/placement.ts'
import { type SoundAxes, soundAxes } from '../../../core/geometry/sound-axes.ts'
import type { ArrayAxis } from '../../../ports/chunked-array.ts'
import { isJsonObject, type Json, type JsonObject, show, showName } from './exact-json.ts'
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
export function readOmeAxes(attributes: JsonObject, path: string, rank: number): SoundAxes | undefined {
  for (const multiscale of multiscalesOf(attributes)) {
    const datasets = objects(multiscale.datasets)
    const dataset = datasets.find((candidate) => samePath(candidate.path, path))
    const axes = multiscale.axes ?? (rank === OLD_AXES.length ? OLD_AXES : undefined)
    if (dataset === undefined || !Array.isArray(axes) || axes.length !== rank) continue
    const lists = [dataset.coordinateTransformations, multiscale.coordinateTransformations]
    const transforms = new Transforms(rank, lists)
    // If other levels have a translation, a level without one has the centre of its voxel 0 at the origin.
    const isCentered = datasets.some((level) => hasTranslation(level.coordinateTransformations))
    const sound = soundAxes(
      axes.map((axis: Json, i) => readAxis(axis, transforms, i, isCentered)),
      { expectsUnits: true },
    )
    return { axes: sound.axes, warnings: [...transforms.warnings, ...sound.warnings] }
  }
  return undefined
}

/** The axes of OME-NGFF 0.1 and 0.2, which had always these. */
const OLD_AXES: readonly Json[] = ['t', 'c', 'z', 'y', 'x']

const samePath = (named: Json | undefined, path: string): boolean =>
  typeof named === 'string' && named.replace(/^(\.?\/)+|\/+$/g, '') === path

const hasAxes = ({ axes }: JsonObject, rank: number): boolean => Array.isArray(axes) && axes.length === rank

const hasTranslation = (transformations: Json | undefined): boolean =>
  objects(transformations).some(({ type }) => type === 'translation')

/** Scales and translations, composed in the order in which they are given: first those of a level, then those of the image. */
class Transforms {
  readonly warnings: string[] = []
  readonly #scale: (number | undefined)[]
  readonly #translation: (number | undefined)[]

  constructor(rank: number, lists: readonly (Json | undefined)[]) {
    this.#scale = Array(rank).fill(undefined)
    this.#translation = Array(rank).fill(undefined)
    for (const list of lists) {
      const all = objects(list)
      if (all.findIndex(({ type }) => type === 'translation') < all.findLastIndex(({ type }) => type === 'scale')) {
        if (hasTranslation(list)) this.warnings.push('a translation is given before a scale, so it is scaled, too')
      }
      for (const transform of all) this.#add(transform, rank)
    }
  }

  scaleOf = (axis: number): number | undefined => this.#scale[axis]
  translationOf = (axis: number): number | undefined => this.#translation[axis]

  #add(transform: JsonObject, rank: number): void {
    const { type } = transform
    if (type === 'identity') return
    if (type !== 'scale' && type !== 'translation') {
      this.warnings.push(`a transformation of the kind ${show(type)} is not applied`)
      return
    }
    const numbers = transform[type]
    if (!Array.isArray(numbers) || numbers.length !== rank) {
      this.warnings.push(`a ${type} is not a list of ${rank} numbers, so it is not applied`)
      return
    }
    for (const [axis, json] of numbers.entries()) {
      const value = numberOf(json)
      const [scale, translation] = [this.#scale[axis], this.#translation[axis]]
      if (type === 'translation') {
        this.#translation[axis] = exactly(addExactly, translation ?? 0, value)
        continue
      }
      this.#scale[axis] = exactly(multiplyExactly, scale ?? 1, value)
      if (translation !== undefined) this.#translation[axis] = exactly(multiplyExactly, translation, value)
    }
  }
}

const exactly = (operation: (a: number, b: number) => number, a: number, b: number): number =>
  Number.isFinite(a) && Number.isFinite(b) ? operation(a, b) : Number.NaN

/** NaN for what is neither a number nor the text of one. */
const numberOf = (value: Json): number =>
  ['number', 'bigint', 'string'].includes(typeof value) && value !== '' ? Number(value) : Number.NaN

function readAxis(axis: Json, transforms: Transforms, i: number, isCentered: boolean): ArrayAxis {
  const { name = `d${i}`, type: given, unit, units } = isJsonObject(axis) ? axis : ({ name: axis } as JsonObject)
  const type = typeOfAxis(given, showName(name))
  if (type === 'channel') return { name: showName(name), type }
  const [scale, translation] = [transforms.scaleOf(i), transforms.translationOf(i)]
  const isTranslated = isCentered || translation !== undefined
  // Some writers say "units".
  const written = [unit, units].find((text) => typeof text === 'string' && text.trim() !== '') as string | undefined
  return {
    name: showName(name),
    type,
    ...(written === undefined ? {} : { unit: unitName(written) }),
    ...(scale === undefined ? {} : { scale }),
    ...(isTranslated
      ? { translation: translation ?? 0, translationOf: type === 'time' ? ('edge' as const) : ('center' as const) }
      : {}),
  }
}

function typeOfAxis(given: Json | undefined, name: string): ArrayAxis['type'] {
  const type = typeof given === 'string' ? given.trim().toLowerCase() : ''
  if (type === 'space' || type === 'time' || type === 'channel') return type
  return type === '' ? typeOfName(name) : 'channel'
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
    : { ...newMultiscale(level, zarrFormat), ...describedBy(mine) }
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

/** What an entry says about its image besides its arrays. */
const describedBy = (multiscale: JsonObject = {}): JsonObject =>
  Object.fromEntries(
    ['name', 'type', 'metadata'].flatMap((key) => (multiscale[key] === undefined ? [] : [[key, multiscale[key]]])),
  )

/**
 * A pyramid with one level added or moved; finest first. The positions of the other levels stay, converted to nm like the new
 * one:
 * all levels share one list of axes. For the same reason, a transformation of the complete pyramid is merged into each level.
 */
function withLevel(multiscale: JsonObject, level: OmeLevel): JsonObject {
  const { coordinateTransformations: _, ...kept } = multiscale
  const rank = level.axes.length
  const others = objects(multiscale.datasets).flatMap((dataset) => {
    const read = readOmeAxes({ multiscales: [multiscale] }, showName(dataset.path), rank)
    return read === undefined || dataset.path === level.path ? [] : [{ dataset, axes: inNanometers(read.axes) }]
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
