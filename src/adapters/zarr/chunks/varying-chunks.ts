import type { StridedBytes } from '../../../core/array/box-copy.ts'
import { ChunkCache } from '../../../core/array/chunk-cache.ts'
import { InfrastructureError } from '../../../core/errors.ts'
import type { ChunkAccess } from './chunk-access.ts'
import { type AxisChunks, type ChunkPart, chunkStart } from './chunk-grid.ts'
import { inFlight } from './in-flight.ts'
import { keptChunks } from './plain-chunks.ts'

/** Of how many shapes of chunks the codecs, and their memory, are kept. */
const MAX_SHAPES = 8

/** Makes the access to chunks (or shards) of one shape. @param cache for decoded ones of all shapes */
export type AccessOf = (shape: readonly number[], cache: ChunkCache) => ChunkAccess

/** Chunks, or shards, whose shape depends on where they lie. They are read only. */
export class VaryingChunks implements ChunkAccess {
  readonly byteLength: number
  readonly #chunks: readonly AxisChunks[]
  readonly #accessOf: AccessOf
  readonly #largest: ChunkAccess
  readonly #byShape = new Map<string, ChunkAccess>()
  readonly #cache = new ChunkCache(keptChunks)

  /**
   * @param chunks of each axis
   * @param largest the longest of them along each axis
   */
  constructor(chunks: readonly AxisChunks[], largest: readonly number[], accessOf: AccessOf) {
    this.#chunks = chunks
    this.#accessOf = accessOf
    this.#largest = accessOf(largest, this.#cache)
    this.byteLength = this.#largest.byteLength
  }

  get limit(): number {
    return Math.min(this.#largest.limit, inFlight(this.byteLength))
  }

  async read(part: ChunkPart, target: StridedBytes, keep: boolean, signal?: AbortSignal): Promise<void> {
    await this.#at(part.index).read(part, target, keep, signal)
  }

  async write(): Promise<void> {
    throw new InfrastructureError('IO_ERROR', 'An array with irregular chunks is never opened for writing.')
  }

  #at(index: readonly number[]): ChunkAccess {
    const shape = this.#chunks.map((along, axis) => {
      const at = index[axis] as number
      return chunkStart(along, at + 1) - chunkStart(along, at)
    })
    const key = shape.join()
    const access = this.#byShape.get(key) ?? this.#accessOf(shape, this.#cache)
    this.#byShape.delete(key)
    this.#byShape.set(key, access)
    for (const [oldest] of this.#byShape) {
      if (this.#byShape.size <= MAX_SHAPES) break
      this.#byShape.delete(oldest)
    }
    return access
  }
}
