/** The arrays of voxels that kernels know; a kernel that does not support a type refuses it by name. */
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

/** A box of voxels, C order, with its shape, as `array.read` returns it. Kernels that return such a box keep all other fields. */
export interface ShapedVoxels {
  readonly data: TypedArray
  /** Elements per axis, slowest first. */
  readonly shape: readonly number[]
  /** The region of the box. If it has fewer axes than `shape`, the leading axes are channels. */
  readonly roi?: { readonly offset: readonly number[]; readonly shape: readonly number[] }
}

/** The number of elements of a shape. @throws RangeError unless every length is a whole number ≥ 0 */
export function elementCount(shape: readonly number[]): number {
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new RangeError(`The shape is (${shape.join(', ')}); expected whole numbers from 0.`)
    }
  }
  return shape.reduce((product, length) => product * length, 1)
}

/** @throws RangeError if `data` does not have exactly the elements of `shape` */
export function assertShape(data: TypedArray, shape: readonly number[]): void {
  const count = elementCount(shape)
  if (data.length !== count) {
    throw new RangeError(
      `The ${data[Symbol.toStringTag]} has ${data.length} elements; expected ${count} for the shape (${shape.join(', ')}).`,
    )
  }
}

export const isFloat = (data: TypedArray): boolean => /^Float/.test(data[Symbol.toStringTag])

/** Integers of 64 bits. */
export type LargeIntegers = BigInt64Array | BigUint64Array

export const areLargeIntegers = (data: TypedArray): data is LargeIntegers =>
  data instanceof BigInt64Array || data instanceof BigUint64Array

/** How many elements apart neighbours along each axis are, in C order. */
export const stridesOf = (shape: readonly number[]): number[] =>
  shape.map((_, axis) => shape.slice(axis + 1).reduce((product, length) => product * length, 1))

/** A new array of the type of `data`, all zeros; for a Buffer it is a Uint8Array. */
export function emptyLike<Data extends TypedArray>(data: Data, length: number): Data {
  const types = globalThis as unknown as Record<string, new (length: number) => Data>
  return new types[data[Symbol.toStringTag]]!(length)
}
