import { type BytesCodec, checkSize } from './codec.ts'
import { lz4Bound, lz4Compress } from './lz4-compress.ts'
import { lz4Decompress, truncated } from './lz4-decompress.ts'

/** The most that LZ4 itself takes. */
const MOST_ACCELERATION = 65_537

/** The `lz4` codec of numcodecs: the size as 4 bytes, little-endian, then one LZ4 block. */
export function lz4Codec(given: number): BytesCodec {
  const acceleration = Math.min(Math.max(1, given), MOST_ACCELERATION)
  return {
    label: 'lz4',
    encode(data) {
      const output = new Uint8Array(4 + lz4Bound(data.length))
      new DataView(output.buffer).setUint32(0, data.length, true)
      return output.subarray(0, lz4Compress(data, output, 4, acceleration))
    },
    decode(data, size, into) {
      if (data.length < 4) throw truncated()
      const stored = new DataView(data.buffer, data.byteOffset).getUint32(0, true)
      checkSize(stored, size)
      const output = into?.subarray(0, stored) ?? new Uint8Array(stored)
      lz4Decompress(data.subarray(4), output)
      return output
    },
  }
}
