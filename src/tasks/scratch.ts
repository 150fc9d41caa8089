import {
  countElements,
  type DType,
  type Roi,
  type TypedArray,
  typedArray,
  type VolumeArray,
  type Voxels,
} from '../entry/index.ts'
import { inVoxels } from './block-shapes.ts'

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

  /** Reads a region of a volume; disposing the result returns its memory. @throws what `VolumeArray.read` throws */
  async read(volume: VolumeArray, region: Roi, signal: AbortSignal): Promise<Voxels & Disposable> {
    const shape = [...volume.shape.slice(0, volume.channelAxes), ...inVoxels(volume, region.shape)]
    // A region that is not a whole number of voxels is refused by `read`.
    const memory = this.take(volume.dtype, Number(countElements(shape.map(Math.ceil))))
    try {
      const voxels = await volume.read(region, { into: memory.data, signal })
      return { ...voxels, [Symbol.dispose]: memory[Symbol.dispose] }
    } catch (error) {
      memory[Symbol.dispose]()
      throw error
    }
  }
}
