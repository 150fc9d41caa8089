import {
  BYTES_PER_ELEMENT,
  bytesOf,
  DTYPES,
  type DType,
  isBigDType,
  isFloatDType,
  type TypedArray,
  typedArray,
} from '../../../core/array/dtype.ts'
import { ConfigError } from '../../../core/errors.ts'
import { CodecError } from '../../codecs/codec.ts'
import { swapBytes } from '../../files/swap-bytes.ts'
import { type Json, show } from '../metadata/exact-json.ts'

/** The elements that a filter gets or returns. */
export interface Elements {
  readonly dtype: DType
  readonly bigEndian: boolean
}

const KINDS: Readonly<Record<string, string>> = { b: 'bool', i: 'int', u: 'uint', f: 'float' }

/** A dtype as NumPy writes it: `<u2`, `u2`, `uint16`. @throws ConfigError `UNSUPPORTED` */
export function parseElements(value: Json | undefined, what: string): Elements {
  const text = typeof value === 'string' ? value : ''
  const [, order, kind = '', bytes] = /^([<>|=]?)([biuf])(\d)$/.exec(text) ?? []
  const name = order === undefined ? text : kind === 'b' ? 'bool' : `${KINDS[kind]}${8 * Number(bytes)}`
  const dtype = DTYPES.find((known) => known === name)
  if (dtype !== undefined) return { dtype, bigEndian: order === '>' }
  throw new ConfigError(
    'UNSUPPORTED',
    `${what}: the dtype ${show(value)} is not supported; Bellis reads ${DTYPES.join(', ')}.`,
  )
}

/** Bytes as elements in the machine's byte order; a copy. @throws CodecError */
export function elementsOf(bytes: Uint8Array, { dtype, bigEndian }: Elements): TypedArray {
  const size = BYTES_PER_ELEMENT[dtype]
  if (bytes.length % size !== 0) {
    throw new CodecError(`it has ${bytes.length} bytes where elements of ${size} bytes are expected`)
  }
  const copy = new Uint8Array(bytes)
  return typedArray(dtype, copy.length / size, (bigEndian ? swapBytes(copy, size) : copy).buffer)
}

/** Elements as bytes; swaps them in place. */
export function bytesOfElements(data: TypedArray, { dtype, bigEndian }: Elements): Uint8Array {
  const bytes = bytesOf(data)
  return bigEndian ? swapBytes(bytes, BYTES_PER_ELEMENT[dtype]) : bytes
}

/** Elements of another type, converted as NumPy's `astype` does. @throws CodecError for a float that is no integer of any size */
export function castElements(data: TypedArray, from: DType, to: DType): TypedArray {
  if (from === to) return data
  const result = typedArray(to, data.length)
  const convert = isBigDType(to)
    ? bigOf
    : to === 'bool'
      ? (value: number | bigint) => Number(Number(value) !== 0)
      : numberFor(to)
  for (let i = 0; i < data.length; i++) result[i] = convert(data[i] as number) as never
  return result
}

/** The type in which NumPy adds elements of two types; of two types of integers, the larger one: sums wrap in both. */
export function commonType(a: DType, b: DType): DType {
  if (isFloatDType(a) === isFloatDType(b)) return BYTES_PER_ELEMENT[a] >= BYTES_PER_ELEMENT[b] ? a : b
  // A float that has all digits of the integer.
  const [float, integer] = isFloatDType(a) ? [a, b] : [b, a]
  const bytes = Math.max(BYTES_PER_ELEMENT[float], 2 * BYTES_PER_ELEMENT[integer])
  return bytes === 2 ? 'float16' : bytes === 4 ? 'float32' : 'float64'
}

function bigOf(value: number | bigint): bigint {
  if (typeof value === 'bigint') return value
  if (Number.isFinite(value)) return BigInt(Math.trunc(value))
  throw new CodecError(`a filter has to make an integer of ${value}`)
}

const numberFor = (dtype: DType): ((value: number | bigint) => number) =>
  isFloatDType(dtype)
    ? Number
    : (value) => (typeof value === 'bigint' ? Number(BigInt.asIntN(32, value)) : integerOf(value))

function integerOf(value: number): number {
  if (Number.isFinite(value)) return value
  throw new CodecError(`a filter has to make an integer of ${value}`)
}
