import { ConfigError } from '../../core/errors.ts'
import { type BytesCodec, CodecError, checkSize, mostOf } from '../codecs/codec.ts'
import { lz4Decompress } from '../codecs/lz4-decompress.ts'

// lz4-java's LZ4BlockOutputStream: blocks with a header of 21 bytes (magic, method and level, compressed length, length, checksum), and
// an empty one at the end.

const MAGIC = Buffer.from('LZ4Block', 'latin1')
const HEADER = 21
const RAW = 0x10
const LZ4 = 0x20
const MOST_BLOCK_BYTES = 2 ** 25

const truncated = () => new CodecError('its lz4 stream is truncated')

/** The compression "lz4" of N5, for reading. */
export const lz4BlocksCodec: BytesCodec = {
  label: 'lz4',
  encode() {
    throw new ConfigError('UNSUPPORTED_CODEC', 'The compression "lz4" of N5 can only be read.')
  },
  decode(data, size) {
    const parts: Uint8Array[] = []
    let total = 0
    for (let at = 0; ; ) {
      if (data.length < at + HEADER) throw truncated()
      const view = new DataView(data.buffer, data.byteOffset + at, HEADER)
      if (!MAGIC.equals(data.subarray(at, at + MAGIC.length))) throw new CodecError('it is no stream of lz4 blocks')
      const method = view.getUint8(8) & 0xf0
      const [packed, length] = [view.getUint32(9, true), view.getUint32(13, true)]
      at += HEADER
      if (length === 0) break
      if (data.length < at + packed) throw truncated()
      if (length > MOST_BLOCK_BYTES) throw new CodecError(`its lz4 stream has a block of ${length} bytes`)
      total += length
      if (total > mostOf(size)) throw new CodecError(`it decodes to more than ${mostOf(size)} bytes`)
      const block = data.subarray(at, at + packed)
      if (method === RAW && packed !== length) throw new CodecError('a block that is not compressed has another length')
      if (method !== RAW && method !== LZ4) throw new CodecError('its lz4 stream has a block of unknown kind')
      parts.push(method === RAW ? block : decompress(block, length))
      at += packed
    }
    checkSize(total, size)
    return Buffer.concat(parts)
  },
}

function decompress(block: Uint8Array, length: number): Uint8Array {
  const output = new Uint8Array(length)
  lz4Decompress(block, output)
  return output
}
