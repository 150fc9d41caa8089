import { CodecError, checkSize, type DecodedSize } from '../../codecs/codec.ts'
import { permuteBlock, withCodecs } from '../../codecs/compiled/codecs-module.ts'
import { lz4Bound } from '../../codecs/lz4-compress.ts'
import { lz4Decompress } from '../../codecs/lz4-decompress.ts'
import { unshuffleBits } from '../../codecs/shuffle.ts'
import { zstdCodec } from '../../codecs/zlib.ts'

// The HDF5 filters lz4 and bitshuffle store a chunk as blocks, each after its length. All numbers are big-endian:
// the decoded size (8 bytes), the bytes of a block (4), then for each block its encoded length (4) and its bytes.

const HEADER_BYTES = 12
const truncated = (what: string) => new CodecError(`its ${what} blocks are truncated`)

/** A header and the blocks after it. */
class Blocks {
  readonly size: number
  readonly blockBytes: number
  readonly #data: Uint8Array
  readonly #view: DataView
  readonly #what: string
  #at = HEADER_BYTES

  constructor(data: Uint8Array, size: DecodedSize, what: string) {
    if (data.length < HEADER_BYTES) throw truncated(what)
    this.#data = data
    this.#what = what
    this.#view = new DataView(data.buffer, data.byteOffset, data.length)
    this.size = Number(this.#view.getBigUint64(0))
    this.blockBytes = this.#view.getUint32(8)
    checkSize(this.size, size)
  }

  next(): Uint8Array {
    if (this.#at + 4 > this.#data.length) throw truncated(this.#what)
    const length = this.#view.getUint32(this.#at)
    return this.take(length, 4)
  }

  take(length: number, skipped = 0): Uint8Array {
    const start = this.#at + skipped
    if (start + length > this.#data.length) throw truncated(this.#what)
    this.#at = start + length
    return this.#data.subarray(start, start + length)
  }
}

/** The filter 32004. A block that would not get smaller is stored as it is. */
export function decodeFramedLz4(data: Uint8Array, size: DecodedSize, into?: Uint8Array): Uint8Array {
  const blocks = new Blocks(data, size, 'LZ4')
  const output = memory(blocks.size, into)
  if (blocks.size > 0 && blocks.blockBytes === 0) throw new CodecError('its LZ4 blocks have no size')
  for (let at = 0; at < output.length; at += blocks.blockBytes) {
    const target = output.subarray(at, Math.min(output.length, at + blocks.blockBytes))
    const block = blocks.next()
    if (block.length === target.length) target.set(block)
    else lz4Decompress(block, target)
  }
  return output
}

const memory = (length: number, into: Uint8Array | undefined) => into?.subarray(0, length) ?? new Uint8Array(length)

const BITSHUFFLE_LZ4 = 2
const BITSHUFFLE_ZSTD = 3
/** Bits are transposed in groups of eight elements. */
const GROUP = 8
const zstd = zstdCodec(3)

/** The filter 32008. @param settings two version numbers, bytes of an element, elements of a block, compression */
export function decodeBitshuffle(
  data: Uint8Array,
  size: DecodedSize,
  settings: readonly number[],
  into?: Uint8Array,
): Uint8Array {
  const [, , elementBytes = 1, blockElements = 0, compression = 0] = settings
  if (elementBytes < 1) throw new CodecError('its elements have no size')
  if (compression === 0) {
    checkSize(data.length, size)
    const length = checkedBlock(blockElements === 0 ? defaultBlock(elementBytes) : blockElements)
    let at = 0
    return unshuffleBlocks(data.length, elementBytes, length, (bytes) => data.subarray(at, (at += bytes)))
  }
  if (compression !== BITSHUFFLE_LZ4 && compression !== BITSHUFFLE_ZSTD) {
    throw new CodecError(`its bitshuffle compression is number ${compression}, which Bellis can't read`)
  }
  const blocks = () => new Blocks(data, size, 'bitshuffle')
  const { size: length, blockBytes } = blocks()
  const blockSize = checkedBlock(blockBytes / elementBytes)
  if (compression === BITSHUFFLE_LZ4) {
    const output = unpackThere(blocks(), memory(length, into), elementBytes, blockSize)
    if (output !== undefined) return output
  }
  const rest = blocks()
  return unshuffleBlocks(length, elementBytes, blockSize, (bytes, isTransposed) => {
    if (!isTransposed) return rest.take(bytes)
    const block = rest.next()
    if (compression === BITSHUFFLE_ZSTD) return zstd.decode(block, bytes)
    const target = new Uint8Array(bytes)
    lz4Decompress(block, target)
    return target
  })
}

/** Decodes blocks of LZ4 in WebAssembly. @returns undefined if there is no memory for one, or if one is damaged */
function unpackThere(
  blocks: Blocks,
  output: Uint8Array,
  elementBytes: number,
  blockElements: number,
): Uint8Array | undefined {
  const { length } = output
  const transposed = wholeGroups(length, elementBytes)
  const most = Math.min(blockElements, transposed) * elementBytes
  return withCodecs([lz4Bound(most), most, most, most], (lent) => {
    const { codecs, bytes } = lent
    const [input, sorted, plain, room] = lent.places as [number, number, number, number]
    for (let first = 0; first < transposed; first += blockElements) {
      const block = blocks.next()
      const decoded = Math.min(blockElements, transposed - first) * elementBytes
      if (block.length > lz4Bound(most)) return undefined
      bytes.set(block, input)
      if (codecs.lz4Decompress(input, block.length, sorted, decoded) === 0) return undefined
      permuteBlock(lent, 'unshuffleBits', elementBytes, decoded, [sorted, plain, room])
      output.set(bytes.subarray(plain, plain + decoded), first * elementBytes)
    }
    const done = transposed * elementBytes
    if (done < length) output.set(blocks.take(length - done), done)
    return output
  })
}

/** Elements in complete groups: what follows is stored as it is. */
function wholeGroups(length: number, elementBytes: number): number {
  const elements = Math.floor(length / elementBytes)
  return elements - (elements % GROUP)
}

/** @returns the elements of a block. @throws CodecError */
function checkedBlock(blockElements: number): number {
  if (blockElements >= GROUP && blockElements % GROUP === 0) return blockElements
  throw new CodecError(`its bitshuffle blocks have ${blockElements} elements, expected a multiple of ${GROUP}`)
}

/** @param take the next bytes, in a compressed block if their bits are transposed */
function unshuffleBlocks(
  length: number,
  elementBytes: number,
  blockElements: number,
  take: (bytes: number, isTransposed: boolean) => Uint8Array,
): Uint8Array {
  const output = new Uint8Array(length)
  const transposed = wholeGroups(length, elementBytes)
  for (let first = 0; first < transposed; first += blockElements) {
    const start = first * elementBytes
    const bytes = Math.min(blockElements, transposed - first) * elementBytes
    unshuffleBits(take(bytes, true), output.subarray(start, start + bytes), elementBytes)
  }
  const rest = transposed * elementBytes
  if (rest < length) output.set(take(length - rest, false), rest)
  return output
}

/** As many elements as 8 kB hold, at least 128. */
const defaultBlock = (elementBytes: number): number => Math.max(128, Math.floor(8192 / elementBytes / GROUP) * GROUP)
