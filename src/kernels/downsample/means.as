// AssemblyScript, compiled by scripts/build-kernels.mjs. Means of cells of 1 or 2 planes by 1 or 2 lines by 2 voxels along the rows.
// A cell's count is a power of two. Integers are summed exactly and rounded to the nearest one, halves to the even one, by shifts;
// floats are summed in float64 in the order of the voxels. Vectors may reach beyond the end of a row: what they write there is
// overwritten by the next row, or is beyond the result.

/** The sums of eight or four neighbouring cells of small integers, or those of two cells. */
// @ts-ignore: decorator
@inline
function pairSums<T>(at: usize): v128 {
  const values = v128.load(at)
  if (sizeof<T>() == 1) return isSigned<T>() ? i16x8.extadd_pairwise_i8x16_s(values) : i16x8.extadd_pairwise_i8x16_u(values)
  if (sizeof<T>() == 2) return isSigned<T>() ? i32x4.extadd_pairwise_i16x8_s(values) : i32x4.extadd_pairwise_i16x8_u(values)
  return isSigned<T>()
    ? i64x2.add(i64x2.shr_s(i64x2.shl(values, 32), 32), i64x2.shr_s(values, 32))
    : i64x2.add(v128.and(values, i64x2.splat(0xffff_ffff)), i64x2.shr_u(values, 32))
}

// @ts-ignore: decorator
@inline
function add<T>(a: v128, b: v128): v128 {
  return sizeof<T>() == 1 ? i16x8.add(a, b) : sizeof<T>() == 2 ? i32x4.add(a, b) : i64x2.add(a, b)
}

/** Sums divided by 2^shift. */
// @ts-ignore: decorator
@inline
function rounded<T>(sums: v128, shift: i32): v128 {
  const below = (1 << (shift - 1)) - 1
  if (sizeof<T>() == 1) {
    const odd = v128.and(i16x8.shr_u(sums, shift), i16x8.splat(1))
    const raised = i16x8.add(i16x8.add(sums, i16x8.splat(<i16>below)), odd)
    return isSigned<T>() ? i16x8.shr_s(raised, shift) : i16x8.shr_u(raised, shift)
  }
  if (sizeof<T>() == 2) {
    const odd = v128.and(i32x4.shr_u(sums, shift), i32x4.splat(1))
    const raised = i32x4.add(i32x4.add(sums, i32x4.splat(below)), odd)
    return isSigned<T>() ? i32x4.shr_s(raised, shift) : i32x4.shr_u(raised, shift)
  }
  // Only the low halves are used, so the sign does not matter.
  const odd = v128.and(i64x2.shr_u(sums, shift), i64x2.splat(1))
  return i64x2.shr_u(i64x2.add(i64x2.add(sums, i64x2.splat(below)), odd), shift)
}

/** The cells of one row of integers of at most 32 bits, 32 bytes of each line at a time. */
function integerRow<T>(from: usize, planes: i32, plane: usize, lines: i32, line: usize, to: usize, bytes: usize, shift: i32): void {
  for (let x: usize = 0; x < bytes; x += 32) {
    let a = i64x2.splat(0)
    let b = a
    for (let z: i32 = 0, start = from + x; z < planes; z++, start += plane) {
      for (let y: i32 = 0, at = start; y < lines; y++, at += line) {
        a = add<T>(a, pairSums<T>(at))
        b = add<T>(b, pairSums<T>(at + 16))
      }
    }
    a = rounded<T>(a, shift)
    b = rounded<T>(b, shift)
    let both: v128
    if (sizeof<T>() == 1) both = isSigned<T>() ? i8x16.narrow_i16x8_s(a, b) : i8x16.narrow_i16x8_u(a, b)
    else if (sizeof<T>() == 2) both = isSigned<T>() ? i16x8.narrow_i32x4_s(a, b) : i16x8.narrow_i32x4_u(a, b)
    else both = v128.shuffle<i32>(a, b, 0, 2, 4, 6)
    v128.store(to + (x >> 1), both)
  }
}

// @ts-ignore: decorator
@inline
function promoted(values: v128, odd: bool): v128 {
  return f64x2.promote_low_f32x4(odd ? v128.shuffle<i32>(values, values, 1, 3, 1, 3) : v128.shuffle<i32>(values, values, 0, 2, 0, 2))
}

/** The cells of one row of floats, four at a time. */
function floatRow<T>(from: usize, planes: i32, plane: usize, lines: i32, line: usize, to: usize, cells: i32, part: f64): void {
  const scale = f64x2.splat(part)
  for (let x: i32 = 0; x < cells; x += 4, from += 8 * sizeof<T>(), to += 4 * sizeof<T>()) {
    let a = f64x2.splat(0)
    let b = a
    for (let z: i32 = 0, start = from; z < planes; z++, start += plane) {
      for (let y: i32 = 0, at = start; y < lines; y++, at += line) {
        if (sizeof<T>() == 4) {
          const first = v128.load(at)
          const second = v128.load(at, 16)
          a = f64x2.add(f64x2.add(a, promoted(first, false)), promoted(first, true))
          b = f64x2.add(f64x2.add(b, promoted(second, false)), promoted(second, true))
        } else {
          const first = v128.load(at)
          const second = v128.load(at, 16)
          const third = v128.load(at, 32)
          const fourth = v128.load(at, 48)
          a = f64x2.add(f64x2.add(a, v128.shuffle<i64>(first, second, 0, 2)), v128.shuffle<i64>(first, second, 1, 3))
          b = f64x2.add(f64x2.add(b, v128.shuffle<i64>(third, fourth, 0, 2)), v128.shuffle<i64>(third, fourth, 1, 3))
        }
      }
    }
    a = f64x2.mul(a, scale)
    b = f64x2.mul(b, scale)
    if (sizeof<T>() == 4) {
      v128.store(to, v128.shuffle<i64>(f32x4.demote_f64x2_zero(a), f32x4.demote_f64x2_zero(b), 0, 2))
    } else {
      v128.store(to, a)
      v128.store(to, b, 16)
    }
  }
}

/** One cell of 2^shift voxels, `across` of them along the row. */
function storeMean<T>(from: usize, planes: i32, plane: usize, lines: i32, line: usize, across: i32, to: usize, shift: i32): void {
  if (isFloat<T>()) {
    let sum: f64 = 0
    for (let z: i32 = 0; z < planes; z++) {
      for (let y: i32 = 0; y < lines; y++) {
        for (let x: i32 = 0; x < across; x++) sum += <f64>load<T>(from + z * plane + y * line + x * sizeof<T>())
      }
    }
    store<T>(to, <T>(sum / <f64>(1 << shift)))
    return
  }
  // Quotients and remainders are summed apart: a sum of integers of 64 bits may have more bits.
  const mask: i64 = (1 << shift) - 1
  let whole: i64 = 0
  let rest: i64 = 0
  for (let z: i32 = 0; z < planes; z++) {
    for (let y: i32 = 0; y < lines; y++) {
      for (let x: i32 = 0; x < across; x++) {
        const value = <i64>load<T>(from + z * plane + y * line + x * sizeof<T>())
        whole += isSigned<T>() ? value >> shift : <i64>(<u64>value >> shift)
        rest += value & mask
      }
    }
  }
  whole += rest >> shift
  rest = 2 * (rest & mask)
  const count: i64 = 1 << shift
  if (rest > count || (rest == count && (whole & 1) != 0)) whole++
  store<T>(to, <T>whole)
}

function meansOf<T>(from: usize, planes: i32, plane: usize, lines: i32, to: usize, rows: i32, width: i32): void {
  const line = <usize>width * sizeof<T>()
  const cells = width >> 1
  const last = <usize>cells * sizeof<T>()
  const shift = (planes >> 1) + (lines >> 1)
  for (let row: i32 = 0; row < rows; row++) {
    if (isFloat<T>()) floatRow<T>(from, planes, plane, lines, line, to, cells, 1.0 / <f64>(2 << shift))
    else if (sizeof<T>() < 8) integerRow<T>(from, planes, plane, lines, line, to, 2 * last, shift + 1)
    else for (let x: usize = 0; x < last; x += 8) storeMean<T>(from + 2 * x, planes, plane, lines, line, 2, to + x, shift + 1)
    if (width & 1) storeMean<T>(from + 2 * last, planes, plane, lines, line, 1, to + last, shift)
    from += lines * line
    to += <usize>((width + 1) >> 1) * sizeof<T>()
  }
}

/**
 * Means of some rows of cells.
 * @param type index into TYPES of means-module.ts
 * @param from address of the first plane's lines; 64 more bytes can be read
 * @param planes of a cell, 1 or 2, @param plane bytes from one to the next
 * @param lines of a cell, 1 or 2
 * @param to address of the results, and 64 bytes more
 * @param rows how many rows of cells, @param width voxels of a line
 */
export function means(type: i32, from: usize, planes: i32, plane: usize, lines: i32, to: usize, rows: i32, width: i32): void {
  switch (type) {
    case 0: return meansOf<i8>(from, planes, plane, lines, to, rows, width)
    case 1: return meansOf<u8>(from, planes, plane, lines, to, rows, width)
    case 2: return meansOf<i16>(from, planes, plane, lines, to, rows, width)
    case 3: return meansOf<u16>(from, planes, plane, lines, to, rows, width)
    case 4: return meansOf<i32>(from, planes, plane, lines, to, rows, width)
    case 5: return meansOf<u32>(from, planes, plane, lines, to, rows, width)
    case 6: return meansOf<i64>(from, planes, plane, lines, to, rows, width)
    case 7: return meansOf<u64>(from, planes, plane, lines, to, rows, width)
    case 8: return meansOf<f32>(from, planes, plane, lines, to, rows, width)
    default: return meansOf<f64>(from, planes, plane, lines, to, rows, width)
  }
}
