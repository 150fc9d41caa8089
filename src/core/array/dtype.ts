import { ConfigError } from '../errors.ts'

/** The element types of arrays, by NumPy's names. */
export const DTYPES = [
  'bool',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'float16',
  'float32',
  'float64',
] as const

/** One of {@link DTYPES}. */
export type DType = (typeof DTYPES)[number]

/** The arrays of voxels in memory: one type for each dtype; `Uint8Array` also stands for `bool`. */
export type TypedArray =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float16Array
  | Float32Array
  | Float64Array

/** One element: `bigint` for 64-bit integers, otherwise `number` (bool is 0 or 1). */
export type Scalar = number | bigint

/** Bytes of one element. */
export const BYTES_PER_ELEMENT: Readonly<Record<DType, 1 | 2 | 4 | 8>> = {
  bool: 1,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  uint8: 1,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  float16: 2,
  float32: 4,
  float64: 8,
}

export const isBigDType = (dtype: DType): dtype is 'int64' | 'uint64' => dtype === 'int64' || dtype === 'uint64'
export const isFloatDType = (dtype: DType): boolean => dtype.startsWith('float')

export function parseDType(name: string): DType {
  if ((DTYPES as readonly string[]).includes(name)) return name as DType
  throw new ConfigError('UNSUPPORTED', `The dtype "${name}" is not supported; use one of ${DTYPES.join(', ')}.`)
}

/** A typed array of `dtype` over `length` elements of `buffer`, or over a new one filled with zeros. */
export function typedArray(dtype: DType, length: number, buffer?: ArrayBufferLike, byteOffset = 0): TypedArray {
  const memory = buffer ?? new ArrayBuffer(length * BYTES_PER_ELEMENT[dtype])
  switch (dtype) {
    case 'bool':
    case 'uint8':
      return new Uint8Array(memory, byteOffset, length)
    case 'int8':
      return new Int8Array(memory, byteOffset, length)
    case 'int16':
      return new Int16Array(memory, byteOffset, length)
    case 'uint16':
      return new Uint16Array(memory, byteOffset, length)
    case 'int32':
      return new Int32Array(memory, byteOffset, length)
    case 'uint32':
      return new Uint32Array(memory, byteOffset, length)
    case 'int64':
      return new BigInt64Array(memory, byteOffset, length)
    case 'uint64':
      return new BigUint64Array(memory, byteOffset, length)
    case 'float16':
      if (typeof Float16Array === 'undefined') {
        throw new ConfigError(
          'UNSUPPORTED',
          'float16 needs Node 24 or newer; convert the data to float32, or update Node.',
        )
      }
      return new Float16Array(memory, byteOffset, length)
    case 'float32':
      return new Float32Array(memory, byteOffset, length)
    case 'float64':
      return new Float64Array(memory, byteOffset, length)
    default:
      return dtype satisfies never
  }
}

/** Whether `data` is of the type of array for `dtype`. */
export function holdsDType(data: TypedArray, dtype: DType): boolean {
  return data.constructor === typedArray(dtype, 0).constructor
}

/** The dtype of a typed array; a Uint8Array is `uint8`, never `bool`. @throws ConfigError `UNSUPPORTED` */
export function dtypeOf(data: TypedArray): DType {
  const found = DTYPES.find(
    (dtype) => dtype !== 'bool' && data.constructor.name.toLowerCase() === `${arrayName(dtype)}array`,
  )
  if (found === undefined)
    throw new ConfigError(
      'UNSUPPORTED',
      `A ${data.constructor.name} can't contain voxels; use one of the typed arrays of numbers.`,
    )
  return found
}

const arrayName = (dtype: DType): string => (isBigDType(dtype) ? `big${dtype}` : dtype)

/** The bytes of a typed array, without a copy. */
export const bytesOf = (data: TypedArray): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
