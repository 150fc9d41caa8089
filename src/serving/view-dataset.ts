import type { DType } from '../core/array/dtype.ts'
import { ConfigError } from '../core/errors.ts'
import { toNanometers } from '../core/geometry/world-unit.ts'
import { hideQueries } from '../core/text/shown-address.ts'
import { contrastRange, guessKind, onlyValue } from '../core/view/appearance.ts'
import { BLOCK_STATES_ATTRIBUTE, type LayerKind, type ViewAxis, type ViewLayer } from '../core/view/view.ts'
import type { ChunkedArray } from '../ports/chunked-array.ts'
import type { ResourceTree } from '../ports/resource.ts'
import { describeVolume } from '../runtime/volumes/volume-array.ts'
import { groupAxes, type Level, placedGroup, siScale } from './placed-group.ts'
import { sampleVoxels } from './sample-voxels.ts'
import type { ServedMemory } from './served-memory.ts'
import { servedDType, virtualZarr } from './virtual-zarr.ts'

/** One level of a dataset, and its files if Neuroglancer can read them directly. */
export interface SourceLevel {
  readonly array: ChunkedArray
  readonly stored?: { readonly files: ResourceTree; readonly zarrFormat: 2 | 3 }
}

/** A dataset ready to be shown. */
export interface ViewedDataset {
  readonly layer: Omit<ViewLayer, 'name' | 'source'>
  /** The axes shared by layers, slowest first. */
  readonly axes: readonly ViewAxis[]
  /** The maximum number, over all axes, of finest voxels that a coarsest voxel spans. */
  readonly coarsest: number
  readonly files: ResourceTree
}

export interface ViewOptions {
  /** As given by the user. @default guessed from the dtype and some values */
  readonly kind?: LayerKind | undefined
  /** Called for unreadable parts, which are shown as missing. */
  readonly onError: (error: unknown) => void
  /** What its requests may use, together with those of other datasets. */
  readonly memory: ServedMemory
}

/**
 * Inspects a dataset and decides how to show it.
 * @param path as given by the user
 * @param levels finest first
 * @throws ConfigError `NOT_A_DATASET` if fewer than two axes can be shown, `UNSUPPORTED`
 */
export async function viewDataset(
  path: string,
  levels: readonly SourceLevel[],
  { kind, onError, memory }: ViewOptions,
): Promise<ViewedDataset> {
  const { array } = levels[0] as SourceLevel
  assertVisible(path, array)
  const samples = await sampleVoxels(array, onError)
  const hasStates = kind === undefined && array.dtype === 'uint8' && BLOCK_STATES_ATTRIBUTE in array.attributes
  const shownAs = kind ?? (hasStates ? 'image' : guessKind(array.dtype, samples))
  assertKind(path, array.dtype, shownAs)
  const zarrFormat = commonFormat(levels)
  const dtype = servedDType(array.dtype, shownAs)
  const served = levels.map(
    (level): Level => ({
      array: level.array,
      files: zarrFormat !== undefined && level.stored ? level.stored.files : virtualZarr(level.array, dtype, memory),
    }),
  )
  const volume = describeVolume(array)
  const only = onlyValue(samples)
  const spans = array.shape.map(
    (length, axis) => length / Math.max(1, (levels.at(-1) as SourceLevel).array.shape[axis] ?? 1),
  )
  return {
    layer: {
      path: hideQueries(path),
      kind: shownAs,
      zarrFormat: zarrFormat ?? 3,
      dtype: array.dtype,
      shape: array.shape,
      voxelSize: `${volume.voxelSize.map((size) => toNanometers(size, volume.unit)).join(' × ')} nm`,
      ...(hasStates ? { hasStates } : {}),
      ...(shownAs === 'image' ? { range: contrastRange(array.dtype, samples) } : {}),
      ...(only === undefined || hasStates ? {} : { only: String(only) }),
    },
    axes: sharedAxes(levels.map((level) => level.array)),
    coarsest: Math.max(1, ...spans),
    files: placedGroup(served, zarrFormat ?? 3),
  }
}

/** The Zarr version in which Neuroglancer can read all levels directly; undefined if there is none. */
function commonFormat(levels: readonly SourceLevel[]): 2 | 3 | undefined {
  const [first] = levels
  const isSame = levels.every(
    ({ array, stored }) => stored?.zarrFormat === first?.stored?.zarrFormat && array.dtype === first?.array.dtype,
  )
  return isSame ? first?.stored?.zarrFormat : undefined
}

function sharedAxes(arrays: readonly ChunkedArray[]): ViewAxis[] {
  const shape = arrays[0]?.shape ?? []
  return groupAxes(arrays).flatMap((axis, i): ViewAxis[] => {
    if (axis.type === 'channel') return []
    const lower = (axis.edges[0] as number) / (axis.scales[0] as number)
    return [{ name: axis.name, ...siScale(axis), lower, upper: lower + (shape[i] as number) }]
  })
}

function assertVisible(path: string, { shape, axes }: ChunkedArray): void {
  const visibleAxes = axes.filter((axis) => axis.type !== 'channel').length
  if (visibleAxes < 2) {
    const what = `${shape.length === 1 ? '1 axis' : `${shape.length} axes`} (${axes.map((axis) => axis.name).join(', ')})`
    throw new ConfigError('NOT_A_DATASET', `${path} has ${what}: expected at least two axes in space or time.`)
  }
  if (shape.includes(0)) {
    throw new ConfigError('NOT_A_DATASET', `${path} is empty: its shape is ${shape.join(' × ')}.`)
  }
}

function assertKind(path: string, dtype: DType, kind: LayerKind): void {
  if (kind === 'image' || !dtype.startsWith('float')) return
  throw new ConfigError(
    'DTYPE_MISMATCH',
    `${path} has dtype ${dtype}: expected integers for a segmentation; show it as an image.`,
  )
}
