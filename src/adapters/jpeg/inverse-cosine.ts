/** Fractions of 2¹³. */
const [F0298, F0390, F0541, F0765, F0899, F1175] = [2446, 3196, 4433, 6270, 7373, 9633] as const
const [F1501, F1847, F1961, F2053, F2562, F3072] = [12299, 15137, 16069, 16819, 20995, 25172] as const
const work = new Int32Array(64)

/**
 * The inverse cosine transform of 8 × 8 coefficients in integers, exactly as the reference library (its "slow" method) does it.
 * @param blocks whose coefficients from `from` on are multiplied by those of `table`
 * @param target samples of 8 bits, `stride` bytes from row to row
 */
export function inverseCosine(
  blocks: Int16Array,
  from: number,
  table: Int32Array,
  target: Uint8Array,
  at: number,
  stride: number,
): void {
  let others = 0
  const first = blocks[from] as number
  for (let i = 0; i < 64; i++) {
    const value = blocks[from + i] as number
    others |= value
    work[i] = Math.imul(value, table[i] as number)
  }
  // Only the first coefficient may be other than 0 if all together have its bits; then the others have to be looked at.
  if (others === first && isFlat(blocks, from)) {
    const level = (((work[0] as number) + 4) >> 3) + 128
    const value = level < 0 ? 0 : level > 255 ? 255 : level
    for (let row = 0, to = at; row < 8; row++, to += stride) {
      for (let x = 0; x < 8; x++) target[to + x] = value
    }
    return
  }
  for (let column = 0; column < 8; column++) transform(column, 8, 11)
  for (let row = 0; row < 8; row++) {
    transform(row * 8, 1, 18)
    for (let x = 0, to = at + row * stride; x < 8; x++, to++) {
      const value = (work[row * 8 + x] as number) + 128
      target[to] = value < 0 ? 0 : value > 255 ? 255 : value
    }
  }
}

function isFlat(blocks: Int16Array, from: number): boolean {
  for (let i = from + 1; i < from + 64; i++) if (blocks[i] !== 0) return false
  return true
}

/** One row or column of `work`, in place; rounds away `shift` bits. */
function transform(at: number, step: number, shift: number): void {
  const a0 = work[at] as number
  const a1 = work[at + step] as number
  const a2 = work[at + 2 * step] as number
  const a3 = work[at + 3 * step] as number
  const a4 = work[at + 4 * step] as number
  const a5 = work[at + 5 * step] as number
  const a6 = work[at + 6 * step] as number
  const a7 = work[at + 7 * step] as number
  const half = 1 << (shift - 1)
  if ((a1 | a2 | a3 | a4 | a5 | a6 | a7) === 0) {
    const flat = ((a0 << 13) + half) >> shift
    for (let index = 0, to = at; index < 8; index++, to += step) work[to] = flat
    return
  }
  const even = Math.imul(a2 + a6, F0541)
  const e2 = even - Math.imul(a6, F1847)
  const e3 = even + Math.imul(a2, F0765)
  const e0 = ((a0 + a4) << 13) + half
  const e1 = ((a0 - a4) << 13) + half
  const z5 = Math.imul(a7 + a3 + a5 + a1, F1175)
  const z1 = -Math.imul(a7 + a1, F0899)
  const z2 = -Math.imul(a5 + a3, F2562)
  const z3 = z5 - Math.imul(a7 + a3, F1961)
  const z4 = z5 - Math.imul(a5 + a1, F0390)
  const o0 = (Math.imul(a7, F0298) + z1 + z3) | 0
  const o1 = (Math.imul(a5, F2053) + z2 + z4) | 0
  const o2 = (Math.imul(a3, F3072) + z2 + z3) | 0
  const o3 = (Math.imul(a1, F1501) + z1 + z4) | 0
  work[at] = (e0 + e3 + o3) >> shift
  work[at + 7 * step] = (e0 + e3 - o3) >> shift
  work[at + step] = (e1 + e2 + o2) >> shift
  work[at + 6 * step] = (e1 + e2 - o2) >> shift
  work[at + 2 * step] = (e1 - e2 + o1) >> shift
  work[at + 5 * step] = (e1 - e2 - o1) >> shift
  work[at + 3 * step] = (e0 - e3 + o0) >> shift
  work[at + 4 * step] = (e0 - e3 - o0) >> shift
}
