import { BYTES_PER_ELEMENT, type DType } from '../../core/array/dtype.ts'
import { ConfigError } from '../../core/errors.ts'
import { productOf } from '../../core/geometry/coordinate.ts'
import { type Compressor, parseV2Codec } from '../zarr/codecs/registry.ts'
import { isJsonObject, type Json, type JsonObject, show, showName } from '../zarr/metadata/exact-json.ts'
import { parseShape } from '../zarr/metadata/metadata.ts'

/** The metadata of an N5 dataset; shapes have the slowest axis first, the reverse of N5's own order. */
export interface N5Metadata {
  readonly shape: readonly number[]
  readonly blockShape: readonly number[]
  readonly dtype: DType
  /** undefined is raw. */
  readonly compressor: N5Compressor | undefined
  /** All of `attributes.json`. */
  readonly attributes: JsonObject
}

/** A compression of N5: one of Zarr's, or the blocks of lz4-java. */
export type N5Compressor = Compressor | { readonly name: 'lz4-blocks' }

export const N5_DTYPES: readonly DType[] = [
  ...(['uint8', 'uint16', 'uint32', 'uint64', 'int8', 'int16', 'int32', 'int64', 'float32', 'float64'] as const),
]

/** Keys of `attributes.json` that belong to N5 itself. */
export const DATASET_KEYS = ['dimensions', 'blockSize', 'dataType', 'compression', 'compressionType', 'n5'] as const

export const isN5Dataset = (attributes: JsonObject): boolean => Array.isArray(attributes.dimensions)

const reversed = (list: readonly number[]): number[] => [...list].reverse()

/**
 * @param where the file, for messages
 * @throws ConfigError `INVALID_METADATA`, `UNSUPPORTED`, `UNSUPPORTED_CODEC`
 */
export function parseN5(attributes: JsonObject, where: string): N5Metadata {
  const dimensions = parseShape(attributes.dimensions, undefined, 0, `${where}: dimensions`)
  if (dimensions.length === 0) throw new ConfigError('INVALID_METADATA', `${where}: dimensions has no entries.`)
  const blockSize = parseShape(attributes.blockSize, dimensions.length, 1, `${where}: blockSize`)
  const dtype = N5_DTYPES.find((known) => known === attributes.dataType)
  if (dtype === undefined || attributes.isLabelMultiset === true) {
    const what = dtype === undefined ? `the dataType ${show(attributes.dataType)}` : 'a label multiset'
    throw new ConfigError('UNSUPPORTED', `${where}: ${what} is not supported; Bellis reads ${N5_DTYPES.join(', ')}.`)
  }
  const bytes = BYTES_PER_ELEMENT[dtype] * productOf(blockSize)
  if (!Number.isSafeInteger(bytes) || bytes > 2 ** 32) {
    throw new ConfigError('UNSUPPORTED', `${where}: a block of ${bytes} bytes does not fit into memory.`)
  }
  return {
    shape: reversed(dimensions),
    blockShape: reversed(blockSize),
    dtype,
    compressor: parseCompression(attributes.compression ?? attributes.compressionType, dtype, where),
    attributes,
  }
}

function parseCompression(value: Json | undefined, dtype: DType, where: string): N5Compressor | undefined {
  const config = isJsonObject(value) ? value : { type: value ?? 'raw' }
  switch (config.type) {
    case 'raw':
      return undefined
    case 'gzip': {
      // −1 is zlib's own default.
      const level = config.level === -1 || config.level === undefined ? 6 : config.level
      return parseV2Codec(config.useZlib === true ? 'zlib' : 'gzip', { level }, dtype, where)
    }
    case 'bzip2':
      return { name: 'bz2' }
    case 'xz':
      return { name: 'lzma' }
    case 'lz4':
      return { name: 'lz4-blocks' }
    case 'zstd':
    case 'zstandard':
      return parseV2Codec('zstd', config, dtype, where)
    case 'blosc':
      return parseV2Codec('blosc', config, dtype, where)
    default:
      throw new ConfigError(
        'UNSUPPORTED_CODEC',
        `${where}: the compression "${showName(config.type)}" is not supported; Bellis reads raw, gzip, bzip2, lz4, blosc, xz and zstd.`,
      )
  }
}

/** The compression of a new dataset. @throws ConfigError `UNSUPPORTED_CODEC` */
export function toN5Compression(compressor: N5Compressor | undefined): JsonObject {
  if (compressor === undefined) return { type: 'raw' }
  switch (compressor.name) {
    case 'gzip':
    case 'zlib':
      return { type: 'gzip', useZlib: compressor.name === 'zlib', level: compressor.level }
    case 'zstd':
      return { type: 'zstd', level: compressor.level }
    case 'blosc': {
      const shuffle = ['noshuffle', 'shuffle', 'bitshuffle'].indexOf(compressor.shuffle)
      const { compressor: cname, level: clevel, blockSize: blocksize } = compressor
      return { type: 'blosc', cname, clevel, shuffle, blocksize }
    }
    default:
      throw new ConfigError(
        'UNSUPPORTED_CODEC',
        `N5 arrays are not written with "${compressor.name}"; use raw, gzip, zlib, zstd or blosc.`,
      )
  }
}

/** The attributes of a new dataset. */
export const toN5Json = ({ shape, blockShape, dtype, compressor, attributes }: N5Metadata): JsonObject => ({
  ...attributes,
  dimensions: reversed(shape),
  blockSize: reversed(blockShape),
  dataType: dtype,
  compression: toN5Compression(compressor),
})
