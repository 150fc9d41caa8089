import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { placeAxes } from '../../core/geometry/placement.ts'
import { toNanometers } from '../../core/geometry/world-unit.ts'
import type { CreateArrayOptions } from '../../ports/chunked-array.ts'
import { gridShape } from '../zarr/chunks/chunk-grid.ts'
import { addressWritten, alreadyExists } from '../zarr/container-errors.ts'
import { type Json, type JsonObject, stringifyJson } from '../zarr/metadata/exact-json.ts'
import { parseJsonObject } from '../zarr/metadata/metadata.ts'
import { axesFor, newMetadata } from '../zarr/metadata/new-metadata.ts'
import { asJsonObject } from '../zarr/metadata/placement-attributes.ts'
import { showNames } from '../zarr/missing-array.ts'
import type { Store } from '../zarr/store.ts'
import { fitsTables } from './encode-segmentation.ts'
import { newSharding } from './shard-boxes.ts'
import { PRECOMPUTED_DTYPES, parseInfo, scaleKeys, type VolumeInfo } from './volume-info.ts'

/** The default of `convert`, which means none here: what is stored is what a browser gets. */
const DEFAULT_CODEC = 'zstd:3'
const SEGMENTATION = 'compressed_segmentation'
/** As all programs write it. */
const BLOCK_SIZE = [8, 8, 8] as const

export interface ScalePlan {
  readonly key: string
  /** The new content of the `info` file. */
  readonly json: JsonObject
  readonly replaces: boolean
  /** Whether its folder contains files of no scale, as a killed replacement leaves them: they would be taken for its chunks. */
  readonly isLeft: boolean
}

/** The `info` file of a volume; undefined if there is none. */
export async function readInfo(store: Store): Promise<VolumeInfo | undefined> {
  const bytes = await store.get('info')
  return bytes === undefined ? undefined : parseInfo(parseJsonObject(bytes, store.where('info')), store.where('info'))
}

/**
 * Checks a new scale; writes nothing.
 * @param key '' for one made of the voxel size, as is usual: `8_8_40`; only where that is what the volume alone stands for
 * @throws ConfigError `UNSUPPORTED`, `UNSUPPORTED_CODEC`, `INVALID_CONFIG`, `RANK_MISMATCH`, `DATASET_EXISTS`
 */
export async function planScale(store: Store, key: string, options: CreateArrayOptions): Promise<ScalePlan> {
  const path = store.where(key)
  if (!store.writable) throw addressWritten(path)
  const { scale, channels } = newScale(path, key, options)
  const info = await readInfo(store)
  if (info === undefined) {
    await assertEmpty(store, scale.key)
    const volume = {
      '@type': 'neuroglancer_multiscale_volume',
      type: ['uint32', 'uint64'].includes(options.dtype) && channels === 1 ? 'segmentation' : 'image',
      data_type: options.dtype,
      num_channels: channels,
      scales: [scale],
    }
    return { key: scale.key, json: volume, replaces: false, isLeft: false }
  }
  const exists = scaleKeys(info).includes(scale.key)
  const others = (info.json.scales as readonly Json[]).filter((other: Json) => asJsonObject(other).key !== scale.key)
  if (key === '' && others.length > 0 && scaleKeys(info)[0] !== scale.key) {
    // Whoever opens the volume without a name gets its finest scale, which is another one.
    throw new ConfigError(
      'DATASET_EXISTS',
      `${path} has the scales ${showNames(scaleKeys(info))}; name the one to write: ${store.where(scale.key)}.`,
    )
  }
  if (exists && options.ifExists !== 'replace') throw alreadyExists(store.where(scale.key))
  const isLeft = !exists && ((await store.list(scale.key)) ?? []).some(({ name }) => !name.startsWith('.'))
  if (isLeft && options.ifExists !== 'replace') {
    throw new ConfigError(
      'DATASET_EXISTS',
      `${store.where(scale.key)} contains files, but ${store.where('info')} names no such scale; replace them (--overwrite), or choose another name.`,
    )
  }
  if (others.length > 0 && (info.dtype !== options.dtype || info.channels !== channels)) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${path}: its volume has ${info.channels} channels of ${info.dtype}, and all scales have the same; write to another folder.`,
    )
  }
  const scales = [...others, scale].sort((a, b) => volumeOf(asJsonObject(a)) - volumeOf(asJsonObject(b)))
  return {
    key: scale.key,
    json: { ...info.json, data_type: options.dtype, num_channels: channels, scales },
    replaces: exists,
    isLeft,
  }
}

/** Of one voxel: the finest scale comes first. */
const volumeOf = ({ resolution }: JsonObject): number =>
  Array.isArray(resolution) ? (resolution as number[]).reduce((product, size) => product * size, 1) : 1

function newScale(path: string, key: string, options: CreateArrayOptions) {
  const { dtype, shape, codec = DEFAULT_CODEC, shardShape, zarrFormat, fillValue = 0 } = options
  const refuse = (why: string) => new ConfigError('UNSUPPORTED', `${path}: ${why}.`)
  if (!PRECOMPUTED_DTYPES.includes(dtype)) {
    throw refuse(`precomputed volumes have no ${dtype}; use one of ${PRECOMPUTED_DTYPES.join(', ')}`)
  }
  if (Number(fillValue) !== 0) throw refuse(`missing chunks of precomputed volumes are 0, not ${fillValue}; use 0`)
  if (zarrFormat === 2) throw refuse('it is a precomputed volume, not Zarr; omit the version of Zarr')
  if (![DEFAULT_CODEC, 'raw', SEGMENTATION].includes(codec)) {
    throw new ConfigError(
      'UNSUPPORTED_CODEC',
      `${path}: precomputed volumes are written raw or with ${SEGMENTATION}, not with ${codec}; omit the codec.`,
    )
  }
  if (codec === SEGMENTATION && dtype !== 'uint32' && dtype !== 'uint64') {
    throw refuse(`${SEGMENTATION} has uint32 or uint64, not ${dtype}; omit the codec`)
  }
  const axes = axesFor(options, path)
  const inSpace = axes.filter(({ type }) => type === 'space')
  const channels = axes.length === 4 && axes[0]?.type === 'channel' ? (shape[0] as number) : 1
  if (inSpace.length !== 3 || (axes.length !== 3 && channels === 1 && !(axes.length === 4 && shape[0] === 1))) {
    throw refuse(
      `a precomputed volume has three axes in space, and one of channels at most, not ${axes.map(({ name }) => name).join(', ')}`,
    )
  }
  if (shape.includes(0)) throw refuse('a precomputed volume has at least one voxel')
  const { voxelSize, offset, unit } = placeAxes(axes)
  const starts = offset.map((start, axis) => start / (voxelSize[axis] as number))
  if (!starts.every(Number.isSafeInteger)) {
    throw refuse(
      `its offset is ${starts.join(', ')} voxels, and a precomputed volume starts at whole voxels; write Zarr`,
    )
  }
  const resolution = voxelSize.map((size) => toNanometers(size, unit)).reverse()
  const { chunk, attributes } = newMetadata(path, 2, axes, { ...options, codec: 'raw' })
  const chunkSize = chunk.shape.slice(-3).reverse() as [number, number, number]
  if (codec === SEGMENTATION && !fitsTables(chunkSize, BLOCK_SIZE, dtype === 'uint64' ? 2 : 1)) {
    throw refuse(`chunks of ${chunkSize.reverse().join(', ')} are too large for ${SEGMENTATION}; use 128, 128, 128`)
  }
  const [size, voxels] = [shape.slice(-3), chunk.shape.slice(-3)]
  const sharding =
    shardShape === undefined ? undefined : newSharding(path, gridShape(size, voxels), voxels, shardShape.slice(-3))
  const own = Object.fromEntries(Object.entries(attributes).filter(([name]) => name in (options.attributes ?? {})))
  const scale = {
    key: key === '' ? resolution.join('_') : key,
    size: size.reverse(),
    resolution,
    voxel_offset: starts.reverse(),
    chunk_sizes: [chunkSize],
    ...(codec === SEGMENTATION
      ? { encoding: SEGMENTATION, compressed_segmentation_block_size: [...BLOCK_SIZE] }
      : { encoding: 'raw' }),
    ...(sharding === undefined ? {} : { sharding }),
    ...(Object.keys(own).length === 0 ? {} : { attributes: own }),
  }
  return { scale, channels }
}

/** A folder of the scale without files, as a killed creation leaves it, is no content. */
async function assertEmpty(store: Store, key: string): Promise<void> {
  const [folder = key] = key.split('/')
  const entries = (await store.list('')) ?? []
  const isLeft = entries.every(({ name }) => name === folder) && ((await store.list(key)) ?? []).length === 0
  if (entries.length === 0 || isLeft) return
  throw new ConfigError(
    'UNKNOWN_FORMAT',
    `${store.where('')} exists and is not a precomputed volume (it contains ${entries[0]?.name}); choose another name.`,
  )
}

/** Carries out a plan. While files of the scale are missing, the `info` file does not name it. */
export async function createScale(store: Store, { key, json, replaces, isLeft }: ScalePlan): Promise<void> {
  if (replaces) {
    const scales = (json.scales as readonly Json[]).filter((scale: Json) => asJsonObject(scale).key !== key)
    await putInfo(store, { ...json, scales })
  }
  if (replaces || isLeft) await store.remove(key)
  await store.makeFolder?.(key)
  await putInfo(store, json)
}

/** Sets attributes of a scale; all others keep their values. */
export async function setScaleAttributes(store: Store, key: string, changes: JsonObject): Promise<void> {
  await using _groups = await store.lockGroups?.()
  const info = await readInfo(store)
  if (info === undefined || !scaleKeys(info).includes(key)) {
    throw new InfrastructureError('IO_ERROR', `${store.where(key)} was removed, so its attributes can't be set.`)
  }
  const scales = (info.json.scales as readonly Json[]).map((scale: Json) => {
    const json = asJsonObject(scale)
    return json.key === key ? { ...json, attributes: { ...asJsonObject(json.attributes), ...changes } } : scale
  })
  await putInfo(store, { ...info.json, scales })
}

const putInfo = (store: Store, json: JsonObject): Promise<void> =>
  store.put('info', [new TextEncoder().encode(stringifyJson(json))])
