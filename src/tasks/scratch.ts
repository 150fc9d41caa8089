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

/** Of all tasks of this thread. Held by their scratches alone, so that it is gone when the tasks are. */
let shared: WeakRef<ArrayBuffer[]> | undefined

/**
 * Memory for the voxels of a block that the next block reuses: allocating it each time would burden the garbage collector. All tasks of
 * a thread share it, so that blocks of several tasks in turns need no more than those of the largest.
 */
export class Scratch {
  /** Buffers that nobody uses at the moment. */
  readonly #free = sharedBuffers()

  /** A typed array with undefined content; disposing it returns its memory. */
  take(dtype: DType, length: number): Disposable & { readonly data: TypedArray } {
    const bytes = length * typedArray(dtype, 0).BYTES_PER_ELEMENT
    const buffer = takeFitting(this.#free, bytes) ?? new ArrayBuffer(bytes)
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

function sharedBuffers(): ArrayBuffer[] {
  const known = shared?.deref()
  if (known !== undefined) return known
  const buffers: ArrayBuffer[] = []
  shared = new WeakRef(buffers)
  return buffers
}

/** Takes the smallest buffer that is large enough, so that larger ones stay for those who need them. */
function takeFitting(free: ArrayBuffer[], bytes: number): ArrayBuffer | undefined {
  const fitting = free.filter(({ byteLength }) => byteLength >= bytes).sort((a, b) => a.byteLength - b.byteLength)
  const [best] = fitting
  // Without one, the oldest buffer is too small for the current blocks: drop it instead of keeping it forever.
  if (best === undefined) free.shift()
  else free.splice(free.indexOf(best), 1)
  return best
}
