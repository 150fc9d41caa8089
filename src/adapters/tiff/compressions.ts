import zlib from 'node:zlib'
import { CodecError, SPARE_BYTES } from '../codecs/codec.ts'
import { ReusedStream } from '../codecs/reused-stream.ts'
import { decodeXz } from '../codecs/xz/xz.ts'
import { zstdCodec } from '../codecs/zlib.ts'
import { decodeLzw } from './lzw.ts'

/** Fills `into` with as many bytes as the data has. @returns how many. @throws CodecError */
export type Decode = (data: Uint8Array, into: Uint8Array) => number

export interface Compression {
  readonly name: string
  readonly decode: Decode
  /** No stream decodes to more than this times its bytes. */
  readonly highestRatio: number
}

const deflate: Compression = { name: 'deflate', decode: inflate, highestRatio: 1032 }

/** The schemes that are read, by their number. */
export const COMPRESSIONS: Readonly<Record<number, Compression>> = {
  1: { name: 'raw', decode: copyInto, highestRatio: 1 },
  5: { name: 'lzw', decode: decodeLzw, highestRatio: 4096 },
  8: deflate,
  32773: { name: 'packbits', decode: unpackBits, highestRatio: 64 },
  32946: deflate,
  34925: { name: 'lzma', decode: unpackXz, highestRatio: 2 ** 14 },
  50000: { name: 'zstd', decode: unpackZstd, highestRatio: 2 ** 17 },
}

function copyInto(data: Uint8Array, into: Uint8Array): number {
  const part = data.subarray(0, into.length)
  into.set(part)
  return part.length
}

const inflater = new ReusedStream(() => zlib.createInflate(), zlib.constants.Z_FINISH, true)
const zstdStream = new ReusedStream(() => zlib.createZstdDecompress(), zlib.constants.ZSTD_e_end, false)
let room = new Uint8Array(0)

/** Decodes a stream that fills `into` exactly. @returns whether it did */
function fillsExactly(stream: ReusedStream, data: Uint8Array, into: Uint8Array): boolean {
  if (room.length !== into.length + SPARE_BYTES) room = new Uint8Array(into.length + SPARE_BYTES)
  if (stream.run(data, room) !== into.length) return false
  into.set(room.subarray(0, into.length))
  return true
}

// Writers may pad a strip beyond its rows, so what follows is left out.
function inflate(data: Uint8Array, into: Uint8Array): number {
  if (fillsExactly(inflater, data, into)) return into.length
  try {
    return copyInto(
      zlib.inflateSync(data, { chunkSize: into.length + 64, maxOutputLength: 2 * into.length + 65_536 }),
      into,
    )
  } catch (error) {
    throw new CodecError((error as Error).message, { cause: error })
  }
}

function unpackZstd(data: Uint8Array, into: Uint8Array): number {
  if (fillsExactly(zstdStream, data, into)) return into.length
  return copyInto(zstdCodec(0).decode(data, { atMost: 2 * into.length + 65_536 }), into)
}

function unpackXz(data: Uint8Array, into: Uint8Array): number {
  return copyInto(decodeXz(data, { atMost: 2 * into.length + 65_536 }), into)
}

function unpackBits(data: Uint8Array, into: Uint8Array): number {
  let written = 0
  for (let at = 0; at < data.length && written < into.length; ) {
    const header = data[at++] as number
    if (header === 128) continue
    if (header < 128) {
      const part = data.subarray(at, Math.min(at + header + 1, at + into.length - written))
      into.set(part, written)
      at += header + 1
      written += part.length
    } else {
      const end = Math.min(written + 257 - header, into.length)
      into.fill(data[at++] ?? 0, written, end)
      written = end
    }
  }
  return written
}
