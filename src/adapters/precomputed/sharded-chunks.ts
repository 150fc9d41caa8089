import { copyBox, offsetOf, type StridedBytes } from '../../core/array/box-copy.ts'
import { productOf } from '../../core/geometry/coordinate.ts'
import { gzipCodec } from '../codecs/zlib.ts'
import { type ChunkAccess, isOnlyFill } from '../zarr/chunks/chunk-access.ts'
import type { ChunkCodec } from '../zarr/chunks/chunk-codec.ts'
import { type ChunkPart, chunkParts } from '../zarr/chunks/chunk-grid.ts'
import { allocate } from '../zarr/chunks/in-flight.ts'
import type { Store } from '../zarr/store.ts'
import type { ShardedReading } from './sharded-reading.ts'
import { mortonCode, placeOfChunk, type Sharding } from './sharding.ts'

const gzip = gzipCodec(6)
/** A shard that is written is in memory, as it is encoded. */
const AT_ONCE = 1

/** Where the shards of an array are, and what they consist of. */
export interface ShardLayout {
  readonly sharding: Sharding
  /** The whole array: (channel,) z, y, x; chunks of a shard along each axis. */
  readonly shape: readonly number[]
  readonly perShard: readonly number[]
  /** Chunks along z, y, x. */
  readonly grid: readonly number[]
  readonly keyOf: (index: readonly number[]) => string
}

/** Shards that are boxes of chunks, one file each, for reading and writing. */
export class ShardedChunks implements ChunkAccess {
  readonly byteLength: number
  readonly limit = AT_ONCE
  readonly #store: Store
  readonly #reading: ShardedReading
  readonly #codec: ChunkCodec
  readonly #layout: ShardLayout
  readonly #fill: Uint8Array
  readonly #writesEmpty: boolean

  constructor(
    store: Store,
    reading: ShardedReading,
    codec: ChunkCodec,
    layout: ShardLayout,
    fill: Uint8Array,
    writesEmpty: boolean,
  ) {
    this.byteLength = codec.byteLength * productOf(layout.perShard)
    this.#store = store
    this.#reading = reading
    this.#codec = codec
    this.#layout = layout
    this.#fill = fill
    this.#writesEmpty = writesEmpty
  }

  async read(part: ChunkPart, target: StridedBytes, keep: boolean, signal?: AbortSignal): Promise<void> {
    for (const inner of chunkParts(part.inChunk, part.shape, this.#codec.shape)) {
      signal?.throwIfAborted()
      const place = { ...target, start: target.start + offsetOf(inner.inBox, target.strides) }
      await this.#reading.read({ ...inner, index: this.#globalIndex(part, inner) }, place, keep, signal)
    }
  }

  async write(part: ChunkPart, source: StridedBytes): Promise<void> {
    const { shape, perShard, sharding, grid, keyOf } = this.#layout
    const chunks: ShardChunk[] = []
    const stored = part.index.map((position, axis) => {
      const length = (perShard[axis] as number) * (this.#codec.shape[axis] as number)
      return Math.min(length, (shape[axis] as number) - position * length)
    })
    const buffer = allocate(this.#codec.byteLength)
    for (const chunk of chunkParts(
      stored.map(() => 0),
      stored,
      this.#codec.shape,
    )) {
      const index = this.#globalIndex(part, chunk)
      await this.#merge(part, chunk, index, source, buffer)
      if (!this.#writesEmpty && isOnlyFill(buffer, this.#fill)) continue
      const encoded = this.#codec.encode(buffer, undefined, index)
      const bytes = sharding.dataIsGzip ? gzip.encode(encoded) : encoded
      chunks.push({ code: mortonCode(index.slice(-3), grid), bytes })
    }
    const key = keyOf(part.index)
    await (chunks.length === 0 ? this.#store.remove(key) : this.#store.put(key, assembleShard(chunks, sharding)))
  }

  /** Fills `buffer` with a chunk of the shard after the write of a part of the shard. */
  async #merge(
    part: ChunkPart,
    chunk: ChunkPart,
    index: readonly number[],
    source: StridedBytes,
    buffer: Uint8Array,
  ): Promise<void> {
    const { strides } = this.#codec
    const from = chunk.inBox.map((start, axis) => Math.max(start, part.inChunk[axis] as number))
    const shape = chunk.inBox.map((start, axis) => {
      const end = Math.min(
        start + (chunk.shape[axis] as number),
        (part.inChunk[axis] as number) + (part.shape[axis] as number),
      )
      return Math.max(0, end - (from[axis] as number))
    })
    buffer.fill(0)
    if (shape.some((length, axis) => length < (chunk.shape[axis] as number))) {
      await this.#reading.read({ ...chunk, index }, { bytes: buffer, start: 0, strides }, false)
    }
    if (shape.includes(0)) return
    const place = (origin: readonly number[]) => from.map((start, axis) => start - (origin[axis] as number))
    copyBox(
      shape,
      this.#fill.length,
      { ...source, start: source.start + offsetOf(place(part.inChunk), source.strides) },
      { bytes: buffer, start: offsetOf(place(chunk.inBox), strides), strides },
    )
  }

  /** Index of a chunk of a shard in the array. */
  #globalIndex(part: ChunkPart, chunk: ChunkPart): number[] {
    return part.index.map(
      (position, axis) => position * (this.#layout.perShard[axis] as number) + (chunk.index[axis] as number),
    )
  }
}

interface ShardChunk {
  /** Its number. */
  readonly code: bigint
  /** As it is stored. */
  readonly bytes: Uint8Array
}

/**
 * The file of a shard: where the index of each minishard starts and ends, counted from behind this list; the chunks; the indices.
 * @returns its parts
 */
export function assembleShard(chunks: readonly ShardChunk[], sharding: Sharding): Uint8Array[] {
  const minishards: ShardChunk[][] = Array.from({ length: 2 ** sharding.minishardBits }, () => [])
  for (const chunk of chunks) minishards[placeOfChunk(chunk.code, sharding).minishard]?.push(chunk)
  const data: Uint8Array[] = []
  const indices: Uint8Array[] = []
  let end = 0
  for (const minishard of minishards) {
    minishard.sort((a, b) => (a.code < b.code ? -1 : 1))
    const { length } = minishard
    const index = new BigUint64Array(3 * length)
    minishard.forEach(({ code, bytes }, i) => {
      index[i] = code - (minishard[i - 1]?.code ?? 0n)
      // The first start is counted from where the chunks start, all others from the chunk before.
      index[length + i] = i === 0 ? BigInt(end) : 0n
      index[2 * length + i] = BigInt(bytes.length)
      data.push(bytes)
      end += bytes.length
    })
    const bytes = new Uint8Array(index.buffer)
    indices.push(length > 0 && sharding.indexIsGzip ? gzip.encode(bytes) : bytes)
  }
  const bounds = new BigUint64Array(2 * minishards.length)
  indices.forEach(({ length }, minishard) => {
    bounds[2 * minishard] = BigInt(end)
    end += length
    bounds[2 * minishard + 1] = BigInt(end)
  })
  return [new Uint8Array(bounds.buffer), ...data, ...indices]
}
