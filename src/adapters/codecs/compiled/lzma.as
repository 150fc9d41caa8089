// AssemblyScript, compiled by scripts/build-kernels.mjs. What ../xz/lzma.ts and the chunks of LZMA2 in ../xz/xz.ts do, where the formats are
// described. Anything that is wrong with the input ends in -1; that is for these to explain. Up to 64 bytes after the input may be read.

export function heapStart(): usize {
  return __heap_base
}

const TOP: u32 = 1 << 24

// The probabilities, two bytes each; those of literals are the last, since their number differs.
const IS_MATCH: usize = 0
const IS_REPEATED: usize = IS_MATCH + 2 * 12 * 16
const IS_OLDER: usize = IS_REPEATED + 2 * 12
const IS_LONG: usize = IS_OLDER + 2 * 12
const IS_THIRD: usize = IS_LONG + 2 * 12 * 16
const IS_FOURTH: usize = IS_THIRD + 2 * 12
const SLOTS: usize = IS_FOURTH + 2 * 12
const DISTANCES: usize = SLOTS + 2 * 4 * 64
const ALIGN: usize = DISTANCES + 2 * 128
const MATCH_LENGTHS: usize = ALIGN + 2 * 16
const LENGTHS_BYTES: usize = 2 * (2 + 128 + 128 + 256)
const REPEAT_LENGTHS: usize = MATCH_LENGTHS + LENGTHS_BYTES
const LITERALS: usize = REPEAT_LENGTHS + LENGTHS_BYTES

let model: usize = 0
let lc: u32 = 0
let lp: u32 = 0
let pb: u32 = 0
let state: u32 = 0
let first: u32 = 0
let second: u32 = 0
let third: u32 = 0
let fourth: u32 = 0

let range: u32 = 0
let code: u32 = 0
let at: usize = 0

/** Where the last call has stopped reading. */
export function readUpTo(): usize {
  return at
}

function resetState(): void {
  const end = model + LITERALS + ((<usize>0x300 << (lc + lp)) << 1)
  for (let p = model; p < end; p += 16) v128.store(p, i16x8.splat(1024))
  state = 0
  first = second = third = fourth = 0
}

function setProperties(properties: u32, most: u32): bool {
  if (properties >= 225) return false
  lc = properties % 9
  lp = (properties / 9) % 5
  pb = properties / 45
  if (lc + lp > most) return false
  resetState()
  return true
}

// @ts-ignore: decorator
@inline
function bit(p: usize): u32 {
  const probability = <u32>load<u16>(p)
  const bound = (range >> 11) * probability
  let value: u32 = 0
  if (code < bound) {
    range = bound
    store<u16>(p, <u16>(probability + ((2048 - probability) >> 5)))
  } else {
    range -= bound
    code -= bound
    store<u16>(p, <u16>(probability - (probability >> 5)))
    value = 1
  }
  if (range < TOP) {
    range <<= 8
    code = (code << 8) | <u32>load<u8>(at++)
  }
  return value
}

// These have the range coder in local variables, which are faster than global ones.

/** Reads bits, the highest first, until the node has this one. */
function descend(p: usize, node: u32, end: u32): u32 {
  let r = range
  let c = code
  let from = at
  do {
    const q = p + (<usize>node << 1)
    const probability = <u32>load<u16>(q)
    const bound = (r >> 11) * probability
    if (c < bound) {
      r = bound
      store<u16>(q, <u16>(probability + ((2048 - probability) >> 5)))
      node <<= 1
    } else {
      r -= bound
      c -= bound
      store<u16>(q, <u16>(probability - (probability >> 5)))
      node = (node << 1) | 1
    }
    if (r < TOP) {
      r <<= 8
      c = (c << 8) | <u32>load<u8>(from++)
    }
  } while (node < end)
  range = r
  code = c
  at = from
  return node
}

/** A literal after a match, of which the byte at the distance says what is likely, up to the first bit that differs. */
function descendBeside(p: usize, match: u32): u32 {
  let r = range
  let c = code
  let from = at
  let node: u32 = 1
  let offset: u32 = 0x100
  do {
    match <<= 1
    const expected = match & offset
    const q = p + (<usize>(offset + expected + node) << 1)
    const probability = <u32>load<u16>(q)
    const bound = (r >> 11) * probability
    if (c < bound) {
      r = bound
      store<u16>(q, <u16>(probability + ((2048 - probability) >> 5)))
      node <<= 1
      offset &= ~expected
    } else {
      r -= bound
      c -= bound
      store<u16>(q, <u16>(probability - (probability >> 5)))
      node = (node << 1) | 1
      offset &= expected
    }
    if (r < TOP) {
      r <<= 8
      c = (c << 8) | <u32>load<u8>(from++)
    }
  } while (node < 0x100)
  range = r
  code = c
  at = from
  return node
}

function reverseTree(p: usize, bits: u32): u32 {
  let node: u32 = 1
  let value: u32 = 0
  for (let i: u32 = 0; i < bits; i++) {
    const b = bit(p + (<usize>node << 1))
    node = (node << 1) | b
    value |= b << i
  }
  return value
}

function direct(bits: u32): u32 {
  let r = range
  let c = code
  let from = at
  let value: u32 = 0
  for (; bits > 0; bits--) {
    r >>= 1
    const b = <u32>(c >= r)
    c -= b * r
    value = (value << 1) | b
    if (r < TOP) {
      r <<= 8
      c = (c << 8) | <u32>load<u8>(from++)
    }
  }
  range = r
  code = c
  at = from
  return value
}

function readLength(p: usize, positionState: u32): u32 {
  if (bit(p) == 0) return 2 - 8 + descend(p + 4 + (<usize>positionState << 4), 1, 8)
  if (bit(p + 2) == 0) return 2 + 8 - 8 + descend(p + 4 + 256 + (<usize>positionState << 4), 1, 8)
  return 2 + 16 - 256 + descend(p + 4 + 512, 1, 256)
}

/** A distance - 1. */
function readDistance(length: u32): u32 {
  const slot = descend(model + SLOTS + (<usize>min<u32>(length - 2, 3) << 7), 1, 64) - 64
  if (slot < 4) return slot
  const bits = (slot >> 1) - 1
  const high = (2 | (slot & 1)) << bits
  if (slot < 14) return high + reverseTree(model + DISTANCES + (<usize>(high - slot) << 1), bits)
  return high + (direct(bits - 4) << 4) + reverseTree(model + ALIGN, 4)
}

/**
 * Decodes bytes of one range coder.
 * @param start where the dictionary starts
 * @param end where the output ends; if `isMarked`, at most, and a mark in the stream says it
 * @returns where the output ends; 0 if something is wrong
 */
function run(input: usize, inputEnd: usize, start: usize, to: usize, end: usize, isMarked: bool): usize {
  if (inputEnd - input < 5 || load<u8>(input) != 0) return 0
  range = 0xffffffff
  code = bswap<u32>(load<u32>(input, 1))
  at = input + 5
  const mask: u32 = (1 << pb) - 1
  const literalMask: u32 = (1 << lp) - 1
  while (isMarked || to < end) {
    // No symbol takes more bytes than may be read beyond the input.
    if (at > inputEnd) return 0
    const position = <u32>(to - start)
    const positionState = position & mask
    if (bit(model + IS_MATCH + (<usize>((state << 4) + positionState) << 1)) == 0) {
      if (to == end) return 0
      const before: u32 = position == 0 ? 0 : load<u8>(to - 1)
      const context = ((position & literalMask) << lc) + (before >> (8 - lc))
      const literals = model + LITERALS + (<usize>(0x300 * context) << 1)
      if (state >= 7) {
        if (first >= position) return 0
        store<u8>(to, <u8>descendBeside(literals, load<u8>(to - <usize>first - 1)))
      } else store<u8>(to, <u8>descend(literals, 1, 0x100))
      to++
      state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6
      continue
    }
    let length: u32
    if (bit(model + IS_REPEATED + (<usize>state << 1)) == 0) {
      length = readLength(model + MATCH_LENGTHS, positionState)
      state = state < 7 ? 7 : 10
      fourth = third
      third = second
      second = first
      first = readDistance(length)
      if (first == 0xffffffff) {
        if (!isMarked) return 0
        break
      }
    } else {
      let isShort = false
      if (bit(model + IS_OLDER + (<usize>state << 1)) == 0) {
        isShort = bit(model + IS_LONG + (<usize>((state << 4) + positionState) << 1)) == 0
      } else {
        let distance = second
        if (bit(model + IS_THIRD + (<usize>state << 1)) == 1) {
          distance = third
          if (bit(model + IS_FOURTH + (<usize>state << 1)) == 1) {
            distance = fourth
            fourth = third
          }
          third = second
        }
        second = first
        first = distance
      }
      if (isShort) {
        length = 1
        state = state < 7 ? 9 : 11
      } else {
        state = state < 7 ? 8 : 11
        length = readLength(model + REPEAT_LENGTHS, positionState)
      }
    }
    if (first >= position || <usize>length > end - to) return 0
    const distance = <usize>first + 1
    if (distance >= <usize>length) memory.copy(to, to - distance, length)
    else for (let i: usize = 0; i < <usize>length; i++) store<u8>(to + i, load<u8>(to + i - distance))
    to += length
  }
  return code == 0 && at <= inputEnd ? to : 0
}

/**
 * Decodes the chunks of LZMA2 up to their end.
 * @param work memory for 32 KiB
 * @returns how many bytes they decode to; -1 for anything but valid chunks of `outputLength` bytes at most
 */
export function decodeLzma2(input: usize, inputLength: usize, output: usize, outputLength: usize, work: usize): i32 {
  model = work
  const inputEnd = input + inputLength
  const outputEnd = output + outputLength
  let from = input
  let to = output
  let dictionary = output
  let needsDictionary = true
  let hasProperties = false
  for (;;) {
    if (from >= inputEnd) return -1
    const control = <u32>load<u8>(from)
    if (control == 0) {
      at = from + 1
      return <i32>(to - output)
    }
    if (inputEnd - from < 6) return -1
    if (control >= 0xe0 || control == 1) {
      dictionary = to
      needsDictionary = false
    }
    if (needsDictionary || (control > 2 && control < 0x80)) return -1
    const low = (<usize>load<u8>(from, 1) << 8) | <usize>load<u8>(from, 2)
    if (control < 0x80) {
      const length = low + 1
      if (length > inputEnd - from - 3 || length > outputEnd - to) return -1
      memory.copy(to, from + 3, length)
      to += length
      from += 3 + length
      continue
    }
    const length = (<usize>(control & 0x1f) << 16) + low + 1
    const size = ((<usize>load<u8>(from, 3) << 8) | <usize>load<u8>(from, 4)) + 1
    from += 5
    if (control >= 0xc0) {
      if (!setProperties(load<u8>(from++), 4)) return -1
      hasProperties = true
    } else if (!hasProperties) return -1
    else if (control >= 0xa0) resetState()
    if (size > inputEnd - from || length > outputEnd - to) return -1
    const end = run(from, from + size, dictionary, to, to + length, false)
    if (end == 0 || at != from + size) return -1
    to = end
    from += size
  }
  return -1
}

/**
 * Decodes LZMA without a container.
 * @param isMarked whether a mark in the stream says where it ends, not `outputLength`
 * @param work memory for the model: 8 KiB and 1.5 KiB for each context of literals
 * @returns how many bytes it decodes to; -1 for anything but a valid stream
 */
export function decodeLzma(
  input: usize, inputLength: usize, output: usize, outputLength: usize, properties: u32, isMarked: bool, work: usize,
): i32 {
  model = work
  if (!setProperties(properties, 12)) return -1
  const end = run(input, input + inputLength, output, output, output + outputLength, isMarked)
  return end == 0 ? -1 : <i32>(end - output)
}

// CRC-64 of xz, eight bytes at a time.
const SUMS = memory.data(16384, 16)
for (let byte: u64 = 0; byte < 256; byte++) {
  let value = byte
  for (let i = 0; i < 8; i++) value = value & 1 ? (value >> 1) ^ 0xc96c5795d7870f42 : value >> 1
  store<u64>(SUMS + (<usize>byte << 3), value)
}
for (let table: usize = 1; table < 8; table++) {
  for (let byte: usize = 0; byte < 256; byte++) {
    const before = load<u64>(SUMS + ((table - 1) << 11) + (byte << 3))
    store<u64>(SUMS + (table << 11) + (byte << 3), load<u64>(SUMS + (<usize>(before & 255) << 3)) ^ (before >> 8))
  }
}

export function crc64(from: usize, length: usize): u64 {
  let sum: u64 = 0xffffffffffffffff
  const end = from + length
  for (; from + 8 <= end; from += 8) {
    sum ^= load<u64>(from)
    let next: u64 = 0
    for (let i: usize = 0; i < 8; i++) next ^= load<u64>(SUMS + ((7 - i) << 11) + (<usize>((sum >> (i << 3)) & 255) << 3))
    sum = next
  }
  for (; from < end; from++) sum = load<u64>(SUMS + (<usize>((sum ^ <u64>load<u8>(from)) & 255) << 3)) ^ (sum >> 8)
  return ~sum
}
