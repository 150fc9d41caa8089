import { type BytesCodec, CodecError, checkSize } from '../codec.ts'

/** CRC-32C (Castagnoli), reflected. */
const POLYNOMIAL = 0x82f63b78

/** tables[k][b]: the checksum of byte b followed by k zero bytes; eight bytes are looked up per step. */
const tables: readonly Int32Array[] = makeTables()

function makeTables(): Int32Array[] {
  const first = new Int32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1
    first[byte] = value
  }
  const all = [first]
  for (let k = 1; k < 8; k++) {
    const before = all[k - 1] as Int32Array
    all.push(Int32Array.from(before, (value) => (first[value & 255] as number) ^ (value >>> 8)))
  }
  return all
}

/** CRC-32C of bytes, 0 to 2^32−1. @see RFC 3720, appendix B.4 */
export function crc32c(data: Uint8Array): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
    ...[Int32Array, Int32Array, Int32Array, Int32Array],
    ...[Int32Array, Int32Array, Int32Array, Int32Array],
  ]
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  let crc = -1
  let i = 0
  for (const end = data.length - 7; i < end; i += 8) {
    const low = view.getInt32(i, true) ^ crc
    const high = view.getInt32(i + 4, true)
    crc =
      (t7[low & 255] as number) ^
      (t6[(low >>> 8) & 255] as number) ^
      (t5[(low >>> 16) & 255] as number) ^
      (t4[low >>> 24] as number) ^
      (t3[high & 255] as number) ^
      (t2[(high >>> 8) & 255] as number) ^
      (t1[(high >>> 16) & 255] as number) ^
      (t0[high >>> 24] as number)
  }
  for (; i < data.length; i++) crc = (t0[(crc ^ (data[i] as number)) & 255] as number) ^ (crc >>> 8)
  return ~crc >>> 0
}

/** The data followed by its CRC-32C, little-endian. */
export const crc32cCodec: BytesCodec = {
  label: 'crc32c',
  encode(data) {
    const result = new Uint8Array(data.length + 4)
    result.set(data)
    new DataView(result.buffer).setUint32(data.length, crc32c(data), true)
    return result
  },
  decode(data, size) {
    if (data.length < 4) throw new CodecError(`${data.length} bytes are too few for a checksum`)
    const body = data.subarray(0, data.length - 4)
    checkSize(body.length, size)
    const stored = new DataView(data.buffer, data.byteOffset + body.length, 4).getUint32(0, true)
    const found = crc32c(body)
    if (stored !== found) {
      throw new CodecError(`its checksum is ${found.toString(16)}, expected ${stored.toString(16)}`)
    }
    return body
  },
}
