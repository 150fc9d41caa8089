import { BYTES_PER_ELEMENT, bytesOf, type DType, type TypedArray } from '../../src/core/array/dtype.ts'

const CODES: Readonly<Record<string, string>> = {
  ...{ bool: 'b1', int8: 'i1', int16: 'i2', int32: 'i4', int64: 'i8', uint8: 'u1', uint16: 'u2', uint32: 'u4' },
  ...{ uint64: 'u8', float16: 'f2', float32: 'f4', float64: 'f8' },
}

/** The bytes of a `.npy` file. @param voxels in the order in which they are stored */
export function npyBytes(
  shape: readonly number[],
  dtype: DType,
  voxels: TypedArray,
  options: { readonly order?: 'C' | 'F'; readonly bigEndian?: boolean } = {},
): Buffer {
  const size = BYTES_PER_ELEMENT[dtype]
  const sign = size === 1 ? '|' : options.bigEndian ? '>' : '<'
  const text = `{'descr': '${sign}${CODES[dtype]}', 'fortran_order': ${options.order === 'F' ? 'True' : 'False'}, 'shape': (${shape.join(', ')},), }`
  const header = Buffer.from(`${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`, 'latin1')
  const start = Buffer.from('\u0093NUMPY\u0001\0..', 'latin1')
  start.writeUInt16LE(header.length, 8)
  return Buffer.concat([start, header, inOrder(bytesOf(voxels), size, options.bigEndian ?? false)])
}

/** The bytes of elements, swapped if they are to be big-endian. */
export function inOrder(bytes: Uint8Array, size: number, bigEndian: boolean): Buffer {
  const copy = Buffer.from(bytes)
  if (bigEndian && size === 2) copy.swap16()
  if (bigEndian && size === 4) copy.swap32()
  if (bigEndian && size === 8) copy.swap64()
  return copy
}

/** The voxels of an array in C order, the other way around: the first axis is the fastest. */
export function inFortranOrder(shape: readonly number[], voxels: TypedArray): TypedArray {
  const size = voxels.BYTES_PER_ELEMENT
  const turned = voxels.slice()
  // Bytes are moved, so that NaNs stay what they are.
  const [from, to] = [bytesOf(voxels), bytesOf(turned)]
  const steps = shape.map((_, axis) => shape.slice(0, axis).reduce((product, length) => product * length, size))
  const index = shape.map(() => 0)
  for (let i = 0; i < voxels.length; i++) {
    const place = index.reduce((sum, at, axis) => sum + at * (steps[axis] as number), 0)
    to.set(from.subarray(i * size, (i + 1) * size), place)
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] as number) + 1
      if ((index[axis] as number) < (shape[axis] as number)) break
      index[axis] = 0
    }
  }
  return turned
}
