/** What a kernel takes as an array of voxels; the bigint and half types are here so that they can be refused by name. */
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

/** A box of voxels, C order, as `array.read` gives it; fields beyond these are kept by every kernel. */
export interface Voxels {
  readonly data: TypedArray
  /** Elements per axis, slowest first. */
  readonly shape: readonly number[]
  /** Where the box lies. When it has fewer axes than `shape`, the leading axes are channels. */
  readonly roi?: { readonly offset: readonly number[]; readonly shape: readonly number[] }
}

/** How many elements a shape holds. @throws RangeError unless every length is a whole number ≥ 0 */
export function countElements(shape: readonly number[]): number {
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new RangeError(`A shape is made of whole numbers from 0 on, but this is (${shape.join(', ')}).`)
    }
  }
  return shape.reduce((product, length) => product * length, 1)
}

/** @throws RangeError when `data` does not hold exactly the elements of `shape` */
export function assertShape(data: TypedArray, shape: readonly number[]): void {
  const count = countElements(shape)
  if (data.length !== count) {
    throw new RangeError(
      `Data of shape (${shape.join(', ')}) has ${count} elements, but this ${data[Symbol.toStringTag]} has ${data.length}.`,
    )
  }
}

/** A new array of the type of `data`, all zeros; a Buffer counts as the Uint8Array that it is. */
export function emptyLike<Data extends TypedArray>(data: Data, length: number): Data {
  const types = globalThis as unknown as Record<string, new (length: number) => Data>
  return new types[data[Symbol.toStringTag]]!(length)
}
