import { BYTES_PER_ELEMENT, type DType, isFloatDType, type Scalar, typedArray } from '../../core/array/dtype.ts'
import { HDF5_CLASS, type Hdf5Metadata } from './library.ts'
import type { StoredType } from './object-header.ts'

/** IEEE 754 as {@link StoredType.layout} spells it. */
const FLOATS: Readonly<Record<string, DType>> = {
  '0/16/10/5/0/10/15': 'float16',
  '0/32/23/8/0/23/127': 'float32',
  '0/64/52/11/0/52/1023': 'float64',
}

const CLASS_NAMES: Readonly<Record<number, string>> = {
  [HDF5_CLASS.time]: 'times',
  [HDF5_CLASS.string]: 'strings',
  [HDF5_CLASS.opaque]: 'opaque bytes',
  [HDF5_CLASS.compound]: 'compound records',
  [HDF5_CLASS.reference]: 'references',
  [HDF5_CLASS.vlen]: 'variable-length lists',
  [HDF5_CLASS.array]: 'small arrays',
}

/** The dtype of a dataset, or a description of elements that can't be read. */
export function dtypeOfStored(stored: StoredType, metadata: Hdf5Metadata): { dtype: DType } | { refused: string } {
  const bits = stored.bytes * 8
  switch (stored.class) {
    case HDF5_CLASS.integer:
    case HDF5_CLASS.bitfield: {
      if (![8, 16, 32, 64].includes(bits)) return { refused: `integers of ${stored.bytes} bytes` }
      if (stored.layout !== `0/${bits}`) {
        return { refused: `integers that use only some of their bits (offset/precision ${stored.layout} of ${bits})` }
      }
      // h5wasm can't swap the bytes of an enum.
      if (stored.isEnum && stored.bigEndian && bits > 8) return { refused: 'a big-endian enumeration' }
      if (stored.isEnum && isH5pyBool(metadata)) return { dtype: 'bool' }
      return { dtype: `${stored.signed ? 'int' : 'uint'}${bits}` as DType }
    }
    case HDF5_CLASS.float: {
      const dtype = FLOATS[stored.layout]
      return dtype === undefined ? { refused: `floats that are not IEEE 754 (${stored.layout})` } : { dtype }
    }
    default:
      // HDF5 stores variable-length strings as lists; only the metadata marks them as strings.
      return { refused: CLASS_NAMES[metadata.type] ?? `elements of HDF5 type class ${stored.class}` }
  }
}

/** h5py stores NumPy's bool as an enumeration of two names. */
function isH5pyBool(metadata: Hdf5Metadata): boolean {
  const members = metadata.enum_type?.members ?? {}
  return metadata.size === 1 && Object.keys(members).length === 2 && members.FALSE === 0 && members.TRUE === 1
}

/** One stored element as a value. @param bytes undefined for HDF5's default, 0 */
export function scalarOf(bytes: Uint8Array | undefined, dtype: DType, bigEndian: boolean): Scalar {
  const one = typedArray(dtype, 1)
  const raw = new Uint8Array(one.buffer)
  if (bytes?.length === BYTES_PER_ELEMENT[dtype]) raw.set(bigEndian ? [...bytes].reverse() : bytes)
  const value = one[0] as Scalar
  return !isFloatDType(dtype) && typeof value === 'number' ? value + 0 : value
}
