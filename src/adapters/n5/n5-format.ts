import { BYTES_PER_ELEMENT, isBigDType } from '../../core/array/dtype.ts'
import { ConfigError } from '../../core/errors.ts'
import { given } from '../../core/given.ts'
import type {
  ArrayDescription,
  ArrayFormat,
  ChunkedArray,
  CreateArrayOptions,
  OpenArrayOptions,
} from '../../ports/chunked-array.ts'
import { checkReusable, hasToGrow, isReused } from '../zarr/check-reusable.ts'
import { ChunkFileArray } from '../zarr/chunks/chunk-file-array.ts'
import { gridShape } from '../zarr/chunks/chunk-grid.ts'
import { indexNames } from '../zarr/chunks/chunk-names.ts'
import { plainChunks } from '../zarr/chunks/plain-chunks.ts'
import { isOnlyRead } from '../zarr/codecs/registry.ts'
import { addressOpenedForWriting, onlyRead } from '../zarr/container-errors.ts'
import { type ContainerOptions, ContainerStores, createOnce } from '../zarr/container-store.ts'
import { type ArrayIdentity, type MetadataFiles, recordIn } from '../zarr/metadata/array-identity.ts'
import type { JsonObject } from '../zarr/metadata/exact-json.ts'
import { assertContainer, showNames } from '../zarr/missing-array.ts'
import { joinKey, parentKey, type Store } from '../zarr/store.ts'
import { createN5, enlargeN5, planN5, setN5Attributes } from './create-n5.ts'
import { n5Blocks, n5Codec } from './n5-blocks.ts'
import { isN5Dataset, type N5Metadata, parseN5 } from './n5-metadata.ts'
import { n5Axes, ownAttributes } from './n5-placement.ts'
import { finestChild, listN5, parseKey, readAttributes } from './n5-tree.ts'

/** N5: folders for reading and writing, http(s) addresses for reading. https://github.com/saalfeldlab/n5 */
export function n5Format(options: ContainerOptions = {}): ArrayFormat {
  const { writesEmpty = () => false } = options
  const stores = new ContainerStores(options)

  async function open(container: string, inner: string, opening: OpenArrayOptions = {}): Promise<ChunkedArray> {
    const { mode = 'r' } = opening
    const store = stores.open(container, inner, opening)
    if (mode === 'r+' && !store.writable) throw addressOpenedForWriting(store.where(inner))
    const { key, metadata } = await findArray(store, parseKey(inner))
    const guarded = stores.guarded(container, inner, opening, store.where(key)) ?? store
    if (mode === 'r+') assertWritten(store.where(key), metadata)
    return n5Array(guarded, key, metadata, await describe(store, key, metadata), mode === 'r+', writesEmpty())
  }

  async function reusable(
    container: string,
    inner: string,
    create: CreateArrayOptions,
  ): Promise<ChunkedArray | undefined> {
    const store = stores.open(container, inner)
    if (!isReused(create) || !store.writable) return undefined
    const attributes = await readAttributes(store, parseKey(inner))
    if (attributes === undefined || !isN5Dataset(attributes)) return undefined
    const array = await open(container, inner, { mode: 'r+', ...given({ fsync: create.fsync }) })
    checkReusable(array, create)
    return array
  }

  return {
    name: 'n5',
    open,
    async create(container, inner, create) {
      const store = stores.open(container, inner, given({ fsync: create.fsync }))
      const key = parseKey(inner)
      if (create.ifExists === 'grow') {
        await using there = await reusable(container, inner, create)
        if (there !== undefined && hasToGrow(there, create)) await enlargeN5(store, key, create.shape)
      }
      return createOnce(store, {
        existing: () => reusable(container, inner, create),
        plan: () => planN5(store, key, create),
        async make(plan) {
          await store.sweep?.(key)
          await createN5(store, key, plan)
          return open(container, inner, { mode: 'r+', ...given({ fsync: create.fsync }) })
        },
      })
    },
    async planCreate(container, inner, create) {
      const there = await reusable(container, inner, create)
      if (there !== undefined && !hasToGrow(there, create)) return there
      const store = stores.open(container, inner)
      if (there !== undefined) {
        const { key, metadata } = await findArray(store, parseKey(inner))
        return await describe(store, key, { ...metadata, shape: create.shape })
      }
      const { metadata, axes } = await planN5(store, parseKey(inner), create)
      return { ...descriptionOf(store.where(parseKey(inner)), metadata), axes }
    },
    async list(container, inner, { limit = 1000 } = {}) {
      const store = stores.open(container, inner)
      await assertContainer(store, 'an N5 container')
      return listN5(store, parseKey(inner), limit)
    },
  }
}

/** @throws ConfigError `UNSUPPORTED_CODEC` for a compression that can only be read */
function assertWritten(path: string, { compressor }: N5Metadata): void {
  if (compressor === undefined || (compressor.name !== 'lz4-blocks' && !isOnlyRead(compressor))) return
  throw onlyRead(path, n5Codec({ compressor }).label)
}

/** The dataset at a key; for a group with one pyramid, its finest one. */
async function findArray(store: Store, key: string): Promise<{ readonly key: string; readonly metadata: N5Metadata }> {
  const attributes = await readAttributes(store, key)
  const metadataAt = (at: string, json: JsonObject) => parseN5(json, store.where(joinKey(at, 'attributes.json')))
  if (attributes !== undefined && isN5Dataset(attributes)) return { key, metadata: metadataAt(key, attributes) }
  const finest = await finestChild(store, key, attributes ?? {})
  if (finest !== undefined) return { key: finest.key, metadata: metadataAt(finest.key, finest.attributes) }
  await assertContainer(store, 'an N5 container')
  const listed = await listN5(store, '', 200)
  const arrays = listed.filter(({ kind }) => kind === 'array').map(({ path }) => path)
  const isGroup = attributes !== undefined || listed.some(({ path }) => path === key || path.startsWith(`${key}/`))
  const names = arrays.length === 0 ? 'the container has no datasets' : `it has ${showNames(arrays)}`
  if (key === '' || isGroup) {
    const below = arrays.filter((path) => key === '' || path.startsWith(`${key}/`))
    const open = below.length === 0 ? names : `open one of its datasets: ${showNames(below)}`
    throw new ConfigError('NOT_A_DATASET', `${store.where(key)} is a group, not a dataset; ${open}.`)
  }
  throw new ConfigError('NO_SUCH_DATASET', `There is no "${key}" in ${store.where('')}; ${names}.`)
}

async function describe(store: Store, key: string, metadata: N5Metadata): Promise<ArrayDescription> {
  const groups: JsonObject[] = []
  for (let group = key; group !== ''; ) groups.push((await readAttributes(store, (group = parentKey(group)))) ?? {})
  const { axes, warnings } = n5Axes(metadata.attributes, groups, metadata.shape.length)
  return { ...descriptionOf(store.where(key), metadata), axes, ...(warnings.length === 0 ? {} : { warnings }) }
}

const descriptionOf = (path: string, metadata: N5Metadata): Omit<ArrayDescription, 'axes'> => ({
  path,
  format: 'n5',
  shape: metadata.shape,
  dtype: metadata.dtype,
  chunkShape: metadata.blockShape,
  order: 'C',
  codecs: metadata.compressor === undefined ? [] : [n5Codec(metadata).label],
  fillValue: isBigDType(metadata.dtype) ? 0n : 0,
  attributes: ownAttributes(metadata.attributes),
})

function n5Array(
  store: Store,
  key: string,
  metadata: N5Metadata,
  description: ArrayDescription,
  writable: boolean,
  writesEmpty: boolean,
): ChunkedArray {
  const { shape, blockShape, dtype } = metadata
  const grid = gridShape(shape, blockShape).reverse()
  const reversed = indexNames(key, { prefix: '', separator: '/', grid })
  const names = { ...reversed, keyOf: (index: readonly number[]) => reversed.keyOf([...index].reverse()) }
  const fill = new Uint8Array(BYTES_PER_ELEMENT[dtype])
  const layout = {
    storedShape: blockShape,
    fill,
    names,
    metadata: metadataFile(key, metadata),
    access: (blocks: Store) => plainChunks(blocks, names.keyOf, n5Blocks(metadata), fill, writesEmpty),
    setAttributes: (attributes: Readonly<Record<string, unknown>>) =>
      setN5Attributes(store, key, attributes as JsonObject),
  }
  return new ChunkFileArray(store, layout, description, writable)
}

function metadataFile(key: string, metadata: N5Metadata): MetadataFiles {
  const file = joinKey(key, 'attributes.json')
  return { key: file, opened: identityOf(metadata), identify: (json) => identityOf(parseN5(json, file)) }
}

const identityOf = ({ shape, attributes, ...layout }: N5Metadata): ArrayIdentity => ({
  shape,
  layout,
  record: recordIn(attributes),
})
