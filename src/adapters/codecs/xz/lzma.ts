import { CodecError } from '../codec.ts'
import { copyMatch } from '../lz4-decompress.ts'

// LZMA: a range coder whose bits have adaptive probabilities (11 bits, of a zero) gives literals, matches with a length and a distance, and
// repetitions of the last four distances.

const PROBABILITY_BITS = 11
const EVEN = 1 << (PROBABILITY_BITS - 1)
const MOVE_BITS = 5
const TOP = 2 ** 24

const STATES = 12
const MAX_POSITION_STATES = 16
const LENGTH_STATES = 4
const SHORTEST_MATCH = 2
const FIRST_MODEL_SLOT = 4
const END_MODEL_SLOT = 14
const ALIGN_BITS = 4

export const wrong = (what: string): CodecError => new CodecError(`its LZMA stream is damaged: ${what}`)

/** Decodes the bits of a range coder. */
class Range {
  readonly #bytes: Uint8Array
  #at: number
  #range = 0xffffffff
  #code = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    if (bytes.length < 5 || bytes[0] !== 0) throw wrong('a range coder does not start as one')
    for (let i = 1; i < 5; i++) this.#code = ((this.#code << 8) | (bytes[i] as number)) >>> 0
    this.#at = 5
  }

  /** Bytes that were read, all of which are needed. */
  get at(): number {
    return this.#at
  }

  get isFinished(): boolean {
    return this.#code === 0
  }

  bit(probabilities: Uint16Array, at: number): number {
    const probability = probabilities[at] as number
    const bound = (this.#range >>> PROBABILITY_BITS) * probability
    let bit: number
    if (this.#code < bound) {
      this.#range = bound
      probabilities[at] = probability + (((1 << PROBABILITY_BITS) - probability) >> MOVE_BITS)
      bit = 0
    } else {
      this.#range -= bound
      this.#code -= bound
      probabilities[at] = probability - (probability >> MOVE_BITS)
      bit = 1
    }
    if (this.#range < TOP) this.#normalize()
    return bit
  }

  /** Bits that are all equally likely, the highest first. */
  direct(count: number): number {
    let value = 0
    for (let i = 0; i < count; i++) {
      this.#range >>>= 1
      const bit = this.#code >= this.#range ? 1 : 0
      if (bit === 1) this.#code -= this.#range
      value = value * 2 + bit
      if (this.#range < TOP) this.#normalize()
    }
    return value
  }

  tree(probabilities: Uint16Array, start: number, bits: number): number {
    let node = 1
    for (let i = 0; i < bits; i++) node = (node << 1) | this.bit(probabilities, start + node)
    return node - (1 << bits)
  }

  /** As `tree`, the lowest bit first. */
  reverseTree(probabilities: Uint16Array, start: number, bits: number): number {
    let [node, value] = [1, 0]
    for (let i = 0; i < bits; i++) {
      const bit = this.bit(probabilities, start + node)
      node = (node << 1) | bit
      value |= bit << i
    }
    return value
  }

  #normalize(): void {
    if (this.#at >= this.#bytes.length) throw wrong('it is truncated')
    this.#range = (this.#range << 8) >>> 0
    this.#code = ((this.#code << 8) | (this.#bytes[this.#at++] as number)) >>> 0
  }
}

const probabilities = (count: number): Uint16Array => new Uint16Array(count).fill(EVEN)

/** The lengths of matches, or of repetitions. */
class Lengths {
  readonly #choice = probabilities(2)
  readonly #low = probabilities(MAX_POSITION_STATES << 3)
  readonly #middle = probabilities(MAX_POSITION_STATES << 3)
  readonly #high = probabilities(1 << 8)

  read(range: Range, positionState: number): number {
    if (range.bit(this.#choice, 0) === 0) return SHORTEST_MATCH + range.tree(this.#low, positionState << 3, 3)
    if (range.bit(this.#choice, 1) === 0) return SHORTEST_MATCH + 8 + range.tree(this.#middle, positionState << 3, 3)
    return SHORTEST_MATCH + 16 + range.tree(this.#high, 0, 8)
  }
}

/** What a decoder has learnt. */
class Model {
  readonly isMatch = probabilities(STATES * MAX_POSITION_STATES)
  readonly isRepeated = probabilities(STATES)
  readonly isOlder = probabilities(STATES)
  readonly isLong = probabilities(STATES * MAX_POSITION_STATES)
  readonly isThird = probabilities(STATES)
  readonly isFourth = probabilities(STATES)
  readonly slots = probabilities(LENGTH_STATES << 6)
  readonly distances = probabilities(128)
  readonly align = probabilities(1 << ALIGN_BITS)
  readonly matchLengths = new Lengths()
  readonly repeatLengths = new Lengths()
  readonly literals: Uint16Array

  constructor(literalBits: number) {
    this.literals = probabilities(0x300 << literalBits)
  }
}

/** Memory for decoded bytes, which is also the dictionary. */
export interface Output {
  bytes: Uint8Array
  length: number
  /** Makes room for so many bytes in all. @throws CodecError if it may not have them */
  reserve(length: number): void
}

/** A decoder of LZMA that goes on where it ended, as LZMA2 needs it. */
export class LzmaDecoder {
  #lc = 0
  #lp = 0
  #pb = 0
  #model: Model | undefined
  #state = 0
  #last: [number, number, number, number] = [0, 0, 0, 0]
  /** The number of bytes of the output before which there is no dictionary. */
  #start = 0

  /**
   * @param properties (pb · 5 + lp) · 9 + lc
   * @param most the most that lc and lp may be together
   */
  setProperties(properties: number, most = 12): void {
    if (properties >= 9 * 5 * 5) throw wrong('its properties are out of range')
    this.#lc = properties % 9
    this.#lp = Math.floor(properties / 9) % 5
    this.#pb = Math.floor(properties / 45)
    if (this.#lc + this.#lp > most) throw wrong('its properties are out of range')
    this.resetState()
  }

  resetState(): void {
    this.#model = new Model(this.#lc + this.#lp)
    this.#state = 0
    this.#last = [0, 0, 0, 0]
  }

  resetDictionary(output: Output): void {
    this.#start = output.length
  }

  /**
   * Decodes bytes of one range coder.
   * @param end where the output ends; undefined if a mark in the stream says it
   * @returns how many bytes of the input were used
   * @throws CodecError
   */
  run(input: Uint8Array, output: Output, end: number | undefined): number {
    const range = new Range(input)
    const model = this.#model
    if (model === undefined) throw wrong('it has no properties')
    const mask = (1 << this.#pb) - 1
    while (end === undefined || output.length < end) {
      const positionState = (output.length - this.#start) & mask
      if (range.bit(model.isMatch, (this.#state << 4) + positionState) === 0) {
        output.reserve(output.length + 1)
        this.#literal(range, model, output)
        continue
      }
      const length = this.#match(range, model, positionState)
      const distance = this.#last[0] + 1
      if (distance === 2 ** 32) {
        if (end !== undefined) throw wrong('it ends too early')
        break
      }
      if (distance > output.length - this.#start) throw wrong('a match points before the start of the data')
      if (end !== undefined && output.length + length > end) throw wrong('a match is too long')
      output.reserve(output.length + length)
      copyMatch(output.bytes, output.length, distance, length)
      output.length += length
    }
    if (!range.isFinished) throw wrong('it does not end where it should')
    return range.at
  }

  #literal(range: Range, model: Model, output: Output): void {
    const position = output.length - this.#start
    const before = position === 0 ? 0 : (output.bytes[output.length - 1] as number)
    const context = ((position & ((1 << this.#lp) - 1)) << this.#lc) + (before >> (8 - this.#lc))
    const start = 0x300 * context
    let symbol = 1
    if (this.#state >= 7) {
      if (this.#last[0] >= position) throw wrong('a match points before the start of the data')
      let match = output.bytes[output.length - this.#last[0] - 1] as number
      while (symbol < 0x100) {
        const expected = (match >> 7) & 1
        match = (match << 1) & 0xff
        const bit = range.bit(model.literals, start + ((1 + expected) << 8) + symbol)
        symbol = (symbol << 1) | bit
        if (bit !== expected) break
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | range.bit(model.literals, start + symbol)
    output.bytes[output.length++] = symbol & 0xff
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6
  }

  /** Reads a match. @returns its length; its distance is the last one then */
  #match(range: Range, model: Model, positionState: number): number {
    const state = this.#state
    const [first, second, third, fourth] = this.#last
    if (range.bit(model.isRepeated, state) === 0) {
      const length = model.matchLengths.read(range, positionState)
      this.#state = state < 7 ? 7 : 10
      this.#last = [this.#distance(range, model, length), first, second, third]
      return length
    }
    if (range.bit(model.isOlder, state) === 0) {
      if (range.bit(model.isLong, (state << 4) + positionState) === 0) {
        this.#state = state < 7 ? 9 : 11
        return 1
      }
    } else if (range.bit(model.isThird, state) === 0) this.#last = [second, first, third, fourth]
    else if (range.bit(model.isFourth, state) === 0) this.#last = [third, first, second, fourth]
    else this.#last = [fourth, first, second, third]
    this.#state = state < 7 ? 8 : 11
    return model.repeatLengths.read(range, positionState)
  }

  /** A distance − 1. */
  #distance(range: Range, model: Model, length: number): number {
    const lengthState = Math.min(length - SHORTEST_MATCH, LENGTH_STATES - 1)
    const slot = range.tree(model.slots, lengthState << 6, 6)
    if (slot < FIRST_MODEL_SLOT) return slot
    const bits = (slot >> 1) - 1
    const high = (2 | (slot & 1)) * 2 ** bits
    if (slot < END_MODEL_SLOT) return high + range.reverseTree(model.distances, high - slot, bits)
    return high + range.direct(bits - ALIGN_BITS) * (1 << ALIGN_BITS) + range.reverseTree(model.align, 0, ALIGN_BITS)
  }
}
