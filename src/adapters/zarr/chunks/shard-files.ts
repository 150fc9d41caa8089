import { type BytesCodec, CodecError } from '../../codecs/codec.ts'
import { encodedLimit } from '../../files/encoded-limit.ts'
import { makeCodec } from '../codecs/registry.ts'
import { readOneVersion, unlessMissing } from '../http/http-parts.ts'
import { type ChunkPlace, ShardRuns } from '../http/shard-runs.ts'
import type { PartReader, Store } from '../store.ts'
import { decodeOrThrow } from './chunk-access.ts'
import type { ShardSettings } from './chunk-encoding.ts'
import { assembleShard, indexByteLength, indexOfShard, parseShardIndex, type ShardFormat } from './shard-index.ts'

/**
 * Returns the encoded bytes of one inner chunk; undefined if it is missing.
 * @param chunk its row-major number in the shard
 * @param index its index in the array, for messages
 */
export type FetchChunk = (chunk: number, index: readonly number[]) => Promise<Uint8Array | undefined>

/** The files of an array's shards, as encoded chunks. */
export class ShardFiles {
  /** Whether codecs encode the complete shard, so that its parts can't be read separately. */
  readonly isWrapped: boolean
  readonly #store: Store
  readonly #keyOf: (index: readonly number[]) => string
  readonly #format: ShardFormat
  readonly #outer: readonly BytesCodec[]
  /** Most bytes of a file, and of one encoded chunk in it. */
  readonly #atMost: number
  readonly #chunkAtMost: number

  /**
   * @param keyOf the key of a shard's file in the store
   * @param count chunks per shard
   * @param chunkBytes of a chunk, decoded or encoded, whichever may be more
   */
  constructor(
    store: Store,
    keyOf: (index: readonly number[]) => string,
    shard: ShardSettings,
    count: number,
    chunkBytes: number,
  ) {
    this.#store = store
    this.#keyOf = keyOf
    this.#format = { ...shard, count }
    this.#outer = shard.compressors.map(makeCodec)
    this.isWrapped = this.#outer.length > 0
    this.#chunkAtMost = encodedLimit(chunkBytes)
    this.#atMost = encodedLimit(chunkBytes * count + indexByteLength(this.#format))
  }

  /** A shard's file as users write it, for messages. */
  where(index: readonly number[]): string {
    return this.#store.where(this.#keyOf(index))
  }

  /**
   * Reads a complete shard.
   * @param use must not keep `fetchChunk`; receives undefined if the shard is missing
   * @throws InfrastructureError `CORRUPT_DATA`, `IO_ERROR`
   */
  async readWhole(
    index: readonly number[],
    signal: AbortSignal | undefined,
    use: (fetchChunk: FetchChunk | undefined) => Promise<void>,
  ): Promise<void> {
    const key = this.#keyOf(index)
    const useEncoded = (encoded: Uint8Array) => use(this.#fetchFromBytes(index, encoded))
    if (this.#store.lend !== undefined) {
      const found = await this.#store.lend(key, { atMost: this.#atMost }, useEncoded)
      if (found === undefined) await use(undefined)
      return
    }
    const encoded = await this.#store.get(key, { signal, atMost: this.#atMost })
    await (encoded === undefined ? use(undefined) : useEncoded(encoded))
  }

  /**
   * Opens a shard and reads its index; each chunk is then one read, or those close to each other are one.
   * @param chunks that are wanted, each of them once
   * @param use must not keep `fetchChunk`; receives undefined if the shard is missing; called again if the shard was replaced meanwhile
   * @throws InfrastructureError `CORRUPT_DATA`, `IO_ERROR`
   */
  async readParts(
    index: readonly number[],
    chunks: readonly number[],
    signal: AbortSignal | undefined,
    use: (fetchChunk: FetchChunk | undefined) => Promise<void>,
  ): Promise<void> {
    const open = () => this.#store.open(this.#keyOf(index), { signal, atMost: this.#atMost })
    await readOneVersion(open, async (reader) =>
      use(reader && (await unlessMissing(this.#fetchFrom(reader, index, chunks)))),
    )
  }

  /** Replaces a shard; one without chunks is removed. @param chunks encoded, undefined for missing ones; one for each chunk of the shard */
  async write(index: readonly number[], chunks: readonly (Uint8Array | undefined)[]): Promise<void> {
    if (chunks.every((chunk) => chunk === undefined)) return this.#store.remove(this.#keyOf(index))
    const parts = assembleShard(chunks, this.#format)
    await this.#store.put(this.#keyOf(index), this.isWrapped ? [this.#wrap(parts)] : parts)
  }

  #fetchFromBytes(index: readonly number[], encoded: Uint8Array): FetchChunk {
    const file = this.where(index)
    const bytes = this.#unwrap(file, index, encoded)
    const places = decodeOrThrow(file, index, () => indexOfShard(bytes, this.#format))
    return async (chunk, chunkIndex) => {
      const place = decodeOrThrow(file, chunkIndex, () => places.placeOf(chunk, bytes.length))
      return place && bytes.subarray(place.offset, place.offset + place.length)
    }
  }

  async #fetchFrom(reader: PartReader, index: readonly number[], chunks: readonly number[]): Promise<FetchChunk> {
    const file = this.where(index)
    const length = indexByteLength(this.#format)
    const isAtStart = this.#format.indexLocation === 'start'
    const encoded = await (isAtStart ? reader.read(0, length) : reader.readEnd(length))
    const places = decodeOrThrow(file, index, () => parseShardIndex(encoded, this.#format))
    const wanted = new Map<number, ChunkPlace>()
    for (const chunk of chunks) {
      const place = placeIn(places, chunk)
      if (place !== undefined && place.length > 0 && place.length <= this.#chunkAtMost) wanted.set(chunk, place)
    }
    const runs = new ShardRuns([...wanted.values()], this.#store.gapBytes ?? -1, (offset, size) =>
      reader.read(offset, size),
    )
    return async (chunk, chunkIndex) => {
      const place = wanted.get(chunk) ?? decodeOrThrow(file, chunkIndex, () => places.placeOf(chunk))
      if (place === undefined || place.length === 0) return place && new Uint8Array(0)
      decodeOrThrow(file, chunkIndex, () => this.#checkLength(place.length))
      const bytes = await runs.take(place)
      return decodeOrThrow(file, chunkIndex, () => {
        if (bytes.length === place.length) return bytes
        throw new CodecError(`it ends inside a chunk: expected ${place.length} bytes, got ${bytes.length}`)
      })
    }
  }

  #checkLength(length: number): void {
    if (length <= this.#chunkAtMost) return
    throw new CodecError(`its shard index gives a chunk ${length} bytes, and at most ${this.#chunkAtMost} are expected`)
  }

  /** The decoded size is not known in advance: only inner chunks have a fixed size. */
  #unwrap(file: string, index: readonly number[], encoded: Uint8Array): Uint8Array {
    if (!this.isWrapped) return encoded
    return decodeOrThrow(file, index, () =>
      this.#outer.reduceRight((data, step) => step.decode(data, { atMost: this.#atMost }), encoded),
    )
  }

  #wrap(parts: readonly Uint8Array[]): Uint8Array {
    return this.#outer.reduce<Uint8Array>((data, step) => step.encode(data), Buffer.concat(parts))
  }
}

/** A place that is damaged is reported when its chunk is read. */
function placeIn(places: ReturnType<typeof parseShardIndex>, chunk: number): ChunkPlace | undefined {
  try {
    return places.placeOf(chunk)
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}
