import { copyBox } from '../../core/array/box-copy.ts'
import { BYTES_PER_ELEMENT } from '../../core/array/dtype.ts'
import { rowMajorStrides } from '../../core/array/strides.ts'
import { productOf } from '../../core/geometry/coordinate.ts'
import { type BytesCodec, CodecError } from '../codecs/codec.ts'
import { swapBytes } from '../files/swap-bytes.ts'
import type { ChunkCodec } from '../zarr/chunks/chunk-codec.ts'
import { makeCodec } from '../zarr/codecs/registry.ts'
import { lz4BlocksCodec } from './lz4-blocks.ts'
import type { N5Metadata } from './n5-metadata.ts'

const rawCodec: BytesCodec = { label: 'raw', encode: (data) => data, decode: (data) => data }

/** What a compression of N5 does to bytes. */
export const n5Codec = ({ compressor }: Pick<N5Metadata, 'compressor'>): BytesCodec =>
  compressor === undefined ? rawCodec : compressor.name === 'lz4-blocks' ? lz4BlocksCodec : makeCodec(compressor)

/**
 * Blocks of N5: a header with the shape of the block (those at the end of the array are smaller), then its elements, big-endian,
 * compressed. https://github.com/saalfeldlab/n5#file-system-specification
 */
export function n5Blocks(metadata: N5Metadata): ChunkCodec {
  const { shape, blockShape, dtype } = metadata
  const size = BYTES_PER_ELEMENT[dtype]
  const strides = rowMajorStrides(blockShape, size)
  const byteLength = size * productOf(blockShape)
  const codec = n5Codec(metadata)
  const inside = (index: readonly number[]) =>
    blockShape.map((length, axis) => Math.min(length, (shape[axis] as number) - (index[axis] as number) * length))
  return {
    shape: blockShape,
    strides,
    byteLength,
    isRowMajor: true,
    isRaw: false,
    labels: metadata.compressor === undefined ? [] : [codec.label],
    encodedRoom: 0,
    encode(decoded, _room, index) {
      const part = inside(index)
      const bytes = new Uint8Array(size * productOf(part))
      copyBox(
        part,
        size,
        { bytes: decoded, start: 0, strides },
        { bytes, start: 0, strides: rowMajorStrides(part, size) },
      )
      return Buffer.concat([headerOf(part), codec.encode(swapBytes(bytes, size))])
    },
    decode(encoded, into) {
      const { part, payload } = parseHeader(encoded, blockShape)
      const partBytes = size * productOf(part)
      const isWhole = partBytes === byteLength
      const decoded = codec.decode(payload, partBytes, isWhole ? into : undefined)
      if (decoded.length !== partBytes) {
        throw new CodecError(`it decoded to ${decoded.length} bytes, expected ${partBytes}`)
      }
      // Only our own bytes may be swapped in place.
      const own = decoded.buffer === encoded.buffer ? new Uint8Array(decoded) : decoded
      swapBytes(own, size)
      if (isWhole) return own
      const bytes = into?.subarray(0, byteLength) ?? new Uint8Array(byteLength)
      bytes.fill(0)
      copyBox(part, size, { bytes: own, start: 0, strides: rowMajorStrides(part, size) }, { bytes, start: 0, strides })
      return bytes
    },
  }
}

/** @param part the shape of the block, slowest axis first */
function headerOf(part: readonly number[]): Buffer {
  const header = Buffer.alloc(4 + 4 * part.length)
  header.writeUInt16BE(part.length, 2)
  ;[...part].reverse().forEach((length, axis) => {
    header.writeUInt32BE(length, 4 + 4 * axis)
  })
  return header
}

/** @throws CodecError */
function parseHeader(encoded: Uint8Array, blockShape: readonly number[]) {
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength)
  const rank = blockShape.length
  if (encoded.length < 4 + 4 * rank) throw new CodecError('it ends inside its header')
  const mode = view.getUint16(0)
  if (mode > 1) throw new CodecError(`it is a block of kind ${mode}, which has no elements of numbers`)
  if (view.getUint16(2) !== rank) throw new CodecError(`its header has ${view.getUint16(2)} axes, expected ${rank}`)
  const part = blockShape.map((_, axis) => view.getUint32(4 + 4 * (rank - 1 - axis)))
  if (part.some((length, axis) => length > (blockShape[axis] as number))) {
    throw new CodecError(
      `its header has the shape ${part.join(' × ')}, larger than a block (${blockShape.join(' × ')})`,
    )
  }
  let start = 4 + 4 * rank
  if (mode === 1) {
    const count = productOf(part)
    if (encoded.length < start + 4 || view.getUint32(start) !== count) {
      throw new CodecError(`its header has another number of elements than ${count}`)
    }
    start += 4
  }
  return { part, payload: encoded.subarray(start) }
}
