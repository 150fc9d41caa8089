import { copyBox, fillBox, offsetOf, type StridedBytes } from '../../../core/array/box-copy.ts'
import { ChunkCache, ChunkMemory } from '../../../core/array/chunk-cache.ts'
import { SPARE_BYTES } from '../../codecs/codec.ts'
import { encodedLimit } from '../../files/encoded-limit.ts'
import type { Store } from '../store.ts'
import {
  type ChunkAccess,
  type ChunkOfArray,
  decodeOrThrow,
  fillChunk,
  isOnlyFill,
  isWholeInPlace,
  isWholeShape,
  viewOf,
} from './chunk-access.ts'
import type { ChunkCodec } from './chunk-codec.ts'
import type { ChunkPart } from './chunk-grid.ts'
import { allocate, BufferPool, inFlight } from './in-flight.ts'

/** Decoded chunks of all arrays, kept for the next blocks that need other parts of them. */
export const keptChunks = new ChunkMemory(40 * 2 ** 20)
/** Voxels that are kept at most: with more, smoothing takes no less time. */
const USEFUL_VOXELS = 24 * 2 ** 20
/** Larger chunks are not kept: few of them would fit. */
const MAX_KEPT_BYTES = 16 * 2 ** 20

/**
 * Chunks stored as one file each.
 * @param keyOf the key of a chunk's file in the store
 * @param fill the bytes of the fill value
 * @param writesEmpty whether chunks are written that have the fill value alone
 * @param cache for decoded chunks; if none is given, the chunks get one of their own
 */
export function plainChunks(
  store: Store,
  keyOf: (index: readonly number[]) => string,
  codec: ChunkCodec,
  fill: Uint8Array,
  writesEmpty: boolean,
  cache?: ChunkCache,
): ChunkAccess {
  return new PlainChunks(store, keyOf, codec, fill, writesEmpty, cache)
}

class PlainChunks implements ChunkAccess {
  readonly byteLength: number
  readonly #store: Store
  readonly #keyOf: (index: readonly number[]) => string
  readonly #codec: ChunkCodec
  readonly #fill: Uint8Array
  readonly #writesEmpty: boolean
  readonly #atMost: number
  readonly #cache: ChunkCache | undefined
  /** For encoded chunks until they are written. */
  readonly #encoded: BufferPool
  #decoded: Uint8Array | undefined

  constructor(
    store: Store,
    keyOf: (index: readonly number[]) => string,
    codec: ChunkCodec,
    fill: Uint8Array,
    writesEmpty: boolean,
    cache: ChunkCache | undefined,
  ) {
    const { byteLength, isRaw } = codec
    this.byteLength = byteLength
    this.#store = store
    this.#keyOf = keyOf
    this.#codec = codec
    this.#fill = fill
    this.#writesEmpty = writesEmpty
    this.#atMost = encodedLimit(byteLength)
    // Decoding again must cost more than checking the file for changes.
    const isCached = !isRaw && byteLength <= MAX_KEPT_BYTES && store.lend !== undefined
    this.#cache = isCached ? (cache ?? new ChunkCache(keptChunks, USEFUL_VOXELS * fill.length)) : undefined
    this.#encoded = new BufferPool(codec.encodedRoom, inFlight(byteLength))
  }

  get limit(): number {
    return this.#store.isFast?.() ? 1 : inFlight(this.byteLength)
  }

  async read(part: ChunkPart, target: StridedBytes, keep: boolean, signal?: AbortSignal): Promise<void> {
    if (keep && this.#cache !== undefined) return this.#readThroughCache(this.#cache, part, target)
    if (isWholeInPlace(part, this.#codec, target)) return this.#readInPlace(part, target, signal)
    const found = await this.#withEncoded(part.index, signal, (encoded) => {
      this.#copyTo(target, part, this.#decode(part.index, encoded, this.#scratch()))
    })
    if (found === undefined) fillBox(part.shape, this.#fill, target)
  }

  async write(part: ChunkPart, source: StridedBytes, covers: boolean): Promise<void> {
    const codec = this.#codec
    const key = this.#keyOf(part.index)
    const isInPlace = isWholeInPlace(part, codec, source)
    if (isInPlace && this.#isLeftOut(viewOf(source, this.byteLength))) {
      await this.#store.remove(key)
      return
    }
    if (isInPlace && codec.isRaw) {
      await this.#store.put(key, [viewOf(source, this.byteLength)])
      return
    }
    await this.#encoded.use(async (room) => {
      const encoded = isInPlace
        ? codec.encode(viewOf(source, this.byteLength), room, part.index)
        : await this.#encodeMerged(part, source, covers, room)
      await (encoded === undefined ? this.#store.remove(key) : this.#store.put(key, [encoded]))
    })
  }

  /** Whether a decoded chunk is not stored: a missing one reads the same. */
  #isLeftOut(decoded: Uint8Array): boolean {
    return !this.#writesEmpty && isOnlyFill(decoded, this.#fill)
  }

  async lend(
    index: readonly number[],
    use: (encoded: Uint8Array, decoded: Uint8Array) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const found = await this.#withEncoded(index, signal, (encoded) =>
      use(encoded, this.#decode(index, encoded, this.#scratch())),
    )
    return found !== undefined
  }

  async copy(index: readonly number[], from: ChunkOfArray, isSame: boolean, signal?: AbortSignal): Promise<void> {
    const key = this.#keyOf(index)
    // Encoded before the first wait: after it, another chunk may be decoded to the same memory.
    const encode = (decoded: Uint8Array) =>
      this.#encoded.use((room) => {
        if (this.#codec.isRaw) room.set(decoded)
        return this.#store.put(key, [this.#codec.isRaw ? room : this.#codec.encode(decoded, room, index)])
      })
    const use = (encoded: Uint8Array | undefined, decoded: Uint8Array) => {
      if (this.#isLeftOut(decoded)) return this.#store.remove(key)
      return encoded === undefined ? encode(decoded) : this.#store.put(key, [encoded])
    }
    const take = (encoded: Uint8Array, decoded: Uint8Array) => use(isSame ? encoded : undefined, decoded)
    if ((await from.access.lend?.(from.index, take, signal)) === true) return
    const decoded = this.#scratch().subarray(0, this.byteLength)
    fillChunk(decoded, from.fill)
    await use(undefined, decoded)
  }

  /** Memory for a decoded chunk, and a little more, that is not needed after the current call. */
  #scratch(): Uint8Array {
    this.#decoded ??= allocate(this.byteLength, SPARE_BYTES)
    return this.#decoded
  }

  /** @returns the decoded chunk, in `into` if possible */
  #decode(index: readonly number[], encoded: Uint8Array, into: Uint8Array): Uint8Array {
    return decodeOrThrow(this.#store.where(this.#keyOf(index)), index, () => this.#codec.decode(encoded, into, index))
  }

  #decodeInto(index: readonly number[], encoded: Uint8Array, place: Uint8Array): void {
    const decoded = this.#decode(index, encoded, place)
    if (decoded.buffer !== place.buffer) place.set(decoded)
  }

  #inChunk(bytes: Uint8Array, { inChunk }: ChunkPart): StridedBytes {
    const { strides } = this.#codec
    return { bytes, start: offsetOf(inChunk, strides), strides }
  }

  #copyTo(target: StridedBytes, part: ChunkPart, decoded: Uint8Array): void {
    copyBox(part.shape, this.#fill.length, this.#inChunk(decoded, part), target)
  }

  /** Calls `use` with a chunk's bytes, which are gone when it has ended. @returns undefined if the chunk is missing */
  async #withEncoded(
    index: readonly number[],
    signal: AbortSignal | undefined,
    use: (encoded: Uint8Array) => void | Promise<void>,
  ): Promise<true | undefined> {
    const key = this.#keyOf(index)
    const atMost = this.#atMost
    if (this.#store.lend !== undefined) {
      return (await this.#store.lend(key, { atMost }, use)) === undefined ? undefined : true
    }
    const encoded = await this.#store.get(key, { signal, atMost })
    if (encoded === undefined) return undefined
    await use(encoded)
    return true
  }

  async #readInPlace({ index }: ChunkPart, target: StridedBytes, signal?: AbortSignal): Promise<void> {
    const place = viewOf(target, this.byteLength)
    const take = (encoded: Uint8Array) => this.#decodeInto(index, encoded, place)
    let found: true | undefined
    if (this.#codec.isRaw) {
      const bytes = await this.#store.get(this.#keyOf(index), { into: place, signal, atMost: this.#atMost })
      if (bytes !== undefined) take(bytes)
      found = bytes && true
    } else found = await this.#withEncoded(index, signal, take)
    if (found === undefined) fillChunk(place, this.#fill)
  }

  async #readThroughCache(cache: ChunkCache, part: ChunkPart, target: StridedBytes): Promise<void> {
    const { index } = part
    const options = { known: cache.versionOf(index), atMost: this.#atMost }
    const found = await this.#store.lend?.(this.#keyOf(index), options, (encoded, version) => {
      const size = this.byteLength + SPARE_BYTES
      const memory = cache.spare(size) ?? allocate(size)
      this.#decodeInto(index, encoded, memory)
      this.#copyTo(target, part, memory)
      cache.set(index, memory, version)
    })
    if (found === undefined) return fillBox(part.shape, this.#fill, target)
    if (found !== 'same') return
    // Looked up after the wait: the chunk may have been dropped meanwhile.
    const held = cache.get(index)
    if (held === undefined) return this.#readThroughCache(cache, part, target)
    this.#copyTo(target, part, held)
  }

  /** The encoded content of the file with the part replaced, in `room` if possible; undefined if it is left out. */
  async #encodeMerged(
    part: ChunkPart,
    source: StridedBytes,
    covers: boolean,
    room: Uint8Array,
  ): Promise<Uint8Array | undefined> {
    const codec = this.#codec
    const chunk = () => (codec.isRaw ? room : this.#scratch().subarray(0, this.byteLength))
    const encode = (merged: Uint8Array) => {
      copyBox(part.shape, this.#fill.length, source, this.#inChunk(merged, part))
      if (this.#isLeftOut(merged)) return undefined
      return codec.isRaw ? merged : codec.encode(merged, room, part.index)
    }
    if (isWholeShape(part, codec)) return encode(chunk())
    let encoded: Uint8Array | undefined
    if (!covers) {
      const found = await this.#withEncoded(part.index, undefined, (old) => {
        const merged = chunk()
        this.#decodeInto(part.index, old, merged)
        encoded = encode(merged)
      })
      if (found) return encoded
    }
    const merged = chunk()
    fillChunk(merged, this.#fill)
    return encode(merged)
  }
}
