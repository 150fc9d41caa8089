import { type DType, isBigDType, type Scalar } from '../../core/array/dtype.ts'
import { ConfigError } from '../../core/errors.ts'
import { assertSameRank, equalCoordinates, showCoordinate } from '../../core/geometry/coordinate.ts'
import { placeAxes } from '../../core/geometry/placement.ts'
import type { ArrayAxis, ArrayDescription, CreateArrayOptions } from '../../ports/chunked-array.ts'
import { defaultChunkShape } from './chunks/default-chunk-shape.ts'
import { type Compressor, parseCodecName, toV3Config } from './codecs/registry.ts'
import { refreshConsolidated } from './metadata/consolidated.ts'
import { type JsonObject, stringifyJson } from './metadata/exact-json.ts'
import { makeFillValue } from './metadata/fill-value.ts'
import { listNodes, readNode } from './metadata/hierarchy.ts'
import { range, type ZarrMetadata } from './metadata/metadata.ts'
import { toV2Json } from './metadata/metadata-v2.ts'
import { toV3Json } from './metadata/metadata-v3.ts'
import { inNanometers, isOmeShaped, type OmeLevel, placeInOme, withoutOme } from './metadata/ome.ts'
import { placementAttributes, readAxes } from './metadata/placement-attributes.ts'
import { joinKey, parentKey, type Store } from './store.ts'

/** What creating an array will do, all of it checked. */
export interface CreatePlan {
  readonly metadata: ZarrMetadata
  readonly axes: readonly ArrayAxis[]
  /** Name of the array beside it whose pyramid it joins. */
  readonly levelOf?: string | undefined
  /** Keys of groups to make, outermost first. */
  readonly newGroups: readonly string[]
  readonly existing: 'none' | 'replace'
}

/**
 * Checks a new array and the place where it is to go; writes nothing.
 * @param key of the array, '' for the container itself
 * @param path as users write it
 * @throws ConfigError `INVALID_CONFIG`, `RANK_MISMATCH`, `UNSUPPORTED`, `UNSUPPORTED_CODEC`, `DATASET_EXISTS`, `NOT_A_DATASET`, `UNKNOWN_FORMAT`
 */
export async function planNewArray(
  store: Store,
  key: string,
  path: string,
  options: CreateArrayOptions,
): Promise<CreatePlan> {
  const isNew = await checkContainer(store)
  const { newGroups, zarrFormat: found } = await checkParents(store, key, path, isNew)
  const zarrFormat = chooseFormat(path, options, found)
  const axes = axesFor(options, path)
  const metadata = newMetadata(path, zarrFormat, axes, options)
  const planned = { metadata, axes, newGroups, levelOf: options.levelOf }
  const existing = isNew ? undefined : await readNode(store, key)
  if (existing === undefined) {
    if (key !== '') await refuseFolder(store, key, path)
    return { ...planned, existing: 'none' }
  }
  if (existing.kind === 'group') {
    // Replacing a group would remove arrays that nobody named.
    const isEmpty = (await listNodes(store, key, 1)).length === 0
    const what = isEmpty ? 'an empty group' : 'a group that holds other arrays'
    throw new ConfigError(
      'DATASET_EXISTS',
      `${path} is ${what}, which is never overwritten; choose another name, or remove it.`,
    )
  }
  if (options.ifExists === 'replace') return { ...planned, existing: 'replace' }
  throw new ConfigError(
    'DATASET_EXISTS',
    `${path} exists already; continue into it by resuming, overwrite it (--overwrite), or choose another name.`,
  )
}

/** @returns whether the container has to be made */
async function checkContainer(store: Store): Promise<boolean> {
  if (!store.writable) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${store.where('')} can't be written: http addresses are for reading; write to a folder.`,
    )
  }
  const entries = await store.list('')
  if (entries === undefined || entries.length === 0) return true
  const isZarr = entries.some(({ name }) => ['zarr.json', '.zgroup', '.zarray'].includes(name))
  if (isZarr || (await listNodes(store, '', 1)).length > 0) return false
  throw new ConfigError(
    'UNKNOWN_FORMAT',
    `${store.where('')} exists and is not a Zarr container (it holds ${entries
      .slice(0, 3)
      .map(({ name }) => name)
      .join(', ')}); choose another name.`,
  )
}

async function checkParents(store: Store, key: string, path: string, isNew: boolean) {
  const parents: string[] = []
  for (let parent = key; parent !== ''; ) parents.unshift((parent = parentKey(parent)))
  const newGroups: string[] = []
  let zarrFormat: 2 | 3 | undefined
  for (const parent of parents) {
    const node = isNew ? undefined : await readNode(store, parent)
    if (node?.kind === 'array') {
      throw new ConfigError(
        'NOT_A_DATASET',
        `${path} can't be made: ${store.where(parent)} is an array, and holds no others; choose another place.`,
      )
    }
    if (node === undefined) newGroups.push(parent)
    else zarrFormat = node.zarrFormat
  }
  return { newGroups, zarrFormat }
}

function chooseFormat(path: string, options: CreateArrayOptions, found: 2 | 3 | undefined): 2 | 3 {
  const wanted = options.zarrFormat ?? found ?? 3
  if (found !== undefined && wanted !== found) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${path}: its group is Zarr ${found}, and can't hold an array of Zarr ${wanted}; write Zarr ${found} or use another container.`,
    )
  }
  if (wanted === 2 && options.shardShape !== undefined) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${path}: Zarr 2 has no shards; leave the shard shape out, or use a container of Zarr 3.`,
    )
  }
  return wanted
}

async function refuseFolder(store: Store, key: string, path: string): Promise<void> {
  const entries = await store.list(key)
  if (entries === undefined || entries.length === 0 || (await listNodes(store, key, 1)).length > 0) return
  throw new ConfigError(
    'UNKNOWN_FORMAT',
    `${path} exists and is no array (it holds ${entries
      .slice(0, 3)
      .map(({ name }) => name)
      .join(', ')}); choose another name, or remove it.`,
  )
}

function axesFor({ shape, axes }: CreateArrayOptions, path: string): readonly ArrayAxis[] {
  if (axes === undefined) return shape.map((_, i) => ({ name: `d${i}`, type: 'space' }))
  assertSameRank(
    axes.map((axis) => axis.name),
    shape,
    `axes and shape of ${path}`,
  )
  return axes
}

function newMetadata(
  path: string,
  zarrFormat: 2 | 3,
  axes: readonly ArrayAxis[],
  options: CreateArrayOptions,
): ZarrMetadata {
  const { shape, dtype, codec = 'zstd:3', shardShape } = options
  checkLengths(path, 'shape', shape, shape.length, 0)
  const chunkShape = options.chunkShape ?? chunkInShard(defaultChunkShape(shape, dtype, axes), shardShape)
  checkLengths(path, 'chunk shape', chunkShape, shape.length, 1)
  if (shardShape !== undefined) checkShard(path, shardShape, chunkShape)
  const compressor = parseCodecName(codec, dtype)
  if (zarrFormat === 3 && compressor !== undefined) toV3Config(compressor)
  const compressors: readonly Compressor[] = compressor === undefined ? [] : [compressor]
  return {
    zarrFormat,
    shape,
    dtype,
    chunk: { dtype, shape: chunkShape, axisOrder: range(shape.length), bigEndian: false, compressors },
    ...(shardShape === undefined
      ? {}
      : { shard: { shape: shardShape, indexLocation: 'end', indexHasChecksum: true, compressors: [] } }),
    fill: makeFillValue(dtype, options.fillValue ?? zeroOf(dtype)),
    keyPrefix: zarrFormat === 3 ? 'c' : '',
    separator: '/',
    ...(zarrFormat === 3 ? { dimensionNames: axes.map((axis) => axis.name) } : {}),
    attributes: { ...jsonAttributes(path, options.attributes), ...placementAttributes(axes, zarrFormat) },
  }
}

const zeroOf = (dtype: DType): Scalar => (isBigDType(dtype) ? 0n : 0)

function checkLengths(path: string, what: string, value: readonly number[], rank: number, least: number): void {
  if (value.length === rank && value.every((length) => Number.isSafeInteger(length) && length >= least)) return
  throw new ConfigError(
    'INVALID_CONFIG',
    `${path}: the ${what} ${showCoordinate(value)} is not ${rank} whole numbers from ${least} up.`,
  )
}

function checkShard(path: string, shard: readonly number[], chunk: readonly number[]): void {
  checkLengths(path, 'shard shape', shard, chunk.length, 1)
  if (shard.every((length, axis) => length % (chunk[axis] as number) === 0)) return
  const near = shard.map(
    (length, axis) => Math.max(1, Math.round(length / (chunk[axis] as number))) * (chunk[axis] as number),
  )
  throw new ConfigError(
    'INVALID_CONFIG',
    `${path}: the shard shape ${showCoordinate(shard)} is not a multiple of the chunk shape ${showCoordinate(chunk)}; ${showCoordinate(near)} would be.`,
  )
}

/** The default chunk, made to divide a shard that was given without a chunk. */
function chunkInShard(chunk: readonly number[], shard: readonly number[] | undefined): readonly number[] {
  if (shard?.length !== chunk.length || !shard.every((length) => Number.isSafeInteger(length) && length > 0))
    return chunk
  return chunk.map((length, axis) => {
    const whole = shard[axis] as number
    for (let divisor = Math.min(length, whole); divisor > 1; divisor--) if (whole % divisor === 0) return divisor
    return 1
  })
}

function jsonAttributes(path: string, attributes: Readonly<Record<string, unknown>> = {}): JsonObject {
  try {
    stringifyJson(attributes as JsonObject)
    return attributes as JsonObject
  } catch (error) {
    throw new ConfigError('INVALID_CONFIG', `${path}: its attributes are not JSON: ${(error as Error).message}.`, {
      cause: error,
    })
  }
}

/**
 * Whether an array that exists is what `options` asks for. What they leave open (chunks, shards, fill value, placement) is as it is.
 * @throws ConfigError `DATASET_EXISTS`, naming what differs
 */
export function checkReusable(existing: ArrayDescription, options: CreateArrayOptions): void {
  const differences: string[] = []
  const differ = (what: string, is: string, wanted: string) => differences.push(`its ${what} is ${is}, not ${wanted}`)
  const compareShapes = (what: string, is: readonly number[] | undefined, wanted: readonly number[] | undefined) => {
    if (wanted !== undefined && !equalCoordinates(is ?? [], wanted)) {
      differ(what, is === undefined ? 'none' : showCoordinate(is), showCoordinate(wanted))
    }
  }
  compareShapes('shape', existing.shape, options.shape)
  if (existing.dtype !== options.dtype) differ('dtype', existing.dtype, options.dtype)
  compareShapes('chunk shape', existing.chunkShape, options.chunkShape)
  // A chunk shape without a shard shape asks for none.
  if (options.chunkShape !== undefined && options.shardShape === undefined && existing.shardShape !== undefined) {
    differ('shard shape', showCoordinate(existing.shardShape), 'none')
  }
  compareShapes('shard shape', existing.shardShape, options.shardShape)
  const fill = options.fillValue === undefined ? undefined : makeFillValue(options.dtype, options.fillValue).value
  // The fill values of two dtypes can't be compared: 0 and 0n.
  if (existing.dtype === options.dtype && fill !== undefined && !Object.is(fill, existing.fillValue))
    differ('fill value', `${existing.fillValue}`, `${fill}`)
  const format = options.zarrFormat === undefined ? existing.format : `zarr${options.zarrFormat}`
  if (format !== existing.format) differ('format', existing.format, format)
  if (options.axes?.length === existing.shape.length) {
    const [is, wanted] = [existing.axes, options.axes].map(showPlacement) as [string, string]
    if (is !== wanted) differ('placement', is, wanted)
  }
  if (differences.length === 0) return
  throw new ConfigError(
    'DATASET_EXISTS',
    `${existing.path} exists already, and ${differences.join(', ')}; overwrite it (--overwrite) or choose another name.`,
  )
}

function showPlacement(axes: readonly ArrayAxis[]): string {
  const { voxelSize, offset, unit } = placeAxes(axes, 'fm')
  const inNm = (values: readonly number[]) =>
    showCoordinate(values.map((value) => Number(`${value}e${unit === 'fm' ? -6 : 0}`)))
  return `voxel size ${inNm(voxelSize)} nm at ${inNm(offset)} nm`
}

/** Does what was planned, or leaves nothing. The array's own metadata come last: before them there is no array. */
export async function createPlanned(store: Store, key: string, plan: CreatePlan): Promise<void> {
  const written = new Map<string, JsonObject>()
  const outermost = await outermostMissing(store, [...plan.newGroups, key])
  try {
    await writePlanned(store, key, plan, written)
  } catch (error) {
    // What can't be taken back either is groups without an array: no reason to hide why.
    if (outermost !== undefined) await removeOwn(store, outermost, written).catch(() => {})
    throw error
  }
}

async function outermostMissing(store: Store, keys: readonly string[]): Promise<string | undefined> {
  for (const key of keys) if ((await store.list(key)) === undefined) return key
  return undefined
}

/** Removes a folder, unless another program has put something into it meanwhile. */
async function removeOwn(store: Store, folder: string, written: ReadonlyMap<string, unknown>): Promise<void> {
  const isOwn = async (key: string): Promise<boolean> => {
    for (const { name, isFolder } of (await store.list(key)) ?? []) {
      const below = joinKey(key, name)
      if (isFolder ? !(await isOwn(below)) : !written.has(below)) return false
    }
    return true
  }
  if (await isOwn(folder)) await store.remove(folder)
}

async function writePlanned(
  store: Store,
  key: string,
  plan: CreatePlan,
  written: Map<string, JsonObject>,
): Promise<void> {
  const { metadata, newGroups, existing } = plan
  const { zarrFormat } = metadata
  const put = async (file: string, json: JsonObject) => {
    written.set(file, json)
    await store.put(file, [new TextEncoder().encode(stringifyJson(json))])
  }
  if (existing === 'replace') await store.remove(key)
  for (const group of newGroups) {
    if (zarrFormat === 2) await put(joinKey(group, '.zgroup'), { zarr_format: 2 })
    else await put(joinKey(group, 'zarr.json'), { zarr_format: 3, node_type: 'group', attributes: {} })
  }
  if (key !== '') await placeInParent(store, key, plan, put)
  if (zarrFormat === 3) {
    await put(joinKey(key, 'zarr.json'), toV3Json(metadata))
  } else {
    await put(joinKey(key, '.zattrs'), metadata.attributes)
    await put(joinKey(key, '.zarray'), toV2Json(metadata))
  }
  await refreshConsolidated(store, key, written)
}

async function placeInParent(
  store: Store,
  key: string,
  { metadata: { zarrFormat }, axes, levelOf }: CreatePlan,
  put: (file: string, json: JsonObject) => Promise<void>,
): Promise<void> {
  const parent = parentKey(key)
  const node = await readNode(store, parent)
  if (node?.kind !== 'group') return
  const path = parent === '' ? key : key.slice(parent.length + 1)
  const finest = levelOf === undefined ? undefined : await finestLevel(store, parent, levelOf)
  const attributes = isOmeShaped(axes)
    ? placeInOme(node.attributes, { path, axes }, zarrFormat, finest)
    : withoutOme(node.attributes, path)
  if (attributes === undefined) return
  if (zarrFormat === 2) await put(joinKey(parent, '.zattrs'), attributes)
  else await put(joinKey(parent, 'zarr.json'), { ...node.json, attributes })
}

/** The array beside a new one whose pyramid that joins, as it places itself. @throws ConfigError `NO_SUCH_DATASET` */
async function finestLevel(store: Store, parent: string, path: string): Promise<OmeLevel> {
  const node = await readNode(store, joinKey(parent, path))
  if (node?.kind === 'array') return { path, axes: inNanometers(readAxes(node.metadata)) }
  throw new ConfigError(
    'NO_SUCH_DATASET',
    `${store.where(joinKey(parent, path))} is no array, so that no coarser level of it can be made.`,
  )
}
