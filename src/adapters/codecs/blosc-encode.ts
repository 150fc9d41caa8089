import {
  BLOSC_FORMATS,
  type BloscSettings,
  type BloscShuffle,
  FLAG_BITSHUFFLE,
  FLAG_ONE_STREAM,
  FLAG_RAW,
  FLAG_SHUFFLE,
  HEADER_BYTES,
  MAX_STREAMS,
  Scratch,
  sortedScratch,
  streamsOf,
} from './blosc-format.ts'
import { blosclzBound, blosclzCompress } from './blosclz.ts'
import type { BytesCodec } from './codec.ts'
import { type LentCodecs, permuteBlock, withCodecs } from './compiled/codecs-module.ts'
import { lz4Bound, lz4Compress, lz4CompressHigh } from './lz4-compress.ts'
import { shuffleBits, shuffleBytes } from './shuffle.ts'
import { zlibCodec, zstdCodec } from './zlib.ts'

const outputScratch = new Scratch()

function chooseBlockSize({ blockSize, typeSize, compressor }: BloscSettings, length: number): number {
  const wanted = blockSize > 0 ? blockSize : compressor === 'zstd' || compressor === 'zlib' ? 1 << 19 : 1 << 17
  const cut = Math.min(wanted, length)
  // Complete groups of eight elements: Blosc shuffles bits only in those.
  const step = 8 * typeSize
  return cut > step ? cut - (cut % step) : cut
}

type Compress = (input: Uint8Array, output: Uint8Array, at: number) => number

function compressorOf({ compressor, level }: BloscSettings): Compress {
  const viaZlib =
    (codec: BytesCodec): Compress =>
    (input, output, at) => {
      const encoded = codec.encode(input)
      // The output may not fit here if it is not smaller; the caller then stores the input raw.
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

/** How many bytes suffice to encode so many. */
export function roomForBlosc(settings: BloscSettings, length: number): number {
  const blockSize = chooseBlockSize(settings, length)
  const blocks = blockSize === 0 ? 0 : Math.ceil(length / blockSize)
  return HEADER_BYTES + Math.max(lz4Bound(length), blosclzBound(length)) + blocks * (8 + 24 * MAX_STREAMS)
}

/** How the blocks of some bytes are encoded. */
interface Blocks {
  readonly settings: BloscSettings
  readonly blockSize: number
  readonly shuffles: boolean
  readonly oneStream: boolean
}

/** Encodes a block. @returns where it ends in `output` */
type EncodeBlock = (plain: Uint8Array, output: Uint8Array, at: number) => number

/** @param room memory that may be used for the result */
export function encodeBlosc(data: Uint8Array, settings: BloscSettings, room?: Uint8Array): Uint8Array {
  const { typeSize, shuffle, level, compressor } = settings
  const blockSize = chooseBlockSize(settings, data.length)
  const shuffles = shuffle === 'bitshuffle' || (shuffle === 'shuffle' && typeSize > 1)
  const oneStream = !(compressor === 'lz4' || compressor === 'blosclz') || !shuffles
  const bound = roomForBlosc(settings, data.length)
  const isGiven = room !== undefined && room.length >= bound
  const output = isGiven ? room : outputScratch.take(bound)
  const view = new DataView(output.buffer, output.byteOffset)
  const flags =
    (BLOSC_FORMATS.indexOf(compressor === 'lz4hc' ? 'lz4' : compressor) << 5) |
    (shuffles ? (shuffle === 'shuffle' ? FLAG_SHUFFLE : FLAG_BITSHUFFLE) : 0) |
    (oneStream ? FLAG_ONE_STREAM : 0)
  const limit = data.length + HEADER_BYTES
  const count = blockSize === 0 ? 0 : Math.ceil(data.length / blockSize)
  const encodeAll = (encode: EncodeBlock): number => {
    let at = HEADER_BYTES + 4 * count
    for (let block = 0; block < count && at < limit && level > 0; block++) {
      view.setInt32(HEADER_BYTES + 4 * block, at, true)
      at = encode(data.subarray(block * blockSize, (block + 1) * blockSize), output, at)
    }
    return at
  }
  const blocks = { settings, blockSize, shuffles, oneStream }
  let at = encodeBlocksThere(blocks, encodeAll) ?? encodeAll(blocksHere(blocks))
  const isRaw = at >= limit || level === 0
  if (isRaw) {
    output.set(data, HEADER_BYTES)
    at = limit
  }
  output.set([2, 1, isRaw ? flags | FLAG_RAW : flags, typeSize])
  view.setUint32(4, data.length, true)
  view.setUint32(8, blockSize, true)
  view.setUint32(12, at, true)
  return isGiven ? output.subarray(0, at) : output.slice(0, at)
}

/** In the module's memory, for what it compresses. @returns undefined if it does not, or there is no memory for it */
function encodeBlocksThere(blocks: Blocks, encodeAll: (encode: EncodeBlock) => number): number | undefined {
  const { settings, blockSize } = blocks
  const { compressor, level } = settings
  if (compressor !== 'lz4' && compressor !== 'blosclz') return undefined
  const bound = Math.max(lz4Bound(blockSize), blosclzBound(blockSize)) + 24 * MAX_STREAMS
  return withCodecs([blockSize, blockSize, blockSize, bound], (lent) => {
    const { codecs } = lent
    const compress =
      compressor === 'lz4'
        ? (from: number, length: number, to: number) => codecs.lz4Compress(from, length, to, Math.max(1, 10 - level))
        : codecs.blosclzCompress
    return encodeAll((plain, output, at) => encodeBlockThere(lent, blocks, compress, plain, output, at))
  })
}

function encodeBlockThere(
  lent: LentCodecs,
  { settings, blockSize, shuffles, oneStream }: Blocks,
  compress: (from: number, length: number, to: number) => number,
  plain: Uint8Array,
  output: Uint8Array,
  at: number,
): number {
  const { bytes } = lent
  const { shuffle, typeSize } = settings
  const [input, sorted, room, encoded] = lent.places as [number, number, number, number]
  bytes.set(plain, input)
  if (shuffles) {
    const permutation = shuffle === 'shuffle' ? 'shuffleBytes' : 'shuffleBits'
    permuteBlock(lent, permutation, typeSize, plain.length, [input, sorted, room])
  }
  const streams = streamsOf(oneStream, typeSize, plain.length, plain.length === blockSize)
  const length = plain.length / streams
  let to = encoded
  for (let stream = 0; stream < streams; stream++) {
    const from = (shuffles ? sorted : input) + stream * length
    let end = compress(from, length, to + 4)
    if (end - to - 4 >= length) {
      bytes.copyWithin(to + 4, from, from + length)
      end = to + 4 + length
    }
    bytes.set(littleEndian(end - to - 4), to)
    to = end
  }
  output.set(bytes.subarray(encoded, to), at)
  return at + to - encoded
}

const littleEndian = (value: number): number[] => [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24]

function blocksHere({ settings, blockSize, shuffles, oneStream }: Blocks): EncodeBlock {
  const { shuffle, typeSize } = settings
  const compress = compressorOf(settings)
  const scratch = sortedScratch.take(blockSize)
  return (plain, output, at) => {
    const view = new DataView(output.buffer, output.byteOffset)
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
    return at
  }
}

function shuffled(source: Uint8Array, target: Uint8Array, shuffle: BloscShuffle, typeSize: number): Uint8Array {
  if (shuffle === 'shuffle') shuffleBytes(source, target, typeSize)
  else shuffleBits(source, target, typeSize)
  return target
}
