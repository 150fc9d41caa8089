import { copyBox, fillBox, offsetOf, type StridedBytes } from '../../../core/array/box-copy.ts'
import { rowMajorStrides } from '../../../core/array/strides.ts'
import { productOf } from '../../../core/geometry/coordinate.ts'
import { SPARE_BYTES } from '../../codecs/codec.ts'
import { makeCodec } from '../codecs/registry.ts'
import { isOnlyFill } from './chunk-access.ts'
import type { ChunkCodec } from './chunk-codec.ts'
import type { ShardSettings } from './chunk-encoding.ts'
import { type ChunkPart, chunkParts } from './chunk-grid.ts'
import { allocate } from './in-flight.ts'
import { assembleShard, indexByteLength, indexOfShard } from './shard-index.ts'

/**
 * A shard as a chunk of another shard: its bytes are decoded and encoded in one piece.
 * @param inner of its chunks
 * @param fill the bytes of the fill value, which chunks have that it leaves out
 */
export function nestedShardCodec(shard: ShardSettings, inner: ChunkCodec, fill: Uint8Array): ChunkCodec {
  const { shape } = shard
  const size = fill.length
  const strides = rowMajorStrides(shape, size)
  const byteLength = size * productOf(shape)
  const count = shape.reduce((product, length, axis) => product * (length / (inner.shape[axis] as number)), 1)
  const format = { ...shard, count }
  const outer = shard.compressors.map(makeCodec)
  const assembled = inner.encodedRoom * count + indexByteLength(format)
  const encodedRoom = outer.reduce((bytes, codec) => codec.room?.(bytes) ?? bytes, assembled)
  // Listed only when there is memory for them all.
  const parts = () => chunkParts(new Array<number>(shape.length).fill(0), shape, inner.shape)
  const placeOf = (whole: Uint8Array, part: ChunkPart): StridedBytes => ({
    bytes: whole,
    start: offsetOf(part.inBox, strides),
    strides,
  })
  const ofInner = (bytes: Uint8Array): StridedBytes => ({ bytes, start: 0, strides: inner.strides })
  return {
    shape,
    strides,
    byteLength,
    isRowMajor: true,
    isRaw: false,
    labels: inner.labels,
    encodedRoom,
    encode(decoded, _room, index) {
      const chunks = Array.from(parts(), (part) => {
        const chunk = allocate(inner.byteLength)
        copyBox(part.shape, size, placeOf(decoded, part), ofInner(chunk))
        return isOnlyFill(chunk, fill) ? undefined : inner.encode(chunk, undefined, index)
      })
      return outer.reduce<Uint8Array>((data, codec) => codec.encode(data), Buffer.concat(assembleShard(chunks, format)))
    },
    decode(encoded, into, index) {
      const bytes = outer.reduceRight((data, codec) => codec.decode(data, { atMost: assembled }), encoded)
      const places = indexOfShard(bytes, format)
      const whole = into?.length === byteLength ? into : (into ?? allocate(byteLength)).subarray(0, byteLength)
      const scratch = allocate(inner.byteLength, SPARE_BYTES)
      let chunk = 0
      for (const part of parts()) {
        const place = places.placeOf(chunk++, bytes.length)
        if (place === undefined) {
          fillBox(part.shape, fill, placeOf(whole, part))
          continue
        }
        const stored = bytes.subarray(place.offset, place.offset + place.length)
        copyBox(part.shape, size, ofInner(inner.decode(stored, scratch, index)), placeOf(whole, part))
      }
      return whole
    },
  }
}
