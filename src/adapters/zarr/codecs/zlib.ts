import zlib from 'node:zlib'
import { type BytesCodec, CodecError, checkSize, type DecodedSize, showSize } from './codec.ts'

/** One spare byte reveals a stream that is too long; the others keep Node from allocating a second buffer. */
const roomFor = (size: DecodedSize) =>
  typeof size === 'number' ? { chunkSize: size + 64, maxOutputLength: size + 64 } : { maxOutputLength: size.atMost }

// With `info`, Node's result also contains how much of the input was used; its types lack that.
interface WithEngine {
  readonly buffer: Uint8Array
  readonly engine: { readonly bytesWritten: number }
}

function inflate(
  decode: (data: Uint8Array, options: object) => unknown,
  data: Uint8Array,
  size: DecodedSize,
): Uint8Array {
  let result: WithEngine
  try {
    result = decode(data, { ...roomFor(size), info: true }) as WithEngine
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CodecError(
      code === 'ERR_BUFFER_TOO_LARGE' ? `it decoded to more bytes than expected: ${showSize(size)}` : message,
      { cause: error },
    )
  }
  checkSize(result.buffer.length, size)
  if (result.engine.bytesWritten !== data.length) {
    throw new CodecError(`${data.length - result.engine.bytesWritten} bytes follow the end of its stream`)
  }
  return result.buffer
}

// Room for the result of incompressible data, so that Node needs only one buffer.
const outputFor = (data: Uint8Array) => Math.max(64, data.length + (data.length >> 8) + 256)

/** @param level 0 to 9 */
export function gzipCodec(level: number): BytesCodec {
  return {
    label: `gzip:${level}`,
    encode: (data) => zlib.gzipSync(data, { level, chunkSize: outputFor(data) }),
    decode: (data, size) => inflate(zlib.gunzipSync, data, size),
  }
}

/** @param level 0 to 9 */
export function zlibCodec(level: number): BytesCodec {
  return {
    label: `zlib:${level}`,
    encode: (data) => zlib.deflateSync(data, { level, chunkSize: outputFor(data) }),
    decode: (data, size) => inflate(zlib.inflateSync, data, size),
  }
}

/** @param level −131072 to 22; 0 is zstd's own default of 3 */
export function zstdCodec(level: number, checksum = false): BytesCodec {
  const params = {
    [zlib.constants.ZSTD_c_compressionLevel]: level,
    [zlib.constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0,
  }
  return {
    label: `zstd:${level}`,
    encode: (data) =>
      zlib.zstdCompressSync(data, {
        params,
        pledgedSrcSize: data.length,
        chunkSize: outputFor(data),
      } as zlib.ZstdOptions),
    decode: (data, size) => inflate(zlib.zstdDecompressSync, data, size),
  }
}
