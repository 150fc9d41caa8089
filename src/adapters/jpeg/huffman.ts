import { CodecError } from '../codecs/codec.ts'

/** Codes and the numbers behind them are found at once if they have no more bits together. */
const AT_ONCE = 10

/** A table of codes of up to 16 bits. */
export class HuffmanTable {
  /**
   * By the next bits: a number of a few bits, how many zeros come before it, and how many bits it takes with its code. The number is 0 if
   * the code has none, and all is 0 if more bits are needed.
   */
  readonly atOnce = new Int32Array(2 ** AT_ONCE)
  /** The code of each length that is the largest, plus one, at 16 bits; and what to add to a code to find its symbol. */
  readonly #ends = new Int32Array(17)
  readonly #shifts = new Int32Array(17)
  readonly #symbols: Uint8Array
  /** Symbol and length of each code of up to 8 bits, by the 8 bits that start with it; 0 for none. */
  readonly #short = new Uint16Array(256)

  /** @param counts how many codes of 1, 2, … 16 bits there are @throws CodecError */
  constructor(counts: Uint8Array, symbols: Uint8Array) {
    this.#symbols = symbols
    let code = 0
    let index = 0
    for (let length = 1; length <= 16; length++, code <<= 1) {
      const count = counts[length - 1] as number
      if (code + count > 2 ** length) throw new CodecError('a table of its image has too many codes')
      this.#shifts[length] = index - code
      for (let end = code + count; code < end; code++, index++) {
        const symbol = symbols[index] as number
        if (length <= AT_ONCE) this.#fillAtOnce(code, length, symbol)
        if (length > 8) continue
        const first = code << (8 - length)
        this.#short.fill((symbol << 5) | length, first, first + 2 ** (8 - length))
      }
      this.#ends[length] = code << (16 - length)
    }
  }

  #fillAtOnce(code: number, length: number, symbol: number): void {
    const size = symbol & 15
    const rest = AT_ONCE - length - size
    if (rest < 0) return
    for (let number = 0; number < 2 ** size; number++) {
      const first = ((code << size) | number) << rest
      const value = size === 0 ? 0 : signedOf(number, size)
      this.atOnce.fill(value * 256 + (symbol >> 4) * 16 + length + size, first, first + 2 ** rest)
    }
  }

  /** @param bits the next 16 @returns the symbol, shifted by 5, and how many bits it takes; 0 for none */
  find(bits: number): number {
    const found = this.#short[bits >>> 8] as number
    if (found !== 0) return found
    let length = 9
    while (length <= 16 && bits >= (this.#ends[length] as number)) length++
    if (length > 16) return 0
    const symbol = this.#symbols[(bits >>> (16 - length)) + (this.#shifts[length] as number)] as number
    return (symbol << 5) | length
  }
}

/** A number of some bits, as JPEG writes them: those that start with 0 are negative. */
const signedOf = (bits: number, size: number): number => (bits < 2 ** (size - 1) ? bits - 2 ** size + 1 : bits)

/** The bits of a scan. Some that do not exist may be looked at, and none may be used. */
export class ScanBits {
  readonly #bytes: Uint8Array
  #at: number
  #held = 0
  #count = 0
  #missing = 0

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes
    this.#at = start
  }

  symbol(table: HuffmanTable): number {
    if (this.#count < 16) this.#fill()
    const found = table.find((this.#held >>> (this.#count - 16)) & 0xffff)
    if (found === 0) throw new CodecError('its image is damaged: a code is in no table')
    this.#count -= found & 31
    return found >>> 5
  }

  /** A number of up to 16 bits that is not negative. */
  bits(size: number): number {
    if (this.#count < size) this.#fill()
    this.#count -= size
    return (this.#held >>> this.#count) & (2 ** size - 1)
  }

  /** A number of some bits, as JPEG writes them. */
  signed(size: number): number {
    return size === 0 ? 0 : signedOf(this.bits(size), size)
  }

  /**
   * A symbol and the number behind it, up to the next one that is not 0.
   * @returns the number, the zeros before it (4 bits), and 4 bits that mean nothing; a number of 0 if the symbol has none
   */
  next(table: HuffmanTable): number {
    if (this.#count < 16) this.#fill()
    const found = table.atOnce[(this.#held >>> (this.#count - AT_ONCE)) & (2 ** AT_ONCE - 1)] as number
    if (found !== 0) {
      this.#count -= found & 15
      return found
    }
    const symbol = this.symbol(table)
    return this.signed(symbol & 15) * 256 + (symbol & 0xf0)
  }

  /** @throws CodecError if bits were used that do not exist */
  assertComplete(): void {
    if (8 * this.#missing > this.#count) throw new CodecError('its image is truncated')
  }

  /** Goes behind the next marker of a restart. @throws CodecError if there is none */
  restart(): void {
    this.assertComplete()
    this.#held = 0
    this.#count = 0
    this.#missing = 0
    const [first, second = 0] = this.#bytes.subarray(this.#at, this.#at + 2)
    if (first !== 0xff || second < 0xd0 || second > 0xd7) throw new CodecError('its image lacks a restart')
    this.#at += 2
  }

  /** Where the next marker is, or the end. */
  get end(): number {
    let at = this.#at
    while (at < this.#bytes.length && !(this.#bytes[at] === 0xff && this.#bytes[at + 1] !== 0)) at++
    return at
  }

  #fill(): void {
    while (this.#count <= 24) {
      let byte = this.#bytes[this.#at]
      if (byte === 0xff && this.#bytes[this.#at + 1] === 0) this.#at++
      else if (byte === undefined || byte === 0xff) byte = this.#lack()
      if (this.#missing === 0) this.#at++
      this.#held = (this.#held << 8) | byte
      this.#count += 8
    }
  }

  /** A marker, or the end: a decoder reads at most some bits ahead. */
  #lack(): number {
    if (++this.#missing > 4) throw new CodecError('its image is truncated')
    return 0
  }
}
