import { BYTES_PER_ELEMENT, DTYPES, type DType } from '../../../core/array/dtype.ts'
import { ConfigError } from '../../../core/errors.ts'
import type { ShardSettings } from '../chunks/chunk-encoding.ts'
import type { AxisChunks } from '../chunks/chunk-grid.ts'
import { ELEMENT_FILTERS, type Filter, parseFilter, storedType } from '../codecs/filters.ts'
import { type Compressor, namedConfig, parseV3Codec, toV3Config } from '../codecs/registry.ts'
import { parseChunkGrid, type StoredGrid } from './chunk-grids.ts'
import type { Json, JsonObject } from './exact-json.ts'
import { isJsonObject, show } from './exact-json.ts'
import { fillValueToJson, parseFillValue } from './fill-value.ts'
import { checkCodecCount, parseShape, range, type ZarrMetadata } from './metadata.ts'

const invalid = (where: string, what: string) => new ConfigError('INVALID_METADATA', `${where}: ${what}.`)

/**
 * A `zarr.json` file of an array.
 * @param where the file, for messages
 * @throws ConfigError `INVALID_METADATA`, `UNSUPPORTED`, `UNSUPPORTED_CODEC`
 */
export function parseV3Metadata(json: JsonObject, where: string): ZarrMetadata {
  if (json.zarr_format !== 3) throw invalid(where, `zarr_format is ${show(json.zarr_format)}, not 3`)
  refuseUnknownFields(json, where)
  const shape = parseShape(json.shape, undefined, 0, `${where}: shape`)
  const dtype = parseDataType(json.data_type, where)
  const stored = parseChunkGrid(json.chunk_grid, shape, where)
  if (json.fill_value === undefined) throw invalid(where, 'fill_value is missing')
  const fill = parseFillValue(dtype, json.fill_value, where)
  const { dimension_names: names } = json
  return {
    zarrFormat: 3,
    shape,
    dtype,
    ...parseCodecs(json.codecs, dtype, stored, where),
    ...(stored.grid === undefined ? {} : { grid: stored.grid }),
    fill,
    ...parseKeyEncoding(json.chunk_key_encoding, where),
    ...(Array.isArray(names) ? { dimensionNames: names.map((name) => (typeof name === 'string' ? name : null)) } : {}),
    attributes: isJsonObject(json.attributes) ? json.attributes : {},
  }
}

const KNOWN_FIELDS = new Set([
  ...['zarr_format', 'node_type', 'shape', 'data_type', 'chunk_grid', 'chunk_key_encoding', 'fill_value', 'codecs'],
  ...['attributes', 'storage_transformers', 'dimension_names', 'consolidated_metadata'],
])

/** The specification requires readers to refuse unknown fields that aren't marked as ignorable. */
function refuseUnknownFields(json: JsonObject, where: string): void {
  for (const [field, value] of Object.entries(json)) {
    if (KNOWN_FIELDS.has(field) || (isJsonObject(value) && value.must_understand === false)) continue
    throw new ConfigError(
      'UNSUPPORTED',
      `${where}: the field "${field}" is unknown to Bellis, and the array can't be read without understanding it.`,
    )
  }
  if (Array.isArray(json.storage_transformers) && json.storage_transformers.length > 0) {
    throw new ConfigError('UNSUPPORTED', `${where}: storage transformers are not supported.`)
  }
}

function parseDataType(value: Json | undefined, where: string): DType {
  const dtype = DTYPES.find((known) => known === value)
  if (dtype !== undefined) return dtype
  throw new ConfigError(
    'UNSUPPORTED',
    `${where}: the data type ${show(value)} is not supported; Bellis reads ${DTYPES.join(', ')}.`,
  )
}

function parseKeyEncoding(
  value: Json | undefined,
  where: string,
): { readonly keyPrefix: '' | 'c'; readonly separator: '.' | '/' } {
  const { name, config } = namedConfig(value, `${where}: chunk_key_encoding`)
  if (name !== 'default' && name !== 'v2') {
    throw new ConfigError(
      'UNSUPPORTED',
      `${where}: the chunk key encoding "${name}" is not supported; Bellis reads default and v2.`,
    )
  }
  const separator = config.separator ?? (name === 'default' ? '/' : '.')
  if (separator !== '.' && separator !== '/')
    throw invalid(where, `the separator is ${show(separator)}, not "." or "/"`)
  return { keyPrefix: name === 'default' ? 'c' : '', separator }
}

type Codecs = Pick<ZarrMetadata, 'chunk' | 'shard'>

/** A chain: optional `transpose`; `bytes` or `sharding_indexed`; then codecs from bytes to bytes. */
function parseCodecs(value: Json | undefined, dtype: DType, stored: StoredGrid, where: string): Codecs {
  const { shape } = stored
  if (!Array.isArray(value)) throw invalid(where, `codecs is ${show(value)}, not a list`)
  checkCodecCount(value.length, where)
  const chain = value.map((codec: Json) => namedConfig(codec, `${where}: codecs`))
  let axisOrder = range(shape.length)
  let next = chain.shift()
  let isTransposed = false
  for (; next?.name === 'transpose'; next = chain.shift()) {
    axisOrder = transposed(axisOrder, next.config.order, where)
    isTransposed = true
  }
  const filters: Filter[] = []
  let elements = dtype
  for (;;) {
    const filter = elementFilter(next, elements, where)
    if (filter === undefined) break
    filters.push(filter)
    elements = storedType(filter, elements)
    next = chain.shift()
  }
  // numcodecs flattens a transposed chunk in one order, and restores it in another.
  if (filters.length > 0 && isTransposed)
    throw new ConfigError('UNSUPPORTED_CODEC', `${where}: filters of transposed chunks are not supported.`)
  const rest = () => chain.map(({ name, config }) => parseV3Codec(name, config, elements, where))
  if (next?.name === 'sharding_indexed') {
    if (isTransposed || filters.length > 0)
      throw new ConfigError('UNSUPPORTED_CODEC', `${where}: a transposed or filtered shard is not supported.`)
    return parseSharding(next.config, dtype, stored, rest(), where)
  }
  if (next?.name !== 'bytes') {
    const name = next === undefined ? 'none' : `"${next.name}"`
    throw new ConfigError(
      'UNSUPPORTED_CODEC',
      `${where}: the codec from array to bytes is ${name}; Bellis reads bytes and sharding_indexed.`,
    )
  }
  const size = BYTES_PER_ELEMENT[elements]
  const bigEndian = parseEndian(next.config, size, where)
  const swap: readonly Filter[] = bigEndian && filters.length > 0 ? [{ name: 'byteswap', size }] : []
  const compressors = [...filters, ...swap, ...rest()]
  return { chunk: { dtype, shape, axisOrder, bigEndian: bigEndian && filters.length === 0, compressors } }
}

/** A filter of numcodecs, if an entry of `codecs` is one that comes before the bytes. */
function elementFilter(
  entry: { readonly name: string; readonly config: JsonObject } | undefined,
  dtype: DType,
  where: string,
): Filter | undefined {
  const [, id] = /^numcodecs\.(.*)$/.exec(entry?.name ?? '') ?? []
  if (entry === undefined || id === undefined || !ELEMENT_FILTERS.includes(id)) return undefined
  return parseFilter(id, entry.config, dtype, where)
}

function parseEndian(config: JsonObject, bytesPerElement: number, where: string): boolean {
  const { endian } = config
  if (endian === 'big') return true
  if (endian === 'little' || (bytesPerElement === 1 && (endian === undefined || endian === null))) return false
  throw invalid(where, `the endian of the bytes codec is ${show(endian)}, not "little" or "big"`)
}

/** The axes after one more transposition: `order[i]` is the i-th axis of the result. */
function transposed(axes: readonly number[], order: Json | undefined, where: string): number[] {
  if (order === 'C') return [...axes]
  if (order === 'F') return [...axes].reverse()
  const permutation = parseShape(order, axes.length, 0, `${where}: the order of the transpose codec`)
  if ([...permutation].sort((a, b) => a - b).some((axis, i) => axis !== i)) {
    throw invalid(where, `the order of the transpose codec, ${show(order)}, is not a permutation`)
  }
  return permutation.map((axis) => axes[axis] as number)
}

function parseSharding(
  config: JsonObject,
  dtype: DType,
  { shape, grid = shape }: StoredGrid,
  compressors: readonly Compressor[],
  where: string,
): Codecs {
  const inner = parseShape(config.chunk_shape, shape.length, 1, `${where}: chunk_shape of sharding_indexed`)
  const isSplit = (along: AxisChunks, length: number) =>
    typeof along === 'number' ? along % length !== 0 : along.some((start) => start % length !== 0)
  if (inner.some((length, axis) => isSplit(grid[axis] as AxisChunks, length))) {
    throw invalid(where, `the shard (${shape.join(', ')}) is not a multiple of its chunk (${inner.join(', ')})`)
  }
  const { chunk: innermost, shard: nested } = parseCodecs(config.codecs, dtype, { shape: inner }, where)
  const asShard = { dtype, shape: inner, axisOrder: range(inner.length), bigEndian: false, compressors: [] }
  const chunk = nested === undefined ? innermost : { ...asShard, nested: { shard: nested, chunk: innermost } }
  const location = config.index_location ?? 'end'
  if (location !== 'start' && location !== 'end') throw invalid(where, `index_location is ${show(location)}`)
  const shard: ShardSettings = {
    shape,
    indexLocation: location,
    ...parseIndexCodecs(config.index_codecs, where),
    compressors,
  }
  return { chunk, shard }
}

/** The index must have a fixed size, so only a checksum can follow its bytes. */
function parseIndexCodecs(
  value: Json | undefined,
  where: string,
): Pick<ShardSettings, 'indexHasChecksum' | 'indexIsBigEndian'> {
  const names = Array.isArray(value) ? value.map((codec: Json) => namedConfig(codec, `${where}: index_codecs`)) : []
  const [bytes, checksum, ...more] = names
  const isKnown = bytes?.name === 'bytes' && more.length === 0
  if (isKnown && (checksum === undefined || checksum.name === 'crc32c')) {
    const indexIsBigEndian = parseEndian(bytes.config, 8, `${where}: index_codecs`)
    return { indexHasChecksum: checksum !== undefined, ...(indexIsBigEndian ? { indexIsBigEndian } : {}) }
  }
  throw new ConfigError(
    'UNSUPPORTED_CODEC',
    `${where}: the index_codecs ${show(value)} are not supported; Bellis reads bytes and crc32c.`,
  )
}

/** The `zarr.json` of a new array. @throws ConfigError `UNSUPPORTED_CODEC` */
export function toV3Json(metadata: ZarrMetadata): JsonObject {
  const { chunk, dtype, fill, shape, shard, separator, dimensionNames, attributes } = metadata
  const bytes: JsonObject =
    BYTES_PER_ELEMENT[dtype] === 1 ? { name: 'bytes' } : { name: 'bytes', configuration: { endian: 'little' } }
  const codecs: Json[] = [bytes, ...chunk.compressors.map(toV3Config)]
  return {
    zarr_format: 3,
    node_type: 'array',
    shape,
    data_type: dtype,
    chunk_grid: { name: 'regular', configuration: { chunk_shape: shard?.shape ?? chunk.shape } },
    chunk_key_encoding: { name: 'default', configuration: { separator } },
    fill_value: fillValueToJson(dtype, fill, 3),
    codecs: shard === undefined ? codecs : [shardingJson(shard, chunk.shape, codecs)],
    attributes,
    ...(dimensionNames === undefined ? {} : { dimension_names: dimensionNames }),
    storage_transformers: [],
  }
}

const shardingJson = (shard: ShardSettings, chunkShape: readonly number[], codecs: readonly Json[]): JsonObject => ({
  name: 'sharding_indexed',
  configuration: {
    chunk_shape: chunkShape,
    codecs,
    index_codecs: [{ name: 'bytes', configuration: { endian: 'little' } }, { name: 'crc32c' }],
    index_location: shard.indexLocation,
  },
})
