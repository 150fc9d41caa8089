import zlib from 'node:zlib'
import { type BytesCodec, CodecError, checkSize, type DecodedSize, mostOf, SPARE_BYTES, showSize } from './codec.ts'
import { ReusedStream } from './reused-stream.ts'

/** One spare byte reveals a stream that is too long; the others keep Node from allocating a second buffer. */
const roomFor = (size: DecodedSize) =>
  typeof size === 'number'
    ? { chunkSize: size + SPARE_BYTES, maxOutputLength: size + SPARE_BYTES }
    : { maxOutputLength: size.atMost }

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
const roomForEncoded = (bytes: number) => Math.max(64, bytes + (bytes >> 8) + 256)

/** A codec of node:zlib whose streams are made once. */
function reusing(
  label: string,
  encoder: ReusedStream,
  decoder: ReusedStream,
  once: { encode(data: Uint8Array): Uint8Array; decode(data: Uint8Array, size: DecodedSize): Uint8Array },
): BytesCodec {
  return {
    label,
    room: roomForEncoded,
    encode(data, room) {
      const length = room === undefined ? undefined : encoder.run(data, room)
      return length === undefined ? once.encode(data) : (room as Uint8Array).subarray(0, length)
    },
    decode(data, size, into) {
      if (into === undefined || typeof size !== 'number') return once.decode(data, size)
      const isRoomy = into.length >= size + SPARE_BYTES
      const output = isRoomy ? into : roomyScratch(size)
      if (decoder.run(data, output) !== size) return once.decode(data, size)
      if (isRoomy) return into.subarray(0, size)
      into.set(output.subarray(0, size))
      return into
    },
  }
}

let scratch = new Uint8Array(0)

/** Memory that is free again when the current call returns. */
function roomyScratch(size: number): Uint8Array {
  if (scratch.length !== size + SPARE_BYTES) scratch = new Uint8Array(size + SPARE_BYTES)
  return scratch
}

const { Z_FINISH, ZSTD_e_end } = zlib.constants

/** @param level 0 to 9 */
export function gzipCodec(level: number): BytesCodec {
  return reusing(
    `gzip:${level}`,
    new ReusedStream(() => zlib.createGzip({ level }), Z_FINISH, true),
    new ReusedStream(() => zlib.createGunzip(), Z_FINISH, true),
    {
      encode: (data) => zlib.gzipSync(data, { level, chunkSize: roomForEncoded(data.length) }),
      decode: (data, size) => inflate(zlib.gunzipSync, data, size),
    },
  )
}

/** @param level 0 to 9 */
export function zlibCodec(level: number): BytesCodec {
  return reusing(
    `zlib:${level}`,
    new ReusedStream(() => zlib.createDeflate({ level }), Z_FINISH, true),
    new ReusedStream(() => zlib.createInflate(), Z_FINISH, true),
    {
      encode: (data) => zlib.deflateSync(data, { level, chunkSize: roomForEncoded(data.length) }),
      decode: (data, size) => inflate(zlib.inflateSync, data, size),
    },
  )
}

/** @param level −131072 to 22; 0 is zstd's own default of 3 */
export function zstdCodec(level: number, checksum = false): BytesCodec {
  const params = {
    [zlib.constants.ZSTD_c_compressionLevel]: level,
    [zlib.constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0,
  }
  return reusing(
    `zstd:${level}`,
    new ReusedStream(() => zlib.createZstdCompress({ params }), ZSTD_e_end, false),
    new ReusedStream(() => zlib.createZstdDecompress(), ZSTD_e_end, false),
    {
      encode: (data) =>
        zlib.zstdCompressSync(data, {
          params,
          pledgedSrcSize: data.length,
          chunkSize: roomForEncoded(data.length),
        } as zlib.ZstdOptions),
      decode: decodeZstd,
    },
  )
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
  const most = mostOf(size)
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
