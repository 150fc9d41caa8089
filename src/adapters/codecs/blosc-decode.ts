import zlib from 'node:zlib'
import {
  BLOSC_FORMATS,
  type BloscFormat,
  FLAG_BITSHUFFLE,
  FLAG_ONE_STREAM,
  FLAG_RAW,
  FLAG_SHUFFLE,
  HEADER_BYTES,
  sortedScratch,
  streamsOf,
} from './blosc-format.ts'
import { blosclzDecompress } from './blosclz.ts'
import { CodecError, checkSize, type DecodedSize } from './codec.ts'
import { lz4Decompress } from './lz4-decompress.ts'
import { unshuffleBits, unshuffleBytes } from './shuffle.ts'
import { snappyDecompress } from './snappy.ts'
import { zlibCodec, zstdCodec } from './zlib.ts'

interface Header {
  readonly flags: number
  readonly typeSize: number
  readonly size: number
  readonly blockSize: number
  readonly format: BloscFormat
}

function parseHeader(data: Uint8Array, size: DecodedSize): Header {
  if (data.length < HEADER_BYTES) throw new CodecError(`${data.length} bytes are too few for a Blosc header`)
  const view = new DataView(data.buffer, data.byteOffset, HEADER_BYTES)
  const [version, , flags, typeSize] = data as unknown as [number, number, number, number]
  const encoded = view.getUint32(12, true)
  if (version < 1 || version > 2) throw new CodecError(`it has no Blosc 1 header (version ${version})`)
  if (encoded !== data.length) throw new CodecError(`its Blosc header expects ${encoded} bytes, got ${data.length}`)
  const decoded = view.getUint32(4, true)
  checkSize(decoded, size)
  const format = BLOSC_FORMATS[flags >> 5]
  if (format === undefined) {
    throw new CodecError(`its Blosc compressor is number ${flags >> 5}, which Bellis can't read`)
  }
  const blockSize = view.getUint32(8, true)
  if (decoded > 0 && (blockSize === 0 || typeSize === 0)) throw new CodecError('its Blosc header has a block size of 0')
  return { flags, typeSize, size: decoded, blockSize, format }
}

/** @throws CodecError */
export function decodeBlosc(data: Uint8Array, size: DecodedSize, into?: Uint8Array): Uint8Array {
  const header = parseHeader(data, size)
  const output = into?.subarray(0, header.size) ?? new Uint8Array(header.size)
  if (header.flags & FLAG_RAW) {
    checkSize(data.length - HEADER_BYTES, header.size)
    output.set(data.subarray(HEADER_BYTES))
    return output
  }
  const blocks = header.size === 0 ? 0 : Math.ceil(header.size / header.blockSize)
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  if (HEADER_BYTES + 4 * blocks > data.length) throw new CodecError('its table of Blosc blocks is truncated')
  const needsScratch =
    (header.flags & FLAG_BITSHUFFLE) !== 0 || ((header.flags & FLAG_SHUFFLE) !== 0 && header.typeSize > 1)
  const scratch = needsScratch ? sortedScratch.take(Math.min(header.blockSize, header.size)) : undefined
  for (let block = 0; block < blocks; block++) {
    const target = output.subarray(block * header.blockSize, Math.min((block + 1) * header.blockSize, header.size))
    const start = view.getInt32(HEADER_BYTES + 4 * block, true)
    if (scratch === undefined) {
      decodeBlock(data, view, start, header, target)
      continue
    }
    const sorted = scratch.subarray(0, target.length)
    decodeBlock(data, view, start, header, sorted)
    if (header.flags & FLAG_SHUFFLE) unshuffleBytes(sorted, target, header.typeSize)
    else unshuffleBits(sorted, target, header.typeSize)
  }
  return output
}

function decodeBlock(data: Uint8Array, view: DataView, start: number, header: Header, target: Uint8Array): void {
  const oneStream = (header.flags & FLAG_ONE_STREAM) !== 0
  const streams = streamsOf(oneStream, header.typeSize, target.length, target.length === header.blockSize)
  const length = Math.floor(target.length / streams)
  let at = start
  for (let stream = 0; stream < streams; stream++) {
    if (at < HEADER_BYTES || at + 4 > data.length) throw new CodecError('a Blosc block lies outside the chunk')
    const encoded = view.getInt32(at, true)
    at += 4
    if (encoded < 0 || at + encoded > data.length) throw new CodecError('a Blosc stream is truncated')
    const part = data.subarray(at, at + encoded)
    const out = target.subarray(stream * length, (stream + 1) * length)
    if (encoded === length) out.set(part)
    else decodeStream(part, out, header.format)
    at += encoded
  }
}

export function decodeStream(part: Uint8Array, target: Uint8Array, format: BloscFormat): void {
  switch (format) {
    case 'lz4':
      lz4Decompress(part, target)
      return
    case 'blosclz':
      blosclzDecompress(part, target)
      return
    case 'zlib':
    case 'zstd':
      target.set(decoders[format].decode(part, target.length))
      return
    case 'snappy':
      snappyDecompress(part, target)
      return
    default:
      format satisfies never
  }
}

const decoders = { zlib: zlibCodec(zlib.constants.Z_DEFAULT_COMPRESSION), zstd: zstdCodec(0) }
