import { totalmem } from 'node:os'
import { BYTES_PER_ELEMENT } from '../../core/array/dtype.ts'
import { ConfigError, unlessForbidden } from '../../core/errors.ts'
import { productOf } from '../../core/geometry/coordinate.ts'
import { type SoundAxes, soundAxes } from '../../core/geometry/sound-axes.ts'
import { given } from '../../core/given.ts'
import type {
  ArrayAxis,
  ArrayDescription,
  ArrayFormat,
  ChunkedArray,
  CreateArrayOptions,
} from '../../ports/chunked-array.ts'
import { enlargeArray } from './change-metadata.ts'
import { checkReusable, hasToGrow, isReused } from './check-reusable.ts'
import { isOnlyRead, makeCodec } from './codecs/registry.ts'
import { addressOpenedForWriting, irregular, leadsOut, onlyRead } from './container-errors.ts'
import { type ContainerOptions, ContainerStores, isZip } from './container-store.ts'
import { createPlanned, outermostMissing } from './create-planned.ts'
import { readGroups } from './metadata/group-metadata.ts'
import { finestDataset, listNodes, readNode, type ZarrNode } from './metadata/hierarchy.ts'
import { compressorsOf, type ZarrMetadata } from './metadata/metadata.ts'
import { readOmeAxes } from './metadata/ome.ts'
import { readAxes, withoutPlacement } from './metadata/placement-attributes.ts'
import { assertContainer, nothingThere, showNames } from './missing-array.ts'
import { type CreatePlan, planNewArray } from './plan-new-array.ts'
import { joinKey, parentKey, type Store, TEMPORARY_PREFIX } from './store.ts'
import { zarrArray } from './zarr-array.ts'
import { zipIsRead } from './zip/zip-store.ts'

/** Zarr, versions 2 and 3: folders and object stores for reading and writing, http(s) addresses and zip files for reading. */
export function zarrFormat(options: ContainerOptions = {}): ArrayFormat {
  const { writesEmpty = () => false } = options
  const stores = new ContainerStores(options)
  return {
    name: 'zarr',
    open: async (container, inner, open = {}) => {
      const { mode = 'r' } = open
      if (mode === 'r+' && isZip(container)) throw zipIsRead(container)
      const store = stores.open(container, inner, open)
      const guarded = (folder: string) => stores.guarded(container, inner, open, folder) ?? store
      return openArray(store, parseInner(inner), { mode, writesEmpty: writesEmpty(), guarded })
    },
    async create(container, inner, create) {
      if (isZip(container)) throw zipIsRead(container)
      const store = stores.open(container, inner, given({ fsync: create.fsync }))
      const key = parseInner(inner)
      const groups = await groupsFor(stores, key, create)
      return createArray(store, key, withFill(create), { writesEmpty: writesEmpty(), groups })
    },
    async planCreate(container, inner, create) {
      if (isZip(container)) throw zipIsRead(container)
      return planCreate(stores.open(container, inner), parseInner(inner), withFill(create))
    },
    async list(container, inner, { limit = 1000 } = {}) {
      const store = stores.open(container, inner)
      await assertContainer(store)
      return listNodes(store, parseInner(inner), limit)
    },
  }
}

/** The metadata of the groups that those around a new array are to be like. */
async function groupsFor(
  stores: ContainerStores,
  key: string,
  { groupsLike: like }: CreateArrayOptions,
): Promise<CreatePlan['groups']> {
  if (like === undefined) return undefined
  const metadata = await readGroups(stores.open(like.container, like.inner), parseInner(like.inner))
  return { key: key.slice(0, key.length - like.below.length).replace(/\/$/, ''), metadata }
}

const withFill = ({ likeFill, ...options }: CreateArrayOptions): CreateArrayOptions => ({
  ...options,
  ...given({ fillValue: options.fillValue ?? likeFill }),
})

/** The key of a path inside a container. @throws ConfigError `INVALID_CONFIG` for names that can't belong to an array */
function parseInner(inner: string, namedBy?: string): string {
  const names = inner.split('/').filter((name) => name !== '' && name !== '.')
  const wrong = names.find((name) => /^\.|^__|\\/.test(name) || ['zarr.json', TEMPORARY_PREFIX].includes(name))
  if (wrong === undefined) return names.join('/')
  if (wrong === '..') throw leadsOut(inner, namedBy)
  throw new ConfigError(
    'INVALID_CONFIG',
    `"${wrong}" in "${inner}" can't name an array; use names that start with a letter or digit.`,
  )
}

interface Opening {
  readonly mode: 'r' | 'r+'
  readonly writesEmpty?: boolean
  /** The store for an array in a folder that another run may take. @default the store that is given */
  readonly guarded?: (folder: string) => Store
}

async function openArray(
  store: Store,
  key: string,
  { mode, writesEmpty = false, guarded = () => store }: Opening,
): Promise<ChunkedArray> {
  if (mode === 'r+' && !store.writable) throw addressOpenedForWriting(store.where(key))
  const node = await readNode(store, key)
  if (node === undefined) throw await nothingThere(store, key)
  const found = node.kind === 'array' ? { key, metadata: node.metadata } : await openGroup(store, key, node)
  if (mode === 'r+') assertWritten(store.where(found.key), found.metadata)
  assertChunkFits(store.where(found.key), found.metadata)
  const description = await describe(store, found.key, found.metadata)
  return zarrArray(guarded(store.where(found.key)), found.key, found.metadata, description, {
    writable: mode === 'r+',
    writesEmpty,
  })
}

/** Each chunk is decoded in memory; of a shard, only parts are. @throws ConfigError `UNSUPPORTED` */
function assertChunkFits(path: string, { dtype, chunk }: ZarrMetadata): void {
  const bytes = BYTES_PER_ELEMENT[dtype] * productOf(chunk.shape)
  if (bytes <= totalmem()) return
  throw new ConfigError(
    'UNSUPPORTED',
    `${path}: a chunk of ${bytes} bytes does not fit into the memory of this machine; store the array with smaller chunks.`,
  )
}

/** @throws ConfigError `UNSUPPORTED`, `UNSUPPORTED_CODEC` for an array with chunks or a codec that can only be read */
function assertWritten(path: string, metadata: ZarrMetadata): void {
  if (metadata.grid !== undefined) throw irregular(path)
  const step = compressorsOf(metadata).find(isOnlyRead)
  if (step !== undefined) throw onlyRead(path, step.name)
}

type GroupNode = Extract<ZarrNode, { kind: 'group' }>

/** Opening a group with exactly one pyramid opens its finest array. */
async function openGroup(store: Store, key: string, group: GroupNode) {
  const path = finestDataset(group.attributes)
  const finest = path === undefined ? undefined : joinKey(key, parseInner(path, store.where(key)))
  const node = finest === undefined ? undefined : await readNode(store, finest)
  if (finest !== undefined && node?.kind === 'array') return { key: finest, metadata: node.metadata }
  const arrays = (await listNodes(store, key, 50)).filter((entry) => entry.kind === 'array').map((entry) => entry.path)
  const names = arrays.length === 0 ? 'it contains no arrays' : `open one of its arrays: ${showNames(arrays)}`
  throw new ConfigError('NOT_A_DATASET', `${store.where(key)} is a group, not an array; ${names}.`)
}

/** The description of an array, with the placement that groups above it may define. */
async function describe(store: Store, key: string, metadata: ZarrMetadata): Promise<ArrayDescription> {
  const { axes, warnings: found } = (await omeAxes(store, key, metadata.shape.length)) ?? soundAxes(readAxes(metadata))
  const description = descriptionOf(store.where(key), metadata, axes)
  const stray = await unlessForbidden(strayChunks(store, key, metadata))
  const warnings = [...found, ...(stray ?? [])]
  return warnings.length === 0 ? description : { ...description, warnings }
}

/** A warning about chunks with names of the other kind than the metadata say: they are not read. */
async function strayChunks(
  store: Store,
  key: string,
  { shape, keyPrefix, separator }: ZarrMetadata,
): Promise<string[]> {
  if (!store.writable || keyPrefix !== '' || shape.length < 2) return []
  const other = separator === '.' ? '/' : '.'
  const first = shape.map(() => 0).join(other)
  const folder = joinKey(key, '0')
  const isThere =
    separator === '.' ? ((await store.list(folder))?.length ?? 0) > 0 : await isStored(store, joinKey(key, first))
  if (!isThere) return []
  const names = `chunks with names such as ${first} lie in it, which are not read`
  return [
    `${names}: its metadata have "${separator}" between the indices; if that is wrong, set "dimension_separator": "${other}" in ${store.where(joinKey(key, '.zarray'))}`,
  ]
}

async function isStored(store: Store, key: string): Promise<boolean> {
  await using reader = await store.open(key)
  return reader !== undefined
}

async function omeAxes(store: Store, key: string, rank: number): Promise<SoundAxes | undefined> {
  for (let group = key; group !== ''; ) {
    group = parentKey(group)
    const node = await readNode(store, group)
    if (node?.kind !== 'group') continue
    const axes = readOmeAxes(node.attributes, group === '' ? key : key.slice(group.length + 1), rank)
    if (axes !== undefined) return axes
  }
  return undefined
}

function descriptionOf(path: string, metadata: ZarrMetadata, axes: readonly ArrayAxis[]): ArrayDescription {
  const { chunk, shard, fill } = metadata
  const isRowMajor = chunk.axisOrder.every((axis, position) => axis === position)
  return {
    path,
    format: metadata.zarrFormat === 2 ? 'zarr2' : 'zarr3',
    shape: metadata.shape,
    dtype: metadata.dtype,
    chunkShape: chunk.shape,
    ...(metadata.grid === undefined ? {} : { chunksVary: true as const }),
    ...(shard === undefined ? {} : { shardShape: shard.shape }),
    order: isRowMajor ? 'C' : 'F',
    codecs: compressorsOf(metadata).map((compressor) => makeCodec(compressor).label),
    fillValue: fill.value,
    axes,
    attributes: withoutPlacement(metadata.attributes),
  }
}

/** The existing array, if it may be used and fits the options. It may still have to grow. */
async function reusable(
  store: Store,
  key: string,
  options: CreateArrayOptions,
  writesEmpty = false,
): Promise<ChunkedArray | undefined> {
  if (!store.writable || !isReused(options)) return undefined
  if ((await readNode(store, key))?.kind !== 'array') return undefined
  const array = await openArray(store, key, { mode: 'r+', writesEmpty })
  checkReusable(array, options)
  return array
}

/** An array that is used, made larger if need be. */
async function grown(
  store: Store,
  key: string,
  array: ChunkedArray,
  options: CreateArrayOptions,
  writesEmpty: boolean,
): Promise<ChunkedArray> {
  if (!hasToGrow(array, options)) return array
  await array[Symbol.asyncDispose]()
  await enlargeArray(store, key, array.format === 'zarr2' ? 2 : 3, options.shape)
  return await openArray(store, key, { mode: 'r+', writesEmpty })
}

async function createArray(
  store: Store,
  key: string,
  options: CreateArrayOptions,
  { writesEmpty, groups }: { readonly writesEmpty: boolean; readonly groups: CreatePlan['groups'] },
): Promise<ChunkedArray> {
  const there = await reusable(store, key, options, writesEmpty)
  if (there !== undefined) return await grown(store, key, there, options, writesEmpty)
  const plan = await planNewArray(store, key, store.where(key), options)
  const outermost = await outermostMissing(store, [...plan.newGroups, key])
  // An array that is the container has no group.
  await using _groups = key === '' ? undefined : await store.lockGroups?.()
  // Another process may have made the array, or its groups, before this one got the lock.
  const madeMeanwhile = key === '' ? undefined : await reusable(store, key, options, writesEmpty)
  if (madeMeanwhile !== undefined && !hasToGrow(madeMeanwhile, options)) return madeMeanwhile
  const settled = key === '' ? plan : await planNewArray(store, key, store.where(key), options)
  await store.sweep?.(key)
  await createPlanned(store, key, { ...settled, groups }, outermost)
  // Not without awaiting: it may fail while the groups are being unlocked, and nobody would be told then.
  return await openArray(store, key, { mode: 'r+', writesEmpty })
}

async function planCreate(store: Store, key: string, options: CreateArrayOptions): Promise<ArrayDescription> {
  const path = store.where(key)
  const there = await reusable(store, key, options)
  if (there !== undefined && !hasToGrow(there, options)) return there
  if (there !== undefined) {
    const node = await readNode(store, key)
    if (node?.kind === 'array') return await describe(store, key, { ...node.metadata, shape: options.shape })
  }
  const { metadata, axes } = await planNewArray(store, key, path, options)
  return descriptionOf(path, metadata, axes)
}
