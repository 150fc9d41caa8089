import { type DType, type Scalar, typedArray } from '../../core/array/dtype.ts'
import type { Hdf5File } from './hdf5-file.ts'
import { HDF5_CLASS, Hdf5Failure, type Hdf5Library, type Hdf5Metadata } from './library.ts'

/** Attributes that HDF5 itself uses for dimension scales, with types that JSON lacks. */
const HDF5_OWN = new Set(['CLASS', 'NAME', 'DIMENSION_LIST', 'REFERENCE_LIST'])

/**
 * The attributes of an object as JSON: nested lists by their shape; 64-bit integers as numbers if they are exact,
 * otherwise as decimal text; NaN and infinities as text. A value without a JSON form becomes a text that describes its
 * type.
 * @throws Hdf5Failure
 */
export function readAttributes(file: Hdf5File, path: string): Record<string, unknown> {
  const names = file.call((hdf5, id) => hdf5.get_attribute_names(id, `/${path}`))
  const entries = names.filter((name) => !HDF5_OWN.has(name)).map((name) => [name, readAttribute(file, path, name)])
  return Object.fromEntries(entries)
}

function readAttribute(file: Hdf5File, path: string, name: string): unknown {
  const metadata = file.call((hdf5, id) => hdf5.get_attribute_metadata(id, `/${path}`, name))
  if (metadata.shape === null) return null
  const decode = decoderOf(metadata)
  if (decode === undefined) return `(an HDF5 attribute of type class ${metadata.type}, which has no JSON form)`
  const bytes = metadata.size * metadata.total_size
  const { library } = file
  // Not scratch memory: HDF5 allocates the strings of a list while it reads them.
  const pointer = library._malloc(Math.max(8, bytes))
  if (pointer === 0) throw new Hdf5Failure(`can't allocate ${bytes} bytes for attribute "${name}"`, '')
  library.HEAPU8.fill(0, pointer, pointer + bytes)
  try {
    file.call((hdf5, id) => hdf5.get_attribute_data(id, `/${path}`, name, BigInt(pointer)))
    const values = decode(library.HEAPU8.slice(pointer, pointer + bytes), library)
    if (metadata.vlen) file.call((hdf5, id) => hdf5.reclaim_vlen_memory(id, `/${path}`, name, BigInt(pointer)))
    return nestValues(values, metadata.shape)
  } finally {
    library._free(pointer)
  }
}

type Decoder = (bytes: Uint8Array<ArrayBuffer>, library: Hdf5Library) => unknown[]

function decoderOf(metadata: Hdf5Metadata): Decoder | undefined {
  const { type, size, signed, vlen } = metadata
  if (type === HDF5_CLASS.string && vlen) {
    return (bytes, library) =>
      Array.from(new Uint32Array(bytes.buffer), (pointer) => (pointer === 0 ? '' : library.UTF8ToString(pointer)))
  }
  if (type === HDF5_CLASS.string) return (bytes) => fixedStrings(bytes, size)
  const numbers = (dtype: DType): Decoder => {
    const json = dtype === 'float32' ? (value: Scalar) => jsonNumber(shortestDecimal(value as number)) : jsonNumber
    return (bytes) => Array.from(typedArray(dtype, bytes.length / size, bytes.buffer) as ArrayLike<Scalar>, json)
  }
  if (type === HDF5_CLASS.float && [2, 4, 8].includes(size)) return numbers(`float${size * 8}` as DType)
  if (![1, 2, 4, 8].includes(size)) return undefined
  if (type === HDF5_CLASS.integer) return numbers(`${signed ? 'int' : 'uint'}${size * 8}` as DType)
  if (type === HDF5_CLASS.enum && size === 1) return (bytes) => [...bytes].map((value) => enumName(metadata, value))
  return undefined
}

/** Strings of a fixed length, padded with zeros (or, by Fortran, with blanks). */
function fixedStrings(bytes: Uint8Array, size: number): string[] {
  const texts: string[] = []
  for (let at = 0; at + size <= bytes.length; at += size) {
    const end = bytes.indexOf(0, at)
    const text = bytes.subarray(at, end === -1 || end > at + size ? at + size : end)
    texts.push(new TextDecoder().decode(text).trimEnd())
  }
  return texts
}

function jsonNumber(value: Scalar): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : String(value)
  }
  return Number.isFinite(value) ? value : String(value)
}

/** The shortest decimal for a float32: 4.6, not 4.599999904632568. */
function shortestDecimal(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return value
}

/** h5py's bool becomes true or false, any other enumeration its name. */
function enumName(metadata: Hdf5Metadata, value: number): unknown {
  const members = Object.entries(metadata.enum_type?.members ?? {})
  const name = members.find(([, number]) => (number & 0xff) === value)?.[0]
  if (members.length === 2 && (name === 'TRUE' || name === 'FALSE')) return name === 'TRUE'
  return name ?? value
}

/** A flat list as nested lists; without axes, its one value. */
function nestValues(values: readonly unknown[], shape: readonly number[]): unknown {
  const [length, ...inner] = shape
  if (length === undefined) return values[0]
  if (inner.length === 0) return values
  const step = inner.reduce((product, n) => product * n, 1)
  return Array.from({ length }, (_, i) => nestValues(values.slice(i * step, (i + 1) * step), inner))
}
