import { BYTES_PER_ELEMENT } from '../../../core/array/dtype.ts'
import { rowMajorStrides } from '../../../core/array/strides.ts'
import { productOf } from '../../../core/geometry/coordinate.ts'
import { type BytesCodec, checkSize } from '../../codecs/codec.ts'
import { encodedLimit, stepLimit } from '../../files/encoded-limit.ts'
import { swapBytes } from '../../files/swap-bytes.ts'
import { makeCodec } from '../codecs/registry.ts'
import type { ChunkEncoding } from './chunk-encoding.ts'

/** Bytes of a decoded chunk and back. Decoded bytes are in the machine's own byte order (little-endian). */
export interface ChunkCodec {
  readonly shape: readonly number[]
  /** Bytes between neighbours along each axis of a decoded chunk. */
  readonly strides: readonly number[]
  readonly byteLength: number
  readonly isRowMajor: boolean
  /** Whether the file's bytes are the decoded ones, so that they can be read in place. */
  readonly isRaw: boolean
  readonly labels: readonly string[]
  /** Bytes of the memory in which a chunk is encoded. */
  readonly encodedRoom: number
  /**
   * Does not change `decoded`; may return it.
   * @param room memory of `encodedRoom` bytes that may be used for the result
   * @param index of the chunk: in some formats, those at the end of the array are smaller
   */
  encode(decoded: Uint8Array, room: Uint8Array | undefined, index: readonly number[]): Uint8Array
  /** @returns `byteLength` bytes, in `into` if possible. @throws CodecError */
  decode(encoded: Uint8Array, into: Uint8Array | undefined, index: readonly number[]): Uint8Array
}

/** For a chunk that is not a shard itself. */
export function plainChunkCodec(encoding: ChunkEncoding): ChunkCodec {
  const { dtype, shape, axisOrder, bigEndian } = encoding
  const bytesPerElement = BYTES_PER_ELEMENT[dtype]
  const codecs = encoding.compressors.map(makeCodec)
  const byteLength = bytesPerElement * productOf(shape)
  const swaps = bigEndian && bytesPerElement > 1
  return {
    shape,
    strides: stridesInOrder(shape, axisOrder, bytesPerElement),
    byteLength,
    isRowMajor: axisOrder.every((axis, position) => axis === position),
    isRaw: codecs.length === 0 && !swaps,
    labels: codecs.map((codec) => codec.label),
    encodedRoom: codecs.at(-1)?.room?.(byteLength) ?? byteLength,
    encode(decoded, room) {
      const bytes = swaps ? swapBytes(decoded.slice(), bytesPerElement) : decoded
      return codecs.reduce(
        (data, codec, step) => codec.encode(data, step === codecs.length - 1 ? room : undefined),
        bytes,
      )
    },
    decode(encoded, into) {
      const decoded = decodeBytes(codecs, encoded, byteLength, into)
      // Only our own bytes may be swapped in place, not the caller's encoded ones.
      return swaps ? swapBytes(codecs.length === 0 ? decoded.slice() : decoded, bytesPerElement) : decoded
    },
  }
}

/**
 * Runs bytes → bytes codecs in reverse; only the size of the final result is known, and that each step gives the one before it no more
 * than that could have made.
 * @throws CodecError
 */
function decodeBytes(
  codecs: readonly BytesCodec[],
  encoded: Uint8Array,
  byteLength: number,
  into?: Uint8Array,
): Uint8Array {
  let data = encoded
  const all = encodedLimit(byteLength)
  const limits = [byteLength]
  for (const codec of codecs) {
    const before = limits.at(-1) as number
    limits.push(Math.min(all, codec.most?.(before) ?? stepLimit(before)))
  }
  for (let i = codecs.length - 1; i > 0; i--) {
    data = (codecs[i] as BytesCodec).decode(data, { atMost: limits[i] as number })
  }
  const first = codecs[0]
  if (first !== undefined) data = first.decode(data, byteLength, into)
  checkSize(data.length, byteLength)
  return data
}

function stridesInOrder(shape: readonly number[], order: readonly number[], bytesPerElement: number): number[] {
  const stored = rowMajorStrides(
    order.map((axis) => shape[axis] as number),
    bytesPerElement,
  )
  const strides = new Array<number>(shape.length)
  order.forEach((axis, position) => {
    strides[axis] = stored[position] as number
  })
  return strides
}
