import { CodecError } from '../codecs/codec.ts'

/** The shape of what is encoded: x, y and z. */
type Triple = readonly [number, number, number]

/** Where a table of labels starts is said in this many bits. */
const MOST_TABLE_START = 2 ** 24

/** Most words of a channel, whatever its labels are. */
export function mostWords(shape: Triple, block: Triple, labelWords: 1 | 2): number {
  const [blocks, volume] = [blocksIn(shape, block), block[0] * block[1] * block[2]]
  return blocks * (2 + Math.ceil((indexBits(volume) * volume) / 32) + volume * labelWords)
}

/** Whether all labels of a chunk can be written. */
export const fitsTables = (shape: Triple, block: Triple, labelWords: 1 | 2): boolean =>
  mostWords(shape, block, labelWords) < MOST_TABLE_START

const blocksIn = (shape: Triple, block: Triple): number =>
  shape.reduce((count, length, axis) => count * Math.ceil(length / (block[axis] as number)), 1)

/** Bits of an index: 0, 1, 2, 4, 8, 16 or 32. */
function indexBits(labels: number): number {
  let bits = labels > 1 ? 1 : 0
  while (2 ** bits < labels) bits *= 2
  return bits
}

/**
 * The reverse of `decodeCompressedSegmentation`. Blocks with the same table share it.
 * @param data labels of all channels, x fastest
 * @param labelWords 1 for uint32, 2 for uint64
 * @throws CodecError for more labels than can be written
 */
export function encodeCompressedSegmentation(
  data: Uint8Array,
  shape: Triple,
  channels: number,
  block: Triple,
  labelWords: 1 | 2,
): Uint8Array {
  const isAligned = data.byteOffset % 4 === 0
  const { buffer, byteOffset } = isAligned ? data : new Uint8Array(data)
  // Signed: the engine keeps these as machine words.
  const words = new Int32Array(buffer, byteOffset, data.byteLength / 4)
  const perChannel = words.length / channels
  const output = new Words(Math.max(256, words.length >>> 2))
  output.append(channels)
  for (let channel = 0; channel < channels; channel++) {
    output.words[channel] = output.length
    const source = words.subarray(channel * perChannel, (channel + 1) * perChannel)
    encodeChannel(source, shape, block, labelWords, output)
  }
  return new Uint8Array(output.words.buffer, 0, output.length * 4).slice()
}

/** Words that become more. */
class Words {
  words: Uint32Array<ArrayBuffer>
  length = 0

  constructor(room: number) {
    this.words = new Uint32Array(room)
  }

  /** Adds zeros. @returns where they start */
  append(count: number): number {
    const start = this.length
    this.length += count
    if (this.length > this.words.length) {
      const larger = new Uint32Array(Math.max(this.length, 2 * this.words.length))
      larger.set(this.words)
      this.words = larger
    }
    return start
  }
}

function encodeChannel(source: Int32Array, shape: Triple, block: Triple, labelWords: 1 | 2, output: Words): void {
  const start = output.length
  let header = output.append(2 * blocksIn(shape, block))
  const table = new LabelTable(block[0] * block[1] * block[2], labelWords)
  const indices = new Int32Array(block[0] * block[1] * block[2])
  const known = new KnownTables(output, labelWords)
  for (let z = 0; z < shape[2]; z += block[2]) {
    for (let y = 0; y < shape[1]; y += block[1]) {
      for (let x = 0; x < shape[0]; x += block[0], header += 2) {
        table.clear()
        indices.fill(0)
        collect(source, [x, y, z], shape, block, table, indices)
        const bits = indexBits(table.count)
        const values = packIndices(indices, bits, output)
        const at = known.placeOf(table)
        if (at - start >= MOST_TABLE_START) throw new CodecError('its chunk has more labels than can be written')
        output.words[header] = (at - start) | (bits << 24)
        output.words[header + 1] = values - start
      }
    }
  }
}

/** Enters the labels of a block into its table. */
function collect(
  source: Int32Array,
  place: Triple,
  shape: Triple,
  block: Triple,
  table: LabelTable,
  indices: Int32Array,
): void {
  const { labelWords } = table
  const [ex, ey, ez] = [0, 1, 2].map((axis) =>
    Math.min(block[axis] as number, (shape[axis] as number) - (place[axis] as number)),
  ) as [number, number, number]
  // Neighbours mostly have the same label.
  let low = source[0] as number
  let high = labelWords === 2 ? (source[1] as number) : 0
  let index = -1
  for (let z = 0; z < ez; z++) {
    for (let y = 0; y < ey; y++) {
      let from = (((place[2] + z) * shape[1] + place[1] + y) * shape[0] + place[0]) * labelWords
      let to = (z * block[1] + y) * block[0]
      for (let x = 0; x < ex; x++, from += labelWords, to++) {
        const nextHigh = labelWords === 2 ? (source[from + 1] as number) : 0
        if (source[from] !== low || nextHigh !== high || index < 0) {
          low = source[from] as number
          high = nextHigh
          index = table.indexOf(low, high)
        }
        indices[to] = index
      }
    }
  }
}

/** @returns where they start */
function packIndices(indices: Int32Array, bits: number, output: Words): number {
  const start = output.append(Math.ceil((indices.length * bits) / 32))
  if (bits === 0) return start
  const { words } = output
  for (let at = 0, bit = 0; at < indices.length; at++, bit += bits) {
    const word = start + (bit >>> 5)
    words[word] = (words[word] as number) | ((indices[at] as number) << (bit & 31))
  }
  return start
}

/** The tables that were written, found by hashing. */
class KnownTables {
  readonly #output: Words
  readonly #labelWords: 1 | 2
  readonly #places = new Map<number, { readonly at: number; readonly length: number }[]>()

  constructor(output: Words, labelWords: 1 | 2) {
    this.#output = output
    this.#labelWords = labelWords
  }

  /** @returns where a table of these labels is; it is written if there is none */
  placeOf({ entries, count }: LabelTable): number {
    const length = count * this.#labelWords
    let hash = length
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (entries[i] as number), 0x9e3779b1) ^ (hash >>> 15)
    const places = this.#places.get(hash) ?? []
    const found = places.find((place) => place.length === length && this.#isAt(place.at, entries, length))
    if (found !== undefined) return found.at
    const at = this.#output.append(length)
    this.#output.words.set(entries.subarray(0, length), at)
    places.push({ at, length })
    this.#places.set(hash, places)
    return at
  }

  #isAt(at: number, entries: Int32Array, length: number): boolean {
    const { words } = this.#output
    for (let i = 0; i < length; i++) if (words[at + i] !== (entries[i] as number) >>> 0) return false
    return true
  }
}

/** The labels of a block in the order in which they are met, found by hashing. */
class LabelTable {
  readonly labelWords: 1 | 2
  readonly entries: Int32Array
  count = 0
  readonly #slots: Int32Array

  constructor(most: number, labelWords: 1 | 2) {
    this.labelWords = labelWords
    this.entries = new Int32Array(most * labelWords)
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * most + 1))).fill(-1)
  }

  clear(): void {
    if (this.count > 0) this.#slots.fill(-1)
    this.count = 0
  }

  indexOf(low: number, high: number): number {
    const mask = this.#slots.length - 1
    let slot = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1)
    slot = (slot ^ (slot >>> 15)) & mask
    for (;;) {
      const index = this.#slots[slot] as number
      if (index < 0) break
      if (this.#has(index, low, high)) return index
      slot = (slot + 1) & mask
    }
    const index = this.count++
    this.#slots[slot] = index
    this.entries[index * this.labelWords] = low
    if (this.labelWords === 2) this.entries[index * 2 + 1] = high
    return index
  }

  #has(index: number, low: number, high: number): boolean {
    const at = index * this.labelWords
    return this.entries[at] === low && (this.labelWords === 1 || this.entries[at + 1] === high)
  }
}
