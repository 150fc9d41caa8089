// AssemblyScript, compiled by scripts/build-kernels.mjs. The filter along one axis of a C-ordered array, in place, in
// SciPy's order of operations (NI_Correlate1D, symmetric weights), so that results equal SciPy's to the last bit:
//
//   sum = x[l] * w[0]
//   for j = radius … 1:  sum += (x[l - j] + x[l + j]) * w[j]
//
// in float64, each sum cast to the array's type. FMA and relaxed SIMD are not used: a rounding less changes the result.
//
// The loop processes one tile at a time, as float64: the complete axis, extended by `radius` rows at both ends, times `width`
// neighbours along the axes after it. The rows of a tile are contiguous, so the taps of an output are ± j rows away. `width` is
// 1 for the last axis, so that the same loop handles every axis, sixteen neighbouring outputs at a time.

/** Casts like x86-64 (SciPy's builds): NaN and values out of range give the lowest integer, of which the low bits are kept. */
// @ts-ignore: decorator
@inline
function toInt32(value: f64): i32 {
  return value > -2147483649.0 && value < 2147483648.0 ? <i32>value : i32.MIN_VALUE
}

// @ts-ignore: decorator
@inline
function toInt64(value: f64): i64 {
  return value >= -9223372036854775808.0 && value < 9223372036854775808.0 ? <i64>value : i64.MIN_VALUE
}

// @ts-ignore: decorator
@inline
function storeCast<T>(to: usize, value: f64): void {
  if (sizeof<T>() == 8) {
    if (isSigned<T>() || !(value >= 9223372036854775808.0)) store<i64>(to, toInt64(value))
    else store<i64>(to, toInt64(value - 9223372036854775808.0) ^ i64.MIN_VALUE)
  } else if (sizeof<T>() == 4) {
    if (isSigned<T>()) store<i32>(to, toInt32(value))
    else store<i32>(to, <i32>toInt64(value))
  } else if (sizeof<T>() == 2) {
    store<i16>(to, <i16>toInt32(value))
  } else {
    store<i8>(to, <i8>toInt32(value))
  }
}

// @ts-ignore: decorator
@inline
function storeCastPair<T>(to: usize, pair: v128): void {
  storeCast<T>(to, f64x2.extract_lane(pair, 0))
  storeCast<T>(to + sizeof<T>(), f64x2.extract_lane(pair, 1))
}

/** Two pairs of float64, which must fit into int32, as four int32. */
// @ts-ignore: decorator
@inline
function truncate4(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(i32x4.trunc_sat_f64x2_s_zero(a), i32x4.trunc_sat_f64x2_s_zero(b), 0, 1, 4, 5)
}

/** Stores eight sums in the array's type. `wide`: some may exceed its range, because of `cval`. */
// @ts-ignore: decorator
@inline
function store8<T>(to: usize, a: v128, b: v128, c: v128, d: v128, wide: bool): void {
  if (isFloat<T>()) {
    if (sizeof<T>() == 8) {
      v128.store(to, a)
      v128.store(to, b, 16)
      v128.store(to, c, 32)
      v128.store(to, d, 48)
    } else {
      v128.store(to, v128.shuffle<i32>(f32x4.demote_f64x2_zero(a), f32x4.demote_f64x2_zero(b), 0, 1, 4, 5))
      v128.store(to, v128.shuffle<i32>(f32x4.demote_f64x2_zero(c), f32x4.demote_f64x2_zero(d), 0, 1, 4, 5), 16)
    }
  } else if (sizeof<T>() == 8 || wide) {
    storeCastPair<T>(to, a)
    storeCastPair<T>(to + 2 * sizeof<T>(), b)
    storeCastPair<T>(to + 4 * sizeof<T>(), c)
    storeCastPair<T>(to + 6 * sizeof<T>(), d)
  } else if (sizeof<T>() == 4) {
    if (isSigned<T>()) {
      v128.store(to, truncate4(a, b))
      v128.store(to, truncate4(c, d), 16)
    } else {
      v128.store(to, v128.shuffle<i32>(i32x4.trunc_sat_f64x2_u_zero(a), i32x4.trunc_sat_f64x2_u_zero(b), 0, 1, 4, 5))
      v128.store(to, v128.shuffle<i32>(i32x4.trunc_sat_f64x2_u_zero(c), i32x4.trunc_sat_f64x2_u_zero(d), 0, 1, 4, 5), 16)
    }
  } else if (sizeof<T>() == 2) {
    const mask = i32x4.splat(0xffff) // keeps only the low bits, so that narrowing never saturates
    v128.store(to, i16x8.narrow_i32x4_u(v128.and(truncate4(a, b), mask), v128.and(truncate4(c, d), mask)))
  } else {
    const mask = i32x4.splat(0xff)
    const words = i16x8.narrow_i32x4_u(v128.and(truncate4(a, b), mask), v128.and(truncate4(c, d), mask))
    v128.store_lane<u64>(to, i8x16.narrow_i16x8_u(words, words), 0)
  }
}

/** Converts `count` elements to float64. */
function toDoubles<T>(from: usize, to: usize, count: i32): void {
  let i: i32 = 0
  if (isFloat<T>() && sizeof<T>() == 8) {
    memory.copy(to, from, <usize>count << 3)
    return
  }
  if (isFloat<T>()) {
    for (; i + 4 <= count; i += 4, from += 16, to += 32) {
      const four = v128.load(from)
      v128.store(to, f64x2.promote_low_f32x4(four))
      v128.store(to, f64x2.promote_low_f32x4(v128.shuffle<i64>(four, four, 1, 1)), 16)
    }
  } else if (sizeof<T>() == 4) {
    for (; i + 4 <= count; i += 4, from += 16, to += 32) {
      const four = v128.load(from)
      const high = v128.shuffle<i64>(four, four, 1, 1)
      v128.store(to, isSigned<T>() ? f64x2.convert_low_i32x4_s(four) : f64x2.convert_low_i32x4_u(four))
      v128.store(to, isSigned<T>() ? f64x2.convert_low_i32x4_s(high) : f64x2.convert_low_i32x4_u(high), 16)
    }
  } else if (sizeof<T>() < 4) {
    for (; i + 8 <= count; i += 8, from += 8 * sizeof<T>(), to += 64) {
      const words =
        sizeof<T>() == 2
          ? v128.load(from)
          : isSigned<T>()
            ? i16x8.extend_low_i8x16_s(v128.load64_zero(from))
            : i16x8.extend_low_i8x16_u(v128.load64_zero(from))
      const low = isSigned<T>() ? i32x4.extend_low_i16x8_s(words) : i32x4.extend_low_i16x8_u(words)
      const high = isSigned<T>() ? i32x4.extend_high_i16x8_s(words) : i32x4.extend_high_i16x8_u(words)
      v128.store(to, f64x2.convert_low_i32x4_s(low))
      v128.store(to, f64x2.convert_low_i32x4_s(v128.shuffle<i64>(low, low, 1, 1)), 16)
      v128.store(to, f64x2.convert_low_i32x4_s(high), 32)
      v128.store(to, f64x2.convert_low_i32x4_s(v128.shuffle<i64>(high, high, 1, 1)), 48)
    }
  }
  for (; i < count; i++, from += sizeof<T>(), to += 8) store<f64>(to, <f64>load<T>(from))
}

/** Computes sixteen neighbouring outputs, the first at `center`. `stride` and the taps are in bytes. */
// @ts-ignore: decorator
@inline
function filter16<T>(center: usize, stride: usize, reach: usize, weights: usize, taps: usize, to: usize, wide: bool): void {
  let weight = v128.load64_splat(weights)
  let a = f64x2.mul(v128.load(center), weight)
  let b = f64x2.mul(v128.load(center, 16), weight)
  let c = f64x2.mul(v128.load(center, 32), weight)
  let d = f64x2.mul(v128.load(center, 48), weight)
  let e = f64x2.mul(v128.load(center, 64), weight)
  let f = f64x2.mul(v128.load(center, 80), weight)
  let g = f64x2.mul(v128.load(center, 96), weight)
  let h = f64x2.mul(v128.load(center, 112), weight)
  let low = center - reach
  let high = center + reach
  for (let tap = weights + taps; tap > weights; tap -= 8, low += stride, high -= stride) {
    weight = v128.load64_splat(tap)
    a = f64x2.add(a, f64x2.mul(f64x2.add(v128.load(low), v128.load(high)), weight))
    b = f64x2.add(b, f64x2.mul(f64x2.add(v128.load(low, 16), v128.load(high, 16)), weight))
    c = f64x2.add(c, f64x2.mul(f64x2.add(v128.load(low, 32), v128.load(high, 32)), weight))
    d = f64x2.add(d, f64x2.mul(f64x2.add(v128.load(low, 48), v128.load(high, 48)), weight))
    e = f64x2.add(e, f64x2.mul(f64x2.add(v128.load(low, 64), v128.load(high, 64)), weight))
    f = f64x2.add(f, f64x2.mul(f64x2.add(v128.load(low, 80), v128.load(high, 80)), weight))
    g = f64x2.add(g, f64x2.mul(f64x2.add(v128.load(low, 96), v128.load(high, 96)), weight))
    h = f64x2.add(h, f64x2.mul(f64x2.add(v128.load(low, 112), v128.load(high, 112)), weight))
  }
  store8<T>(to, a, b, c, d, wide)
  store8<T>(to + 8 * sizeof<T>(), e, f, g, h, wide)
}

/** Computes `count` neighbouring outputs. Reads up to 15 float64 beyond the taps of the last one, without using them. */
function filterRow<T>(
  center: usize,
  stride: usize,
  radius: i32,
  weights: usize,
  to: usize,
  count: i32,
  scratch: usize,
  wide: bool,
): void {
  const reach = <usize>radius * stride
  const taps = <usize>radius << 3
  for (; count >= 16; count -= 16, center += 128, to += 16 * sizeof<T>()) {
    filter16<T>(center, stride, reach, weights, taps, to, wide)
  }
  if (count > 0) {
    filter16<T>(center, stride, reach, weights, taps, scratch, wide)
    for (let i: i32 = 0; i < count; i++) store<T>(to + i * sizeof<T>(), load<T>(scratch + i * sizeof<T>()))
  }
}

function copyRow(from: usize, to: usize, count: i32): void {
  let i: i32 = 0
  for (; i + 2 <= count; i += 2, from += 16, to += 16) v128.store(to, v128.load(from))
  if (i < count) store<f64>(to, load<f64>(from))
}

function fillRow(to: usize, count: i32, value: f64): void {
  for (let i: i32 = 0; i < count; i++, to += 8) store<f64>(to, value)
}

function filterAxis<T>(
  data: usize,
  outer: i32,
  length: i32,
  inner: i32,
  begin: i32,
  end: i32,
  radius: i32,
  width: i32,
  weights: usize,
  sources: usize,
  tile: usize,
  scratch: usize,
  cval: f64,
  wide: bool,
): void {
  const step = <usize>inner * sizeof<T>()
  let result = data
  for (let o: i32 = 0; o < outer; o++, data += length * step, result += (end - begin) * step) {
    for (let start: i32 = 0; start < inner; start += width) {
      const columns = min(width, inner - start)
      const stride = <usize>columns << 3
      const first = tile + radius * stride
      const whole = columns == inner // then the rows are contiguous in the array, too
      const at = data + start * sizeof<T>()
      // Never after the row that it is made of, so no row is overwritten before its tile has it.
      const to = result + start * sizeof<T>()

      if (whole) toDoubles<T>(at, first, length * inner)
      else for (let l: i32 = 0; l < length; l++) toDoubles<T>(at + l * step, first + l * stride, columns)

      for (let i: i32 = 0; i < 2 * radius; i++) {
        const row = i < radius ? tile + i * stride : first + (length + i - radius) * stride
        const source = load<i32>(sources + (i << 2))
        if (source < 0) fillRow(row, columns, cval)
        else copyRow(first + source * stride, row, columns)
      }

      if (whole) filterRow<T>(first + begin * stride, stride, radius, weights, to, (end - begin) * inner, scratch, wide)
      else {
        for (let l = begin; l < end; l++) {
          filterRow<T>(first + l * stride, stride, radius, weights, to + (l - begin) * step, columns, scratch, wide)
        }
      }
    }
  }
}

/**
 * Filters along the middle axis of an array of shape (outer, length, inner), in place: what is left has the shape
 * (outer, end - begin, inner).
 * @param begin the first row whose result is wanted, and @param end behind the last one
 * @param type index into TYPES of gaussian-module.ts
 * @param width columns of a tile
 * @param weights address of radius + 1 float64, the centre's first
 * @param sources address of 2 · radius int32: for each row before the first and after the last, the row that it copies, or -1
 * for `cval`
 * @param tile address of ((length + 2 · radius) · width + 16) float64
 * @param scratch address of 128 bytes
 * @param wide whether sums may exceed the type's range
 */
export function filter(
  type: i32,
  data: usize,
  outer: i32,
  length: i32,
  inner: i32,
  begin: i32,
  end: i32,
  radius: i32,
  width: i32,
  weights: usize,
  sources: usize,
  tile: usize,
  scratch: usize,
  cval: f64,
  wide: bool,
): void {
  switch (type) {
    case 0: return filterAxis<i8>(data, outer, length, inner, begin, end, radius, width, weights, sources, tile, scratch, cval, wide)
    case 1: return filterAxis<u8>(data, outer, length, inner, begin, end, radius, width, weights, sources, tile, scratch, cval, wide)
    case 2: return filterAxis<i16>(data, outer, length, inner, begin, end, radius, width, weights, sources, tile, scratch, cval, wide)
    case 3: return filterAxis<u16>(data, outer, length, inner, begin, end, radius, width, weights, sources, tile, scratch, cval, wide)
    case 4: return filterAxis<i32>(data, outer, length, inner, begin, end, radius, width, weights, sources, tile, scratch, cval, wide)
    case 5: return filterAxis<u32>(data, outer, length, inner, begin, end, radius, width, weights, sources, tile, scratch, cval, wide)
    case 6: return filterAxis<i64>(data, outer, length, inner, begin, end, radius, width, weights, sources, tile, scratch, cval, wide)
    case 7: return filterAxis<u64>(data, outer, length, inner, begin, end, radius, width, weights, sources, tile, scratch, cval, wide)
    case 8: return filterAxis<f32>(data, outer, length, inner, begin, end, radius, width, weights, sources, tile, scratch, cval, wide)
    default: return filterAxis<f64>(data, outer, length, inner, begin, end, radius, width, weights, sources, tile, scratch, cval, wide)
  }
}

// Bytes: sums of 16-bit integers decide almost every voxel. If the sum plus its lower bound and the sum plus its upper bound are
// the same after the shift, so is SciPy's float64 sum, truncated. The other voxels are summed in float64; those of which all taps
// are equal, whose sums are always next to an integer, are looked up. See byte-weights.ts for the bounds.

/** Two taps of eight neighbouring outputs: their values interleaved, times their weights. */
// @ts-ignore: decorator
@inline
function dotLow(a: v128, b: v128, weights: v128): v128 {
  return i32x4.dot_i16x8_s(v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11), weights)
}

// @ts-ignore: decorator
@inline
function dotHigh(a: v128, b: v128, weights: v128): v128 {
  return i32x4.dot_i16x8_s(v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15), weights)
}

/** SciPy's sum of one output. */
function exactByte(center: usize, stride: usize, radius: i32, weights: usize): u8 {
  let sum = <f64>load<i16>(center) * load<f64>(weights)
  let low = center - radius * stride
  let high = center + radius * stride
  for (let tap = weights + (<usize>radius << 3); tap > weights; tap -= 8, low += stride, high -= stride) {
    sum += <f64>(<i32>load<i16>(low) + <i32>load<i16>(high)) * load<f64>(tap)
  }
  return <u8>sum
}

/** For eight outputs: bits that differ between any tap and the centre. */
// @ts-ignore: decorator
@inline
function differences(center: usize, stride: usize, radius: i32): v128 {
  const value = v128.load(center)
  let bits = i64x2.splat(0)
  let low = center
  let high = center
  for (let j: i32 = 0; j < radius; j++) {
    low -= stride
    high += stride
    bits = v128.or(bits, v128.or(v128.xor(v128.load(low), value), v128.xor(v128.load(high), value)))
  }
  return bits
}

/** Decides the outputs whose bits are set. */
function decideBytes(center: usize, stride: usize, radius: i32, weights: usize, flat: usize, to: usize, open: i32): void {
  let exact = open
  if (popcnt(open) > 3) {
    const low = i16x8.ne(differences(center, stride, radius), i64x2.splat(0))
    const high = i16x8.ne(differences(center + 16, stride, radius), i64x2.splat(0))
    exact = i8x16.bitmask(i8x16.narrow_i16x8_s(low, high))
    const value = i16x8.splat(load<i16>(center))
    const others = v128.or(v128.xor(v128.load(center), value), v128.xor(v128.load(center, 16), value))
    if (exact == 0 && !v128.any_true(others)) {
      v128.store(to, i8x16.splat(load<u8>(flat + load<i16>(center))))
      return
    }
  }
  for (; open != 0; open &= open - 1) {
    const i = ctz(open)
    const at = center + (i << 1)
    store<u8>(to + i, (exact >> i) & 1 ? exactByte(at, stride, radius, weights) : load<u8>(flat + load<i16>(at)))
  }
}

/** Computes sixteen neighbouring outputs. */
// @ts-ignore: decorator
@inline
function filterBytes16(
  center: usize, stride: usize, radius: i32, weights: usize, pairs: usize, flat: usize, to: usize,
  shift: i32, low: v128, width: v128,
): void {
  let down = center - stride
  let up = center + stride
  let pair = v128.load32_splat(pairs)
  let first = v128.load(center)
  let second = i16x8.add(v128.load(down), v128.load(up))
  let a = i32x4.add(low, dotLow(first, second, pair))
  let b = i32x4.add(low, dotHigh(first, second, pair))
  first = v128.load(center, 16)
  second = i16x8.add(v128.load(down, 16), v128.load(up, 16))
  let c = i32x4.add(low, dotLow(first, second, pair))
  let d = i32x4.add(low, dotHigh(first, second, pair))
  let tap: i32 = 2
  for (; tap < radius; tap += 2) {
    pairs += 4
    pair = v128.load32_splat(pairs)
    const downer = down - stride
    const upper = up + stride
    down = downer - stride
    up = upper + stride
    first = i16x8.add(v128.load(downer), v128.load(upper))
    second = i16x8.add(v128.load(down), v128.load(up))
    a = i32x4.add(a, dotLow(first, second, pair))
    b = i32x4.add(b, dotHigh(first, second, pair))
    first = i16x8.add(v128.load(downer, 16), v128.load(upper, 16))
    second = i16x8.add(v128.load(down, 16), v128.load(up, 16))
    c = i32x4.add(c, dotLow(first, second, pair))
    d = i32x4.add(d, dotHigh(first, second, pair))
  }
  if (tap == radius) {
    // One tap is left: its weight is paired with 0.
    pair = v128.load32_splat(pairs, 4)
    down -= stride
    up += stride
    first = i16x8.add(v128.load(down), v128.load(up))
    a = i32x4.add(a, dotLow(first, first, pair))
    b = i32x4.add(b, dotHigh(first, first, pair))
    first = i16x8.add(v128.load(down, 16), v128.load(up, 16))
    c = i32x4.add(c, dotLow(first, first, pair))
    d = i32x4.add(d, dotHigh(first, first, pair))
  }
  // Narrowing makes a negative lower bound 0: no sum of bytes is below it.
  const least = i8x16.narrow_i16x8_u(
    i16x8.narrow_i32x4_s(i32x4.shr_s(a, shift), i32x4.shr_s(b, shift)),
    i16x8.narrow_i32x4_s(i32x4.shr_s(c, shift), i32x4.shr_s(d, shift)),
  )
  const most = i8x16.narrow_i16x8_u(
    i16x8.narrow_i32x4_s(i32x4.shr_s(i32x4.add(a, width), shift), i32x4.shr_s(i32x4.add(b, width), shift)),
    i16x8.narrow_i32x4_s(i32x4.shr_s(i32x4.add(c, width), shift), i32x4.shr_s(i32x4.add(d, width), shift)),
  )
  v128.store(to, least)
  const open = i8x16.bitmask(i8x16.ne(least, most))
  if (open != 0) decideBytes(center, stride, radius, weights, flat, to, open)
}

function filterByteRow(
  center: usize, stride: usize, radius: i32, weights: usize, pairs: usize, flat: usize, to: usize,
  count: i32, scratch: usize, shift: i32, low: v128, width: v128,
): void {
  for (; count >= 16; count -= 16, center += 32, to += 16) {
    filterBytes16(center, stride, radius, weights, pairs, flat, to, shift, low, width)
  }
  if (count > 0) {
    filterBytes16(center, stride, radius, weights, pairs, flat, scratch, shift, low, width)
    memory.copy(to, scratch, count)
  }
}

/** A call of memory.copy takes longer than a short row. */
// @ts-ignore: decorator
@inline
function copyShorts(from: usize, to: usize, count: i32): void {
  if (count >= 32) memory.copy(to, from, <usize>count << 1)
  else for (let i: i32 = 0; i < count; i++) store<i16>(to + (i << 1), load<i16>(from + (i << 1)))
}

function toShorts(from: usize, to: usize, count: i32): void {
  let i: i32 = 0
  for (; i + 8 <= count; i += 8, from += 8, to += 16) v128.store(to, v128.load8x8_u(from))
  for (; i < count; i++, from++, to += 2) store<i16>(to, load<u8>(from))
}

/**
 * Filters bytes along the middle axis of an array of shape (outer, length, inner), in place. `cval` must be a byte.
 * @param pairs address of the pairs of 16-bit weights
 * @param flat address of 256 results for equal taps
 * @param tile address of ((length + 2 · radius) · width + 16) int16
 * All else is as for `filter`.
 */
export function filterBytes(
  data: usize,
  outer: i32,
  length: i32,
  inner: i32,
  begin: i32,
  end: i32,
  radius: i32,
  width: i32,
  weights: usize,
  sources: usize,
  tile: usize,
  scratch: usize,
  cval: i32,
  pairs: usize,
  flat: usize,
  shift: i32,
  low: i32,
  high: i32,
): void {
  const lowest = i32x4.splat(low)
  const spread = i32x4.splat(high - low)
  let result = data
  for (let o: i32 = 0; o < outer; o++, data += length * inner, result += (end - begin) * inner) {
    for (let start: i32 = 0; start < inner; start += width) {
      const columns = min(width, inner - start)
      const stride = <usize>columns << 1
      const first = tile + radius * stride
      const whole = columns == inner
      const at = data + start
      const to = result + start

      if (whole) toShorts(at, first, length * inner)
      else for (let l: i32 = 0; l < length; l++) toShorts(at + l * inner, first + l * stride, columns)

      for (let i: i32 = 0; i < 2 * radius; i++) {
        const row = i < radius ? tile + i * stride : first + (length + i - radius) * stride
        const source = load<i32>(sources + (i << 2))
        if (source >= 0) copyShorts(first + source * stride, row, columns)
        else for (let c: i32 = 0; c < columns; c++) store<i16>(row + (c << 1), <i16>cval)
      }

      if (whole) {
        const center = first + begin * stride
        const count = (end - begin) * inner
        filterByteRow(center, stride, radius, weights, pairs, flat, to, count, scratch, shift, lowest, spread)
      } else {
        for (let l = begin; l < end; l++) {
          const row = to + (l - begin) * inner
          filterByteRow(first + l * stride, stride, radius, weights, pairs, flat, row, columns, scratch, shift, lowest, spread)
        }
      }
    }
  }
}

// 16-bit integers and int8: sums of float32 decide almost every voxel. The values are taken relative to the middle of their range in
// a tile, which makes them exact and the sums small; if a sum less its bound and a sum plus its bound have the same floor, so has
// SciPy's float64 sum. See word-weights.ts for the bound. Others are summed in float64, and those of equal taps once for each value.

let least: i32 = 0
let most: i32 = 0
let flatValue: f32 = 0
let flatResult: i32 = 0
let isFlatKnown: bool = false

/** Widens `least` and `most` to some elements. */
function addExtent<T>(from: usize, count: i32): void {
  let i: i32 = 0
  if (sizeof<T>() == 2 && count >= 8) {
    let low = v128.load(from)
    let high = low
    for (i = 8; i + 8 <= count; i += 8) {
      const eight = v128.load(from + (i << 1))
      low = isSigned<T>() ? i16x8.min_s(low, eight) : i16x8.min_u(low, eight)
      high = isSigned<T>() ? i16x8.max_s(high, eight) : i16x8.max_u(high, eight)
    }
    const pairLow = v128.shuffle<i16>(low, low, 4, 5, 6, 7, 4, 5, 6, 7)
    const pairHigh = v128.shuffle<i16>(high, high, 4, 5, 6, 7, 4, 5, 6, 7)
    low = isSigned<T>() ? i16x8.min_s(low, pairLow) : i16x8.min_u(low, pairLow)
    high = isSigned<T>() ? i16x8.max_s(high, pairHigh) : i16x8.max_u(high, pairHigh)
    least = min(least, min(min(lane<T>(low, 0), lane<T>(low, 1)), min(lane<T>(low, 2), lane<T>(low, 3))))
    most = max(most, max(max(lane<T>(high, 0), lane<T>(high, 1)), max(lane<T>(high, 2), lane<T>(high, 3))))
  }
  for (; i < count; i++) {
    const value = <i32>load<T>(from + i * sizeof<T>())
    least = min(least, value)
    most = max(most, value)
  }
}

// @ts-ignore: decorator
@inline
function lane<T>(words: v128, index: u8): i32 {
  const value = index == 0 ? i16x8.extract_lane_u(words, 0) : index == 1 ? i16x8.extract_lane_u(words, 1) : index == 2 ? i16x8.extract_lane_u(words, 2) : i16x8.extract_lane_u(words, 3)
  return isSigned<T>() ? <i32><i16>value : <i32>value
}

/** Converts `count` elements less `middle` to float32. */
function toFloats<T>(from: usize, to: usize, count: i32, middle: i32): void {
  const offset = i32x4.splat(middle)
  let i: i32 = 0
  for (; i + 8 <= count; i += 8, from += 8 * sizeof<T>(), to += 32) {
    const words = sizeof<T>() == 2 ? v128.load(from) : i16x8.extend_low_i8x16_s(v128.load64_zero(from))
    const low = isSigned<T>() ? i32x4.extend_low_i16x8_s(words) : i32x4.extend_low_i16x8_u(words)
    const high = isSigned<T>() ? i32x4.extend_high_i16x8_s(words) : i32x4.extend_high_i16x8_u(words)
    v128.store(to, f32x4.convert_i32x4_s(i32x4.sub(low, offset)))
    v128.store(to, f32x4.convert_i32x4_s(i32x4.sub(high, offset)), 16)
  }
  for (; i < count; i++, from += sizeof<T>(), to += 4) store<f32>(to, <f32>(<i32>load<T>(from) - middle))
}

/** SciPy's sum of one output. */
function exactWord(center: usize, stride: usize, radius: i32, weights: usize, middle: i32): i32 {
  const offset = <f64>middle
  let sum = (<f64>load<f32>(center) + offset) * load<f64>(weights)
  let low = center - radius * stride
  let high = center + radius * stride
  for (let tap = weights + (<usize>radius << 3); tap > weights; tap -= 8, low += stride, high -= stride) {
    sum += (<f64>(load<f32>(low) + load<f32>(high)) + (offset + offset)) * load<f64>(tap)
  }
  return <i32>sum
}

/** SciPy's sum of equal taps. */
function flatWord(value: f32, radius: i32, weights: usize, middle: i32): i32 {
  if (isFlatKnown && flatValue == value) return flatResult
  const voxel = <f64>value + <f64>middle
  let sum = voxel * load<f64>(weights)
  for (let tap = weights + (<usize>radius << 3); tap > weights; tap -= 8) sum += (voxel + voxel) * load<f64>(tap)
  isFlatKnown = true
  flatValue = value
  flatResult = <i32>sum
  return flatResult
}

// @ts-ignore: decorator
@inline
function storeFlat16<T>(to: usize, value: i32): void {
  if (sizeof<T>() == 1) v128.store(to, i8x16.splat(<i8>value))
  else {
    v128.store(to, i16x8.splat(<i16>value))
    v128.store(to, i16x8.splat(<i16>value), 16)
  }
}

/** Decides the outputs whose bits are set. */
function decideWords<T>(center: usize, stride: usize, radius: i32, weights: usize, middle: i32, to: usize, open: i32): void {
  let exact = open
  if (popcnt(open) > 3) {
    const none = i64x2.splat(0)
    const low = i16x8.narrow_i32x4_s(
      i32x4.ne(differences(center, stride, radius), none),
      i32x4.ne(differences(center + 16, stride, radius), none),
    )
    const high = i16x8.narrow_i32x4_s(
      i32x4.ne(differences(center + 32, stride, radius), none),
      i32x4.ne(differences(center + 48, stride, radius), none),
    )
    exact = i8x16.bitmask(i8x16.narrow_i16x8_s(low, high))
    const value = v128.load32_splat(center)
    const others = v128.or(
      v128.or(v128.xor(v128.load(center), value), v128.xor(v128.load(center, 16), value)),
      v128.or(v128.xor(v128.load(center, 32), value), v128.xor(v128.load(center, 48), value)),
    )
    if (exact == 0 && !v128.any_true(others)) {
      storeFlat16<T>(to, flatWord(load<f32>(center), radius, weights, middle))
      return
    }
  }
  for (; open != 0; open &= open - 1) {
    const i = ctz(open)
    const at = center + (i << 2)
    const value = (exact >> i) & 1 ? exactWord(at, stride, radius, weights, middle) : flatWord(load<f32>(at), radius, weights, middle)
    store<T>(to + i * sizeof<T>(), <T>value)
  }
}

/** The floor of four centred sums, as integers of the type; those below 0 are truncated. */
// @ts-ignore: decorator
@inline
function truncated<T>(floor: v128, middle: v128): v128 {
  const value = i32x4.add(i32x4.trunc_sat_f32x4_s(floor), middle)
  return isSigned<T>() ? i32x4.sub(value, i32x4.shr_s(value, 31)) : value
}

/** Computes sixteen neighbouring outputs. `floats` are the weights as float32, `taps` the bytes of all but the first. */
// @ts-ignore: decorator
@inline
function filterWords16<T>(
  center: usize, stride: usize, radius: i32, weights: usize, floats: usize, to: usize, middle: i32, bound: f32,
): void {
  let low = center - radius * stride
  let high = center + radius * stride
  let a = i64x2.splat(0)
  let b = a
  let c = a
  let d = a
  for (let tap = floats + (<usize>radius << 2); tap > floats; tap -= 4, low += stride, high -= stride) {
    const weight = v128.load32_splat(tap)
    a = f32x4.add(a, f32x4.mul(f32x4.add(v128.load(low), v128.load(high)), weight))
    b = f32x4.add(b, f32x4.mul(f32x4.add(v128.load(low, 16), v128.load(high, 16)), weight))
    c = f32x4.add(c, f32x4.mul(f32x4.add(v128.load(low, 32), v128.load(high, 32)), weight))
    d = f32x4.add(d, f32x4.mul(f32x4.add(v128.load(low, 48), v128.load(high, 48)), weight))
  }
  const weight = v128.load32_splat(floats)
  a = f32x4.add(a, f32x4.mul(v128.load(center), weight))
  b = f32x4.add(b, f32x4.mul(v128.load(center, 16), weight))
  c = f32x4.add(c, f32x4.mul(v128.load(center, 32), weight))
  d = f32x4.add(d, f32x4.mul(v128.load(center, 48), weight))
  const spread = f32x4.splat(bound)
  const la = f32x4.floor(f32x4.sub(a, spread))
  const lb = f32x4.floor(f32x4.sub(b, spread))
  const lc = f32x4.floor(f32x4.sub(c, spread))
  const ld = f32x4.floor(f32x4.sub(d, spread))
  const differ = i8x16.narrow_i16x8_s(
    i16x8.narrow_i32x4_s(f32x4.ne(la, f32x4.floor(f32x4.add(a, spread))), f32x4.ne(lb, f32x4.floor(f32x4.add(b, spread)))),
    i16x8.narrow_i32x4_s(f32x4.ne(lc, f32x4.floor(f32x4.add(c, spread))), f32x4.ne(ld, f32x4.floor(f32x4.add(d, spread)))),
  )
  const offset = i32x4.splat(middle)
  const first = truncated<T>(la, offset)
  const second = truncated<T>(lb, offset)
  const third = truncated<T>(lc, offset)
  const fourth = truncated<T>(ld, offset)
  if (sizeof<T>() == 1) {
    v128.store(to, i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(first, second), i16x8.narrow_i32x4_s(third, fourth)))
  } else if (isSigned<T>()) {
    v128.store(to, i16x8.narrow_i32x4_s(first, second))
    v128.store(to, i16x8.narrow_i32x4_s(third, fourth), 16)
  } else {
    v128.store(to, i16x8.narrow_i32x4_u(first, second))
    v128.store(to, i16x8.narrow_i32x4_u(third, fourth), 16)
  }
  const open = i8x16.bitmask(differ)
  if (open != 0) decideWords<T>(center, stride, radius, weights, middle, to, open)
}

function filterWordRow<T>(
  center: usize, stride: usize, radius: i32, weights: usize, floats: usize, to: usize, count: i32, scratch: usize,
  middle: i32, bound: f32,
): void {
  for (; count >= 16; count -= 16, center += 64, to += 16 * sizeof<T>()) {
    filterWords16<T>(center, stride, radius, weights, floats, to, middle, bound)
  }
  if (count > 0) {
    filterWords16<T>(center, stride, radius, weights, floats, scratch, middle, bound)
    memory.copy(to, scratch, count * sizeof<T>())
  }
}

// @ts-ignore: decorator
@inline
function copyFloats(from: usize, to: usize, count: i32): void {
  if (count >= 16) memory.copy(to, from, <usize>count << 2)
  else for (let i: i32 = 0; i < count; i++) store<f32>(to + (i << 2), load<f32>(from + (i << 2)))
}

function fillFlat<T>(to: usize, rows: i32, columns: i32, step: i32, value: i32): void {
  for (let row: i32 = 0; row < rows; row++, to += step) {
    let i: i32 = 0
    for (; i + 16 <= columns; i += 16) storeFlat16<T>(to + i * sizeof<T>(), value)
    for (; i < columns; i++) store<T>(to + i * sizeof<T>(), <T>value)
  }
}

function filterWordAxis<T>(
  data: usize, outer: i32, length: i32, inner: i32, begin: i32, end: i32, radius: i32, width: i32, weights: usize, sources: usize, tile: usize,
  scratch: usize, cval: i32, floats: usize, slope: f64, floor: f64,
): void {
  let hasConstant = false
  for (let i: i32 = 0; i < 2 * radius; i++) hasConstant = hasConstant || load<i32>(sources + (i << 2)) < 0
  const step = inner * sizeof<T>()
  let result = data
  for (let o: i32 = 0; o < outer; o++, data += length * step, result += (end - begin) * step) {
    for (let start: i32 = 0; start < inner; start += width) {
      const columns = min(width, inner - start)
      const stride = <usize>columns << 2
      const first = tile + radius * stride
      const whole = columns == inner
      const at = data + start * sizeof<T>()
      const to = result + start * sizeof<T>()

      least = hasConstant ? cval : i32.MAX_VALUE
      most = hasConstant ? cval : i32.MIN_VALUE
      if (sizeof<T>() == 1) {
        least = i8.MIN_VALUE
        most = i8.MAX_VALUE
      } else if (whole) addExtent<T>(at, length * inner)
      else for (let l: i32 = 0; l < length; l++) addExtent<T>(at + l * step, columns)
      const middle = (least + most) >> 1
      const bound = <f32>(slope * <f64>(most - middle + 1) + floor)
      isFlatKnown = false
      if (least == most) {
        fillFlat<T>(to, whole ? 1 : end - begin, whole ? (end - begin) * inner : columns, step, flatWord(0, radius, weights, middle))
        continue
      }

      if (whole) toFloats<T>(at, first, length * inner, middle)
      else for (let l: i32 = 0; l < length; l++) toFloats<T>(at + l * step, first + l * stride, columns, middle)
      for (let i: i32 = 0; i < 2 * radius; i++) {
        const row = i < radius ? tile + i * stride : first + (length + i - radius) * stride
        const source = load<i32>(sources + (i << 2))
        if (source >= 0) copyFloats(first + source * stride, row, columns)
        else for (let x: i32 = 0; x < columns; x++) store<f32>(row + (x << 2), <f32>(cval - middle))
      }

      if (whole) {
        const count = (end - begin) * inner
        filterWordRow<T>(first + begin * stride, stride, radius, weights, floats, to, count, scratch, middle, bound)
      } else {
        for (let l = begin; l < end; l++) {
          const row = to + (l - begin) * step
          filterWordRow<T>(first + l * stride, stride, radius, weights, floats, row, columns, scratch, middle, bound)
        }
      }
    }
  }
}

/**
 * Filters int8, int16 or uint16 along the middle axis of an array of shape (outer, length, inner), in place. `cval` must be one.
 * @param tile address of ((length + 2 · radius) · width + 16) float32
 * @param floats address of radius + 1 weights as float32
 * @param slope bound of the error of a sum of values of at most 1, and @param floor what is added to it
 * All else is as for `filter`.
 */
export function filterWords(
  type: i32,
  data: usize,
  outer: i32,
  length: i32,
  inner: i32,
  begin: i32,
  end: i32,
  radius: i32,
  width: i32,
  weights: usize,
  sources: usize,
  tile: usize,
  scratch: usize,
  cval: i32,
  floats: usize,
  slope: f64,
  floor: f64,
): void {
  switch (type) {
    case 0: return filterWordAxis<i8>(data, outer, length, inner, begin, end, radius, width, weights, sources, tile, scratch, cval, floats, slope, floor)
    case 2: return filterWordAxis<i16>(data, outer, length, inner, begin, end, radius, width, weights, sources, tile, scratch, cval, floats, slope, floor)
    default: return filterWordAxis<u16>(data, outer, length, inner, begin, end, radius, width, weights, sources, tile, scratch, cval, floats, slope, floor)
  }
}
