import { copyBox, fillBox, offsetOf, type StridedBytes } from '../../../core/array/box-copy.ts'
import { ChunkCache } from '../../../core/array/chunk-cache.ts'
import { encodedLimit, type Store } from '../store.ts'
import { type ChunkAccess, decodeOrThrow, fillChunk, isWholeInPlace, viewOf } from './chunk-access.ts'
import type { ChunkCodec } from './chunk-codec.ts'
import type { ChunkPart } from './chunk-grid.ts'
import { BufferPool, inFlight } from './in-flight.ts'

/** Bytes of decoded chunks kept for the next blocks that need other parts of them. */
const CACHE_BYTES = 64 * 2 ** 20

/**
 * Chunks stored as one file each.
 * @param keyOf the key of a chunk's file in the store
 * @param fill the bytes of the fill value
 */
export function plainChunks(
  store: Store,
  keyOf: (index: readonly number[]) => string,
  codec: ChunkCodec,
  fill: Uint8Array,
): ChunkAccess {
  const { byteLength, strides } = codec
  const limit = inFlight(byteLength)
  const atMost = encodedLimit(byteLength)
  const pool = new BufferPool(byteLength, limit)
  const cache = new ChunkCache(CACHE_BYTES)
  const inChunk = (bytes: Uint8Array, part: ChunkPart): StridedBytes => ({
    bytes,
    start: offsetOf(part.inChunk, strides),
    strides,
  })

  /** The decoded chunk, in `buffer` if the codec supports that; undefined if the chunk is missing. */
  async function load(index: readonly number[], buffer: Uint8Array, signal?: AbortSignal) {
    const key = keyOf(index)
    const encoded = await store.get(key, { into: codec.isRaw ? buffer : undefined, signal, atMost })
    return encoded && decodeOrThrow(store.where(key), index, () => codec.decode(encoded, buffer))
  }

  /** The decoded chunk for a partial read; cached if decoding it again would cost more than checking its file for changes. */
  async function loadPart(index: readonly number[], buffer: Uint8Array, signal?: AbortSignal) {
    if (codec.isRaw || byteLength > CACHE_BYTES / 4 || store.getUnless === undefined) return load(index, buffer, signal)
    const key = keyOf(index)
    const found = await store.getUnless(key, cache.versionOf(index), { atMost })
    if (found === undefined) return undefined
    // Looked up after the wait: the chunk may have been evicted meanwhile.
    const held = found === 'same' ? cache.get(index) : undefined
    if (held !== undefined) return held
    if (found === 'same') return load(index, buffer, signal)
    const decoded = decodeOrThrow(store.where(key), index, () => codec.decode(found.bytes, new Uint8Array(byteLength)))
    cache.set(index, decoded, found.version)
    return decoded
  }

  async function readInto(part: ChunkPart, target: StridedBytes, signal?: AbortSignal): Promise<void> {
    const place = viewOf(target, byteLength)
    const decoded = await load(part.index, place, signal)
    if (decoded === undefined) fillChunk(place, fill)
    else if (decoded !== place) place.set(decoded)
  }

  /** The content of the file with the part replaced, in `buffer`. */
  async function merge(part: ChunkPart, source: StridedBytes, covers: boolean, buffer: Uint8Array) {
    const old = covers ? undefined : await load(part.index, buffer)
    if (old === undefined) fillChunk(buffer, fill)
    else if (old !== buffer) buffer.set(old)
    copyBox(part.shape, fill.length, source, inChunk(buffer, part))
  }

  return {
    byteLength,
    limit,
    async read(part, target, signal) {
      if (isWholeInPlace(part, codec, target)) return readInto(part, target, signal)
      await pool.use(async (buffer) => {
        const decoded = await loadPart(part.index, buffer, signal)
        if (decoded === undefined) fillBox(part.shape, fill, target)
        else copyBox(part.shape, fill.length, inChunk(decoded, part), target)
      })
    },
    async write(part, source, covers) {
      const key = keyOf(part.index)
      if (isWholeInPlace(part, codec, source)) {
        await store.put(key, [codec.encode(viewOf(source, byteLength))])
        return
      }
      await pool.use(async (buffer) => {
        const isWhole = part.shape.every((length, axis) => length === codec.shape[axis])
        if (isWhole) copyBox(part.shape, fill.length, source, inChunk(buffer, part))
        else await merge(part, source, covers, buffer)
        await store.put(key, [codec.encode(buffer)])
      })
    },
  }
}
