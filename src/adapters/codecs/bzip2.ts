import { CodecError, checkSize, type DecodedSize, mostOf, showSize } from './codec.ts'
import { unpackBzip2 } from './compiled/bzip2-module.ts'

// bzip2: a file is a sequence of streams, a stream one of blocks of up to 900 kB. A block went through run lengths, the
// Burrows–Wheeler transform, move-to-front, runs of zeros and Huffman codes of up to six tables that change every 50 symbols.

const BLOCK_MAGIC = 0x314159265359
const END_MAGIC = 0x177245385090
const GROUP = 50
const MAX_CODE_LENGTH = 20
const RUN_A = 0
const RUN_B = 1

const wrong = (what: string) => new CodecError(`its bzip2 stream is damaged: ${what}`)

/** Bits, the highest of each byte first. */
class Bits {
  readonly #bytes: Uint8Array
  #at = 0
  #held = 0
  #count = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** @param count at most 24 */
  read(count: number): number {
    while (this.#count < count) {
      if (this.#at >= this.#bytes.length) throw wrong('it is truncated')
      this.#held = ((this.#held << 8) | (this.#bytes[this.#at++] as number)) & 0x7fffffff
      this.#count += 8
    }
    this.#count -= count
    return (this.#held >>> this.#count) & ((1 << count) - 1)
  }

  /** 32 bits or more, most significant first. */
  readLong(bytes: number): number {
    let value = 0
    for (let i = 0; i < bytes; i++) value = value * 256 + this.read(8)
    return value
  }

  /** Goes on at the next whole byte. @returns whether bytes are left */
  align(): boolean {
    this.#count -= this.#count % 8
    return this.#at - this.#count / 8 < this.#bytes.length
  }
}

/** @throws CodecError */
export function decodeBzip2(data: Uint8Array, size: DecodedSize): Uint8Array {
  const found = unpackBzip2(data, mostOf(size))
  if (found === undefined) return plainDecodeBzip2(data, size)
  checkSize(found.length, size)
  return found
}

/** What compiled/bzip2.as does, in TypeScript: for what is too large for the module, and to say what is wrong. */
export function plainDecodeBzip2(data: Uint8Array, size: DecodedSize): Uint8Array {
  const bits = new Bits(data)
  const output = new Output(size)
  do {
    if (bits.read(8) !== 0x42 || bits.read(8) !== 0x5a || bits.read(8) !== 0x68) throw wrong('it has no header')
    const level = bits.read(8) - 0x30
    if (level < 1 || level > 9) throw wrong('its block size is unknown')
    decodeStream(bits, level * 100_000, output)
  } while (bits.align())
  return output.finished()
}

function decodeStream(bits: Bits, blockSize: number, output: Output): void {
  const block = new Uint32Array(blockSize)
  let combined = 0
  for (;;) {
    const magic = bits.readLong(6)
    const checksum = bits.readLong(4) | 0
    if (magic === END_MAGIC) {
      if (checksum !== combined) throw wrong('its checksum is wrong')
      return
    }
    if (magic !== BLOCK_MAGIC) throw wrong('a block has no start')
    if (bits.read(1) === 1) throw wrong('a block is of a kind that was never in use')
    const origin = bits.read(24)
    const length = readBlock(bits, block)
    if (length > 0 && origin >= length) throw wrong('a block has no origin')
    const found = output.writeBlock(block, length, origin)
    if (found !== checksum) throw wrong('the checksum of a block is wrong')
    combined = ((combined << 1) | (combined >>> 31)) ^ found
  }
}

/** Reads the symbols of a block into the low bytes of `block`. @returns how many there are */
function readBlock(bits: Bits, block: Uint32Array): number {
  const order = readAlphabet(bits)
  const symbols = order.length + 2
  const tables = bits.read(3)
  const selectors = readSelectors(bits, tables)
  const codes = Array.from({ length: tables }, () => readCode(bits, symbols))
  let length = 0
  let run = 0
  let weight = 1
  let code = codes[0] as HuffmanCode
  for (let group = -1, left = 0; ; left--) {
    if (left === 0) {
      left = GROUP
      const table = selectors[++group]
      if (table === undefined) throw wrong('a block has no end')
      code = codes[table] as HuffmanCode
    }
    const symbol = code.read(bits)
    if (symbol === RUN_A || symbol === RUN_B) {
      run += weight << symbol
      weight *= 2
      if (run > block.length) throw wrong('a block is too long')
      continue
    }
    if (run > 0) {
      if (length + run > block.length) throw wrong('a block is too long')
      block.fill(order[0] as number, length, length + run)
      length += run
      run = 0
    }
    weight = 1
    if (symbol === symbols - 1) return length
    if (length === block.length) throw wrong('a block is too long')
    const byte = order[symbol - 1] as number
    order.copyWithin(1, 0, symbol - 1)
    order[0] = byte
    block[length++] = byte
  }
}

/** The bytes that occur in a block. */
function readAlphabet(bits: Bits): number[] {
  const ranges = bits.read(16)
  const bytes: number[] = []
  for (let range = 0; range < 16; range++) {
    if ((ranges & (0x8000 >> range)) === 0) continue
    const used = bits.read(16)
    for (let i = 0; i < 16; i++) if (used & (0x8000 >> i)) bytes.push(16 * range + i)
  }
  if (bytes.length === 0) throw wrong('a block has no bytes')
  return bytes
}

/** The table of each group of symbols. */
function readSelectors(bits: Bits, tables: number): Uint8Array {
  if (tables < 2 || tables > 6) throw wrong(`it has ${tables} tables`)
  const selectors = new Uint8Array(bits.read(15))
  if (selectors.length === 0) throw wrong('it has no groups')
  const order = [0, 1, 2, 3, 4, 5]
  for (let i = 0; i < selectors.length; i++) {
    let position = 0
    while (bits.read(1) === 1) if (++position >= tables) throw wrong('a group has no table')
    const [table] = order.splice(position, 1) as [number]
    order.unshift(table)
    selectors[i] = table
  }
  return selectors
}

function readCode(bits: Bits, symbols: number): HuffmanCode {
  const lengths = new Uint8Array(symbols)
  let length = bits.read(5)
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (;;) {
      if (length < 1 || length > MAX_CODE_LENGTH) throw wrong('a code is too long')
      if (bits.read(1) === 0) break
      length += bits.read(1) === 0 ? 1 : -1
    }
    lengths[symbol] = length
  }
  return new HuffmanCode(lengths)
}

/** A canonical Huffman code. */
class HuffmanCode {
  /** By length: the first code, and where its symbol is in `#symbols`. */
  readonly #first = new Int32Array(MAX_CODE_LENGTH + 2)
  readonly #start = new Int32Array(MAX_CODE_LENGTH + 2)
  readonly #symbols: Uint16Array

  constructor(lengths: Uint8Array) {
    this.#symbols = new Uint16Array(lengths.length)
    let at = 0
    let code = 0
    for (let length = 1; length <= MAX_CODE_LENGTH; length++) {
      this.#first[length] = code
      this.#start[length] = at
      for (let symbol = 0; symbol < lengths.length; symbol++) {
        if (lengths[symbol] !== length) continue
        this.#symbols[at++] = symbol
        code++
      }
      code *= 2
    }
    this.#start[MAX_CODE_LENGTH + 1] = at
  }

  read(bits: Bits): number {
    let code = 0
    for (let length = 1; length <= MAX_CODE_LENGTH; length++) {
      code = code * 2 + bits.read(1)
      const index = code - (this.#first[length] as number) + (this.#start[length] as number)
      if (index < (this.#start[length + 1] as number)) return this.#symbols[index] as number
    }
    throw wrong('a code is unknown')
  }
}

/** What was decoded so far, of which the length may not be known before. */
class Output {
  readonly #size: DecodedSize
  readonly #most: number
  #bytes: Uint8Array
  #length = 0

  constructor(size: DecodedSize) {
    this.#size = size
    this.#most = mostOf(size)
    this.#bytes = new Uint8Array(typeof size === 'number' ? size : Math.min(size.atMost, 2 ** 16))
  }

  /** Reverses the transform and the run lengths. @returns the block's checksum */
  writeBlock(block: Uint32Array, length: number, origin: number): number {
    if (length === 0) return 0
    const starts = new Uint32Array(257)
    for (let i = 0; i < length; i++) starts[((block[i] as number) & 255) + 1]!++
    for (let byte = 0; byte < 256; byte++) starts[byte + 1]! += starts[byte] as number
    // The upper bits of an entry are where the next byte is.
    for (let i = 0; i < length; i++) {
      const byte = (block[i] as number) & 255
      block[starts[byte]!++]! |= i << 8
    }
    let checksum = -1
    let next = (block[origin] as number) >>> 8
    let repeated = 0
    let last = -1
    for (let i = 0; i < length; i++) {
      const entry = block[next] as number
      const byte = entry & 255
      next = entry >>> 8
      if (repeated === 4) {
        checksum = this.#write(last, byte, checksum)
        repeated = 0
        last = -1
        continue
      }
      repeated = byte === last ? repeated + 1 : 1
      last = byte
      checksum = this.#write(byte, 1, checksum)
    }
    return ~checksum
  }

  finished(): Uint8Array {
    checkSize(this.#length, this.#size)
    return this.#bytes.subarray(0, this.#length)
  }

  #write(byte: number, count: number, checksum: number): number {
    if (this.#length + count > this.#most) {
      throw new CodecError(`it decoded to more bytes than expected: ${showSize(this.#size)}`)
    }
    while (this.#length + count > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(this.#most, 2 * this.#bytes.length))
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    this.#bytes.fill(byte, this.#length, this.#length + count)
    this.#length += count
    let sum = checksum
    for (let i = 0; i < count; i++) sum = (sum << 8) ^ (CHECKSUMS[(sum >>> 24) ^ byte] as number)
    return sum
  }
}

const CHECKSUMS = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24
  for (let bit = 0; bit < 8; bit++) value = value < 0 ? (value << 1) ^ 0x04c11db7 : value << 1
  return value
})
