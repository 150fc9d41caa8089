import { CodecError } from '../codecs/codec.ts'
import type { HuffmanTable, ScanBits } from './huffman.ts'

/** The place of each coefficient in a block, which are written from low to high frequencies. */
export const ORDER = Uint8Array.of(
  ...[0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21],
  ...[28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61],
  ...[54, 47, 55, 62, 63],
)

/** What a scan has of each block: the coefficients from `first` to `last`, and of them the bits from `low` on. */
export interface ScanPart {
  readonly first: number
  readonly last: number
  /** The lowest bit that was known before; 0 if none was. */
  readonly high: number
  readonly low: number
}

/** What is kept between the blocks of a component in one scan. */
export interface ScanState {
  readonly dc: HuffmanTable | undefined
  readonly ac: HuffmanTable | undefined
  /** The first coefficient of the block before. */
  previous: number
  /** How many of the following blocks have nothing more. */
  empty: number
}

/** Reads the part of a block that a scan has; `at` is the place of the block in `blocks`. @throws CodecError */
export type ReadBlock = (bits: ScanBits, state: ScanState, blocks: Int16Array, at: number, part: ScanPart) => void

/** How the blocks of a scan are read. @throws CodecError for a scan that no image has */
export function readerOf(isProgressive: boolean, { first, high }: ScanPart): ReadBlock {
  if (!isProgressive) return readWhole
  if (first === 0) return high === 0 ? readFirst : refineFirst
  return high === 0 ? readOthers : refineOthers
}

const tableOf = (table: HuffmanTable | undefined): HuffmanTable => {
  if (table === undefined) throw new CodecError('its image lacks a table')
  return table
}

const tooMany = () => new CodecError('its image is damaged: a block has too many coefficients')

function difference(bits: ScanBits, state: ScanState): number {
  const size = bits.symbol(tableOf(state.dc))
  if (size > 11) throw new CodecError('its image is damaged: a block has too large a coefficient')
  state.previous += bits.signed(size)
  return state.previous
}

function readWhole(bits: ScanBits, state: ScanState, blocks: Int16Array, at: number): void {
  blocks[at] = difference(bits, state)
  const table = tableOf(state.ac)
  for (let index = 1; index < 64; index++) {
    const next = bits.next(table)
    const zeros = (next >> 4) & 15
    const value = next >> 8
    if (value === 0 && zeros !== 15) return
    index += zeros
    if (value === 0) continue
    if (index > 63) throw tooMany()
    blocks[at + (ORDER[index] as number)] = value
  }
}

function readFirst(bits: ScanBits, state: ScanState, blocks: Int16Array, at: number, { low }: ScanPart): void {
  blocks[at] = difference(bits, state) << low
}

function refineFirst(bits: ScanBits, _state: ScanState, blocks: Int16Array, at: number, { low }: ScanPart): void {
  if (bits.bits(1) === 1) blocks[at] = (blocks[at] as number) | (1 << low)
}

function readOthers(bits: ScanBits, state: ScanState, blocks: Int16Array, at: number, part: ScanPart): void {
  if (state.empty > 0) {
    state.empty--
    return
  }
  const table = tableOf(state.ac)
  for (let index = part.first; index <= part.last; index++) {
    const symbol = bits.symbol(table)
    const [zeros, size] = [symbol >> 4, symbol & 15]
    if (size === 0 && zeros < 15) {
      state.empty = 2 ** zeros - 1 + bits.bits(zeros)
      return
    }
    index += zeros
    if (size === 0) continue
    if (index > part.last) throw tooMany()
    blocks[at + (ORDER[index] as number)] = bits.signed(size) << part.low
  }
}

/** One more bit of coefficients that are known, and new ones of that size between them. */
function refineOthers(bits: ScanBits, state: ScanState, blocks: Int16Array, at: number, part: ScanPart): void {
  const step = 1 << part.low
  let index = part.first
  if (state.empty === 0) {
    const table = tableOf(state.ac)
    for (; index <= part.last; index++) {
      const symbol = bits.symbol(table)
      const [zeros, size] = [symbol >> 4, symbol & 15]
      if (size === 0 && zeros < 15) {
        state.empty = 2 ** zeros + bits.bits(zeros)
        break
      }
      if (size > 1) throw new CodecError('its image is damaged: a coefficient grows by more than a bit')
      const value = size === 0 ? 0 : bits.bits(1) === 1 ? step : -step
      index = refineUntil(bits, blocks, at, index, zeros, part)
      if (value === 0) continue
      if (index > part.last) throw tooMany()
      blocks[at + (ORDER[index] as number)] = value
    }
  }
  if (state.empty === 0) return
  refineUntil(bits, blocks, at, index, 64, part)
  state.empty--
}

/** Refines known coefficients up to the one after so many that are 0. @returns its index; that after the last if there is none */
function refineUntil(
  bits: ScanBits,
  blocks: Int16Array,
  at: number,
  start: number,
  zeros: number,
  { last, low }: ScanPart,
): number {
  let left = zeros
  for (let index = start; index <= last; index++) {
    const place = at + (ORDER[index] as number)
    const value = blocks[place] as number
    if (value === 0) {
      if (left-- === 0) return index
    } else if (bits.bits(1) === 1 && ((value < 0 ? -value : value) & (1 << low)) === 0) {
      blocks[place] = value + (value > 0 ? 1 << low : -1 << low)
    }
  }
  return last + 1
}
