import { type BytesCodec, checkSize } from './codec.ts'
import { lz4Bound, lz4Compress } from './lz4-compress.ts'
import { lz4Decompress, truncated } from './lz4-decompress.ts'

/** The `lz4` codec of numcodecs: the size as 4 bytes, little-endian, then one LZ4 block. */
export function lz4Codec(acceleration: number): BytesCodec {
  return {
    label: 'lz4',
    encode(data) {
      const output = new Uint8Array(4 + lz4Bound(data.length))
      new DataView(output.buffer).setUint32(0, data.length, true)
      return output.subarray(0, lz4Compress(data, output, 4, Math.max(1, acceleration)))
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
