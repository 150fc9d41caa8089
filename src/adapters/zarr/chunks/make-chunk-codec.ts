import { type ChunkCodec, plainChunkCodec } from './chunk-codec.ts'
import type { ChunkEncoding } from './chunk-encoding.ts'
import { nestedShardCodec } from './nested-shard-codec.ts'

/** @param fill the bytes of the fill value, which a chunk that is a shard may have left out */
export function makeChunkCodec(encoding: ChunkEncoding, fill: Uint8Array): ChunkCodec {
  const { nested } = encoding
  if (nested === undefined) return plainChunkCodec(encoding)
  return nestedShardCodec(nested.shard, makeChunkCodec(nested.chunk, fill), fill)
}
