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

type Decode = (data: Uint8Array, options: object) => unknown

function inflate(decode: Decode, data: Uint8Array, size: DecodedSize): Uint8Array {
  const result = inflateStart(decode, data, size)
  checkSize(result.buffer.length, size)
  if (result.engine.bytesWritten !== data.length) {
    throw new CodecError(`${data.length - result.engine.bytesWritten} bytes follow the end of its stream`)
  }
  return result.buffer
}

/** Decodes the stream at the start of some bytes. */
function inflateStart(decode: Decode, data: Uint8Array, size: DecodedSize): WithEngine {
  try {
    return decode(data, { ...roomFor(size), info: true }) as WithEngine
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CodecError(
      code === 'ERR_BUFFER_TOO_LARGE' ? `it decoded to more bytes than expected: ${showSize(size)}` : message,
      { cause: error },
    )
  }
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
    decode: decodeZstd,
  }
}

const SKIPPABLE = 0x184d2a50

/**
 * A sequence of frames, as RFC 8878 defines it: some writers make several of one chunk, or put data of their own into frames that are
 * skipped. Node stops after the first frame.
 */
function decodeZstd(data: Uint8Array, size: DecodedSize): Uint8Array {
  const first = oneFrame(data, size)
  if (first.end === data.length && first.bytes !== undefined) {
    checkSize(first.bytes.length, size)
    return first.bytes
  }
  const parts = first.bytes === undefined ? [] : [first.bytes]
  const most = typeof size === 'number' ? size : size.atMost
  let length = first.bytes?.length ?? 0
  for (let at = first.end; at < data.length; ) {
    const { bytes, end } = oneFrame(data.subarray(at), { atMost: Math.max(1, most - length) })
    at += end
    if (bytes === undefined) continue
    parts.push(bytes)
    length += bytes.length
  }
  checkSize(length, size)
  return Buffer.concat(parts)
}

/** The first frame of some bytes, and where it ends; no bytes for one that is skipped. */
function oneFrame(data: Uint8Array, size: DecodedSize): { readonly bytes?: Uint8Array; readonly end: number } {
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  if (data.length >= 8 && (view.getUint32(0, true) & ~15) >>> 0 === SKIPPABLE) {
    const end = 8 + view.getUint32(4, true)
    if (end > data.length) throw new CodecError('a frame that is skipped is truncated')
    return { end }
  }
  const { buffer, engine } = inflateStart(zlib.zstdDecompressSync, data, size)
  return { bytes: buffer, end: engine.bytesWritten }
}
