/** A growing byte buffer. Varints are non-negative integers in groups of seven bits, lowest first. */
export class ByteWriter {
  #bytes = new Uint8Array(1024)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Everything written since the last call; valid until the next write. */
  take(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#length)
    this.#length = 0
    return bytes
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1)
    this.#bytes[this.#length++] = value
  }

  bytes(values: Uint8Array): void {
    if (this.#length + values.length > this.#bytes.length) this.#grow(values.length)
    this.#bytes.set(values, this.#length)
    this.#length += values.length
  }

  /** @param value a non-negative safe integer */
  varint(value: number): void {
    let rest = value
    // Shift operators work on 32 bits only.
    while (rest >= 128) {
      this.byte((rest % 128) | 128)
      rest = Math.floor(rest / 128)
    }
    this.byte(rest)
  }

  /** @param value a safe integer of either sign; values near 0 are short */
  signed(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value)
  }

  #grow(count: number): void {
    const bytes = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + count))
    bytes.set(this.#bytes)
    this.#bytes = bytes
  }
}

/** Reads what a {@link ByteWriter} wrote. Past the end it reads zeros and sets `isCut`. */
export class ByteReader {
  at = 0
  isCut = false
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length
  }

  byte(): number {
    if (this.at < this.#bytes.length) return this.#bytes[this.at++]!
    this.isCut = true
    return 0
  }

  /** @returns fewer bytes than requested at the end */
  bytes(length: number): Uint8Array {
    const part = this.#bytes.subarray(this.at, this.at + length)
    if (part.length < length) this.isCut = true
    this.at += part.length
    return part
  }

  varint(): number {
    let value = 0
    for (let unit = 1; ; unit *= 128) {
      const byte = this.byte()
      value += (byte & 127) * unit
      if (byte < 128) return value
    }
  }

  signed(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
}
