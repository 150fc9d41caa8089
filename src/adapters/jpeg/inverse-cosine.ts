/** Fractions of 2¹³. */
const [F0298, F0390, F0541, F0765, F0899, F1175] = [2446, 3196, 4433, 6270, 7373, 9633] as const
const [F1501, F1847, F1961, F2053, F2562, F3072] = [12299, 15137, 16069, 16819, 20995, 25172] as const
const work = new Int32Array(64)

/**
 * The inverse cosine transform of 8 × 8 coefficients in integers, exactly as the reference library (its "slow" method) does it.
 * @param from where the first of them is
 * @param target samples of 8 bits, `stride` bytes from row to row
 */
export function inverseCosine(coefficients: Int32Array, from: number, target: Uint8Array, at: number, stride: number) {
  for (let column = 0; column < 8; column++) transform(coefficients, from + column, 8, work, column, 11)
  for (let row = 0; row < 8; row++) {
    transform(work, row * 8, 1, work, row * 8, 18)
    for (let x = 0; x < 8; x++) {
      const value = (work[row * 8 + x] as number) + 128
      target[at + row * stride + x] = value < 0 ? 0 : value > 255 ? 255 : value
    }
  }
}

/** One row or column; rounds away `shift` bits. */
function transform(from: Int32Array, start: number, step: number, to: Int32Array, at: number, shift: number): void {
  const [a0, a1, a2, a3] = [from[start]!, from[start + step]!, from[start + 2 * step]!, from[start + 3 * step]!]
  const [a4, a5, a6, a7] = [
    ...[from[start + 4 * step]!, from[start + 5 * step]!],
    ...[from[start + 6 * step]!, from[start + 7 * step]!],
  ] as [number, number, number, number]
  const even = Math.imul(a2 + a6, F0541)
  const [e2, e3] = [even - Math.imul(a6, F1847), even + Math.imul(a2, F0765)]
  const [e0, e1] = [(a0 + a4) << 13, (a0 - a4) << 13]
  const [t10, t13, t11, t12] = [e0 + e3, e0 - e3, e1 + e2, e1 - e2]
  const z5 = Math.imul(a7 + a3 + a5 + a1, F1175)
  const z1 = -Math.imul(a7 + a1, F0899)
  const z2 = -Math.imul(a5 + a3, F2562)
  const z3 = z5 - Math.imul(a7 + a3, F1961)
  const z4 = z5 - Math.imul(a5 + a1, F0390)
  const o0 = Math.imul(a7, F0298) + z1 + z3
  const o1 = Math.imul(a5, F2053) + z2 + z4
  const o2 = Math.imul(a3, F3072) + z2 + z3
  const o3 = Math.imul(a1, F1501) + z1 + z4
  const half = 1 << (shift - 1)
  to[at] = (t10 + o3 + half) >> shift
  to[at + 7 * step] = (t10 - o3 + half) >> shift
  to[at + step] = (t11 + o2 + half) >> shift
  to[at + 6 * step] = (t11 - o2 + half) >> shift
  to[at + 2 * step] = (t12 + o1 + half) >> shift
  to[at + 5 * step] = (t12 - o1 + half) >> shift
  to[at + 3 * step] = (t13 + o0 + half) >> shift
  to[at + 4 * step] = (t13 - o0 + half) >> shift
}
