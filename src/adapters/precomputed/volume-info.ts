import { BYTES_PER_ELEMENT, type DType } from '../../core/array/dtype.ts'
import { ConfigError } from '../../core/errors.ts'
import { productOf } from '../../core/geometry/coordinate.ts'
import { isJsonObject, type Json, type JsonObject, show } from '../zarr/metadata/exact-json.ts'
import { parseShape } from '../zarr/metadata/metadata.ts'
import { asJsonObject } from '../zarr/metadata/placement-attributes.ts'
import { parseSharding, type Sharding } from './sharding.ts'

export type Encoding = 'raw' | 'png' | 'jpeg' | 'compressed_segmentation'

/** One scale of a volume. Lists of three have the slowest axis first, z, y, x, the reverse of the file's own order. */
export interface Scale {
  readonly key: string
  readonly size: readonly number[]
  readonly chunkSize: readonly number[]
  /** nm per voxel. */
  readonly resolution: readonly number[]
  /** In voxels. */
  readonly offset: readonly number[]
  readonly encoding: Encoding
  /** Of `compressed_segmentation`. */
  readonly blockSize: readonly number[]
  readonly sharding?: Sharding
  /** All that the file says of it. */
  readonly json: JsonObject
}

/** What all scales share. */
export interface VolumeInfo {
  readonly dtype: DType
  readonly channels: number
  readonly json: JsonObject
}

export const PRECOMPUTED_DTYPES: readonly DType[] = [
  ...(['uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'uint64', 'float32'] as const),
]

const ENCODINGS: readonly Encoding[] = ['raw', 'png', 'jpeg', 'compressed_segmentation']
const MOST_CHUNK_BYTES = 2 ** 31

/**
 * The `info` file of a volume.
 * @param where the file, for messages
 * @throws ConfigError `INVALID_METADATA`, `UNSUPPORTED`
 */
export function parseInfo(json: JsonObject, where: string): VolumeInfo {
  const kind = json['@type']
  if (kind !== undefined && kind !== 'neuroglancer_multiscale_volume') {
    throw new ConfigError('UNSUPPORTED', `${where} is ${show(kind)}, not a volume.`)
  }
  const name = typeof json.data_type === 'string' ? json.data_type.toLowerCase() : json.data_type
  const dtype = PRECOMPUTED_DTYPES.find((known) => known === name)
  if (dtype === undefined) {
    const known = PRECOMPUTED_DTYPES.join(', ')
    throw new ConfigError(
      'UNSUPPORTED',
      `${where}: the data_type ${show(json.data_type)} is not supported; Bellis reads ${known}.`,
    )
  }
  const channels = json.num_channels ?? 1
  if (typeof channels !== 'number' || !Number.isSafeInteger(channels) || channels < 1) {
    throw new ConfigError(
      'INVALID_METADATA',
      `${where}: num_channels is ${show(channels)}; expected an integer above 0.`,
    )
  }
  if (!Array.isArray(json.scales))
    throw new ConfigError('INVALID_METADATA', `${where}: scales is ${show(json.scales)}; expected a list.`)
  return { dtype, channels, json }
}

/** The keys of the scales, finest first. */
export const scaleKeys = ({ json }: VolumeInfo): string[] =>
  (json.scales as readonly Json[]).flatMap((scale) => {
    const { key } = asJsonObject(scale)
    return typeof key === 'string' ? [key] : []
  })

/** @throws ConfigError `INVALID_METADATA`, `UNSUPPORTED`, `UNSUPPORTED_CODEC` */
export function parseScale(info: VolumeInfo, key: string, where: string): Scale {
  const found = (info.json.scales as readonly Json[]).find((scale: Json) => asJsonObject(scale).key === key)
  const json = asJsonObject(found)
  const what = `${where}: scale "${key}"`
  if (/(^|\/)\.{1,2}(\/|$)|^\/|\\|^$/.test(key)) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${what} lies outside the folder of the volume, and is not read, even with --allow-external; make that folder a volume of its own.`,
    )
  }
  const size = triple(json.size, 0, `${what}: size`)
  const [first] = Array.isArray(json.chunk_sizes) ? (json.chunk_sizes as readonly Json[]) : [undefined]
  const chunkSize = triple(first, 1, `${what}: chunk_sizes`)
  const bytes = BYTES_PER_ELEMENT[info.dtype] * info.channels * productOf(chunkSize)
  if (!(bytes <= MOST_CHUNK_BYTES)) {
    throw new ConfigError('UNSUPPORTED', `${what}: a chunk of ${bytes} bytes does not fit into memory.`)
  }
  const encoding = json.encoding ?? 'raw'
  const known = ENCODINGS.find((name) => name === encoding)
  if (known === undefined) {
    throw new ConfigError(
      'UNSUPPORTED_CODEC',
      `${what} has the encoding ${show(encoding)}; Bellis reads ${ENCODINGS.join(', ')}: write the volume with one of them, with tensorstore or cloud-volume.`,
    )
  }
  return {
    ...{ key, size, chunkSize, encoding: known, json },
    resolution: resolutionOf(json.resolution, what),
    offset:
      json.voxel_offset === undefined
        ? [0, 0, 0]
        : triple(json.voxel_offset, Number.MIN_SAFE_INTEGER, `${what}: voxel_offset`),
    blockSize: known === 'compressed_segmentation' ? blockSizeOf(info, json, what) : [],
    ...(isJsonObject(json.sharding) ? { sharding: parseSharding(json.sharding, what) } : {}),
  }
}

function blockSizeOf({ dtype }: VolumeInfo, json: JsonObject, what: string): number[] {
  if (dtype !== 'uint32' && dtype !== 'uint64') {
    throw new ConfigError('INVALID_METADATA', `${what}: compressed_segmentation has uint32 or uint64, not ${dtype}.`)
  }
  const blockSize = triple(json.compressed_segmentation_block_size, 1, `${what}: compressed_segmentation_block_size`)
  if (productOf(blockSize) <= 2 ** 24) return blockSize
  throw new ConfigError('UNSUPPORTED', `${what}: blocks of ${blockSize.join(' × ')} voxels are too large.`)
}

const triple = (value: Json | undefined, least: number, what: string): number[] =>
  parseShape(value, 3, least, what).reverse()

function resolutionOf(value: Json | undefined, what: string): number[] {
  const isValid =
    Array.isArray(value) && value.length === 3 && value.every((size: Json) => typeof size === 'number' && size > 0)
  if (isValid) return [...(value as number[])].reverse()
  throw new ConfigError('INVALID_METADATA', `${what}: resolution is ${show(value)}; expected three numbers above 0.`)
}
