import type { DType } from '../core/array/dtype.ts'
import { ConfigError } from '../core/errors.ts'
import { toNanometers } from '../core/geometry/world-unit.ts'
import { contrastRange, guessKind, onlyValue } from '../core/view/appearance.ts'
import type { LayerKind, ViewAxis, ViewLayer } from '../core/view/view.ts'
import type { ChunkedArray } from '../ports/chunked-array.ts'
import type { ResourceTree } from '../ports/resource.ts'
import { describeVolume } from '../runtime/volumes/volume-array.ts'
import { groupAxes, type Level, placedGroup, siScale } from './placed-group.ts'
import { sampleVoxels } from './sample-voxels.ts'
import { servedDType, virtualZarr } from './virtual-zarr.ts'

/** One array of a dataset, the finest first, and its files where Neuroglancer reads them as they lie. */
export interface SourceLevel {
  readonly array: ChunkedArray
  readonly stored?: { readonly files: ResourceTree; readonly zarrFormat: 2 | 3 }
}

/** A dataset ready to be shown. */
export interface ViewedDataset {
  readonly layer: Omit<ViewLayer, 'name' | 'source'>
  /** Those that layers share, slowest first. */
  readonly axes: readonly ViewAxis[]
  /** How many voxels of the finest level one of the coarsest spans. */
  readonly coarsest: number
  readonly files: ResourceTree
}

/**
 * Looks at a dataset and settles how it is shown.
 * @param path as the user gave it
 * @param kind what the user says it is; else its dtype and values tell
 * @param onError of a part that can't be read, and is seen as missing
 * @throws ConfigError `NOT_A_DATASET` for fewer than two axes to see, `UNSUPPORTED`
 */
export async function viewDataset(
  path: string,
  levels: readonly SourceLevel[],
  kind: LayerKind | undefined,
  onError: (error: unknown) => void,
): Promise<ViewedDataset> {
  const { array } = levels[0] as SourceLevel
  assertSeen(path, array)
  const samples = await sampleVoxels(array, onError)
  const shownAs = kind ?? guessKind(array.dtype, samples)
  assertKind(path, array.dtype, shownAs)
  const zarrFormat = commonFormat(levels)
  const dtype = servedDType(array.dtype, shownAs)
  const served = levels.map(
    (level): Level => ({
      array: level.array,
      files: zarrFormat !== undefined && level.stored ? level.stored.files : virtualZarr(level.array, dtype),
    }),
  )
  const volume = describeVolume(array)
  const only = onlyValue(samples)
  const spans = array.shape.map(
    (length, axis) => length / Math.max(1, (levels.at(-1) as SourceLevel).array.shape[axis] ?? 1),
  )
  return {
    layer: {
      path,
      kind: shownAs,
      zarrFormat: zarrFormat ?? 3,
      dtype: array.dtype,
      shape: array.shape,
      voxelSize: `${volume.voxelSize.map((size) => toNanometers(size, volume.unit)).join(' × ')} nm`,
      ...(shownAs === 'image' ? { range: contrastRange(array.dtype, samples) } : {}),
      ...(only === undefined ? {} : { only: String(only) }),
    },
    axes: sharedAxes(levels.map((level) => level.array)),
    coarsest: Math.max(1, ...spans),
    files: placedGroup(served, zarrFormat ?? 3),
  }
}

/** The version in which all levels can be read as they lie. */
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

function assertSeen(path: string, { shape, axes }: ChunkedArray): void {
  const seen = axes.filter((axis) => axis.type !== 'channel').length
  if (seen < 2) {
    const what = `${shape.length === 1 ? '1 axis' : `${shape.length} axes`} (${axes.map((axis) => axis.name).join(', ')})`
    throw new ConfigError('NOT_A_DATASET', `${path} has ${what}; what is shown has at least two in space or time.`)
  }
  if (shape.includes(0)) {
    throw new ConfigError('NOT_A_DATASET', `${path} is empty: its shape is ${shape.join(' × ')}.`)
  }
}

function assertKind(path: string, dtype: DType, kind: LayerKind): void {
  if (kind === 'image' || !dtype.startsWith('float')) return
  throw new ConfigError(
    'DTYPE_MISMATCH',
    `${path} holds ${dtype}, and a segmentation holds integers; show it as an image.`,
  )
}
