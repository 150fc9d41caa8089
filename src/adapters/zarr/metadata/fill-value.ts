import {
  BYTES_PER_ELEMENT,
  bytesOf,
  type DType,
  isFloatDType,
  type Scalar,
  typedArray,
} from '../../../core/array/dtype.ts'
import { ConfigError } from '../../../core/errors.ts'
import { type Json, show } from './exact-json.ts'

/** The value of missing chunks, and its bytes in the machine's byte order: two NaNs may differ only in their bytes. */
export interface FillValue {
  readonly value: Scalar
  readonly bytes: Uint8Array
}

const INTEGER_RANGES: Readonly<Partial<Record<DType, readonly [bigint, bigint]>>> = {
  int8: [-(2n ** 7n), 2n ** 7n - 1n],
  int16: [-(2n ** 15n), 2n ** 15n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint8: [0n, 2n ** 8n - 1n],
  uint16: [0n, 2n ** 16n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  bool: [0n, 1n],
}

/** A fill value from the caller. @throws ConfigError `INVALID_CONFIG` for a value that the dtype can't represent */
export function makeFillValue(dtype: DType, value: Scalar): FillValue {
  const filled = fillFrom(dtype, value)
  if (filled !== undefined) return filled
  throw new ConfigError(
    'INVALID_CONFIG',
    `The fill value ${value} is not a value of ${dtype}; use one that is, such as 0.`,
  )
}

/** A fill value from metadata of either version. @throws ConfigError `INVALID_METADATA` */
export function parseFillValue(dtype: DType, json: Json | undefined, where: string): FillValue {
  const parsed = fromJson(dtype, json)
  if (parsed !== undefined) return parsed
  throw new ConfigError('INVALID_METADATA', `${where}: the fill_value ${show(json)} is not a value of ${dtype}.`)
}

function fromJson(dtype: DType, json: Json | undefined): FillValue | undefined {
  if (json === null || json === undefined) return fillFrom(dtype, 0)
  if (typeof json === 'boolean') return dtype === 'bool' ? fillFrom(dtype, json ? 1 : 0) : undefined
  if (typeof json === 'number' || typeof json === 'bigint') return fillFrom(dtype, json)
  return typeof json === 'string' ? fromText(dtype, json.trim()) : undefined
}

/** Far more characters than a number of any type has: longer ones take time without bound. */
const LONGEST_NUMBER = 2000

/** Only NaN, ±Infinity and bit patterns of floats are texts by the specification; writers put all others into quotes, too. */
function fromText(dtype: DType, text: string): FillValue | undefined {
  if (/^0x[0-9a-f]+$/i.test(text)) return fromHex(dtype, text.slice(2))
  if (isFloatDType(dtype)) {
    const named = NAMED_FLOATS.get(text.slice(0, 16).toLowerCase())
    if (named !== undefined) return fillFrom(dtype, named)
  }
  if (dtype === 'bool' && /^(true|false)$/i.test(text)) return fillFrom(dtype, text.toLowerCase() === 'true' ? 1 : 0)
  if (text.length > LONGEST_NUMBER) return fromBase64(dtype, text)
  if (/^[+-]?\d+$/.test(text)) return fillFrom(dtype, BigInt(text.replace('+', '')))
  if (/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text)) return fillFrom(dtype, Number(text))
  return fromBase64(dtype, text)
}

const NAMED_FLOATS: ReadonlyMap<string, number> = new Map(Object.entries({
  nan: Number.NaN, infinity: Infinity, '+infinity': Infinity, '-infinity': -Infinity, inf: Infinity, '+inf': Infinity, '-inf': -Infinity,
})) // biome-ignore format: a table

/** An element from its bit pattern, most significant digit first. */
function fromHex(dtype: DType, digits: string): FillValue | undefined {
  const size = BYTES_PER_ELEMENT[dtype]
  return digits.length === 2 * size ? fromBytes(dtype, new Uint8Array(Buffer.from(digits, 'hex').reverse())) : undefined
}

/** Zarr-python 3 sometimes writes the fill value of a v2 array in this form. */
function fromBase64(dtype: DType, text: string): FillValue | undefined {
  const bytes = new Uint8Array(Buffer.from(text, 'base64'))
  const isBase64 = bytes.length === BYTES_PER_ELEMENT[dtype] && Buffer.from(bytes).toString('base64') === text
  if (!isBase64 || (dtype === 'bool' && (bytes[0] as number) > 1)) return undefined
  return fromBytes(dtype, bytes)
}

const fromBytes = (dtype: DType, bytes: Uint8Array): FillValue => ({
  value: typedArray(dtype, 1, bytes.slice().buffer)[0] as Scalar,
  bytes,
})

function fillFrom(dtype: DType, value: Scalar): FillValue | undefined {
  const array = typedArray(dtype, 1)
  const range = INTEGER_RANGES[dtype]
  if (range !== undefined) {
    if (typeof value === 'number' && !Number.isInteger(value)) return undefined
    const integer = BigInt(value)
    if (integer < range[0] || integer > range[1]) return undefined
    if (array instanceof BigInt64Array || array instanceof BigUint64Array) array[0] = integer
    else array[0] = Number(integer)
  } else if (!(array instanceof BigInt64Array || array instanceof BigUint64Array)) {
    array[0] = Number(value)
  }
  // A typed array of integers has already turned -0 into 0.
  return { value: array[0] as Scalar, bytes: bytesOf(array).slice() }
}

/** The fill value as JSON, the same for both versions, except for NaNs that only their bits distinguish. */
export function fillValueToJson(dtype: DType, fill: FillValue, zarrFormat: 2 | 3): Json {
  if (dtype === 'bool') return fill.value === 1
  if (typeof fill.value === 'bigint') return fill.value
  if (Number.isFinite(fill.value)) return fill.value
  if (!Number.isNaN(fill.value)) return fill.value > 0 ? 'Infinity' : '-Infinity'
  const usual = fillFrom(dtype, Number.NaN) as FillValue
  if (zarrFormat === 2 || fill.bytes.every((byte, i) => byte === usual.bytes[i])) return 'NaN'
  return `0x${Buffer.from(fill.bytes).reverse().toString('hex')}`
}
