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
  for (let o: i32 = 0; o < outer; o++, data += length * step) {
    for (let start: i32 = 0; start < inner; start += width) {
      const columns = min(width, inner - start)
      const stride = <usize>columns << 3
      const first = tile + radius * stride
      const whole = columns == inner // then the rows are contiguous in the array, too
      let at = data + start * sizeof<T>()

      if (whole) toDoubles<T>(at, first, length * inner)
      else for (let l: i32 = 0; l < length; l++) toDoubles<T>(at + l * step, first + l * stride, columns)

      for (let i: i32 = 0; i < 2 * radius; i++) {
        const to = i < radius ? tile + i * stride : first + (length + i - radius) * stride
        const source = load<i32>(sources + (i << 2))
        if (source < 0) fillRow(to, columns, cval)
        else copyRow(first + source * stride, to, columns)
      }

      if (whole) filterRow<T>(first, stride, radius, weights, at, length * inner, scratch, wide)
      else {
        for (let l: i32 = 0; l < length; l++) {
          filterRow<T>(first + l * stride, stride, radius, weights, at + l * step, columns, scratch, wide)
        }
      }
    }
  }
}

/**
 * Filters along the middle axis of an array of shape (outer, length, inner), in place.
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
    case 0: return filterAxis<i8>(data, outer, length, inner, radius, width, weights, sources, tile, scratch, cval, wide)
    case 1: return filterAxis<u8>(data, outer, length, inner, radius, width, weights, sources, tile, scratch, cval, wide)
    case 2: return filterAxis<i16>(data, outer, length, inner, radius, width, weights, sources, tile, scratch, cval, wide)
    case 3: return filterAxis<u16>(data, outer, length, inner, radius, width, weights, sources, tile, scratch, cval, wide)
    case 4: return filterAxis<i32>(data, outer, length, inner, radius, width, weights, sources, tile, scratch, cval, wide)
    case 5: return filterAxis<u32>(data, outer, length, inner, radius, width, weights, sources, tile, scratch, cval, wide)
    case 6: return filterAxis<i64>(data, outer, length, inner, radius, width, weights, sources, tile, scratch, cval, wide)
    case 7: return filterAxis<u64>(data, outer, length, inner, radius, width, weights, sources, tile, scratch, cval, wide)
    case 8: return filterAxis<f32>(data, outer, length, inner, radius, width, weights, sources, tile, scratch, cval, wide)
    default: return filterAxis<f64>(data, outer, length, inner, radius, width, weights, sources, tile, scratch, cval, wide)
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
  for (let o: i32 = 0; o < outer; o++, data += length * inner) {
    for (let start: i32 = 0; start < inner; start += width) {
      const columns = min(width, inner - start)
      const stride = <usize>columns << 1
      const first = tile + radius * stride
      const whole = columns == inner
      let at = data + start

      if (whole) toShorts(at, first, length * inner)
      else for (let l: i32 = 0; l < length; l++) toShorts(at + l * inner, first + l * stride, columns)

      for (let i: i32 = 0; i < 2 * radius; i++) {
        const to = i < radius ? tile + i * stride : first + (length + i - radius) * stride
        const source = load<i32>(sources + (i << 2))
        if (source >= 0) copyShorts(first + source * stride, to, columns)
        else for (let c: i32 = 0; c < columns; c++) store<i16>(to + (c << 1), <i16>cval)
      }

      if (whole) {
        filterByteRow(first, stride, radius, weights, pairs, flat, at, length * inner, scratch, shift, lowest, spread)
      } else {
        for (let l: i32 = 0; l < length; l++) {
          filterByteRow(
            first + l * stride, stride, radius, weights, pairs, flat, at + l * inner, columns, scratch, shift, lowest, spread,
          )
        }
      }
    }
  }
}
