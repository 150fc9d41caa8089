import { type DType, type TypedArray, typedArray } from '../entry/index.ts'

/** Memory for a block's voxels that the next block uses again: fresh memory for each would keep the collector busy. */
export class Scratch {
  readonly #free: ArrayBuffer[] = []

  /** A typed array with any content; its memory comes back when it is disposed. */
  take(dtype: DType, length: number): Disposable & { readonly data: TypedArray } {
    const bytes = length * typedArray(dtype, 0).BYTES_PER_ELEMENT
    const found = this.#free.findIndex((buffer) => buffer.byteLength >= bytes)
    const buffer = found === -1 ? new ArrayBuffer(bytes) : (this.#free.splice(found, 1)[0] as ArrayBuffer)
    // Too small for what is wanted now: it would only be carried along.
    if (found === -1) this.#free.shift()
    return { data: typedArray(dtype, length, buffer), [Symbol.dispose]: () => void this.#free.push(buffer) }
  }
}
