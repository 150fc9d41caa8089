// AssemblyScript, compiled by scripts/build-kernels.mjs. LZ4, BloscLZ and LZF, and the shuffles of Blosc and HDF5.
//
// Each function does what the function of the same name in TypeScript does, which is where the formats are described. Decoders return
// whether the input was a valid stream that fills the output exactly; they read nothing but the input and what they have written.
// Loads and stores of vectors go up to BEYOND bytes beyond the end of any input or output: the caller has memory there, whose content
// decides nothing.

/** Where the memory begins that the caller may use. */
export function heapStart(): usize {
  return __heap_base
}

/** A length beyond this is none: additions to it stay within 32 bits. */
const LONGEST: usize = 0x3fffffff

// --- copies

/** For each distance below 16, which byte of a pattern each byte of a vector is. */
const REPEATS: usize = memory.data(256, 16)
for (let distance: i32 = 1; distance < 16; distance++) {
  for (let i: i32 = 0; i < 16; i++) store<u8>(REPEATS + ((<usize>distance) << 4) + i, <u8>(i % distance))
}

// @ts-ignore: decorator
@inline
function copyLiterals(from: usize, to: usize, count: usize): void {
  if (count <= 32) {
    v128.store(to, v128.load(from))
    if (count > 16) v128.store(to, v128.load(from, 16), 16)
  } else memory.copy(to, from, count)
}

/** Repeats what lies `distance` bytes back. */
// @ts-ignore: decorator
@inline
function copyMatch(to: usize, distance: usize, length: usize): void {
  const end = to + length
  if (distance >= 16) {
    let from = to - distance
    do {
      v128.store(to, v128.load(from))
      to += 16
      from += 16
    } while (to < end)
  } else if (distance == 1 && length > 64) {
    memory.fill(to, load<u8>(to - 1), length)
  } else {
    const pattern = i8x16.swizzle(v128.load(to - distance), v128.load(REPEATS + (distance << 4)))
    const step = 16 - (16 % distance)
    do {
      v128.store(to, pattern)
      to += step
    } while (to < end)
  }
}

// --- LZ4

const LAST_LITERALS: usize = 5
const MATCH_LIMIT: usize = 12
const MAX_DISTANCE: i32 = 65535
const HASH_BITS: i32 = 14
const HASH_PRIME: i32 = 0x9e3779b1

export function lz4Decompress(input: usize, inputLength: usize, output: usize, outputLength: usize): bool {
  let from = input
  let to = output
  const inputEnd = input + inputLength
  const outputEnd = output + outputLength
  while (from < inputEnd) {
    const token = <usize>load<u8>(from++)
    let count = token >> 4
    if (count == 15) {
      let more: usize
      do {
        if (from >= inputEnd || count > LONGEST) return false
        more = load<u8>(from++)
        count += more
      } while (more == 255)
    }
    if (count > inputEnd - from || count > outputEnd - to) return false
    copyLiterals(from, to, count)
    from += count
    to += count
    if (from == inputEnd) break

    if (inputEnd - from < 2) return false
    const distance = <usize>load<u16>(from)
    from += 2
    let length = token & 15
    if (length == 15) {
      let more: usize
      do {
        if (from >= inputEnd || length > LONGEST) return false
        more = load<u8>(from++)
        length += more
      } while (more == 255)
    }
    length += 4
    if (distance == 0 || distance > to - output || length > outputEnd - to) return false
    copyMatch(to, distance, length)
    to += length
  }
  return to == outputEnd
}

// Positions of earlier calls stay in the table; `base` tells them from those of this call.
const LZ4_HEADS: usize = memory.data(65536, 16)
let base: i32 = 0

// @ts-ignore: decorator
@inline
function nextBase(length: i32): i32 {
  if (<i64>base + 2 * (<i64>length + <i64>MAX_DISTANCE) > 0x7fff0000) {
    memory.fill(LZ4_HEADS, 0, 65536)
    base = 0
  }
  const result = base + MAX_DISTANCE + 1
  base = result + length
  return result
}

// @ts-ignore: decorator
@inline
function hashed(word: i32): usize {
  return <usize>(<u32>(word * HASH_PRIME) >>> (32 - HASH_BITS)) << 2
}

/** How many bytes at `a` and `b` agree, with `a` staying below `end`. */
// @ts-ignore: decorator
@inline
function commonLength(a: usize, b: usize, end: usize): usize {
  const start = a
  while (a + 8 <= end) {
    const other = load<u64>(a) ^ load<u64>(b)
    if (other != 0) return a - start + <usize>(ctz(other) >> 3)
    a += 8
    b += 8
  }
  while (a < end && load<u8>(a) == load<u8>(b)) {
    a++
    b++
  }
  return a - start
}

// @ts-ignore: decorator
@inline
function writeLength(to: usize, rest: usize): usize {
  for (; rest >= 255; rest -= 255) store<u8>(to++, 255)
  store<u8>(to++, <u8>rest)
  return to
}

// @ts-ignore: decorator
@inline
function writeLiterals(to: usize, from: usize, end: usize, low: usize): usize {
  const count = end - from
  if (count < 15) store<u8>(to++, <u8>((count << 4) | low))
  else {
    store<u8>(to++, <u8>(0xf0 | low))
    to = writeLength(to, count - 15)
  }
  copyLiterals(from, to, count)
  return to + count
}

/** @returns where the block ends */
export function lz4Compress(input: usize, length: i32, output: usize, acceleration: i32): usize {
  const origin = nextBase(length)
  const end = input + length
  let at = output
  let anchor = input
  if (length > <i32>MATCH_LIMIT) {
    const matchEnd = end - MATCH_LIMIT
    const copyEnd = end - LAST_LITERALS
    let position = input
    let misses = acceleration << 6
    let step: usize = 1
    while (position <= matchEnd) {
      const word = load<i32>(position)
      const head = LZ4_HEADS + hashed(word)
      const place = <i32>(position - input)
      let earlier = load<i32>(head) - origin
      store<i32>(head, place + origin)
      if (earlier < 0 || place - earlier > MAX_DISTANCE || load<i32>(input + earlier) != word) {
        position += step
        step = position <= anchor + 1 ? 1 : <usize>(misses++ >> 6)
        continue
      }
      misses = acceleration << 6
      step = 1
      let match = input + earlier
      while (position > anchor && match > input && load<u8>(position - 1) == load<u8>(match - 1)) {
        position--
        match--
      }
      const rest = commonLength(position + 4, match + 4, copyEnd)
      at = writeLiterals(at, anchor, position, min<usize>(rest, 15))
      store<u16>(at, <u16>(position - match))
      at += 2
      if (rest >= 15) at = writeLength(at, rest - 15)
      position += rest + 4
      anchor = position
      if (position <= matchEnd) {
        store<i32>(LZ4_HEADS + hashed(load<i32>(position - 2)), <i32>(position - 2 - input) + origin)
      }
    }
  }
  return writeLiterals(at, anchor, end, 0)
}

// --- BloscLZ

const MAX_NEAR: usize = 8191
const MAX_FAR: usize = 65535 + MAX_NEAR - 1

export function blosclzDecompress(input: usize, inputLength: usize, output: usize, outputLength: usize): bool {
  if (inputLength == 0) return false
  let from = input
  let to = output
  const inputEnd = input + inputLength
  const outputEnd = output + outputLength
  let control = <usize>load<u8>(from++) & 31
  for (;;) {
    if (control < 32) {
      const count = control + 1
      if (count > inputEnd - from || count > outputEnd - to) return false
      copyLiterals(from, to, count)
      from += count
      to += count
    } else {
      let length = (control >> 5) + 2
      if (length == 9) {
        let more: usize
        do {
          if (from >= inputEnd || length > LONGEST) return false
          more = load<u8>(from++)
          length += more
        } while (more == 255)
      }
      if (from >= inputEnd) return false
      let near = ((control & 31) << 8) | <usize>load<u8>(from++)
      if (near == MAX_NEAR) {
        if (inputEnd - from < 2) return false
        near += (<usize>load<u8>(from) << 8) | <usize>load<u8>(from, 1)
        from += 2
      }
      const distance = near + 1
      if (distance > to - output || length > outputEnd - to) return false
      copyMatch(to, distance, length)
      to += length
    }
    if (from >= inputEnd) break
    control = load<u8>(from++)
  }
  return to == outputEnd
}

const BLOSCLZ_HEADS: usize = memory.data(65536, 16)

// @ts-ignore: decorator
@inline
function writeBlosclzLiterals(to: usize, from: usize, end: usize): usize {
  while (from < end) {
    const count = min<usize>(32, end - from)
    store<u8>(to++, <u8>(count - 1))
    v128.store(to, v128.load(from))
    v128.store(to, v128.load(from, 16), 16)
    from += count
    to += count
  }
  return to
}

/** @returns where the stream ends */
export function blosclzCompress(input: usize, length: usize, output: usize): usize {
  // Positions are stored as those after them, so that 0 is none.
  memory.fill(BLOSCLZ_HEADS, 0, 65536)
  let at = output
  let anchor = input
  if (length > 14) {
    const end = input + length - 13
    let misses: usize = 64
    let position = input + 1
    while (position < end) {
      const word = load<i32>(position)
      const head = BLOSCLZ_HEADS + hashed(word)
      const found = load<usize>(head)
      store<usize>(head, position)
      const distance = position - found
      if (found == 0 || distance > MAX_FAR || load<i32>(found) != word) {
        position += misses++ >> 6
        continue
      }
      const length = 4 + commonLength(position + 4, found + 4, end)
      if (distance > MAX_NEAR && length < 6) {
        position++
        continue
      }
      misses = 64
      at = writeBlosclzLiterals(at, anchor, position)
      const isFar = distance > MAX_NEAR
      const near = isFar ? MAX_NEAR : distance - 1
      let rest = length - 2
      if (rest < 7) store<u8>(at++, <u8>((rest << 5) | (near >> 8)))
      else {
        store<u8>(at++, <u8>((7 << 5) | (near >> 8)))
        at = writeLength(at, rest - 7)
      }
      store<u8>(at++, <u8>near)
      if (isFar) {
        const far = distance - 1 - MAX_NEAR
        store<u8>(at++, <u8>(far >> 8))
        store<u8>(at++, <u8>far)
      }
      position += length
      anchor = position
    }
  }
  return writeBlosclzLiterals(at, anchor, input + length)
}

// --- LZF

export function lzfDecompress(input: usize, inputLength: usize, output: usize, outputLength: usize): bool {
  let from = input
  let to = output
  const inputEnd = input + inputLength
  const outputEnd = output + outputLength
  while (from < inputEnd) {
    const control = <usize>load<u8>(from++)
    if (control < 32) {
      const count = control + 1
      if (count > inputEnd - from || count > outputEnd - to) return false
      copyLiterals(from, to, count)
      from += count
      to += count
      continue
    }
    let length = control >> 5
    if (length == 7) {
      if (from >= inputEnd) return false
      length += <usize>load<u8>(from++)
    }
    length += 2
    if (from >= inputEnd) return false
    const distance = ((control & 31) << 8) + <usize>load<u8>(from++) + 1
    if (distance > to - output || length > outputEnd - to) return false
    copyMatch(to, distance, length)
    to += length
  }
  return to == outputEnd
}

// --- Shuffles of bytes. `count` complete elements of `size` bytes; what follows them is the caller's.

/** Transposes 4 × 4 lanes of 32 bits, and stores the rows of the result. */
// @ts-ignore: decorator
@inline
function storeTransposed32(a: v128, b: v128, c: v128, d: v128, to: usize, step: usize): void {
  const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5)
  const cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5)
  const ab2 = v128.shuffle<i32>(a, b, 2, 6, 3, 7)
  const cd2 = v128.shuffle<i32>(c, d, 2, 6, 3, 7)
  v128.store(to, v128.shuffle<i64>(ab, cd, 0, 2))
  v128.store(to + step, v128.shuffle<i64>(ab, cd, 1, 3))
  v128.store(to + 2 * step, v128.shuffle<i64>(ab2, cd2, 0, 2))
  v128.store(to + 3 * step, v128.shuffle<i64>(ab2, cd2, 1, 3))
}

/** Puts the same bytes of the four lanes beside each other; its own inverse. */
// @ts-ignore: decorator
@inline
function byPlace32(v: v128): v128 {
  return v128.shuffle<i8>(v, v, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
}

function shuffle2(from: usize, to: usize, count: usize): usize {
  let i: usize = 0
  for (; i + 16 <= count; i += 16) {
    const a = v128.load(from + 2 * i)
    const b = v128.load(from + 2 * i, 16)
    v128.store(to + i, v128.shuffle<i8>(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30))
    v128.store(to + count + i, v128.shuffle<i8>(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31))
  }
  return i
}

function unshuffle2(from: usize, to: usize, count: usize): usize {
  let i: usize = 0
  for (; i + 16 <= count; i += 16) {
    const a = v128.load(from + i)
    const b = v128.load(from + count + i)
    v128.store(to + 2 * i, v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23))
    v128.store(to + 2 * i, v128.shuffle<i8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), 16)
  }
  return i
}

function shuffle4(from: usize, to: usize, count: usize): usize {
  let i: usize = 0
  for (; i + 16 <= count; i += 16) {
    const at = from + 4 * i
    storeTransposed32(
      byPlace32(v128.load(at)), byPlace32(v128.load(at, 16)), byPlace32(v128.load(at, 32)), byPlace32(v128.load(at, 48)),
      to + i, count,
    )
  }
  return i
}

function unshuffle4(from: usize, to: usize, count: usize): usize {
  let i: usize = 0
  for (; i + 16 <= count; i += 16) {
    const a = v128.load(from + i)
    const b = v128.load(from + count + i)
    const c = v128.load(from + 2 * count + i)
    const d = v128.load(from + 3 * count + i)
    const ab = v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
    const ab2 = v128.shuffle<i8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
    const cd = v128.shuffle<i8>(c, d, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
    const cd2 = v128.shuffle<i8>(c, d, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
    const out = to + 4 * i
    v128.store(out, v128.shuffle<i16>(ab, cd, 0, 8, 1, 9, 2, 10, 3, 11))
    v128.store(out, v128.shuffle<i16>(ab, cd, 4, 12, 5, 13, 6, 14, 7, 15), 16)
    v128.store(out, v128.shuffle<i16>(ab2, cd2, 0, 8, 1, 9, 2, 10, 3, 11), 32)
    v128.store(out, v128.shuffle<i16>(ab2, cd2, 4, 12, 5, 13, 6, 14, 7, 15), 48)
  }
  return i
}

/** Four rows of eight bytes' places: the bytes `first` to `first + 3` of 16 elements of eight bytes. */
// @ts-ignore: decorator
@inline
function halves(from: usize, high: bool): v128 {
  // Four elements of eight bytes: their lower or upper halves.
  const a = v128.load(from)
  const b = v128.load(from, 16)
  return high ? v128.shuffle<i32>(a, b, 1, 3, 5, 7) : v128.shuffle<i32>(a, b, 0, 2, 4, 6)
}

function shuffle8(from: usize, to: usize, count: usize): usize {
  let i: usize = 0
  for (; i + 16 <= count; i += 16) {
    const at = from + 8 * i
    storeTransposed32(
      byPlace32(halves(at, false)), byPlace32(halves(at + 32, false)), byPlace32(halves(at + 64, false)), byPlace32(halves(at + 96, false)),
      to + i, count,
    )
    storeTransposed32(
      byPlace32(halves(at, true)), byPlace32(halves(at + 32, true)), byPlace32(halves(at + 64, true)), byPlace32(halves(at + 96, true)),
      to + 4 * count + i, count,
    )
  }
  return i
}

function unshuffle8(from: usize, to: usize, count: usize): usize {
  let i: usize = 0
  for (; i + 8 <= count; i += 8) {
    const at = from + i
    // Eight bytes of each of two places, side by side.
    const a = v128.shuffle<i8>(v128.load64_zero(at), v128.load64_zero(at + count), 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
    const b = v128.shuffle<i8>(v128.load64_zero(at + 2 * count), v128.load64_zero(at + 3 * count), 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
    const c = v128.shuffle<i8>(v128.load64_zero(at + 4 * count), v128.load64_zero(at + 5 * count), 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
    const d = v128.shuffle<i8>(v128.load64_zero(at + 6 * count), v128.load64_zero(at + 7 * count), 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
    const ab = v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
    const ab2 = v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
    const cd = v128.shuffle<i16>(c, d, 0, 8, 1, 9, 2, 10, 3, 11)
    const cd2 = v128.shuffle<i16>(c, d, 4, 12, 5, 13, 6, 14, 7, 15)
    const out = to + 8 * i
    v128.store(out, v128.shuffle<i32>(ab, cd, 0, 4, 1, 5))
    v128.store(out, v128.shuffle<i32>(ab, cd, 2, 6, 3, 7), 16)
    v128.store(out, v128.shuffle<i32>(ab2, cd2, 0, 4, 1, 5), 32)
    v128.store(out, v128.shuffle<i32>(ab2, cd2, 2, 6, 3, 7), 48)
  }
  return i
}

export function shuffleBytes(from: usize, to: usize, size: usize, count: usize): void {
  const done: usize = size == 2 ? shuffle2(from, to, count) : size == 4 ? shuffle4(from, to, count) : size == 8 ? shuffle8(from, to, count) : 0
  for (let place: usize = 0; place < size; place++) {
    for (let i = done; i < count; i++) store<u8>(to + place * count + i, load<u8>(from + i * size + place))
  }
}

export function unshuffleBytes(from: usize, to: usize, size: usize, count: usize): void {
  const done: usize = size == 2 ? unshuffle2(from, to, count) : size == 4 ? unshuffle4(from, to, count) : size == 8 ? unshuffle8(from, to, count) : 0
  for (let place: usize = 0; place < size; place++) {
    for (let i = done; i < count; i++) store<u8>(to + i * size + place, load<u8>(from + place * count + i))
  }
}

// --- Shuffles of bits: those of each place of a byte are eight rows of bits. `count` is a multiple of eight.

/** Transposes the bits of 8 bytes: bit i of byte j becomes bit j of byte i. */
// @ts-ignore: decorator
@inline
function transposed(x: u64): u64 {
  let t = (x ^ (x >> 7)) & 0x00aa00aa00aa00aa
  x = x ^ t ^ (t << 7)
  t = (x ^ (x >> 14)) & 0x0000cccc0000cccc
  x = x ^ t ^ (t << 14)
  t = (x ^ (x >> 28)) & 0x00000000f0f0f0f0
  return x ^ t ^ (t << 28)
}

/** Two of these at a time. */
// @ts-ignore: decorator
@inline
function transposed2(x: v128): v128 {
  let t = v128.and(v128.xor(x, i64x2.shr_u(x, 7)), i64x2.splat(0x00aa00aa00aa00aa))
  x = v128.xor(v128.xor(x, t), i64x2.shl(t, 7))
  t = v128.and(v128.xor(x, i64x2.shr_u(x, 14)), i64x2.splat(0x0000cccc0000cccc))
  x = v128.xor(v128.xor(x, t), i64x2.shl(t, 14))
  t = v128.and(v128.xor(x, i64x2.shr_u(x, 28)), i64x2.splat(0x00000000f0f0f0f0))
  return v128.xor(v128.xor(x, t), i64x2.shl(t, 28))
}

/** The bytes of one place become eight rows of bits. */
function bytesToRows(from: usize, to: usize, count: usize): void {
  const row = count >> 3
  let i: usize = 0
  for (; i + 16 <= count; i += 16) {
    let v = v128.load(from + i)
    for (let bit: usize = 8; bit > 0; ) {
      store<u16>(to + --bit * row + (i >> 3), <u16>i8x16.bitmask(v))
      v = i8x16.add(v, v)
    }
  }
  for (; i < count; i += 8) {
    const bits = transposed(load<u64>(from + i))
    for (let bit: usize = 0; bit < 8; bit++) store<u8>(to + bit * row + (i >> 3), <u8>(bits >> (8 * bit)))
  }
}

/** The inverse of `bytesToRows`. */
function rowsToBytes(from: usize, to: usize, count: usize): void {
  const row = count >> 3
  let i: usize = 0
  for (; i + 16 <= row; i += 16) {
    const at = from + i
    const r0 = v128.load(at)
    const r1 = v128.load(at + row)
    const r2 = v128.load(at + 2 * row)
    const r3 = v128.load(at + 3 * row)
    const r4 = v128.load(at + 4 * row)
    const r5 = v128.load(at + 5 * row)
    const r6 = v128.load(at + 6 * row)
    const r7 = v128.load(at + 7 * row)
    const out = to + 8 * i
    eightColumns(
      v128.shuffle<i8>(r0, r1, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
      v128.shuffle<i8>(r2, r3, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
      v128.shuffle<i8>(r4, r5, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
      v128.shuffle<i8>(r6, r7, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
      out,
    )
    eightColumns(
      v128.shuffle<i8>(r0, r1, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31),
      v128.shuffle<i8>(r2, r3, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31),
      v128.shuffle<i8>(r4, r5, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31),
      v128.shuffle<i8>(r6, r7, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31),
      out + 64,
    )
  }
  for (; i < row; i++) {
    let bits: u64 = 0
    for (let bit: usize = 0; bit < 8; bit++) bits |= <u64>load<u8>(from + bit * row + i) << (8 * bit)
    store<u64>(to + 8 * i, transposed(bits))
  }
}

/** Eight bytes of each of eight rows, two rows of which alternate in each vector, as 64 bytes. */
// @ts-ignore: decorator
@inline
function eightColumns(a: v128, b: v128, c: v128, d: v128, to: usize): void {
  const ab = v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
  const ab2 = v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
  const cd = v128.shuffle<i16>(c, d, 0, 8, 1, 9, 2, 10, 3, 11)
  const cd2 = v128.shuffle<i16>(c, d, 4, 12, 5, 13, 6, 14, 7, 15)
  v128.store(to, transposed2(v128.shuffle<i32>(ab, cd, 0, 4, 1, 5)))
  v128.store(to, transposed2(v128.shuffle<i32>(ab, cd, 2, 6, 3, 7)), 16)
  v128.store(to, transposed2(v128.shuffle<i32>(ab2, cd2, 0, 4, 1, 5)), 32)
  v128.store(to, transposed2(v128.shuffle<i32>(ab2, cd2, 2, 6, 3, 7)), 48)
}

/** @param room memory for as many bytes again, needed if `size` is above 1 */
export function shuffleBits(from: usize, to: usize, size: usize, count: usize, room: usize): void {
  let bytes = from
  if (size > 1) {
    shuffleBytes(from, room, size, count)
    bytes = room
  }
  for (let place: usize = 0; place < size; place++) bytesToRows(bytes + place * count, to + place * count, count)
}

/** @param room memory for as many bytes again, needed if `size` is above 1 */
export function unshuffleBits(from: usize, to: usize, size: usize, count: usize, room: usize): void {
  const bytes = size > 1 ? room : to
  for (let place: usize = 0; place < size; place++) rowsToBytes(from + place * count, bytes + place * count, count)
  if (size > 1) unshuffleBytes(room, to, size, count)
}
