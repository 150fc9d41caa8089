import { copyBox, fillBox, offsetOf, type StridedBytes } from '../../../core/array/box-copy.ts'
import { productOf } from '../../../core/geometry/coordinate.ts'
import { SPARE_BYTES } from '../../codecs/codec.ts'
import type { Store } from '../store.ts'
import { type ChunkAccess, decodeOrThrow, fillChunk, isOnlyFill, isWholeInPlace, viewOf } from './chunk-access.ts'
import type { ChunkCodec } from './chunk-codec.ts'
import type { ShardSettings } from './chunk-encoding.ts'
import { type ChunkPart, chunkParts } from './chunk-grid.ts'
import { allocate, BufferPool, forEachInFlight, inFlight } from './in-flight.ts'
import { type FetchChunk, ShardFiles } from './shard-files.ts'

/** A shard of at most this many decoded bytes is read in one piece if at least half of its chunks are wanted. */
const MAX_WHOLE_BYTES = 64 * 2 ** 20
const MAX_SHARDS_IN_FLIGHT = 4

/** Chunks stored in shards, one file per shard. */
export class ShardedChunks implements ChunkAccess {
  readonly byteLength: number
  readonly #store: Store
  readonly #codec: ChunkCodec
  readonly #fill: Uint8Array
  readonly #arrayShape: readonly number[]
  readonly #writesEmpty: boolean
  /** Chunks of a shard: along each axis, and in total. */
  readonly #perShard: readonly number[]
  readonly #count: number
  readonly #files: ShardFiles
  /** For the encoded chunks of a shard until they are written; those of a large one each get memory of their own. */
  readonly #encoded: BufferPool | undefined
  #decoded: Uint8Array | undefined

  /**
   * @param keyOf the key of a shard's file in the store
   * @param codec of the inner chunks
   * @param fill the bytes of the fill value
   * @param array its shape: chunks of a shard that lie outside it are never stored; and whether chunks are written that have the fill
   * value alone
   */
  constructor(
    store: Store,
    keyOf: (index: readonly number[]) => string,
    codec: ChunkCodec,
    shard: ShardSettings,
    fill: Uint8Array,
    array: { readonly shape: readonly number[]; readonly writesEmpty: boolean },
  ) {
    this.#store = store
    this.#codec = codec
    this.#fill = fill
    this.#arrayShape = array.shape
    this.#writesEmpty = array.writesEmpty
    this.#perShard = shard.shape.map((length, axis) => length / (codec.shape[axis] as number))
    this.#count = productOf(this.#perShard)
    this.#files = new ShardFiles(store, keyOf, shard, this.#count, Math.max(codec.byteLength, codec.encodedRoom))
    this.byteLength = codec.byteLength * this.#count
    const room = codec.encodedRoom * this.#count
    this.#encoded = room <= MAX_WHOLE_BYTES ? new BufferPool(room, 1) : undefined
  }

  get limit(): number {
    return this.#store.isFast?.() ? 1 : Math.min(MAX_SHARDS_IN_FLIGHT, inFlight(this.byteLength))
  }

  async read(part: ChunkPart, target: StridedBytes, _keep: boolean, signal?: AbortSignal): Promise<void> {
    const inners = [...this.#innerParts(part)]
    const use = async (fetchChunk: FetchChunk | undefined) => {
      if (fetchChunk === undefined) fillBox(part.shape, this.#fill, target)
      else await this.#readChunks(part, inners, target, fetchChunk, signal)
    }
    const isMostOfIt = 2 * inners.length >= this.#count && this.byteLength <= MAX_WHOLE_BYTES
    if (this.#files.isWrapped || isMostOfIt) await this.#files.readWhole(part.index, signal, use)
    else {
      const chunks = inners.map((inner) => this.#numberOf(inner))
      await this.#files.readParts(part.index, chunks, signal, use)
    }
  }

  async write(part: ChunkPart, source: StridedBytes, covers: boolean): Promise<void> {
    if (covers) await this.#replace(part, source, undefined)
    else await this.#files.readWhole(part.index, undefined, (old) => this.#replace(part, source, old))
  }

  async #replace(part: ChunkPart, source: StridedBytes, old: FetchChunk | undefined): Promise<void> {
    const chunks: (Uint8Array | undefined)[] = Array.from({ length: this.#count }, () => undefined)
    if (old !== undefined) {
      for (let chunk = 0; chunk < this.#count; chunk++) chunks[chunk] = await old(chunk, part.index)
    }
    const encodeInto = async (room: Uint8Array | undefined) => {
      let used = 0
      for (const inner of this.#innerParts(part)) {
        const own = room?.subarray(used, used + this.#codec.encodedRoom) ?? new Uint8Array(this.#codec.encodedRoom)
        const encoded = await this.#encodeChunk(part, inner, at(source, inner), old, own)
        chunks[this.#numberOf(inner)] = encoded
        used += encoded?.length ?? 0
      }
      await this.#files.write(part.index, chunks)
    }
    await (this.#encoded === undefined ? encodeInto(undefined) : this.#encoded.use(encodeInto))
  }

  #innerParts(part: ChunkPart): Generator<ChunkPart> {
    return chunkParts(part.inChunk, part.shape, this.#codec.shape)
  }

  /** Row-major number of an inner chunk in its shard. */
  #numberOf(inner: ChunkPart): number {
    return inner.index.reduce((number, position, axis) => number * (this.#perShard[axis] as number) + position, 0)
  }

  /** Index of an inner chunk in the array. */
  #globalIndex(part: ChunkPart, inner: ChunkPart): number[] {
    return part.index.map(
      (position, axis) => position * (this.#perShard[axis] as number) + (inner.index[axis] as number),
    )
  }

  async #readChunks(
    part: ChunkPart,
    inners: readonly ChunkPart[],
    target: StridedBytes,
    fetchChunk: FetchChunk,
    signal?: AbortSignal,
  ): Promise<void> {
    const file = this.#files.where(part.index)
    const limit = this.#store.isFast?.() ? 1 : inFlight(this.#codec.byteLength)
    await forEachInFlight(inners, limit, signal, async (inner) => {
      const index = this.#globalIndex(part, inner)
      const encoded = await fetchChunk(this.#numberOf(inner), index)
      this.#decodeInto(encoded, index, file, inner, at(target, inner))
    })
  }

  #decodeInto(
    encoded: Uint8Array | undefined,
    index: readonly number[],
    file: string,
    inner: ChunkPart,
    target: StridedBytes,
  ): void {
    if (encoded === undefined) {
      fillBox(inner.shape, this.#fill, target)
      return
    }
    const place = isWholeInPlace(inner, this.#codec, target) ? viewOf(target, this.#codec.byteLength) : undefined
    const decoded = decodeOrThrow(file, index, () => this.#codec.decode(encoded, place ?? this.#scratch(), index))
    if (decoded !== place) copyBox(inner.shape, this.#fill.length, this.#inChunk(decoded, inner), target)
  }

  /** Memory for a decoded chunk, and a little more, that is not needed after the current call. */
  #scratch(): Uint8Array {
    this.#decoded ??= allocate(this.#codec.byteLength, SPARE_BYTES)
    return this.#decoded
  }

  /** The encoded inner chunk after a write of `inner`; undefined if it is left out. @param old returns the stored chunk @param room for the result */
  async #encodeChunk(
    part: ChunkPart,
    inner: ChunkPart,
    source: StridedBytes,
    old: FetchChunk | undefined,
    room: Uint8Array,
  ): Promise<Uint8Array | undefined> {
    const codec = this.#codec
    const index = this.#globalIndex(part, inner)
    // Raw bytes are a view of the caller's array, which must not change until the write has ended.
    if (isWholeInPlace(inner, codec, source)) {
      const whole = viewOf(source, codec.byteLength)
      return this.#isLeftOut(whole) ? undefined : codec.encode(whole, room, index)
    }
    const encoded = this.#isCovered(inner, index) ? undefined : await old?.(this.#numberOf(inner), index)
    const buffer = codec.isRaw ? room : this.#scratch().subarray(0, codec.byteLength)
    if (encoded === undefined) {
      fillChunk(buffer, this.#fill)
    } else {
      const decoded = decodeOrThrow(this.#files.where(part.index), index, () => codec.decode(encoded, buffer, index))
      if (decoded !== buffer) buffer.set(decoded)
    }
    copyBox(inner.shape, this.#fill.length, source, this.#inChunk(buffer, inner))
    if (this.#isLeftOut(buffer)) return undefined
    return codec.isRaw ? buffer : codec.encode(buffer, room, index)
  }

  /** Whether a decoded chunk is not stored: a missing one reads the same. */
  #isLeftOut(decoded: Uint8Array): boolean {
    return !this.#writesEmpty && isOnlyFill(decoded, this.#fill)
  }

  /** Whether a part covers all of an inner chunk that is inside the array. */
  #isCovered(inner: ChunkPart, index: readonly number[]): boolean {
    return inner.shape.every((length, axis) => {
      const start = (index[axis] as number) * (this.#codec.shape[axis] as number)
      const end = Math.min(start + (this.#codec.shape[axis] as number), this.#arrayShape[axis] as number)
      return inner.inChunk[axis] === 0 && length === end - start
    })
  }

  /** The place of a part in its decoded chunk. */
  #inChunk(bytes: Uint8Array, { inChunk }: ChunkPart): StridedBytes {
    const { strides } = this.#codec
    return { bytes, start: offsetOf(inChunk, strides), strides }
  }
}

const at = (memory: StridedBytes, inner: ChunkPart): StridedBytes => ({
  ...memory,
  start: memory.start + offsetOf(inner.inBox, memory.strides),
})
