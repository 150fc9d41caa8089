import { crc32 } from 'node:zlib'
import { BYTES_PER_ELEMENT, type DType, isFloatDType, typedArray } from '../../../core/array/dtype.ts'
import { ConfigError } from '../../../core/errors.ts'
import { fletcher32 } from '../../codecs/checksums/fletcher32.ts'
import { type BytesCodec, CodecError, checkSize, SPARE_BYTES } from '../../codecs/codec.ts'
import { unshuffleBytes } from '../../codecs/shuffle.ts'
import { swapBytes } from '../../files/swap-bytes.ts'
import { type JsonObject, show } from '../metadata/exact-json.ts'
import { bytesOfElements, castElements, commonType, type Elements, elementsOf, parseElements } from './elements.ts'

/** A step before compression, as numcodecs defines it; read, never written. */
export type Filter =
  | { readonly name: 'delta'; readonly stored: Elements; readonly decoded: Elements }
  | {
      readonly name: 'fixedscaleoffset'
      readonly stored: Elements
      readonly decoded: Elements
      readonly scale: number
      readonly offset: number
    }
  | { readonly name: 'astype' | 'quantize'; readonly stored: Elements; readonly decoded: Elements }
  | { readonly name: 'bitround' | 'packbits' }
  | { readonly name: 'shuffle' | 'byteswap'; readonly size: number }
  | { readonly name: 'crc32' | 'adler32' | 'fletcher32'; readonly atEnd: boolean }

/** The filters that change elements, and so come before the bytes of an array. */
export const ELEMENT_FILTERS = ['delta', 'fixedscaleoffset', 'astype', 'quantize', 'bitround', 'packbits']

export const FILTER_NAMES = [...ELEMENT_FILTERS, 'shuffle', 'crc32', 'adler32', 'fletcher32']

export const isFilter = (step: { readonly name: string }): step is Filter =>
  step.name === 'byteswap' || FILTER_NAMES.includes(step.name)

/**
 * A filter from version 2's `filters`, or from the configuration of version 3's `numcodecs.*`.
 * @param dtype of the elements that it gets when it encodes
 * @returns undefined for a name that is no filter that can be read
 * @throws ConfigError `UNSUPPORTED`, `INVALID_METADATA`
 */
export function parseFilter(id: string, config: JsonObject, dtype: DType, where: string): Filter | undefined {
  const what = `${where}: the filter "${id}"`
  const own = { dtype, bigEndian: false }
  const elements = (field: string, otherwise: Elements) =>
    config[field] === undefined || config[field] === null ? otherwise : parseElements(config[field], what)
  switch (id) {
    case 'delta':
    case 'quantize': {
      const decoded = elements('dtype', own)
      const stored = elements('astype', decoded)
      if (id === 'quantize' || ![decoded, stored].some((each) => each.dtype === 'bool'))
        return { name: id, decoded, stored }
      throw new ConfigError('UNSUPPORTED', `${what} of bool is not supported; store the array without it.`)
    }
    case 'fixedscaleoffset': {
      const decoded = elements('dtype', own)
      const [scale, offset] = [config.scale, config.offset].map((value) => finite(value, what)) as [number, number]
      return { name: id, decoded, stored: elements('astype', decoded), scale, offset }
    }
    case 'astype':
      return { name: id, decoded: elements('decode_dtype', own), stored: elements('encode_dtype', own) }
    case 'shuffle':
      return { name: id, size: elementSize(config.elementsize ?? BYTES_PER_ELEMENT[dtype], what) }
    case 'bitround':
    case 'packbits':
      return { name: id }
    case 'crc32':
    case 'adler32':
      return { name: id, atEnd: config.location === 'end' }
    case 'fletcher32':
      return { name: id, atEnd: true }
    default:
      return undefined
  }
}

/** The type of the elements that a filter stores. @param dtype of those that it gets */
export const storedType = (filter: Filter, dtype: DType): DType =>
  'stored' in filter ? filter.stored.dtype : filter.name === 'packbits' ? 'uint8' : dtype

function finite(value: unknown, what: string): number {
  const number = typeof value === 'bigint' ? Number(value) : value
  if (typeof number === 'number' && Number.isFinite(number)) return number
  throw new ConfigError('INVALID_METADATA', `${what} has the setting ${show(value as never)}; expected a number.`)
}

function elementSize(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 256) return value
  throw new ConfigError('INVALID_METADATA', `${what} has elements of ${show(value as never)} bytes; expected 1 to 256.`)
}

export const filterCodec = (filter: Filter): BytesCodec => ({
  label: filter.name,
  encode() {
    throw new ConfigError('UNSUPPORTED_CODEC', `The filter "${filter.name}" can only be read.`)
  },
  most: (bytes) => mostStored(filter, bytes),
  decode(data, size) {
    const most = typeof size === 'number' ? size + SPARE_BYTES : size.atMost
    checkSize(leastRoom(filter, data.length), { atMost: most })
    return decodeFilter(filter, data)
  },
})

/** Most bytes that a filter makes of so many. */
function mostStored(filter: Filter, bytes: number): number {
  if (!('stored' in filter)) return bytes + SPARE_BYTES
  return Math.ceil(bytes / BYTES_PER_ELEMENT[filter.decoded.dtype]) * BYTES_PER_ELEMENT[filter.stored.dtype]
}

/** Bytes of memory for what so many are decoded to, but for a few. */
function leastRoom(filter: Filter, bytes: number): number {
  if (filter.name === 'packbits') return 8 * (bytes - 1)
  if (!('stored' in filter)) return 0
  return Math.floor(bytes / BYTES_PER_ELEMENT[filter.stored.dtype]) * BYTES_PER_ELEMENT[filter.decoded.dtype]
}

function decodeFilter(filter: Filter, data: Uint8Array): Uint8Array {
  switch (filter.name) {
    case 'bitround':
      return data
    case 'byteswap':
      return swapBytes(new Uint8Array(data), filter.size)
    case 'shuffle': {
      if (data.length % filter.size !== 0)
        throw new CodecError(`it has ${data.length} bytes, no multiple of ${filter.size}`)
      const result = new Uint8Array(data.length)
      unshuffleBytes(data, result, filter.size)
      return result
    }
    case 'packbits':
      return unpackBits(data)
    case 'astype':
    case 'quantize': {
      const { stored, decoded } = filter
      return bytesOfElements(castElements(elementsOf(data, stored), stored.dtype, decoded.dtype), decoded)
    }
    case 'delta': {
      const { stored, decoded } = filter
      const type = commonType(stored.dtype, decoded.dtype)
      const values = castElements(elementsOf(data, stored), stored.dtype, type)
      // Each sum is rounded, or wraps, as the type does.
      for (let i = 1; i < values.length; i++) values[i] = ((values[i] as number) + (values[i - 1] as number)) as never
      return bytesOfElements(castElements(values, type, decoded.dtype), decoded)
    }
    case 'fixedscaleoffset':
      return unscale(filter, data)
    case 'crc32':
    case 'adler32':
    case 'fletcher32':
      return checked(filter, data)
    default:
      return filter satisfies never
  }
}

function unscale(
  { stored, decoded, scale, offset }: Extract<Filter, { name: 'fixedscaleoffset' }>,
  data: Uint8Array,
): Uint8Array {
  const values = elementsOf(data, stored)
  // NumPy computes in the type of floats, and in float64 for integers; each step is rounded.
  const type = isFloatDType(stored.dtype) ? stored.dtype : 'float64'
  const result = typedArray(type, values.length) as Float64Array
  // So are the settings.
  const [divisor, shift] = Object.values(new (result.constructor as typeof Float64Array)([scale, offset])) as [
    number,
    number,
  ]
  for (let i = 0; i < values.length; i++) {
    result[i] = Number(values[i]) / divisor
    result[i] = (result[i] as number) + shift
  }
  return bytesOfElements(castElements(result, type, decoded.dtype), decoded)
}

/** One byte that says how many bits at the end are none, then bits, the highest of each byte first. */
function unpackBits(data: Uint8Array): Uint8Array {
  const padding = data[0] ?? 8
  if (padding > 7 || (padding > 0 && data.length < 2)) throw new CodecError('its packed bits are damaged')
  const result = new Uint8Array(8 * (data.length - 1) - padding)
  for (let i = 0; i < result.length; i++) result[i] = ((data[1 + (i >> 3)] as number) >> (7 - (i & 7))) & 1
  return result
}

function checked({ name, atEnd }: Extract<Filter, { atEnd: boolean }>, data: Uint8Array): Uint8Array {
  if (data.length < 4) throw new CodecError(`it is too short for a checksum (${name})`)
  const at = atEnd ? data.length - 4 : 0
  const stored = new DataView(data.buffer, data.byteOffset + at, 4).getUint32(0, true)
  const content = atEnd ? data.subarray(0, at) : data.subarray(4)
  const found = name === 'crc32' ? crc32(content) : name === 'adler32' ? adler32(content) : fletcher32(content)
  if (found >>> 0 !== stored) throw new CodecError(`its checksum (${name}) is wrong`)
  return content
}

function adler32(data: Uint8Array): number {
  let [low, high] = [1, 0]
  for (let i = 0; i < data.length; ) {
    // So many additions stay below 2^31.
    const end = Math.min(data.length, i + 3800)
    for (; i < end; i++) {
      low += data[i] as number
      high += low
    }
    low %= 65_521
    high %= 65_521
  }
  return high * 65_536 + low
}
