import { copyBox, offsetOf } from '../core/array/box-copy.ts'
import { BYTES_PER_ELEMENT, bytesOf, type TypedArray, typedArray } from '../core/array/dtype.ts'
import { rowMajorStrides } from '../core/array/strides.ts'
import { countElements, subtractCoordinates } from '../core/geometry/coordinate.ts'
import { intersectRoi, type Roi, roi } from '../core/geometry/roi.ts'
import type { ChunkedArray } from '../ports/chunked-array.ts'
import type { MemoryBudget, MemoryShare } from './memory-budget.ts'

/** A chunk that is being read, or that has been read. */
interface Held {
  /** Requests that wait for it or copy from it. */
  users: number
  readonly voxels: Promise<TypedArray>
  readonly stop: AbortController
  share?: MemoryShare
  timer?: NodeJS.Timeout
}

/**
 * Reads parts of an array whose chunks are larger than what one request gets. Requests for parts of the same chunk share one read of it,
 * and all chunks together stay within a budget of memory.
 */
export class LargeChunks {
  readonly #array: ChunkedArray
  readonly #memory: MemoryBudget
  readonly #keepMs: number
  readonly #held = new Map<string, Held>()

  /** @param keepMs how long a chunk is kept for further requests, unless its memory is needed earlier */
  constructor(array: ChunkedArray, memory: MemoryBudget, keepMs: number) {
    this.#array = array
    this.#memory = memory
    this.#keepMs = keepMs
  }

  /**
   * Reads a box into memory, in C order. Voxels outside the array are left as they are.
   * @throws Unavailable if too many requests wait for memory
   */
  async read(box: Roi<'voxel'>, into: TypedArray, signal?: AbortSignal): Promise<void> {
    const { shape, chunkShape } = this.#array
    const inside = intersectRoi(box, { offset: shape.map(() => 0), shape })
    const first = inside.offset.map((position, axis) => Math.floor(position / (chunkShape[axis] as number)))
    const end = inside.offset.map((position, axis) =>
      Math.ceil((position + (inside.shape[axis] as number)) / (chunkShape[axis] as number)),
    )
    // One after the other, so that no request keeps a chunk while it waits for another.
    for (const index of indicesBetween(first, end)) {
      await this.#use(index, signal, (voxels, chunk) => copyPart(voxels, chunk, intersectRoi(chunk, inside), box, into))
    }
  }

  async #use(
    index: readonly number[],
    signal: AbortSignal | undefined,
    copy: (voxels: TypedArray, chunk: Roi<'voxel'>) => void,
  ): Promise<void> {
    const key = index.join()
    const chunk = this.#chunkBox(index)
    const held = this.#held.get(key) ?? this.#open(key, chunk)
    held.users++
    held.share?.withdraw()
    clearTimeout(held.timer)
    try {
      copy(await unlessAborted(held.voxels, signal), chunk)
    } finally {
      held.users--
      if (held.users === 0) this.#leave(key, held)
    }
  }

  #open(key: string, chunk: Roi<'voxel'>): Held {
    const stop = new AbortController()
    const take = (share: MemoryShare) => {
      held.share = share
    }
    const held: Held = { users: 0, stop, voxels: this.#load(chunk, stop.signal, take) }
    this.#held.set(key, held)
    held.voxels.catch(() => this.#forget(key, held))
    return held
  }

  async #load(chunk: Roi<'voxel'>, signal: AbortSignal, takeShare: (share: MemoryShare) => void): Promise<TypedArray> {
    const { dtype, chunkShape } = this.#array
    // The file's bytes and the decoded ones.
    const bytes = 2 * BYTES_PER_ELEMENT[dtype] * Number(countElements(chunkShape))
    const share = await this.#memory.take(bytes, signal)
    try {
      const voxels = typedArray(dtype, Number(countElements(chunk.shape)))
      await this.#array.readVoxels(chunk, voxels, { signal })
      signal.throwIfAborted()
      takeShare(share)
      return voxels
    } catch (error) {
      share[Symbol.dispose]()
      throw error
    }
  }

  /** Nobody uses the chunk at the moment. */
  #leave(key: string, held: Held): void {
    const drop = () => this.#forget(key, held)
    if (held.share === undefined || this.#keepMs === 0) drop()
    else {
      held.timer = setTimeout(drop, this.#keepMs).unref()
      held.share.offer(drop)
    }
  }

  #forget(key: string, held: Held): void {
    if (this.#held.get(key) === held) this.#held.delete(key)
    clearTimeout(held.timer)
    held.stop.abort()
    held.share?.[Symbol.dispose]()
  }

  /** The part of a chunk that is inside the array. */
  #chunkBox(index: readonly number[]): Roi<'voxel'> {
    const { shape, chunkShape } = this.#array
    const chunk = roi<'voxel'>(
      index.map((position, axis) => position * (chunkShape[axis] as number)),
      chunkShape,
    )
    return intersectRoi(chunk, { offset: shape.map(() => 0), shape })
  }
}

/** The indices of a box, row by row. */
function* indicesBetween(start: readonly number[], end: readonly number[]): Generator<number[]> {
  const [first, ...rest] = start
  if (first === undefined) return yield []
  for (let i = first; i < (end[0] as number); i++) {
    for (const index of indicesBetween(rest, end.slice(1))) yield [i, ...index]
  }
}

function copyPart(
  voxels: TypedArray,
  chunk: Roi<'voxel'>,
  part: Roi<'voxel'>,
  box: Roi<'voxel'>,
  into: TypedArray,
): void {
  const size = voxels.BYTES_PER_ELEMENT
  const placeIn = (data: TypedArray, around: Roi<'voxel'>) => {
    const strides = rowMajorStrides(around.shape, size)
    return { bytes: bytesOf(data), start: offsetOf(subtractCoordinates(part.offset, around.offset), strides), strides }
  }
  copyBox(part.shape, size, placeIn(voxels, chunk), placeIn(into, box))
}

/** One request may leave while others still wait. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
