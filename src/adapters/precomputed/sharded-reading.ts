import { copyBox, fillBox, offsetOf, type StridedBytes } from '../../core/array/box-copy.ts'
import { ConfigError } from '../../core/errors.ts'
import { CodecError, SPARE_BYTES } from '../codecs/codec.ts'
import { gzipCodec } from '../codecs/zlib.ts'
import { encodedLimit } from '../files/encoded-limit.ts'
import { type ChunkAccess, decodeOrThrow } from '../zarr/chunks/chunk-access.ts'
import type { ChunkCodec } from '../zarr/chunks/chunk-codec.ts'
import type { ChunkPart } from '../zarr/chunks/chunk-grid.ts'
import { inFlight } from '../zarr/chunks/in-flight.ts'
import { joinKey, type PartReader, type Store } from '../zarr/store.ts'
import { mortonCode, placeOfChunk, type Sharding } from './sharding.ts'

/** Bytes of the index of a minishard, decoded: 24 for each chunk. */
const MOST_INDEX_BYTES = 2 ** 28
/** Indices that are kept. */
const KEPT_INDICES = 64

type Place = readonly [start: number, length: number]

const gzip = gzipCodec(6)

/** Chunks in shards, for reading. */
export class ShardedReading implements ChunkAccess {
  readonly byteLength: number
  readonly #store: Store
  readonly #folder: string
  readonly #codec: ChunkCodec
  readonly #sharding: Sharding
  /** Chunks along z, y, x. */
  readonly #grid: readonly number[]
  readonly #fill: Uint8Array
  readonly #indices = new Map<string, Promise<ReadonlyMap<bigint, Place>>>()

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
  }

  get limit(): number {
    return inFlight(this.byteLength)
  }

  async read(part: ChunkPart, target: StridedBytes, _keep: boolean, signal?: AbortSignal): Promise<void> {
    const code = mortonCode(part.index.slice(-3), this.#grid)
    const { shard, minishard } = placeOfChunk(code, this.#sharding)
    const key = joinKey(this.#folder, shard)
    await using reader = await this.#store.open(key, { signal })
    const place = reader && (await this.#indexOf(reader, key, minishard)).get(code)
    if (reader === undefined || place === undefined) {
      fillBox(part.shape, this.#fill, target)
      return
    }
    const file = this.#store.where(key)
    const [start, length] = place
    const atMost = encodedLimit(this.byteLength)
    const stored = await reader.read(
      start,
      decodeOrThrow(file, part.index, () => checkLength(length, atMost)),
    )
    const codec = this.#codec
    const decoded = decodeOrThrow(file, part.index, () => {
      if (stored.length !== length)
        throw new CodecError(`it ends inside a chunk: expected ${length} bytes, got ${stored.length}`)
      const encoded = this.#sharding.dataIsGzip ? gzip.decode(stored, { atMost }) : stored
      return codec.decode(encoded, new Uint8Array(codec.byteLength + SPARE_BYTES), part.index)
    })
    const source = { bytes: decoded, start: offsetOf(part.inChunk, codec.strides), strides: codec.strides }
    copyBox(part.shape, this.#fill.length, source, target)
  }

  async write(): Promise<void> {
    throw new ConfigError('UNSUPPORTED', 'Shards of precomputed volumes can only be read.')
  }

  async #indexOf(reader: PartReader, key: string, minishard: number): Promise<ReadonlyMap<bigint, Place>> {
    const name = `${key} ${minishard}`
    const kept = this.#indices.get(name)
    if (kept !== undefined) return kept
    const reading = this.#readIndex(reader, key, minishard)
    this.#indices.set(name, reading)
    reading.catch(() => this.#indices.delete(name))
    if (this.#indices.size > KEPT_INDICES) this.#indices.delete(this.#indices.keys().next().value as string)
    return reading
  }

  async #readIndex(reader: PartReader, key: string, minishard: number): Promise<ReadonlyMap<bigint, Place>> {
    const file = this.#store.where(key)
    const { minishardBits, indexIsGzip } = this.#sharding
    const base = 16 * 2 ** minishardBits
    const bounds = await reader.read(16 * minishard, 16)
    const [start, end] = decodeOrThrow(file, [minishard], () => {
      if (bounds.length !== 16) throw new CodecError('it ends inside its index')
      const view = new DataView(bounds.buffer, bounds.byteOffset, 16)
      const [from, to] = [view.getBigUint64(0, true), view.getBigUint64(8, true)]
      if (from > to || to - from > BigInt(MOST_INDEX_BYTES) || to > BigInt(Number.MAX_SAFE_INTEGER - base))
        throw new CodecError(`its index places a minishard at ${from} to ${to}`)
      return [Number(from), Number(to)] as const
    })
    if (start === end) return new Map()
    const stored = await reader.read(base + start, end - start)
    return decodeOrThrow(file, [minishard], () => {
      if (stored.length !== end - start) throw new CodecError('it ends inside the index of a minishard')
      const bytes = indexIsGzip ? gzip.decode(stored, { atMost: MOST_INDEX_BYTES }) : stored
      return parseMinishard(bytes, base)
    })
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
  if (bytes.length % 24 !== 0)
    throw new CodecError(`the index of a minishard has ${bytes.length} bytes, no multiple of 24`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const count = bytes.length / 24
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
