import { crc32cCodec } from '../../codecs/checksums/crc32c.ts'
import { type BytesCodec, CodecError } from '../../codecs/codec.ts'

const MISSING = 2n ** 64n - 1n

/** The places of a shard's chunks in its file: two uint64 each, offset and length, both 2^64−1 for a missing chunk. */
export interface ShardIndex {
  /** undefined for a missing chunk @throws CodecError if the place is outside a file of `fileBytes` */
  placeOf(chunk: number, fileBytes?: number): { readonly offset: number; readonly length: number } | undefined
}

export interface ShardFormat {
  /** Chunks of a shard. */
  readonly count: number
  readonly indexLocation: 'start' | 'end'
  readonly indexHasChecksum: boolean
  /** @default false */
  readonly indexIsBigEndian?: boolean
}

const checksumOf = ({ indexHasChecksum }: ShardFormat): BytesCodec | undefined =>
  indexHasChecksum ? crc32cCodec : undefined

/** Size of the stored index, in bytes. */
export const indexByteLength = (format: ShardFormat): number => 16 * format.count + (format.indexHasChecksum ? 4 : 0)

/** @throws CodecError */
export function parseShardIndex(encoded: Uint8Array, format: ShardFormat): ShardIndex {
  const wanted = indexByteLength(format)
  if (encoded.length !== wanted) {
    throw new CodecError(`its shard index has ${encoded.length} bytes, expected ${wanted}`)
  }
  let bytes: Uint8Array
  try {
    bytes = checksumOf(format)?.decode(encoded, { atMost: wanted }) ?? encoded
  } catch (error) {
    throw new CodecError(`its shard index is damaged: ${(error as Error).message}`, { cause: error })
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const littleEndian = format.indexIsBigEndian !== true
  return {
    placeOf(chunk, fileBytes = Number.MAX_SAFE_INTEGER) {
      const offset = view.getBigUint64(16 * chunk, littleEndian)
      const length = view.getBigUint64(16 * chunk + 8, littleEndian)
      if (offset === MISSING && length === MISSING) return undefined
      if (offset + length > BigInt(fileBytes)) {
        throw new CodecError(
          `its shard index places a chunk at ${offset} to ${offset + length}, beyond its end at ${fileBytes}`,
        )
      }
      return { offset: Number(offset), length: Number(length) }
    },
  }
}

/** The index of a shard that is in memory. @throws CodecError */
export function indexOfShard(shard: Uint8Array, format: ShardFormat): ShardIndex {
  const length = Math.min(indexByteLength(format), shard.length)
  const start = format.indexLocation === 'start' ? 0 : shard.length - length
  return parseShardIndex(shard.subarray(start, start + length), format)
}

/** The parts of a shard's file. @param chunks encoded, undefined for a missing one; `format.count` of them */
export function assembleShard(chunks: readonly (Uint8Array | undefined)[], format: ShardFormat): Uint8Array[] {
  const view = new DataView(new ArrayBuffer(16 * format.count))
  const littleEndian = format.indexIsBigEndian !== true
  let offset = format.indexLocation === 'start' ? indexByteLength(format) : 0
  chunks.forEach((chunk, i) => {
    view.setBigUint64(16 * i, chunk === undefined ? MISSING : BigInt(offset), littleEndian)
    view.setBigUint64(16 * i + 8, chunk === undefined ? MISSING : BigInt(chunk.length), littleEndian)
    offset += chunk?.length ?? 0
  })
  const plain = new Uint8Array(view.buffer)
  const index = checksumOf(format)?.encode(plain) ?? plain
  const stored = chunks.filter((chunk) => chunk !== undefined)
  return format.indexLocation === 'start' ? [index, ...stored] : [...stored, index]
}
