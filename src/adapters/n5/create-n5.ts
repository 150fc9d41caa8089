import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import type { ArrayAxis, CreateArrayOptions } from '../../ports/chunked-array.ts'
import { parseCodecName } from '../zarr/codecs/registry.ts'
import { addressWritten, alreadyExists } from '../zarr/container-errors.ts'
import { type JsonObject, stringifyJson } from '../zarr/metadata/exact-json.ts'
import { axesFor, newMetadata } from '../zarr/metadata/new-metadata.ts'
import { joinKey, parentKey, type Store } from '../zarr/store.ts'
import { isN5Dataset, N5_DTYPES, type N5Metadata, toN5Compression, toN5Json } from './n5-metadata.ts'
import { n5Placement } from './n5-placement.ts'
import { listN5, readAttributes } from './n5-tree.ts'

/** The version of N5 that new containers name: what every reader of N5 knows. */
const VERSION = '2.0.0'

export interface N5Plan {
  readonly metadata: N5Metadata
  readonly axes: readonly ArrayAxis[]
  readonly replaces: boolean
}

/**
 * Checks a new dataset and its place; writes nothing.
 * @throws ConfigError `INVALID_CONFIG`, `RANK_MISMATCH`, `UNSUPPORTED`, `UNSUPPORTED_CODEC`, `DATASET_EXISTS`, `NOT_A_DATASET`, `UNKNOWN_FORMAT`
 */
export async function planN5(store: Store, key: string, options: CreateArrayOptions): Promise<N5Plan> {
  const path = store.where(key)
  if (!store.writable) throw addressWritten(path)
  await checkContainer(store)
  for (let group = key; group !== ''; ) {
    group = parentKey(group)
    const attributes = await readAttributes(store, group)
    if (attributes === undefined || !isN5Dataset(attributes)) continue
    throw new ConfigError(
      'NOT_A_DATASET',
      `${path} can't be created: ${store.where(group)} is a dataset, not a group; choose another place.`,
    )
  }
  const planned = newN5(path, options)
  const existing = await readAttributes(store, key)
  if (existing !== undefined && isN5Dataset(existing)) {
    if (options.ifExists === 'replace') return { ...planned, replaces: true }
    throw alreadyExists(path)
  }
  if (key !== '' && ((await store.list(key)) ?? []).length > 0) {
    throw new ConfigError(
      'DATASET_EXISTS',
      `${path} is a group that is not empty, and groups are never overwritten; choose another name, or remove it.`,
    )
  }
  return { ...planned, replaces: false }
}

/** The metadata of a new dataset. */
function newN5(path: string, options: CreateArrayOptions): Omit<N5Plan, 'replaces'> {
  const { dtype, codec = 'zstd:3', shardShape, zarrFormat, fillValue = 0 } = options
  if (!N5_DTYPES.includes(dtype)) {
    throw new ConfigError('UNSUPPORTED', `${path}: N5 has no ${dtype}; use one of ${N5_DTYPES.join(', ')}.`)
  }
  if (shardShape !== undefined) {
    throw new ConfigError('UNSUPPORTED', `${path}: N5 has no shards; omit the shard shape, or write Zarr.`)
  }
  if (Number(fillValue) !== 0) {
    throw new ConfigError('UNSUPPORTED', `${path}: missing blocks of N5 are 0, not ${fillValue}; use 0, or write Zarr.`)
  }
  if (zarrFormat === 2) {
    throw new ConfigError('UNSUPPORTED', `${path} is N5, not Zarr; omit the version of Zarr, or write to a .zarr.`)
  }
  const axes = axesFor(options, path)
  if (axes.length === 0) throw new ConfigError('UNSUPPORTED', `${path}: an array without axes can't be N5; write Zarr.`)
  const { chunk, attributes, shape } = newMetadata(path, 2, axes, { ...options, codec: 'raw' })
  const compressor = parseCodecName(codec, dtype)
  toN5Compression(compressor)
  const own = Object.fromEntries(Object.entries(attributes).filter(([name]) => name in (options.attributes ?? {})))
  const metadata = {
    ...{ shape, dtype, compressor, blockShape: chunk.shape },
    attributes: { ...own, ...n5Placement(axes) },
  }
  return { metadata, axes }
}

async function checkContainer(store: Store): Promise<void> {
  const entries = await store.list('')
  if (entries === undefined || entries.length === 0) return
  if (
    entries.some(({ name }) => name === 'attributes.json') ||
    (await listN5(store, '', 20)).some(({ kind }) => kind === 'array')
  )
    return
  throw new ConfigError(
    'UNKNOWN_FORMAT',
    `${store.where('')} exists and is not an N5 container (it contains ${entries[0]?.name}); choose another name.`,
  )
}

/** Carries out a plan. The dataset's own attributes are written last: until then there is no dataset. */
export async function createN5(store: Store, key: string, { metadata, replaces }: N5Plan): Promise<void> {
  if (replaces) await store.remove(key)
  const json = toN5Json(metadata)
  const root = key === '' ? {} : ((await readAttributes(store, '')) ?? {})
  const version = typeof root.n5 === 'string' ? root.n5 : VERSION
  if (key === '') return put(store, '', { n5: version, ...json })
  if (root.n5 === undefined) await put(store, '', { n5: version, ...root })
  await put(store, key, json)
}

/** Sets attributes of a dataset; all others keep their values. */
export async function setN5Attributes(store: Store, key: string, changes: JsonObject): Promise<void> {
  await using _groups = await store.lockGroups?.()
  const attributes = await readAttributes(store, key)
  if (attributes === undefined) {
    throw new InfrastructureError('IO_ERROR', `${store.where(key)} was removed, so its attributes can't be set.`)
  }
  await put(store, key, { ...attributes, ...changes })
}

/** Makes a dataset larger, at its ends. What is added reads as 0. @param shape at least as long as it is along each axis */
export async function enlargeN5(store: Store, key: string, shape: readonly number[]): Promise<void> {
  await using _groups = await store.lockGroups?.()
  const attributes = await readAttributes(store, key)
  if (attributes === undefined) {
    throw new InfrastructureError('IO_ERROR', `${store.where(key)} was removed, so it can't be made larger.`)
  }
  // Slowest axis last.
  await put(store, key, { ...attributes, dimensions: [...shape].reverse() })
}

const put = (store: Store, key: string, json: JsonObject): Promise<void> =>
  store.put(joinKey(key, 'attributes.json'), [new TextEncoder().encode(stringifyJson(json))])
