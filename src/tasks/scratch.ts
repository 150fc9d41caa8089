import { type DType, type TypedArray, typedArray } from '../entry/index.ts'

/** Memory for the voxels of a block that the next block reuses: allocating it each time would burden the garbage collector. */
export class Scratch {
  readonly #free: ArrayBuffer[] = []

  /** A typed array with undefined content; disposing it returns its memory. */
  take(dtype: DType, length: number): Disposable & { readonly data: TypedArray } {
    const bytes = length * typedArray(dtype, 0).BYTES_PER_ELEMENT
    const found = this.#free.findIndex((buffer) => buffer.byteLength >= bytes)
    const buffer = found === -1 ? new ArrayBuffer(bytes) : (this.#free.splice(found, 1)[0] as ArrayBuffer)
    // The oldest buffer is too small for the current blocks: drop it instead of keeping it forever.
    if (found === -1) this.#free.shift()
    return { data: typedArray(dtype, length, buffer), [Symbol.dispose]: () => void this.#free.push(buffer) }
  }
}
