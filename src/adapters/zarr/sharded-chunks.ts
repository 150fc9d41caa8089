import { copyBox, fillBox, offsetOf, type StridedBytes } from '../../core/array/box-copy.ts'
import { type ChunkAccess, decodeOrThrow, fillChunk, isWholeInPlace, viewOf } from './chunk-access.ts'
import type { ChunkCodec } from './chunk-codec.ts'
import { type ChunkPart, chunkParts } from './chunk-grid.ts'
import { CodecError } from './codecs/codec.ts'
import { makeCodec } from './codecs/registry.ts'
import { MissingObject } from './http-store.ts'
import { forEachInFlight, inFlight } from './in-flight.ts'
import type { ShardSettings } from './metadata/metadata.ts'
import { assembleShard, indexByteLength, indexOfShard, parseShardIndex, type ShardFormat } from './shard-index.ts'
import type { PartReader, Store } from './store.ts'

/** A shard of up to this many decoded bytes is read whole when most of it is wanted. */
const MAX_WHOLE_BYTES = 64 * 2 ** 20
const MAX_SHARDS_IN_FLIGHT = 4

/** How to get the encoded bytes of one inner chunk, by its row-major number; undefined for a missing one. */
type FetchChunk = (chunk: number, index: readonly number[]) => Promise<Uint8Array | undefined>

/**
 * Shards, each a file of many chunks.
 * @param arrayShape of the whole array: chunks of a shard that lie outside of it are never stored
 */
export function shardedChunks(
  store: Store,
  keyOf: (index: readonly number[]) => string,
  codec: ChunkCodec,
  shard: ShardSettings,
  fill: Uint8Array,
  arrayShape: readonly number[],
): ChunkAccess {
  const perShard = shard.shape.map((length, axis) => length / (codec.shape[axis] as number))
  const count = perShard.reduce((product, length) => product * length, 1)
  const format: ShardFormat = { ...shard, count }
  const byteLength = codec.byteLength * count
  const outer = shard.compressors.map(makeCodec)
  const numberOf = (inner: readonly number[]) =>
    inner.reduce((number, position, axis) => number * (perShard[axis] as number) + position, 0)
  const globalIndex = (part: ChunkPart, inner: ChunkPart) =>
    part.index.map((position, axis) => position * (perShard[axis] as number) + (inner.index[axis] as number))

  /** Bytes that come out of outer codecs; their number is known to nobody. */
  const unwrap = (file: string, index: readonly number[], encoded: Uint8Array) =>
    outer.length === 0
      ? encoded
      : decodeOrThrow(file, index, () => outer.reduceRight((data, step) => step.decode(data), encoded))

  const wrap = (parts: readonly Uint8Array[]) =>
    outer.reduce<Uint8Array>((data, step) => step.encode(data), Buffer.concat(parts))

  async function wholeShard(index: readonly number[], signal?: AbortSignal): Promise<FetchChunk | undefined> {
    const key = keyOf(index)
    const file = store.where(key)
    const encoded = await store.get(key, undefined, signal)
    if (encoded === undefined) return undefined
    const bytes = unwrap(file, index, encoded)
    const places = decodeOrThrow(file, index, () => indexOfShard(bytes, format))
    return async (chunk, chunkIndex) => {
      const place = decodeOrThrow(file, chunkIndex, () => places.placeOf(chunk, bytes.length))
      return place && bytes.subarray(place.offset, place.offset + place.length)
    }
  }

  async function partOfShard(index: readonly number[], reader: PartReader): Promise<FetchChunk> {
    const file = store.where(keyOf(index))
    const length = indexByteLength(format)
    const encoded = await (shard.indexLocation === 'start' ? reader.read(0, length) : reader.readEnd(length))
    const places = decodeOrThrow(file, index, () => parseShardIndex(encoded, format))
    return async (chunk, chunkIndex) => {
      const place = decodeOrThrow(file, chunkIndex, () => places.placeOf(chunk))
      if (place === undefined || place.length === 0) return place && new Uint8Array(0)
      const bytes = await reader.read(place.offset, place.length)
      return decodeOrThrow(file, chunkIndex, () => {
        if (bytes.length === place.length) return bytes
        throw new CodecError(`it ends inside of a chunk, of which it has ${bytes.length} of ${place.length} bytes`)
      })
    }
  }

  function decodeInto(
    encoded: Uint8Array | undefined,
    index: readonly number[],
    file: string,
    inner: ChunkPart,
    target: StridedBytes,
  ) {
    if (encoded === undefined) {
      fillBox(inner.shape, fill, target)
      return
    }
    const place = isWholeInPlace(inner, codec, target) ? viewOf(target, codec.byteLength) : undefined
    const decoded = decodeOrThrow(file, index, () => codec.decode(encoded, place))
    if (decoded === place) return
    const source = { bytes: decoded, start: offsetOf(inner.inChunk, codec.strides), strides: codec.strides }
    copyBox(inner.shape, fill.length, source, target)
  }

  async function readChunks(
    part: ChunkPart,
    inners: readonly ChunkPart[],
    target: StridedBytes,
    fetchChunk: FetchChunk,
    signal?: AbortSignal,
  ) {
    const file = store.where(keyOf(part.index))
    await forEachInFlight(inners, inFlight(codec.byteLength), signal, async (inner) => {
      const index = globalIndex(part, inner)
      const encoded = await fetchChunk(numberOf(inner.index), index)
      decodeInto(encoded, index, file, inner, at(target, inner))
    })
  }

  /** The encoded inner chunk after a write of `inner`; `old` gives what it was. */
  async function encodeChunk(part: ChunkPart, inner: ChunkPart, source: StridedBytes, old: FetchChunk | undefined) {
    if (isWholeInPlace(inner, codec, source)) {
      // Raw bytes are those of the caller, whose array is not to change before the write is over.
      return codec.encode(viewOf(source, codec.byteLength))
    }
    const index = globalIndex(part, inner)
    const buffer = new Uint8Array(codec.byteLength)
    const isCovered = inner.shape.every((length, axis) => {
      const begin = (index[axis] as number) * (codec.shape[axis] as number)
      const end = Math.min(begin + (codec.shape[axis] as number), arrayShape[axis] as number)
      return inner.inChunk[axis] === 0 && length === end - begin
    })
    const encoded = isCovered ? undefined : await old?.(numberOf(inner.index), index)
    if (encoded === undefined) {
      fillChunk(buffer, fill)
    } else {
      const decoded = decodeOrThrow(store.where(keyOf(part.index)), index, () => codec.decode(encoded, buffer))
      if (decoded !== buffer) buffer.set(decoded)
    }
    const target = { bytes: buffer, start: offsetOf(inner.inChunk, codec.strides), strides: codec.strides }
    copyBox(inner.shape, fill.length, source, target)
    return codec.encode(buffer)
  }

  return {
    byteLength,
    limit: Math.min(MAX_SHARDS_IN_FLIGHT, inFlight(byteLength)),
    async read(part, target, signal) {
      const inners = [...chunkParts(part.inChunk, part.shape, codec.shape)]
      if (outer.length > 0 || (2 * inners.length >= count && byteLength <= MAX_WHOLE_BYTES)) {
        const fetchChunk = await wholeShard(part.index, signal)
        if (fetchChunk === undefined) fillBox(part.shape, fill, target)
        else await readChunks(part, inners, target, fetchChunk, signal)
        return
      }
      await using reader = await store.open(keyOf(part.index), signal)
      const fetchChunk = reader && (await unlessMissing(partOfShard(part.index, reader)))
      if (fetchChunk === undefined) fillBox(part.shape, fill, target)
      else await readChunks(part, inners, target, fetchChunk, signal)
    },
    async write(part, source, covers) {
      const old = covers ? undefined : await wholeShard(part.index)
      const chunks = new Array<Uint8Array | undefined>(count)
      if (old !== undefined) {
        for (let chunk = 0; chunk < count; chunk++) chunks[chunk] = await old(chunk, part.index)
      }
      for (const inner of chunkParts(part.inChunk, part.shape, codec.shape)) {
        chunks[numberOf(inner.index)] = await encodeChunk(part, inner, at(source, inner), old)
      }
      const parts = assembleShard(Array.from(chunks), format)
      await store.put(keyOf(part.index), outer.length === 0 ? parts : [wrap(parts)])
    },
  }
}

const at = (memory: StridedBytes, inner: ChunkPart): StridedBytes => ({
  ...memory,
  start: memory.start + offsetOf(inner.inBox, memory.strides),
})

async function unlessMissing<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result
  } catch (error) {
    if (error instanceof MissingObject) return undefined
    throw error
  }
}
