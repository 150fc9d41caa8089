import { CodecError } from '../codecs/codec.ts'

/** A table of codes of up to 16 bits. */
export class HuffmanTable {
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
        if (length > 8) continue
        const first = code << (8 - length)
        this.#short.fill(((symbols[index] as number) << 5) | length, first, first + 2 ** (8 - length))
      }
      this.#ends[length] = code << (16 - length)
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

  /** A signed number of some bits, as JPEG writes them. */
  signed(bits: number): number {
    if (bits === 0) return 0
    if (this.#count < bits) this.#fill()
    this.#count -= bits
    const value = (this.#held >>> this.#count) & (2 ** bits - 1)
    return value < 2 ** (bits - 1) ? value - 2 ** bits + 1 : value
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

  #fill(): void {
    while (this.#count <= 16) {
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
