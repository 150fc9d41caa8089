import { BYTES_PER_ELEMENT } from '../../core/array/dtype.ts'
import { productOf } from '../../core/geometry/coordinate.ts'
import { isAddress } from '../../core/text/address.ts'
import { containerStore, isZip } from './container-store.ts'
import { fileStore } from './files/file-store.ts'
import { isJsonObject, type Json, type JsonObject } from './metadata/exact-json.ts'
import { readNode } from './metadata/hierarchy.ts'
import { parseJsonObject, type ZarrMetadata } from './metadata/metadata.ts'
import { datasetPaths, multiscalesOf } from './metadata/ome.ts'
import { joinKey, parentKey, type Store } from './store.ts'

/** An array that Neuroglancer can read directly from its files. */
export interface StoredArray {
  readonly folder: string
  readonly zarrFormat: 2 | 3
  /** Whether a path below the folder is the array's own metadata or one of its chunks. */
  readonly isPart: (names: readonly string[]) => boolean
}

/** Larger chunks are better served in pieces: Neuroglancer would load each one completely and keep it in graphics memory. */
const LARGEST_CHUNK_BYTES = 32 * 2 ** 20

const DTYPES = ['uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'uint64', 'float32']
const CODECS = ['bytes', 'transpose', 'sharding_indexed', 'blosc', 'gzip', 'zstd', 'crc32c']
const COMPRESSORS = ['blosc', 'zlib', 'gzip', 'zstd']

/**
 * The files of an array, if Neuroglancer 2.41 can read them unchanged.
 * @returns undefined if it can't, or if the array is not stored in files; the caller then reads the array and makes chunks
 * itself
 */
export async function storedArray(
  container: string,
  inner: string,
  allowExternal = false,
): Promise<StoredArray | undefined> {
  if (isAddress(container) || isZip(container)) return undefined
  const store = fileStore(container, allowExternal ? {} : { insideOf: inner })
  const node = await readNode(store, inner)
  if (node?.kind !== 'array') return undefined
  const { metadata } = node
  const { zarrFormat, chunk } = metadata
  const isPlain = zarrFormat === 2 ? await isPlainV2(store, inner, metadata) : await isPlainV3(store, inner)
  const chunkBytes = BYTES_PER_ELEMENT[metadata.dtype] * productOf(chunk.shape)
  const isPlainChunk = !chunk.bigEndian && chunk.nested === undefined
  const isDrawable = DTYPES.includes(metadata.dtype) && isPlainChunk && chunkBytes <= LARGEST_CHUNK_BYTES
  // Neuroglancer converts fill values to JavaScript numbers.
  const isExact = typeof metadata.fill.value === 'number' || metadata.fill.value <= Number.MAX_SAFE_INTEGER
  if (!isPlain || !isDrawable || !isExact) return undefined
  return { folder: store.where(inner), zarrFormat, isPart: partsOf(metadata) }
}

/**
 * The keys of a pyramid's arrays in the container, finest first. For a group: its only pyramid. For an array: the levels
 * from it on, as described by the groups above it. Levels that are described and not there, as after they were removed, are left out.
 * @returns undefined if there is none, or not its finest level
 */
export async function pyramidKeys(
  container: string,
  inner: string,
  allowExternal = false,
): Promise<readonly string[] | undefined> {
  const store = containerStore(container, allowExternal ? {} : { insideOf: inner })
  const keys = (await levelsOf(store, inner)) ?? []
  const found: string[] = []
  // Reading their metadata fails for levels that links put outside the container.
  for (const key of keys) if ((await readNode(store, key))?.kind === 'array') found.push(key)
  return found.length > 0 && found[0] === keys[0] ? found : undefined
}

async function levelsOf(store: Store, inner: string): Promise<readonly string[] | undefined> {
  const node = await readNode(store, inner)
  if (node?.kind === 'array') return levelsBelow(store, inner)
  if (node?.kind !== 'group') return undefined
  const [multiscale, ...more] = multiscalesOf(node.attributes)
  const paths = multiscale === undefined || more.length > 0 ? [] : datasetPaths(multiscale)
  return paths.length === 0 ? undefined : paths.map((path) => joinKey(inner, path))
}

async function levelsBelow(store: Store, key: string): Promise<readonly string[] | undefined> {
  for (let group = key; group !== ''; ) {
    group = parentKey(group)
    const node = await readNode(store, group)
    if (node?.kind !== 'group') continue
    for (const multiscale of multiscalesOf(node.attributes)) {
      const keys = datasetPaths(multiscale).map((path) => joinKey(group, path))
      if (keys.includes(key)) return keys.slice(keys.indexOf(key))
    }
  }
  return undefined
}

async function readJson(store: Store, key: string): Promise<JsonObject> {
  const bytes = await store.get(key)
  return bytes === undefined ? {} : parseJsonObject(bytes, store.where(key))
}

async function isPlainV2(store: Store, key: string, { shape, dtype }: ZarrMetadata): Promise<boolean> {
  const json = await readJson(store, joinKey(key, '.zarray'))
  const attributes = await readJson(store, joinKey(key, '.zattrs'))
  const { compressor, fill_value: fill, filters } = json
  if (filters !== null && filters !== undefined && (!Array.isArray(filters) || filters.length > 0)) return false
  if (fill === null && dtype === 'uint64') return false
  if (typeof fill === 'string' && !/^(NaN|-?Infinity)$/.test(fill)) return false
  const isKnown =
    compressor === null ||
    (isJsonObject(compressor) &&
      COMPRESSORS.includes(String(compressor.id)) &&
      (compressor.id === 'blosc' ? isBlosc(compressor) : Number.isInteger(compressor.level)))
  return isKnown && namesAxes(attributes._ARRAY_DIMENSIONS, shape) && namesAxes(attributes.dimension_units, shape)
}

const isBlosc = ({ cname, clevel, shuffle }: JsonObject): boolean =>
  typeof cname === 'string' && Number.isInteger(clevel) && Number.isInteger(shuffle)

async function isPlainV3(store: Store, key: string): Promise<boolean> {
  const { codecs, shape, dimension_names: names, attributes } = await readJson(store, joinKey(key, 'zarr.json'))
  const units = isJsonObject(attributes) ? attributes.dimension_units : undefined
  return areKnown(codecs) && namesAxes(names, shape) && namesAxes(units, shape)
}

const areKnown = (codecs: Json | undefined): boolean =>
  Array.isArray(codecs) &&
  codecs.every((codec: Json) => {
    if (!isJsonObject(codec) || !CODECS.includes(String(codec.name))) return false
    const inner = isJsonObject(codec.configuration) ? codec.configuration : {}
    if (codec.name === 'sharding_indexed') return areKnown(inner.codecs) && areKnown(inner.index_codecs)
    return codec.name !== 'gzip' || Number.isInteger(inner.level)
  })

const namesAxes = (names: Json | undefined, shape: Json | undefined): boolean =>
  names === undefined ||
  names === null ||
  (Array.isArray(names) &&
    names.length === (shape as readonly number[]).length &&
    names.every((name: Json) => name === null || typeof name === 'string'))

/** Matches the names of chunks only; other files in the folder don't belong to the array. */
function partsOf({ zarrFormat, keyPrefix, separator, shape }: ZarrMetadata): StoredArray['isPart'] {
  const metadata = zarrFormat === 2 ? ['.zarray', '.zattrs'] : ['zarr.json']
  const indices = Array(shape.length)
    .fill('\\d+')
    .join(separator === '.' ? '\\.' : '/')
  const chunk = new RegExp(`^${keyPrefix === '' ? '' : separator === '.' ? 'c\\.' : 'c/'}${indices}$`)
  return (names) => {
    const path = names.join('/')
    return metadata.includes(path) || chunk.test(path)
  }
}
