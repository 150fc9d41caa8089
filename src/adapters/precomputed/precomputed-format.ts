import { BYTES_PER_ELEMENT, isBigDType } from '../../core/array/dtype.ts'
import { ConfigError } from '../../core/errors.ts'
import { multiplyExactly } from '../../core/geometry/decimal.ts'
import { given } from '../../core/given.ts'
import type {
  ArrayAxis,
  ArrayDescription,
  ArrayFormat,
  ChunkedArray,
  CreateArrayOptions,
  OpenArrayOptions,
} from '../../ports/chunked-array.ts'
import { checkReusable, hasToGrow, isReused } from '../zarr/check-reusable.ts'
import { ChunkFileArray } from '../zarr/chunks/chunk-file-array.ts'
import { gridShape } from '../zarr/chunks/chunk-grid.ts'
import type { ChunkNames } from '../zarr/chunks/chunk-names.ts'
import { plainChunks } from '../zarr/chunks/plain-chunks.ts'
import { addressOpenedForWriting, onlyRead } from '../zarr/container-errors.ts'
import { type ContainerOptions, ContainerStores, createOnce } from '../zarr/container-store.ts'
import { type ArrayIdentity, type MetadataFiles, recordIn } from '../zarr/metadata/array-identity.ts'
import { type JsonObject, plainCopy } from '../zarr/metadata/exact-json.ts'
import { asJsonObject } from '../zarr/metadata/placement-attributes.ts'
import { assertContainer, showNames } from '../zarr/missing-array.ts'
import { joinKey, type Store } from '../zarr/store.ts'
import { precomputedChunks } from './chunk-encodings.ts'
import { COMPRESSED_SUFFIX, withCompressedFiles } from './compressed-files.ts'
import { createScale, planScale, readInfo, setScaleAttributes } from './create-scale.ts'
import { shardBox } from './shard-boxes.ts'
import { ShardedChunks } from './sharded-chunks.ts'
import { ShardedReading } from './sharded-reading.ts'
import { mortonCode, placeOfChunk, type Sharding } from './sharding.ts'
import { parseInfo, parseScale, type Scale, scaleKeys, type VolumeInfo } from './volume-info.ts'

/**
 * Neuroglancer's precomputed volumes: folders for reading and writing, http(s) addresses for reading. The path inside a volume is the key
 * of a scale; the finest one if there is none. https://github.com/google/neuroglancer/tree/master/src/datasource/precomputed
 */
export function precomputedFormat(options: ContainerOptions = {}): ArrayFormat {
  const { writesEmpty = () => false } = options
  const stores = new ContainerStores(options)

  /** @param key of the scale, if `inner`, which is as the user wrote it, does not name it */
  async function open(container: string, inner: string, opening: OpenArrayOptions = {}, key = inner) {
    const { mode = 'r' } = opening
    const store = stores.open(container, inner, opening)
    const { info, scale } = await findScale(store, key)
    const path = store.where(scale.key)
    // No file of its folder is read before its chunks are.
    await store.assertInside?.(scale.key)
    if (mode === 'r+') assertWritable(store, path, scale)
    const guarded = stores.guarded(container, inner, opening, path) ?? store
    return scaleArray(guarded, info, scale, mode === 'r+', writesEmpty())
  }

  async function reusable(container: string, inner: string, create: CreateArrayOptions) {
    const store = stores.open(container, inner)
    if (!isReused(create) || !store.writable) return undefined
    const info = await readInfo(store)
    const { key, json } = await planScale(store, inner, { ...create, ifExists: 'replace' })
    if (info === undefined || !scaleKeys(info).includes(key)) return undefined
    const array = await open(container, inner, { mode: 'r+', ...given({ fsync: create.fsync }) }, key)
    // A shard that is longer than the array is as good as one that ends with it.
    const isSame = create.shardShape !== undefined && isShardedLike(array, info, key, json)
    checkReusable(array, isSame ? { ...create, ...given({ shardShape: array.shardShape }) } : create)
    if (hasToGrow(array, create)) {
      throw new ConfigError(
        'UNSUPPORTED',
        `${array.path} can't be made larger: the names of a precomputed volume's chunks say where it ends; start again (--overwrite), or write Zarr or N5.`,
      )
    }
    return { array, key }
  }

  return {
    name: 'precomputed',
    open: (container, inner, opening) => open(container, inner, opening),
    async create(container, inner, create) {
      const store = stores.open(container, inner, given({ fsync: create.fsync }))
      return createOnce(store, {
        async existing() {
          const there = await reusable(container, inner, create)
          // What writes an array finds a folder, which its volume does not need.
          if (there !== undefined) await store.makeFolder?.(there.key)
          return there?.array
        },
        plan: () => planScale(store, inner, create),
        async make(plan) {
          await createScale(store, plan)
          return open(container, inner, { mode: 'r+', ...given({ fsync: create.fsync }) }, plan.key)
        },
      })
    },
    async planCreate(container, inner, create) {
      const there = await reusable(container, inner, create)
      if (there !== undefined) return there.array
      const store = stores.open(container, inner)
      const { key, json } = await planScale(store, inner, create)
      const info = { dtype: create.dtype, channels: json.num_channels as number, json }
      return describeScale(store, info, parseScale(info, key, store.where('info')), true)
    },
    async list(container, inner, { limit = 1000 } = {}) {
      const store = stores.open(container, inner)
      await assertContainer(store, 'a precomputed volume')
      const info = await readInfo(store)
      if (info === undefined || inner !== '') return []
      return scaleKeys(info)
        .slice(0, limit)
        .map((path) => ({ path, kind: 'array' as const }))
    },
  }
}

async function findScale(store: Store, inner: string): Promise<{ readonly info: VolumeInfo; readonly scale: Scale }> {
  const info = await readInfo(store)
  if (info === undefined) {
    await assertContainer(store, 'a precomputed volume')
    throw new ConfigError('NOT_A_DATASET', `${store.where('')} has no file "info", so it is no precomputed volume.`)
  }
  const keys = scaleKeys(info)
  const key = inner === '' ? keys[0] : inner
  if (key === undefined || !keys.includes(key)) {
    const names = keys.length === 0 ? 'it has no scales' : `it has ${showNames(keys)}`
    throw new ConfigError('NO_SUCH_DATASET', `There is no scale "${key ?? ''}" in ${store.where('')}; ${names}.`)
  }
  return { info, scale: parseScale(info, key, store.where('info')) }
}

function assertWritable(store: Store, path: string, scale: Scale): void {
  if (!store.writable) throw addressOpenedForWriting(path)
  const { encoding, sharding } = scale
  if (encoding === 'png' || encoding === 'jpeg') throw onlyRead(path, encoding, 'volume')
  if (sharding !== undefined && chunksOfShard(scale) === undefined) {
    throw onlyRead(path, 'shards that are no boxes of chunks', 'volume')
  }
}

const gridOf = ({ size, chunkSize }: Scale): number[] => gridShape(size, chunkSize)

/** Chunks of a shard along z, y, x; undefined if there are no shards, or they are no boxes. */
const chunksOfShard = (scale: Scale): number[] | undefined =>
  scale.sharding === undefined ? undefined : shardBox(scale.sharding, gridOf(scale))

/** @param isWritten whether its shards matter, which are what may be written at a time */
function describeScale(store: Store, info: VolumeInfo, scale: Scale, isWritten: boolean): ArrayDescription {
  const isMany = info.channels > 1
  const perShard = isWritten ? chunksOfShard(scale) : undefined
  const channelShape = isMany ? [info.channels] : []
  const axes = ['z', 'y', 'x'].map((name, axis): ArrayAxis => {
    const size = scale.resolution[axis] as number
    const translation = multiplyExactly(scale.offset[axis] as number, size)
    return { name, type: 'space', unit: 'nanometer', scale: size, translation, translationOf: 'edge' }
  })
  return {
    path: store.where(scale.key),
    format: 'precomputed',
    shape: [...channelShape, ...scale.size],
    dtype: info.dtype,
    chunkShape: [...channelShape, ...scale.chunkSize],
    ...(perShard === undefined
      ? {}
      : {
          shardShape: [...channelShape, ...scale.chunkSize.map((length, axis) => length * (perShard[axis] as number))],
        }),
    order: 'C',
    codecs: scale.encoding === 'raw' ? [] : [scale.encoding],
    fillValue: isBigDType(info.dtype) ? 0n : 0,
    axes: [...(isMany ? [{ name: 'c', type: 'channel' } as const] : []), ...axes],
    attributes: plainCopy(asJsonObject(scale.json.attributes)) as JsonObject,
  }
}

function scaleArray(
  store: Store,
  info: VolumeInfo,
  scale: Scale,
  writable: boolean,
  writesEmpty: boolean,
): ChunkedArray {
  const description = describeScale(store, info, scale, writable)
  const codec = precomputedChunks(info, scale)
  const fill = new Uint8Array(BYTES_PER_ELEMENT[info.dtype])
  const { sharding } = scale
  const storedShape = description.shardShape ?? description.chunkShape
  const perShard = storedShape.map((length, axis) => length / (description.chunkShape[axis] as number))
  const names = sharding === undefined ? chunkNames(scale) : shardNames(scale, sharding, perShard)
  const layout = {
    ...{ storedShape, fill, names },
    metadata: metadataFile(info, scale),
    isListed: sharding === undefined,
    access(chunks: Store) {
      if (sharding === undefined) return plainChunks(chunks, names.keyOf, codec, fill, writesEmpty)
      const grid = gridOf(scale)
      const reading = new ShardedReading(chunks, scale.key, codec, sharding, grid, fill)
      if (description.shardShape === undefined) return reading
      const shards = { sharding, shape: description.shape, perShard, grid, keyOf: names.keyOf }
      return new ShardedChunks(chunks, reading, codec, shards, fill, writesEmpty)
    },
    setAttributes: (attributes: Readonly<Record<string, unknown>>) =>
      setScaleAttributes(store, scale.key, attributes as JsonObject),
  }
  return new ChunkFileArray(withCompressedFiles(store), layout, description, writable)
}

const metadataFile = (info: VolumeInfo, scale: Scale): MetadataFiles => ({
  key: 'info',
  opened: identityOf(info, scale),
  identify(json) {
    const found = parseInfo(json, 'info')
    return identityOf(found, parseScale(found, scale.key, 'info'))
  },
})

const identityOf = ({ dtype, channels }: VolumeInfo, { json, ...scale }: Scale): ArrayIdentity => ({
  shape: scale.size,
  layout: { dtype, channels, scale },
  record: recordIn(asJsonObject(json.attributes)),
})

/** Whether a scale that is there has the shards that a new one would have. */
function isShardedLike(array: ArrayDescription, info: VolumeInfo, key: string, json: JsonObject): boolean {
  const wanted = chunksOfShard(parseScale({ ...info, json }, key, array.path))
  const shard = array.shardShape?.slice(-3)
  const chunk = array.chunkShape.slice(-3)
  return shard?.every((length, axis) => length === (wanted?.[axis] ?? 0) * (chunk[axis] as number)) === true
}

/** Names such as `0a.shard`. */
function shardNames(scale: Scale, sharding: Sharding, perShard: readonly number[]): ChunkNames {
  const grid = gridOf(scale)
  return {
    folder: scale.key,
    depth: 1,
    matches: ([name = '']) => /^[0-9a-f]+\.shard$/.test(name),
    keyOf(index) {
      const first = index.map((position, axis) => position * (perShard[axis] as number)).slice(-3)
      return joinKey(scale.key, placeOfChunk(mortonCode(first, grid), sharding).shard)
    },
  }
}

/** Names such as `64-128_0-64_0-20`: the places of a chunk in the world of voxels, x first. */
function chunkNames({ key, offset, size, chunkSize }: Scale): ChunkNames {
  const rangeOf = (position: number, axis: number) => {
    const [start, length] = [offset[axis] as number, chunkSize[axis] as number]
    const end = Math.min((position + 1) * length, size[axis] as number)
    return `${start + position * length}-${start + end}`
  }
  const nameOf = (index: readonly number[]) => index.slice(-3).map(rangeOf).reverse().join('_')
  return {
    folder: key,
    depth: 1,
    matches([name = '']) {
      const plain = name.replace(COMPRESSED_SUFFIX, '')
      const starts = /^(-?\d+)-(-?\d+)_(-?\d+)-(-?\d+)_(-?\d+)-(-?\d+)$/.exec(plain)
      if (starts === null) return false
      const index = [starts[5], starts[3], starts[1]].map(
        (start, axis) => (Number(start) - (offset[axis] as number)) / (chunkSize[axis] as number),
      )
      const isInside = index.every(
        (position, axis) =>
          Number.isInteger(position) &&
          position >= 0 &&
          position * (chunkSize[axis] as number) < (size[axis] as number),
      )
      return isInside && nameOf(index) === plain
    },
    keyOf: (index) => joinKey(key, nameOf(index)),
  }
}
