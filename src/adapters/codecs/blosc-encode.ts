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

export function encodeBlosc(data: Uint8Array, settings: BloscSettings): Uint8Array {
  const { typeSize, shuffle, level, compressor } = settings
  const blockSize = chooseBlockSize(settings, data.length)
  const shuffles = shuffle === 'bitshuffle' || (shuffle === 'shuffle' && typeSize > 1)
  const oneStream = !(compressor === 'lz4' || compressor === 'blosclz') || !shuffles
  const blocks = blockSize === 0 ? 0 : Math.ceil(data.length / blockSize)
  const bound = Math.max(lz4Bound(data.length), blosclzBound(data.length)) + blocks * (8 + 24 * MAX_STREAMS)
  const output = outputScratch.take(HEADER_BYTES + bound)
  const view = new DataView(output.buffer)
  const flags =
    (BLOSC_FORMATS.indexOf(compressor === 'lz4hc' ? 'lz4' : compressor) << 5) |
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
