import type { DType } from '../../../core/array/dtype.ts'
import { BYTES_PER_ELEMENT } from '../../../core/array/dtype.ts'
import { ConfigError } from '../../../core/errors.ts'
import { bloscCodec } from '../../codecs/blosc.ts'
import {
  BLOSC_COMPRESSORS,
  type BloscCompressor,
  type BloscSettings,
  type BloscShuffle,
} from '../../codecs/blosc-format.ts'
import { decodeBzip2 } from '../../codecs/bzip2.ts'
import { crc32cCodec } from '../../codecs/checksums/crc32c.ts'
import type { BytesCodec } from '../../codecs/codec.ts'
import { lz4Codec } from '../../codecs/lz4.ts'
import { decodeXz } from '../../codecs/xz/xz.ts'
import { gzipCodec, zlibCodec, zstdCodec } from '../../codecs/zlib.ts'
import { isJsonObject, type Json, type JsonObject, show } from '../metadata/exact-json.ts'
import { FILTER_NAMES, type Filter, filterCodec, isFilter, parseFilter } from './filters.ts'

/** A compressor or filter of chunks as it is named in metadata and on the command line; undefined is raw. */
export type Compressor =
  | { readonly name: 'gzip' | 'zlib' | 'zstd'; readonly level: number; readonly checksum?: boolean }
  | { readonly name: 'lz4'; readonly acceleration: number }
  | { readonly name: 'crc32c' }
  | OnlyRead
  | ({ readonly name: 'blosc' } & BloscSettings)

/** The compressors and filters that are read, never written. */
type OnlyRead = { readonly name: 'bz2' | 'lzma' | 'blosc-snappy' } | Filter

export const isOnlyRead = (compressor: Compressor): compressor is OnlyRead =>
  ['bz2', 'lzma', 'blosc-snappy'].includes(compressor.name) || isFilter(compressor)

/** A codec that is only read. */
const decoderOf = (label: OnlyRead['name'], decode: BytesCodec['decode']): BytesCodec => ({
  label,
  encode() {
    throw new ConfigError('UNSUPPORTED_CODEC', `The codec "${label}" can only be read.`)
  },
  decode: (data, size, into) => decode(data, size, into),
})

const bz2Codec = decoderOf('bz2', decodeBzip2)
const lzmaCodec = decoderOf('lzma', decodeXz)
// How Blosc has compressed is in its data.
const anyBlosc = bloscCodec({ compressor: 'lz4', level: 5, shuffle: 'shuffle', typeSize: 1, blockSize: 0 })
const bloscSnappyCodec = decoderOf('blosc-snappy', (data, size, into) => anyBlosc.decode(data, size, into))

export function makeCodec(compressor: Compressor): BytesCodec {
  if (isFilter(compressor)) return filterCodec(compressor)
  switch (compressor.name) {
    case 'gzip':
      return gzipCodec(compressor.level)
    case 'zlib':
      return zlibCodec(compressor.level)
    case 'zstd':
      return zstdCodec(compressor.level, compressor.checksum)
    case 'lz4':
      return lz4Codec(compressor.acceleration)
    case 'crc32c':
      return crc32cCodec
    case 'bz2':
      return bz2Codec
    case 'lzma':
      return lzmaCodec
    case 'blosc-snappy':
      return bloscSnappyCodec
    case 'blosc':
      return bloscCodec(compressor)
    default:
      return compressor satisfies never
  }
}

const SHUFFLES: readonly BloscShuffle[] = ['noshuffle', 'shuffle', 'bitshuffle']
const READABLE = 'raw, gzip, zlib, zstd, blosc, lz4, bz2, lzma and crc32c'
/** numcodecs' number for LZMA without a header, of which only the settings say how it is decoded. */
const LZMA_RAW = 3

/**
 * A codec from v2's `compressor` or `filters`, or from the configuration of v3's `numcodecs.*`, which is the same.
 * @param dtype of the elements that it gets
 * @throws ConfigError `UNSUPPORTED_CODEC`, `INVALID_METADATA`
 */
export function parseV2Codec(id: string, config: JsonObject, dtype: DType, where: string): Compressor {
  switch (id) {
    case 'gzip':
    case 'zlib':
      return { name: id, level: integer(config.level, 1, where, id) }
    case 'zstd':
      return { name: id, level: integer(config.level, 0, where, id), checksum: config.checksum === true }
    case 'lz4':
      return { name: id, acceleration: integer(config.acceleration, 1, where, id) }
    case 'crc32c':
    case 'bz2':
      return { name: id }
    case 'lzma':
      if (config.format === LZMA_RAW) throw unsupported('lzma" of the format "raw', where)
      return { name: id }
    case 'blosc': {
      const typeSize = BYTES_PER_ELEMENT[dtype]
      const number = integer(config.shuffle, 1, where, id)
      // In numcodecs, -1 means bits for single-byte elements and bytes for all others.
      const shuffle = SHUFFLES[number === -1 ? (typeSize === 1 ? 2 : 1) : number]
      return bloscOf(config, shuffle, typeSize, where)
    }
    default: {
      const filter = parseFilter(id, config, dtype, where)
      if (filter !== undefined) return filter
      throw unsupported(id, where)
    }
  }
}

/** A bytes → bytes codec from v3 metadata. @throws ConfigError `UNSUPPORTED_CODEC`, `INVALID_METADATA` */
export function parseV3Codec(name: string, config: JsonObject, dtype: DType, where: string): Compressor {
  switch (name) {
    case 'gzip':
      return { name, level: integer(config.level, 5, where, name) }
    case 'zstd':
      return { name, level: integer(config.level, 0, where, name), checksum: config.checksum === true }
    case 'crc32c':
      return { name }
    case 'blosc': {
      const shuffle = SHUFFLES.find((known) => known === (config.shuffle ?? 'noshuffle'))
      return bloscOf(config, shuffle, integer(config.typesize, BYTES_PER_ELEMENT[dtype], where, name), where)
    }
    default:
      if (name.startsWith('numcodecs.')) return parseV2Codec(name.slice('numcodecs.'.length), config, dtype, where)
      throw unsupported(name, where)
  }
}

function bloscOf(config: JsonObject, shuffle: BloscShuffle | undefined, typeSize: number, where: string): Compressor {
  if (config.cname === 'snappy') return { name: 'blosc-snappy' }
  const compressor = BLOSC_COMPRESSORS.find((known) => known === (config.cname ?? 'lz4'))
  if (compressor === undefined) throw unsupported(`blosc with ${show(config.cname)}`, where)
  if (shuffle === undefined) throw unsupported(`blosc with shuffle ${show(config.shuffle)}`, where)
  const level = integer(config.clevel, 5, where, 'blosc')
  return {
    name: 'blosc',
    compressor,
    level,
    shuffle,
    typeSize,
    blockSize: integer(config.blocksize, 0, where, 'blosc'),
  }
}

function integer(value: Json | undefined, otherwise: number, where: string, codec: string): number {
  if (value === undefined || value === null) return otherwise
  if (typeof value === 'number' && Number.isInteger(value)) return value
  throw new ConfigError(
    'INVALID_METADATA',
    `${where}: a setting of its codec "${codec}" is ${show(value)}; expected an integer.`,
  )
}

const unsupported = (name: string, where: string) =>
  new ConfigError(
    'UNSUPPORTED_CODEC',
    `${where}: the codec "${name}" is not supported; Bellis reads ${READABLE}, and the filters ${FILTER_NAMES.join(', ')}.`,
  )

const onlyRead = ({ name }: Compressor) =>
  new ConfigError('UNSUPPORTED_CODEC', `The codec "${name}" can only be read; use zstd, or another one.`)

/** v2's `compressor`. @throws ConfigError `UNSUPPORTED_CODEC` for what can only be read */
export function toV2Config(compressor: Compressor): JsonObject {
  if (isOnlyRead(compressor)) throw onlyRead(compressor)
  switch (compressor.name) {
    case 'gzip':
    case 'zlib':
    case 'zstd':
      return { id: compressor.name, level: compressor.level }
    case 'lz4':
      return { id: 'lz4', acceleration: compressor.acceleration }
    case 'crc32c':
      return { id: 'crc32c' }
    case 'blosc':
      return {
        id: 'blosc',
        cname: compressor.compressor,
        clevel: compressor.level,
        shuffle: SHUFFLES.indexOf(compressor.shuffle),
        blocksize: compressor.blockSize,
      }
    default:
      return compressor satisfies never
  }
}

/** An entry of v3's `codecs`. @throws ConfigError `UNSUPPORTED_CODEC` if v3 has no such standard codec */
export function toV3Config(compressor: Compressor): JsonObject {
  if (isOnlyRead(compressor)) throw onlyRead(compressor)
  switch (compressor.name) {
    case 'gzip':
      return { name: 'gzip', configuration: { level: compressor.level } }
    case 'zstd':
      return { name: 'zstd', configuration: { level: compressor.level, checksum: compressor.checksum === true } }
    case 'crc32c':
      return { name: 'crc32c' }
    case 'blosc':
      return {
        name: 'blosc',
        configuration: {
          cname: compressor.compressor,
          clevel: compressor.level,
          shuffle: compressor.shuffle,
          typesize: compressor.typeSize,
          blocksize: compressor.blockSize,
        },
      }
    case 'zlib':
    case 'lz4':
      throw new ConfigError(
        'UNSUPPORTED_CODEC',
        `Zarr 3 has no standard codec "${compressor.name}"; use ${compressor.name === 'zlib' ? 'gzip' : 'blosc-lz4'}, or Zarr 2.`,
      )
    default:
      return compressor satisfies never
  }
}

const LEVELS = { gzip: [1, 0, 9], zlib: [1, 0, 9], zstd: [3, -7, 22], blosc: [5, 0, 9] } as const
const NAMES = `raw, gzip, zlib, zstd, lz4, blosc, ${BLOSC_COMPRESSORS.map((name) => `blosc-${name}`).join(', ')}`

/**
 * A compressor from the name that users give: `NAME[:level]`.
 * @returns undefined for `raw`
 * @throws ConfigError `UNSUPPORTED_CODEC`
 */
export function parseCodecName(text: string, dtype: DType): Compressor | undefined {
  const [name = '', levelText, ...rest] = text.split(':')
  const refuse = (why: string) => new ConfigError('UNSUPPORTED_CODEC', `The codec "${text}" ${why}.`)
  if (rest.length > 0) throw refuse('has more than one level; write NAME[:level]')
  if ((name === 'raw' || name === 'lz4') && levelText !== undefined) throw refuse(`has no level; write ${name}`)
  if (name === 'raw') return undefined
  if (name === 'lz4') return { name, acceleration: 1 }
  const kind = name.startsWith('blosc') ? 'blosc' : name
  if (!Object.hasOwn(LEVELS, kind)) throw refuse(`is unknown; use one of ${NAMES}`)
  const [normal, least, most] = LEVELS[kind as keyof typeof LEVELS]
  const level = levelText === undefined ? normal : /^-?\d+$/.test(levelText) ? Number(levelText) : Number.NaN
  if (!(level >= least && level <= most))
    throw refuse(`has a level out of range; use ${name}:${least} to ${name}:${most}`)
  if (kind === 'gzip' || kind === 'zlib' || kind === 'zstd') return { name: kind, level }
  const compressor = name === 'blosc' ? 'lz4' : BLOSC_COMPRESSORS.find((known) => name === `blosc-${known}`)
  if (compressor === undefined) throw refuse(`is unknown; use one of ${NAMES}`)
  return bloscDefault(compressor, level, dtype)
}

const bloscDefault = (compressor: BloscCompressor, level: number, dtype: DType): Compressor => ({
  name: 'blosc',
  compressor,
  level,
  shuffle: 'shuffle',
  typeSize: BYTES_PER_ELEMENT[dtype],
  blockSize: 0,
})

/** The name and configuration of an entry of v3's `codecs`, which may be its bare name. */
export function namedConfig(
  value: Json | undefined,
  where: string,
): { readonly name: string; readonly config: JsonObject } {
  if (typeof value === 'string') return { name: value, config: {} }
  if (isJsonObject(value) && typeof value.name === 'string') {
    return { name: value.name, config: isJsonObject(value.configuration) ? value.configuration : {} }
  }
  throw new ConfigError('INVALID_METADATA', `${where}: ${show(value)} is not a name with a configuration.`)
}
