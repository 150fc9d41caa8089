import { compressInto } from './compiled/codecs-module.ts'
import { MIN_MATCH } from './lz4-decompress.ts'

/** The last match starts at least this far from the end, and the last five bytes are literals. */
const MATCH_LIMIT = 12
const LAST_LITERALS = 5
const MAX_DISTANCE = 65_535
const HASH_BITS = 14
const HASH_PRIME = 0x9e3779b1 | 0

/** The most that {@link lz4Compress} writes for `length` bytes. */
export const lz4Bound = (length: number): number => length + Math.floor(length / 255) + 16

// Positions of earlier calls stay in the table; `base` tells them from those of this call, because clearing 64 kB for
// every small block would cost more than compressing it.
const heads = new Int32Array(1 << HASH_BITS)
let base = 0

/** A base that places all older positions before those of this call. */
function nextBase(length: number): number {
  if (base + 2 * (length + MAX_DISTANCE) > 0x7fff_0000) {
    heads.fill(0)
    base = 0
  }
  const result = base + MAX_DISTANCE + 1
  base = result + length
  return result
}

/**
 * Compresses one LZ4 block.
 * @param output at least {@link lz4Bound} bytes from `at` on
 * @param acceleration 1 or more: how soon it skips ahead in data without matches
 * @returns where the block ends in `output`
 */
export function lz4Compress(input: Uint8Array, output: Uint8Array, at: number, acceleration = 1): number {
  const end = compressInto(input, output, at, lz4Bound(input.length), (codecs, from, to) =>
    codecs.lz4Compress(from, input.length, to, acceleration),
  )
  return end ?? plainLz4Compress(input, output, at, acceleration)
}

/** What codecs.as does, in TypeScript: for blocks that are too large for the module. */
export function plainLz4Compress(input: Uint8Array, output: Uint8Array, at: number, acceleration: number): number {
  const length = input.length
  const view = new DataView(input.buffer, input.byteOffset, length)
  const shift = 32 - HASH_BITS
  const origin = nextBase(length)
  const matchEnd = length - MATCH_LIMIT
  const copyEnd = length - LAST_LITERALS
  const patience = 6
  let anchor = 0
  let position = 0
  let misses = acceleration << patience
  let step = 1
  while (position <= matchEnd) {
    const word = view.getInt32(position, true)
    const hash = Math.imul(word, HASH_PRIME) >>> shift
    let match = (heads[hash] as number) - origin
    heads[hash] = position + origin
    if (match < 0 || position - match > MAX_DISTANCE || view.getInt32(match, true) !== word) {
      position += step
      // The two places after a match are tried at any acceleration, since matches often follow each other.
      step = position <= anchor + 1 ? 1 : misses++ >> patience
      continue
    }
    misses = acceleration << patience
    step = 1
    while (position > anchor && match > 0 && input[position - 1] === input[match - 1]) {
      position--
      match--
    }
    const matchLength = commonLength(input, view, position + MIN_MATCH, match + MIN_MATCH, copyEnd) + MIN_MATCH
    at = writeSequence(input, output, at, anchor, position, position - match, matchLength)
    position += matchLength
    anchor = position
    if (position <= matchEnd) {
      heads[Math.imul(view.getInt32(position - 2, true), HASH_PRIME) >>> shift] = position - 2 + origin
    }
  }
  return writeLastLiterals(input, output, at, anchor)
}

const CHAIN_BITS = 16

/** Like {@link lz4Compress}, but slower and with smaller output: it tries `depth` earlier places for each match. */
export function lz4CompressHigh(input: Uint8Array, output: Uint8Array, at: number, depth: number): number {
  const length = input.length
  const view = new DataView(input.buffer, input.byteOffset, length)
  const heads = new Int32Array(1 << CHAIN_BITS).fill(-1)
  const chain = new Int32Array(length)
  const matchEnd = length - MATCH_LIMIT
  const copyEnd = length - LAST_LITERALS
  let anchor = 0
  let inserted = 0
  let position = 0
  while (position <= matchEnd) {
    for (; inserted <= position; inserted++) {
      const hash = Math.imul(view.getInt32(inserted, true), HASH_PRIME) >>> (32 - CHAIN_BITS)
      chain[inserted] = heads[hash] as number
      heads[hash] = inserted
    }
    let bestLength = 0
    let bestMatch = 0
    const word = view.getInt32(position, true)
    let match = chain[position] as number
    for (let tries = depth; match >= 0 && position - match <= MAX_DISTANCE && tries > 0; tries--) {
      if (view.getInt32(match, true) === word && input[match + bestLength] === input[position + bestLength]) {
        const found = commonLength(input, view, position + MIN_MATCH, match + MIN_MATCH, copyEnd) + MIN_MATCH
        if (found > bestLength) {
          bestLength = found
          bestMatch = match
        }
      }
      match = chain[match] as number
    }
    if (bestLength === 0) {
      position++
      continue
    }
    at = writeSequence(input, output, at, anchor, position, position - bestMatch, bestLength)
    position += bestLength
    anchor = position
  }
  return writeLastLiterals(input, output, at, anchor)
}

/** How many bytes at `a` and `b` agree, with `a` staying below `end`. */
function commonLength(input: Uint8Array, view: DataView, a: number, b: number, end: number): number {
  const start = a
  while (a + 4 <= end && view.getInt32(a, true) === view.getInt32(b, true)) {
    a += 4
    b += 4
  }
  while (a < end && input[a] === input[b]) {
    a++
    b++
  }
  return a - start
}

function writeLength(output: Uint8Array, at: number, rest: number): number {
  for (; rest >= 255; rest -= 255) output[at++] = 255
  output[at++] = rest
  return at
}

function writeLiterals(
  input: Uint8Array,
  output: Uint8Array,
  at: number,
  from: number,
  to: number,
  low: number,
): number {
  const count = to - from
  if (count < 15) {
    output[at++] = (count << 4) | low
  } else {
    output[at++] = 0xf0 | low
    at = writeLength(output, at, count - 15)
  }
  if (count > 32) output.set(input.subarray(from, to), at)
  else for (let i = 0; i < count; i++) output[at + i] = input[from + i] as number
  return at + count
}

function writeSequence(
  input: Uint8Array,
  output: Uint8Array,
  at: number,
  anchor: number,
  position: number,
  distance: number,
  length: number,
): number {
  const rest = length - MIN_MATCH
  at = writeLiterals(input, output, at, anchor, position, Math.min(rest, 15))
  output[at++] = distance & 255
  output[at++] = distance >> 8
  return rest < 15 ? at : writeLength(output, at, rest - 15)
}

const writeLastLiterals = (input: Uint8Array, output: Uint8Array, at: number, anchor: number): number =>
  writeLiterals(input, output, at, anchor, input.length, 0)
