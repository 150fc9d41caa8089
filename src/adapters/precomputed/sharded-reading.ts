import { copyBox, fillBox, offsetOf, type StridedBytes } from '../../core/array/box-copy.ts'
import { ConfigError } from '../../core/errors.ts'
import { productOf } from '../../core/geometry/coordinate.ts'
import { CodecError, SPARE_BYTES } from '../codecs/codec.ts'
import { gzipCodec } from '../codecs/zlib.ts'
import { encodedLimit } from '../files/encoded-limit.ts'
import { type ChunkAccess, decodeOrThrow } from '../zarr/chunks/chunk-access.ts'
import type { ChunkCodec } from '../zarr/chunks/chunk-codec.ts'
import type { ChunkPart } from '../zarr/chunks/chunk-grid.ts'
import { inFlight } from '../zarr/chunks/in-flight.ts'
import { readOneVersion, unlessMissing } from '../zarr/http/http-parts.ts'
import { joinKey, type PartReader, type Store } from '../zarr/store.ts'
import { mortonCode, placeOfChunk, type Sharding } from './sharding.ts'

/** Bytes of the index of a minishard for each chunk, decoded. */
const INDEX_BYTES = 24
/** Chunks in a minishard: writers put some hundreds there. */
const MOST_CHUNKS = 2 ** 20
/** Chunks in all indices that are kept. */
const MOST_KEPT_CHUNKS = 2 ** 20

type Place = readonly [start: number, length: number]

/** An index as it is stored, and what it says. */
interface KeptIndex {
  readonly stored: Uint8Array
  readonly places: ReadonlyMap<bigint, Place>
}

const gzip = gzipCodec(6)

/** Chunks in shards, of any kind, for reading. */
export class ShardedReading implements ChunkAccess {
  readonly byteLength: number
  readonly #store: Store
  readonly #folder: string
  readonly #codec: ChunkCodec
  readonly #sharding: Sharding
  /** Chunks along z, y, x. */
  readonly #grid: readonly number[]
  readonly #fill: Uint8Array
  readonly #indices = new Map<string, KeptIndex>()
  readonly #mostIndexBytes: number
  #keptChunks = 0

  /** @param folder the key of the scale */
  constructor(
    store: Store,
    folder: string,
    codec: ChunkCodec,
    sharding: Sharding,
    grid: readonly number[],
    fill: Uint8Array,
  ) {
    this.#store = store
    this.#folder = folder
    this.#codec = codec
    this.#sharding = sharding
    this.#grid = grid
    this.#fill = fill
    this.byteLength = codec.byteLength
    const chunks = productOf(grid)
    this.#mostIndexBytes = INDEX_BYTES * Math.min(chunks, MOST_CHUNKS)
  }

  get limit(): number {
    return inFlight(this.byteLength)
  }

  async read(part: ChunkPart, target: StridedBytes, _keep: boolean, signal?: AbortSignal): Promise<void> {
    const code = mortonCode(part.index.slice(-3), this.#grid)
    const { shard, minishard } = placeOfChunk(code, this.#sharding)
    const key = joinKey(this.#folder, shard)
    await readOneVersion(
      () => this.#store.open(key, { signal }),
      async (reader) => {
        const place = reader && (await this.#readIndex(reader, key, minishard)).get(code)
        if (reader === undefined || place === undefined) return fillBox(part.shape, this.#fill, target)
        this.#copyChunk(await this.#readStored(reader, key, part, place), key, part, target)
      },
    )
  }

  async write(): Promise<void> {
    throw new ConfigError('UNSUPPORTED', 'Shards of precomputed volumes can only be read.')
  }

  async #readStored(reader: PartReader, key: string, { index }: ChunkPart, [start, length]: Place) {
    const file = this.#store.where(key)
    const atMost = encodedLimit(this.byteLength)
    const stored = await reader.read(
      start,
      decodeOrThrow(file, index, () => checkLength(length, atMost)),
    )
    return decodeOrThrow(file, index, () => {
      if (stored.length !== length)
        throw new CodecError(`it ends inside a chunk: expected ${length} bytes, got ${stored.length}`)
      return this.#sharding.dataIsGzip ? gzip.decode(stored, { atMost }) : stored
    })
  }

  #copyChunk(encoded: Uint8Array, key: string, part: ChunkPart, target: StridedBytes): void {
    const codec = this.#codec
    const decoded = decodeOrThrow(this.#store.where(key), part.index, () =>
      codec.decode(encoded, new Uint8Array(codec.byteLength + SPARE_BYTES), part.index),
    )
    const source = { bytes: decoded, start: offsetOf(part.inChunk, codec.strides), strides: codec.strides }
    copyBox(part.shape, this.#fill.length, source, target)
  }

  async #readIndex(reader: PartReader, key: string, minishard: number): Promise<ReadonlyMap<bigint, Place>> {
    const file = this.#store.where(key)
    const { minishardBits, indexIsGzip } = this.#sharding
    const base = 16 * 2 ** minishardBits
    const bounds = await unlessMissing(reader.read(16 * minishard, 16))
    if (bounds === undefined) return new Map()
    const [start, end] = decodeOrThrow(file, [minishard], () => {
      if (bounds.length !== 16) throw new CodecError('it ends inside its index')
      const view = new DataView(bounds.buffer, bounds.byteOffset, 16)
      const [from, to] = [view.getBigUint64(0, true), view.getBigUint64(8, true)]
      if (
        from > to ||
        to - from > BigInt(encodedLimit(this.#mostIndexBytes)) ||
        to > BigInt(Number.MAX_SAFE_INTEGER - base)
      )
        throw new CodecError(`its index places a minishard at ${from} to ${to}`)
      return [Number(from), Number(to)] as const
    })
    if (start === end) return new Map()
    // Read each time, from the very file that the chunk is read from: the shard may have been replaced since.
    const stored = await reader.read(base + start, end - start)
    const name = `${key} ${minishard}`
    const kept = this.#indices.get(name)
    if (kept !== undefined && Buffer.compare(kept.stored, stored) === 0) return kept.places
    const places = decodeOrThrow(file, [minishard], () => {
      if (stored.length !== end - start) throw new CodecError('it ends inside the index of a minishard')
      const atMost = this.#mostIndexBytes
      const bytes = indexIsGzip ? gzip.decode(stored, { atMost }) : stored
      if (bytes.length > atMost)
        throw new CodecError(`the index of a minishard has ${bytes.length} bytes, and at most ${atMost} are expected`)
      return parseMinishard(bytes, base)
    })
    this.#keep(name, { stored, places })
    return places
  }

  #keep(name: string, index: KeptIndex): void {
    this.#keptChunks += index.places.size - (this.#indices.get(name)?.places.size ?? 0)
    this.#indices.set(name, index)
    for (const [other, { places }] of this.#indices) {
      if (this.#keptChunks <= MOST_KEPT_CHUNKS) break
      this.#indices.delete(other)
      this.#keptChunks -= places.size
    }
  }
}

function checkLength(length: number, atMost: number): number {
  if (length <= atMost) return length
  throw new CodecError(`its index gives a chunk ${length} bytes, and at most ${atMost} are expected`)
}

/**
 * The places of the chunks of a minishard: their numbers, each as the difference to the one before, then the gaps between their starts and
 * the ends before them, then their lengths.
 * @param base where the data of a shard starts
 * @throws CodecError
 */
export function parseMinishard(bytes: Uint8Array, base: number): ReadonlyMap<bigint, Place> {
  if (bytes.length % INDEX_BYTES !== 0)
    throw new CodecError(`the index of a minishard has ${bytes.length} bytes, no multiple of ${INDEX_BYTES}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const count = bytes.length / INDEX_BYTES
  const places = new Map<bigint, Place>()
  let code = 0n
  let end = BigInt(base)
  for (let i = 0; i < count; i++) {
    code = BigInt.asUintN(64, code + view.getBigUint64(8 * i, true))
    const start = end + view.getBigUint64(8 * (count + i), true)
    const length = view.getBigUint64(8 * (2 * count + i), true)
    end = start + length
    if (end > BigInt(Number.MAX_SAFE_INTEGER)) throw new CodecError('the index of a minishard points beyond any file')
    places.set(code, [Number(start), Number(length)])
  }
  return places
}
