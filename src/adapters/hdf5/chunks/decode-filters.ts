import { constants, createInflate, inflateSync } from 'node:zlib'
import { decodeBlosc } from '../../codecs/blosc-decode.ts'
import { decodeBzip2 } from '../../codecs/bzip2.ts'
import { fletcher32 } from '../../codecs/checksums/fletcher32.ts'
import { type DecodedSize, SPARE_BYTES } from '../../codecs/codec.ts'
import { decodeLzf } from '../../codecs/lzf.ts'
import { ReusedStream } from '../../codecs/reused-stream.ts'
import { unshuffleBytes } from '../../codecs/shuffle.ts'
import { zstdCodec } from '../../codecs/zlib.ts'
import { stepLimit } from '../../files/encoded-limit.ts'
import type { Hdf5Filter } from '../library.ts'
import { decodeBlosc2 } from './blosc2.ts'
import { decodeBitshuffle, decodeFramedLz4 } from './framed-blocks.ts'

/** A chunk that can't be decoded. If the HDF5 library has its filters, it says why when it is asked for the same chunk. */
export class UndecodedChunk extends Error {}

/** A chunk that has, or decodes to, far more bytes than a chunk of its dataset: the library would take memory for all of them. */
export class TooLargeChunk extends Error {}

/**
 * Undoes one filter.
 * @param size the bytes of the result, if they are known
 * @param most the most bytes of any result
 * @param room memory that may be used for the result if it suffices
 * @throws UndecodedChunk, or any error of a decoder
 */
type Decode = (
  bytes: Uint8Array,
  filter: Hdf5Filter,
  size: number | undefined,
  most: number,
  room: Uint8Array | undefined,
) => Uint8Array

interface Decoder {
  readonly decode: Decode
  /** Bytes after encoding, if they depend on nothing but those before. */
  readonly encodedSize?: (size: number) => number
}

const zstd = zstdCodec(3)

/** Filters that are decoded here, by HDF5's numbers. */
const DECODERS: Readonly<Record<number, Decoder>> = {
  1: { decode: inflate },
  2: { decode: unshuffle, encodedSize: (size) => size },
  3: { decode: checkFletcher32, encodedSize: (size) => size + CHECKSUM_BYTES },
  307: { decode: by(decodeBzip2) },
  32000: { decode: by((bytes, size, _, into) => decodeLzf(bytes, size, into)) },
  32001: { decode: by((bytes, size, _, into) => decodeBlosc(bytes, size, into)) },
  32004: { decode: by((bytes, size, _, into) => decodeFramedLz4(bytes, size, into)) },
  32008: { decode: by(decodeBitshuffle) },
  32015: { decode: by((bytes, size, _, into) => zstd.decode(bytes, size, into)) },
  32026: { decode: by(decodeBlosc2) },
}

/**
 * A codec of Bellis as a filter.
 * @param decode gets the filter's settings, too, and memory that may be used for the result, with {@link SPARE_BYTES} more than it needs
 */
function by(
  decode: (bytes: Uint8Array, size: DecodedSize, settings: readonly number[], into?: Uint8Array) => Uint8Array,
): Decode {
  return (bytes, { cd_values: settings }, size, most, room) => {
    const into = size === undefined ? undefined : room?.subarray(0, size + SPARE_BYTES)
    return decode(bytes, size ?? { atMost: most }, settings, into)
  }
}

const CHECKSUM_BYTES = 4

/** Whether all filters of a dataset are decoded here. */
export const canDecode = (filters: readonly Hdf5Filter[]): boolean => filters.every(({ id }) => id in DECODERS)

/**
 * Decodes a chunk.
 * @param filters in the order in which they were applied
 * @param filterMask a bit for each filter that was not applied to this chunk
 * @param size of the decoded chunk, bytes
 * @param room memory that may be used for the result if it suffices: {@link SPARE_BYTES} more than `size`
 * @returns a view of `room`, memory of its own, or, if no filter was applied, a view of `bytes`
 * @throws UndecodedChunk, or any error of a decoder
 */
export function decodeFilters(
  bytes: Uint8Array,
  filters: readonly Hdf5Filter[],
  filterMask: number,
  size: number,
  room?: Uint8Array,
): Uint8Array {
  const applied = filters.filter((_, number) => (filterMask & (1 << number)) === 0)
  const sizes: (number | undefined)[] = [size]
  for (const { id } of applied) {
    const before = sizes.at(-1)
    sizes.push(before === undefined ? undefined : DECODERS[id]!.encodedSize?.(before))
  }
  // A filter in the middle may have made more bytes of it.
  const most = stepLimit(size)
  let decoded = bytes
  for (let number = applied.length - 1; number >= 0; number--) {
    const filter = applied[number]!
    decoded = DECODERS[filter.id]!.decode(decoded, filter, sizes[number], most, number === 0 ? room : undefined)
  }
  if (decoded.length !== size) throw new UndecodedChunk(`a chunk has ${decoded.length} bytes, expected ${size}`)
  return decoded
}

/** HDF5's number of szip, whose streams begin with the number of bytes that the library takes for them. */
const SZIP = 4

/** Whether the library alone undoes some of these filters, of which others could hand it more bytes than a chunk has. */
export const needsCheck = (filters: readonly Hdf5Filter[]): boolean =>
  !canDecode(filters) && filters.some(({ id }) => id === 1 || id === SZIP)

/**
 * Undoes the last filters of a chunk, as far as they are decoded here, before the library undoes all of them.
 * @throws TooLargeChunk, or any error of a decoder
 */
export function checkSizes(bytes: Uint8Array, filters: readonly Hdf5Filter[], filterMask: number, size: number): void {
  const most = stepLimit(size)
  const applied = filters.filter((_, number) => (filterMask & (1 << number)) === 0)
  let decoded = bytes
  for (const filter of applied.toReversed()) {
    const decoder = DECODERS[filter.id]
    if (decoder === undefined) {
      const { buffer, byteOffset, length } = decoded
      if (filter.id !== SZIP || length < 4 || new DataView(buffer, byteOffset).getUint32(0, true) <= most) return
      throw new TooLargeChunk(TOO_LARGE)
    }
    decoded = decoder.decode(decoded, filter, undefined, most, undefined)
  }
}

const TOO_LARGE = 'it decodes to far more bytes than a chunk of this dataset has'

const inflater = new ReusedStream(() => createInflate(), constants.Z_FINISH, true)

function inflate(
  bytes: Uint8Array,
  _: Hdf5Filter,
  size: number | undefined,
  most: number,
  room: Uint8Array | undefined,
): Uint8Array {
  if (size !== undefined) {
    const output = roomFor(size, room)
    if (inflater.run(bytes, output) === size) return output.subarray(0, size)
  }
  if (size === undefined) return inflateAtMost(bytes, most)
  try {
    // A little more room than needed keeps Node from allocating a second buffer, and shows a stream that is too long.
    return inflateSync(bytes, { chunkSize: size + SPARE_BYTES, maxOutputLength: size + SPARE_BYTES })
  } catch (error) {
    // The library decides about one that is somewhat too long.
    if (isTooLong(error)) inflateAtMost(bytes, most)
    throw error
  }
}

/** @throws TooLargeChunk, or zlib's error */
function inflateAtMost(bytes: Uint8Array, most: number): Uint8Array {
  try {
    return inflateSync(bytes, { maxOutputLength: most })
  } catch (error) {
    throw isTooLong(error) ? new TooLargeChunk(TOO_LARGE) : error
  }
}

const isTooLong = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'

const roomFor = (size: number, room: Uint8Array | undefined): Uint8Array =>
  room !== undefined && room.length >= size + SPARE_BYTES ? room : new Uint8Array(size + SPARE_BYTES)

function checkFletcher32(bytes: Uint8Array): Uint8Array {
  const end = bytes.length - CHECKSUM_BYTES
  if (end < 0) throw new UndecodedChunk('a chunk has no checksum')
  const data = bytes.subarray(0, end)
  const stored = new DataView(bytes.buffer, bytes.byteOffset + end).getUint32(0, true)
  // Another value, of an old version of HDF5, is left to the library.
  if (fletcher32(data) !== stored) throw new UndecodedChunk('a chunk has a wrong checksum')
  return data
}

function unshuffle(
  bytes: Uint8Array,
  { cd_values: [width = 1] }: Hdf5Filter,
  _size: number | undefined,
  _most: number,
  room: Uint8Array | undefined,
): Uint8Array {
  if (width <= 1 || bytes.length < 2 * width) return bytes
  const out = roomFor(bytes.length, room).subarray(0, bytes.length)
  unshuffleBytes(bytes, out, width)
  return out
}
