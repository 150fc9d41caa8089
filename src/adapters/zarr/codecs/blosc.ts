import zlib from 'node:zlib'
import { blosclzBound, blosclzCompress, blosclzDecompress } from './blosclz.ts'
import { type BytesCodec, CodecError, checkSize } from './codec.ts'
import { lz4Bound, lz4Compress, lz4CompressHigh, lz4Decompress } from './lz4.ts'
import { shuffleBits, shuffleBytes, unshuffleBits, unshuffleBytes } from './shuffle.ts'
import { zlibCodec, zstdCodec } from './zlib.ts'

// The format of c-blosc 1, written out here because the codec on npm takes every element for four bytes, copies its
// input byte by byte, and returns garbage for a corrupt chunk without a word.
//
//   header  version, version of the compressor, flags, element size (a byte each); decoded, block, encoded bytes (uint32)
//   starts  where each block begins (int32 each), then the blocks
//   block   one stream, or one per byte of an element; a stream is its length (int32) and its bytes, raw where that is shorter

export const BLOSC_COMPRESSORS = ['blosclz', 'lz4', 'lz4hc', 'zlib', 'zstd'] as const
export type BloscCompressor = (typeof BLOSC_COMPRESSORS)[number]
export type BloscShuffle = 'noshuffle' | 'shuffle' | 'bitshuffle'

export interface BloscSettings {
  readonly compressor: BloscCompressor
  /** 0 to 9 */
  readonly level: number
  readonly shuffle: BloscShuffle
  /** Bytes per element, 1 to 255. */
  readonly typeSize: number
  /** Bytes per block; 0 lets the codec choose. */
  readonly blockSize: number
}

const HEADER_BYTES = 16
const FLAG_SHUFFLE = 1
const FLAG_RAW = 2
const FLAG_BITSHUFFLE = 4
const FLAG_ONE_STREAM = 16
const MAX_STREAMS = 16
const MIN_STREAM_BYTES = 128
const FORMATS = ['blosclz', 'lz4', 'snappy', 'zlib', 'zstd'] as const
type Format = (typeof FORMATS)[number]

const MAX_KEPT_BYTES = 2 ** 24

/** Memory that is used again by the next call: new pages from the system cost as much as compressing into them. */
class Scratch {
  #bytes = new Uint8Array(0)

  /** @returns `length` bytes of any content, good until the next call */
  take(length: number): Uint8Array {
    if (length > MAX_KEPT_BYTES) return new Uint8Array(length)
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(length)
    return this.#bytes.subarray(0, length)
  }
}

const sortedScratch = new Scratch()
const outputScratch = new Scratch()

export function bloscCodec(settings: BloscSettings): BytesCodec {
  return {
    label: `blosc:${settings.compressor}:${settings.level}`,
    encode: (data) => encodeBlosc(data, settings),
    decode: decodeBlosc,
  }
}

/** One stream per byte of an element pays where the compressor is fast and the bytes were sorted by shuffling. */
const streamsOf = (oneStream: boolean, typeSize: number, blockBytes: number, isWhole: boolean): number =>
  !oneStream && typeSize <= MAX_STREAMS && blockBytes / typeSize >= MIN_STREAM_BYTES && isWhole ? typeSize : 1

function chooseBlockSize({ blockSize, typeSize, compressor }: BloscSettings, length: number): number {
  const wanted = blockSize > 0 ? blockSize : compressor === 'zstd' || compressor === 'zlib' ? 1 << 19 : 1 << 17
  const cut = Math.min(wanted, length)
  // Whole groups of eight elements, since bits are shuffled only in those.
  const step = 8 * typeSize
  return cut > step ? cut - (cut % step) : cut
}

type Compress = (input: Uint8Array, output: Uint8Array, at: number) => number

function compressorOf({ compressor, level }: BloscSettings): Compress {
  const viaZlib =
    (codec: BytesCodec): Compress =>
    (input, output, at) => {
      const encoded = codec.encode(input)
      // What is not smaller is stored raw by the caller, and might not fit.
      if (encoded.length < input.length) output.set(encoded, at)
      return at + encoded.length
    }
  switch (compressor) {
    case 'lz4':
      return (input, output, at) => lz4Compress(input, output, at, Math.max(1, 10 - level))
    case 'lz4hc':
      return (input, output, at) => lz4CompressHigh(input, output, at, 1 << Math.max(2, level))
    case 'blosclz':
      return blosclzCompress
    case 'zlib':
      return viaZlib(zlibCodec(level))
    case 'zstd':
      // As c-blosc maps its nine levels onto zstd's 22.
      return viaZlib(zstdCodec(level < 9 ? Math.max(1, level * 2 - 1) : 22))
    default:
      return compressor satisfies never
  }
}

function encodeBlosc(data: Uint8Array, settings: BloscSettings): Uint8Array {
  const { typeSize, shuffle, level, compressor } = settings
  const blockSize = chooseBlockSize(settings, data.length)
  const shuffles = shuffle === 'bitshuffle' || (shuffle === 'shuffle' && typeSize > 1)
  const oneStream = !(compressor === 'lz4' || compressor === 'blosclz') || !shuffles
  const blocks = blockSize === 0 ? 0 : Math.ceil(data.length / blockSize)
  const bound = Math.max(lz4Bound(data.length), blosclzBound(data.length)) + blocks * (8 + 24 * MAX_STREAMS)
  const output = outputScratch.take(HEADER_BYTES + bound)
  const view = new DataView(output.buffer)
  const flags =
    (FORMATS.indexOf(compressor === 'lz4hc' ? 'lz4' : compressor) << 5) |
    (shuffles ? (shuffle === 'shuffle' ? FLAG_SHUFFLE : FLAG_BITSHUFFLE) : 0) |
    (oneStream ? FLAG_ONE_STREAM : 0)
  const limit = data.length + HEADER_BYTES
  const compress = compressorOf(settings)
  const scratch = sortedScratch.take(blockSize)
  let at = HEADER_BYTES + 4 * blocks
  for (let block = 0; block < blocks && at < limit && level > 0; block++) {
    view.setInt32(HEADER_BYTES + 4 * block, at, true)
    const plain = data.subarray(block * blockSize, (block + 1) * blockSize)
    const bytes = shuffles ? shuffled(plain, scratch.subarray(0, plain.length), shuffle, typeSize) : plain
    const streams = streamsOf(oneStream, typeSize, bytes.length, bytes.length === blockSize)
    const length = bytes.length / streams
    for (let stream = 0; stream < streams; stream++) {
      const raw = bytes.subarray(stream * length, (stream + 1) * length)
      let end = compress(raw, output, at + 4)
      if (end - at - 4 >= raw.length) {
        output.set(raw, at + 4)
        end = at + 4 + raw.length
      }
      view.setInt32(at, end - at - 4, true)
      at = end
    }
  }
  const isRaw = at >= limit || level === 0
  if (isRaw) {
    output.set(data, HEADER_BYTES)
    at = limit
  }
  output.set([2, 1, isRaw ? flags | FLAG_RAW : flags, typeSize])
  view.setUint32(4, data.length, true)
  view.setUint32(8, blockSize, true)
  view.setUint32(12, at, true)
  return output.slice(0, at)
}

function shuffled(source: Uint8Array, target: Uint8Array, shuffle: BloscShuffle, typeSize: number): Uint8Array {
  if (shuffle === 'shuffle') shuffleBytes(source, target, typeSize)
  else shuffleBits(source, target, typeSize)
  return target
}

interface Header {
  readonly flags: number
  readonly typeSize: number
  readonly size: number
  readonly blockSize: number
  readonly format: Format
}

function parseHeader(data: Uint8Array, size: number | undefined): Header {
  if (data.length < HEADER_BYTES) throw new CodecError(`${data.length} bytes are too few for a Blosc header`)
  const view = new DataView(data.buffer, data.byteOffset, HEADER_BYTES)
  const [version, , flags, typeSize] = data as unknown as [number, number, number, number]
  const encoded = view.getUint32(12, true)
  if (version < 1 || version > 2) throw new CodecError(`it has no header of Blosc 1 (version ${version})`)
  if (encoded !== data.length)
    throw new CodecError(`it has ${data.length} bytes where its Blosc header says ${encoded}`)
  const decoded = view.getUint32(4, true)
  checkSize(decoded, size)
  const format = FORMATS[flags >> 5]
  if (format === undefined || format === 'snappy') {
    throw new CodecError(`its Blosc compressor is ${format ?? `number ${flags >> 5}`}, which Bellis can't read`)
  }
  const blockSize = view.getUint32(8, true)
  if (decoded > 0 && (blockSize === 0 || typeSize === 0)) throw new CodecError('its Blosc header has a block size of 0')
  return { flags, typeSize, size: decoded, blockSize, format }
}

function decodeBlosc(data: Uint8Array, size?: number, into?: Uint8Array): Uint8Array {
  const header = parseHeader(data, size)
  const output = into ?? new Uint8Array(header.size)
  if (header.flags & FLAG_RAW) {
    checkSize(data.length - HEADER_BYTES, header.size)
    output.set(data.subarray(HEADER_BYTES))
    return output
  }
  const blocks = header.size === 0 ? 0 : Math.ceil(header.size / header.blockSize)
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  if (HEADER_BYTES + 4 * blocks > data.length) throw new CodecError('its table of Blosc blocks is cut off')
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
    if (at < HEADER_BYTES || at + 4 > data.length) throw new CodecError('a Blosc block lies outside of the chunk')
    const encoded = view.getInt32(at, true)
    at += 4
    if (encoded < 0 || at + encoded > data.length) throw new CodecError('a Blosc stream is cut off')
    const part = data.subarray(at, at + encoded)
    const out = target.subarray(stream * length, (stream + 1) * length)
    if (encoded === length) out.set(part)
    else decodeStream(part, out, header.format)
    at += encoded
  }
}

function decodeStream(part: Uint8Array, target: Uint8Array, format: Format): void {
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
      throw new CodecError("its Blosc compressor is snappy, which Bellis can't read")
    default:
      format satisfies never
  }
}

const decoders = { zlib: zlibCodec(zlib.constants.Z_DEFAULT_COMPRESSION), zstd: zstdCodec(0) }
