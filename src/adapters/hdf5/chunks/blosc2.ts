import { copyBox } from '../../../core/array/box-copy.ts'
import { rowMajorStrides } from '../../../core/array/strides.ts'
import { decodeStream } from '../../codecs/blosc-decode.ts'
import { BLOSC_FORMATS } from '../../codecs/blosc-format.ts'
import { CodecError, checkSize, type DecodedSize, UnreadError } from '../../codecs/codec.ts'
import { unshuffleBits, unshuffleBytes } from '../../codecs/shuffle.ts'

// Blosc 2: a frame is a header, chunks, a chunk with their offsets, and a trailer. The header may describe an array of several axes
// ("b2nd"), whose blocks are boxes. A chunk is Blosc 1 with a longer header, a list of filters, and streams that are runs of one byte.

const wrong = (what: string) => new CodecError(`its Blosc 2 data is damaged: ${what}`)
const unread = (what: string) => new UnreadError(`its Blosc 2 data has ${what}`)

const MAGIC = 'b2frame\0'
const CHUNK_HEADER = 32

/** A frame of one chunk, as the HDF5 filter writes it. @throws CodecError */
export function decodeBlosc2(data: Uint8Array, size: DecodedSize): Uint8Array {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length)
  if (bytes.toString('latin1', 2, 10) !== MAGIC) throw wrong('it is no frame')
  if (bytes.length < 0x57) throw wrong('its frame is truncated')
  const headerBytes = bytes.readInt32BE(0x0b)
  const decoded = Number(bytes.readBigInt64BE(0x1e))
  const stored = Number(bytes.readBigInt64BE(0x27))
  const elementBytes = bytes.readInt32BE(0x30)
  if (headerBytes < 0x57 || stored < 0 || headerBytes + stored > bytes.length || elementBytes < 1) {
    throw wrong('its frame is truncated')
  }
  if (decoded < 0 || decoded > 2 ** 31) throw wrong('its size is impossible')
  const layout = layoutOf(bytes.subarray(0, headerBytes))
  if (layout === undefined) checkSize(decoded, size)
  else if (product(layout.padded) * elementBytes !== decoded) throw wrong('its shape does not fit its size')
  if (decoded !== bytes.readInt32BE(0x3a)) throw unread('several chunks in a frame')
  if (layout !== undefined) checkSize(product(layout.shape) * elementBytes, size)
  const chunk =
    stored === 0
      ? specialChunk(decodeChunk(bytes.subarray(headerBytes), 8), decoded)
      : decodeChunk(bytes.subarray(headerBytes, headerBytes + stored), decoded)
  return layout === undefined ? chunk : fromBlocks(chunk, layout, elementBytes)
}

const product = (shape: readonly number[]): number => shape.reduce((all, length) => all * length, 1)

/** A chunk that is not stored: its offset says what it has. */
function specialChunk(offset: Uint8Array, size: number): Uint8Array {
  const kind = (offset[7] as number) & 0x7f
  if (((offset[7] as number) & 0x80) === 0 || kind !== 1) throw unread(`a chunk of the kind ${kind}`)
  return new Uint8Array(size)
}

/** A chunk whose blocks are boxes of an array. */
interface BlockLayout {
  readonly shape: readonly number[]
  readonly block: readonly number[]
  /** The shape in whole blocks. */
  readonly padded: readonly number[]
}

/** @returns undefined for a frame without axes */
function layoutOf(header: Buffer): BlockLayout | undefined {
  const name = header.indexOf(Buffer.from('\xa4b2nd\xd2', 'latin1'))
  if (name === -1) return undefined
  // A list of version, axes, shape, chunk shape, block shape and dtype, in MessagePack.
  let at = header.readInt32BE(name + 6) + 5
  const byte = () => {
    if (at >= header.length) throw wrong('its shape is truncated')
    return header[at++] as number
  }
  byte()
  byte()
  const axes = byte()
  const list = (elementBytes: 4 | 8): number[] => {
    if ((byte() & 0x0f) !== axes) throw wrong('its shape is damaged')
    return Array.from({ length: axes }, () => {
      byte()
      if (at + elementBytes > header.length) throw wrong('its shape is truncated')
      at += elementBytes
      return elementBytes === 4 ? header.readInt32BE(at - 4) : Number(header.readBigInt64BE(at - 8))
    })
  }
  const [shape, , block] = [list(8), list(4), list(4)]
  if ([...shape, ...block].some((length) => !(length > 0))) throw wrong('its shape is damaged')
  const padded = shape.map((length, axis) => Math.ceil(length / (block[axis] as number)) * (block[axis] as number))
  return { shape, block, padded }
}

function fromBlocks(chunk: Uint8Array, { shape, block, padded }: BlockLayout, elementBytes: number): Uint8Array {
  const output = new Uint8Array(product(shape) * elementBytes)
  const strides = rowMajorStrides(shape, elementBytes)
  const inBlock = rowMajorStrides(block, elementBytes)
  const grid = padded.map((length, axis) => length / (block[axis] as number))
  const blocks = product(grid)
  const blockBytes = product(block) * elementBytes
  for (let number = 0; number < blocks; number++) {
    let rest = number
    const corner = new Array<number>(grid.length)
    for (let axis = grid.length - 1; axis >= 0; axis--) {
      corner[axis] = (rest % (grid[axis] as number)) * (block[axis] as number)
      rest = Math.floor(rest / (grid[axis] as number))
    }
    const part = block.map((length, axis) => Math.min(length, (shape[axis] as number) - (corner[axis] as number)))
    const start = corner.reduce((sum, position, axis) => sum + position * (strides[axis] as number), 0)
    copyBox(
      part,
      elementBytes,
      { bytes: chunk, start: number * blockBytes, strides: inBlock },
      { bytes: output, start, strides },
    )
  }
  return output
}

interface ChunkHeader {
  readonly bytes: Buffer
  readonly flags: number
  readonly elementBytes: number
  readonly size: number
  readonly blockSize: number
  /** Six filters and their settings, applied in this order. */
  readonly filters: Uint8Array
  readonly filterSettings: Uint8Array
}

const RAW = 2
const ONE_STREAM = 16
const EXTENDED = 5
const USES_DICTIONARY = 1

function decodeChunk(data: Buffer, size: number): Uint8Array {
  if (data.length < CHUNK_HEADER) throw wrong('a chunk is truncated')
  const flags = data[2] as number
  if ((flags & EXTENDED) !== EXTENDED) throw unread('a chunk of Blosc 1')
  const stored = data.readInt32LE(12)
  if (stored < CHUNK_HEADER || stored > data.length) throw wrong('a chunk is truncated')
  checkSize(data.readInt32LE(4), size)
  const bytes = data.subarray(0, stored)
  const output = new Uint8Array(size)
  const more = data[31] as number
  const special = (more >> 4) & 7
  if (special !== 0) return fillSpecial(bytes, special, output)
  if (flags & RAW) {
    checkSize(stored - CHUNK_HEADER, size)
    output.set(bytes.subarray(CHUNK_HEADER))
    return output
  }
  if (more & USES_DICTIONARY) throw unread('a dictionary')
  const header: ChunkHeader = {
    ...{ bytes, flags, size, elementBytes: data[3] as number, blockSize: data.readInt32LE(8) },
    ...{ filters: data.subarray(16, 22), filterSettings: data.subarray(24, 30) },
  }
  if (size > 0 && (header.blockSize < 1 || header.elementBytes < 1)) throw wrong('a block has no size')
  const blocks = Math.ceil(size / header.blockSize)
  if (CHUNK_HEADER + 4 * blocks > stored) throw wrong('its table of blocks is truncated')
  for (let block = 0; block < blocks; block++) {
    const target = output.subarray(block * header.blockSize, Math.min(size, (block + 1) * header.blockSize))
    decodeBlock(header, bytes.readInt32LE(CHUNK_HEADER + 4 * block), target, output)
  }
  return output
}

/** A chunk of zeros, of NaNs, or of one value. */
function fillSpecial(bytes: Buffer, special: number, output: Uint8Array): Uint8Array {
  if (special === 1) return output
  const size = bytes[3] as number
  const value = bytes.subarray(CHUNK_HEADER, CHUNK_HEADER + size)
  if (special !== 3 || value.length < size || size === 0) throw unread(`a chunk of the kind ${special}`)
  for (let at = 0; at + size <= output.length; at += size) output.set(value, at)
  return output
}

const SHUFFLE = 1
const BIT_SHUFFLE = 2
const DELTA = 3
/** Reduces the precision of floats, which can't be undone. */
const TRUNCATE = 4

/** @param output the chunk, whose blocks before this one are decoded */
function decodeBlock(header: ChunkHeader, start: number, target: Uint8Array, output: Uint8Array): void {
  const { filters, filterSettings, elementBytes } = header
  let data: Uint8Array = new Uint8Array(target.length)
  decodeStreams(header, start, data)
  for (let filter = 5; filter >= 0; filter--) {
    const code = filters[filter] as number
    if (code === 0 || code === TRUNCATE) continue
    if (code === DELTA) {
      const isFirst = target.byteOffset === output.byteOffset
      undoDelta(data, isFirst ? undefined : output, elementBytes)
      continue
    }
    if (code !== SHUFFLE && code !== BIT_SHUFFLE) throw unread(`the filter ${code}`)
    const size = (filterSettings[filter] as number) || elementBytes
    const source = data
    data = new Uint8Array(source.length)
    if (code === SHUFFLE) unshuffleBytes(source, data, size)
    else unshuffleWholeBits(source, data, size)
  }
  target.set(data)
}

/** Differences (by exclusive or) of each element to the one before it, or to that of the first block at the same place. */
function undoDelta(data: Uint8Array, firstBlock: Uint8Array | undefined, elementBytes: number): void {
  // Elements of another size are taken as bytes, or as those of eight bytes.
  const step = [1, 2, 4].includes(elementBytes) ? elementBytes : elementBytes % 8 === 0 ? 8 : 1
  const end = data.length - (data.length % step)
  if (firstBlock === undefined) {
    for (let at = step; at < end; at++) data[at] = (data[at] as number) ^ (data[at - step] as number)
  } else {
    for (let at = 0; at < end; at++) data[at] = (data[at] as number) ^ (firstBlock[at] as number)
  }
}

/** Of a number of elements that is no multiple of eight, the last ones are left as they are. */
function unshuffleWholeBits(source: Uint8Array, target: Uint8Array, size: number): void {
  const elements = Math.floor(source.length / size)
  const whole = (elements - (elements % 8)) * size
  unshuffleBits(source.subarray(0, whole), target.subarray(0, whole), size)
  target.set(source.subarray(whole), whole)
}

function decodeStreams(
  { bytes, flags, elementBytes, blockSize }: ChunkHeader,
  start: number,
  target: Uint8Array,
): void {
  const format = BLOSC_FORMATS[flags >> 5]
  if (format === undefined) throw unread(`the codec ${flags >> 5}`)
  const isWhole = target.length === blockSize
  const streams = (flags & ONE_STREAM) === 0 && isWhole ? elementBytes : 1
  const length = Math.floor(target.length / streams)
  let at = start
  for (let stream = 0; stream < streams; stream++) {
    if (at < CHUNK_HEADER || at + 4 > bytes.length) throw wrong('a block lies outside the chunk')
    const stored = bytes.readInt32LE(at)
    at += 4
    const out = target.subarray(stream * length, (stream + 1) * length)
    if (stored <= 0) {
      // A run of zeros, or after a mark of one byte, of the byte that is the length, negated.
      if (stored < -255 || (stored < 0 && ((bytes[at++] ?? 0) & 1) === 0)) throw wrong('a run has no value')
      out.fill(-stored)
      continue
    }
    if (at + stored > bytes.length) throw wrong('a stream is truncated')
    const part = bytes.subarray(at, at + stored)
    if (stored === length) out.set(part)
    else decodeStream(part, out, format)
    at += stored
  }
}
