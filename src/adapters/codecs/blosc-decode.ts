import zlib from 'node:zlib'
import {
  BLOSC_FORMATS,
  type BloscFormat,
  FLAG_BITSHUFFLE,
  FLAG_ONE_STREAM,
  FLAG_RAW,
  FLAG_SHUFFLE,
  HEADER_BYTES,
  MAX_STREAMS,
  sortedScratch,
  streamsOf,
} from './blosc-format.ts'
import { blosclzDecompress } from './blosclz.ts'
import { CodecError, checkSize, type DecodedSize, SPARE_BYTES } from './codec.ts'
import { type LentCodecs, permuteBlock, withCodecs } from './compiled/codecs-module.ts'
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
  if (HEADER_BYTES + 4 * blocks > data.length) throw new CodecError('its table of Blosc blocks is truncated')
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const decodeAll = (decode: (streams: Streams, target: Uint8Array) => void) => {
    for (let block = 0; block < blocks; block++) {
      const target = output.subarray(block * header.blockSize, Math.min((block + 1) * header.blockSize, header.size))
      decode(findStreams(data, view, block, header, target.length), target)
    }
  }
  const length = Math.min(header.blockSize, header.size)
  const gains = permutationOf(header) !== undefined || header.format in DECOMPRESS
  const done =
    gains &&
    withCodecs([length + 4 * MAX_STREAMS, length, length, length], (lent) => {
      decodeAll((streams, target) => {
        if (!decodesThere(lent, data, streams, header, target)) decodeHere(data, streams, header, target)
      })
      return true
    })
  if (!done) decodeAll((streams, target) => decodeHere(data, streams, header, target))
  return output
}

/** The streams of a block, one after the other. */
interface Streams {
  /** Where the block starts and ends. */
  readonly start: number
  readonly end: number
  /** Where each stream starts, after its length. */
  readonly places: readonly number[]
  readonly lengths: readonly number[]
  /** Decoded bytes of each. */
  readonly decoded: number
}

function findStreams(data: Uint8Array, view: DataView, block: number, header: Header, length: number): Streams {
  const start = view.getInt32(HEADER_BYTES + 4 * block, true)
  const oneStream = (header.flags & FLAG_ONE_STREAM) !== 0
  const count = streamsOf(oneStream, header.typeSize, length, length === header.blockSize)
  const [places, lengths]: [number[], number[]] = [[], []]
  let at = start
  for (let stream = 0; stream < count; stream++) {
    if (at < HEADER_BYTES || at + 4 > data.length) throw new CodecError('a Blosc block lies outside the chunk')
    const encoded = view.getInt32(at, true)
    at += 4
    if (encoded < 0 || at + encoded > data.length) throw new CodecError('a Blosc stream is truncated')
    places.push(at)
    lengths.push(encoded)
    at += encoded
  }
  return { start, end: at, places, lengths, decoded: Math.floor(length / count) }
}

type Unshuffle = 'unshuffleBytes' | 'unshuffleBits'

function permutationOf({ flags, typeSize }: Header): Unshuffle | undefined {
  if ((flags & FLAG_SHUFFLE) !== 0 && typeSize > 1) return 'unshuffleBytes'
  return (flags & FLAG_BITSHUFFLE) !== 0 ? 'unshuffleBits' : undefined
}

/** What the module decompresses. */
const DECOMPRESS = { lz4: 'lz4Decompress', blosclz: 'blosclzDecompress' } as const

/**
 * Decodes a block in the module's memory.
 * @returns false if it does not fit there, or a stream of it is damaged
 */
function decodesThere(
  lent: LentCodecs,
  data: Uint8Array,
  { start, end, places, lengths, decoded }: Streams,
  header: Header,
  target: Uint8Array,
): boolean {
  const { codecs, bytes } = lent
  const [input, sorted, plain, room] = lent.places as [number, number, number, number]
  if (end - start > sorted - input) return false
  const permutation = permutationOf(header)
  const into = permutation === undefined ? plain : sorted
  const { format } = header
  const name = format === 'lz4' || format === 'blosclz' ? DECOMPRESS[format] : undefined
  if (name !== undefined) bytes.set(data.subarray(start, end), input)
  for (let stream = 0; stream < places.length; stream++) {
    const [at, encoded] = [places[stream] as number, lengths[stream] as number]
    const out = into + stream * decoded
    if (encoded === decoded) bytes.set(data.subarray(at, at + encoded), out)
    else if (name !== undefined) {
      if (codecs[name](input + at - start, encoded, out, decoded) === 0) return false
    } else {
      // The bytes beyond are those of a stream that follows, or free.
      decodeStream(data.subarray(at, at + encoded), bytes.subarray(out, out + decoded + SPARE_BYTES), format, decoded)
    }
  }
  if (permutation !== undefined) {
    permuteBlock(lent, permutation, header.typeSize, target.length, [sorted, plain, room])
  }
  target.set(bytes.subarray(plain, plain + target.length))
  return true
}

/** Decodes a block. @throws CodecError */
function decodeHere(data: Uint8Array, { places, lengths, decoded }: Streams, header: Header, target: Uint8Array): void {
  const permutation = permutationOf(header)
  const sorted = permutation === undefined ? target : sortedScratch.take(target.length)
  places.forEach((at, stream) => {
    const encoded = lengths[stream] as number
    const part = data.subarray(at, at + encoded)
    const out = sorted.subarray(stream * decoded, (stream + 1) * decoded)
    if (encoded === decoded) out.set(part)
    else decodeStream(part, out, header.format)
  })
  if (permutation === 'unshuffleBytes') unshuffleBytes(sorted, target, header.typeSize)
  else if (permutation === 'unshuffleBits') unshuffleBits(sorted, target, header.typeSize)
}

/**
 * @param target memory for the decoded bytes; in what is beyond them, anything may be written
 * @throws CodecError
 */
export function decodeStream(part: Uint8Array, target: Uint8Array, format: BloscFormat, length = target.length): void {
  const exact = target.subarray(0, length)
  switch (format) {
    case 'lz4':
      lz4Decompress(part, exact)
      return
    case 'blosclz':
      blosclzDecompress(part, exact)
      return
    case 'zlib':
    case 'zstd': {
      const decoded = decoders[format].decode(part, length, target)
      const isInPlace = decoded.buffer === target.buffer && decoded.byteOffset === target.byteOffset
      if (!isInPlace) exact.set(decoded)
      return
    }
    case 'snappy':
      snappyDecompress(part, exact)
      return
    default:
      format satisfies never
  }
}

const decoders = { zlib: zlibCodec(zlib.constants.Z_DEFAULT_COMPRESSION), zstd: zstdCodec(0) }
