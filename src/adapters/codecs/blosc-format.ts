// The format of c-blosc 1. Bellis implements it because the codec on npm assumes four bytes per element, copies its
// input byte by byte, and silently returns garbage for a corrupt chunk.
//
//   header  version, version of the compressor, flags, element size (a byte each); decoded, block, encoded bytes (uint32)
//   starts  where each block starts (int32 each), then the blocks
//   block   one stream, or one per byte of an element; a stream is its length (int32) and its bytes, raw if that is shorter

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

export const HEADER_BYTES = 16
export const FLAG_SHUFFLE = 1
export const FLAG_RAW = 2
export const FLAG_BITSHUFFLE = 4
export const FLAG_ONE_STREAM = 16
export const MAX_STREAMS = 16
const MIN_STREAM_BYTES = 128
export const BLOSC_FORMATS = ['blosclz', 'lz4', 'snappy', 'zlib', 'zstd'] as const
export type BloscFormat = (typeof BLOSC_FORMATS)[number]

const MAX_KEPT_BYTES = 2 ** 24

/** Memory that the next call reuses: new pages from the system cost as much as compressing into them. */
export class Scratch {
  #bytes = new Uint8Array(0)

  /** @returns `length` bytes of any content, valid until the next call */
  take(length: number): Uint8Array {
    if (length > MAX_KEPT_BYTES) return new Uint8Array(length)
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(length)
    return this.#bytes.subarray(0, length)
  }
}

/** For the shuffled bytes of one block. */
export const sortedScratch = new Scratch()

/** Streams in a block. One per byte of an element pays off if the compressor is fast and shuffling has sorted the bytes. */
export const streamsOf = (oneStream: boolean, typeSize: number, blockBytes: number, isWhole: boolean): number =>
  !oneStream && typeSize <= MAX_STREAMS && blockBytes / typeSize >= MIN_STREAM_BYTES && isWhole ? typeSize : 1
