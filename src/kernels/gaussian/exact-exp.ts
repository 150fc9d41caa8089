const words = new DataView(new ArrayBuffer(8))

/** The rounding error of `a + b`, given the rounded sum (Knuth). */
function sumError(a: number, b: number, sum: number): number {
  const bRounded = sum - a
  return a - (sum - bRounded) + (b - bRounded)
}

/** The rounding error of `a * b`, given the rounded product (Dekker, Veltkamp); exact below 2^996. */
function productError(a: number, b: number, product: number): number {
  const aScaled = a * 134217729
  const aHigh = aScaled - (aScaled - a)
  const aLow = a - aHigh
  const bScaled = b * 134217729
  const bHigh = bScaled - (bScaled - b)
  const bLow = b - bHigh
  return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow)
}

/** `a + b` rounded to odd: a later rounding then gives the same result as if it were the only one. */
function addToOdd(a: number, b: number): number {
  const sum = a + b
  const error = sumError(a, b, sum)
  if (error === 0) return sum
  words.setFloat64(0, sum)
  const bits = words.getBigInt64(0)
  if ((bits & 1n) === 1n) return sum
  words.setBigInt64(0, error > 0 === sum > 0 ? bits + 1n : bits - 1n)
  return words.getFloat64(0)
}

/**
 * `a * b + c` with a single rounding, as the processor's FMA computes it; far from overflow and underflow.
 * @see Boldo and Melquiond, Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd, 2008
 */
export function fusedMultiplyAdd(a: number, b: number, c: number): number {
  const product = a * b
  const low = productError(a, b, product)
  const tail = c + low
  const sum = product + tail
  return sum + addToOdd(sumError(c, low, tail), sumError(product, tail, sum))
}

/** 2^(k/128) as a double, and the relative error of that rounding. */
interface Power {
  readonly high: number
  readonly tail: number
}

let powers: readonly Power[] | undefined

/** 2^(k/128) for k = 0 … 127: seven square roots of 2 in integers of 160 fractional bits, and their products. */
function computePowers(): Power[] {
  const one = 1n << 160n
  let root = 2n * one
  for (let i = 0; i < 7; i++) root = integerRoot(root * one)
  let exact = one
  return Array.from({ length: 128 }, () => {
    const high = Number(exact) * 2 ** -160
    const rounded = BigInt(high * 2 ** 52) << 108n
    const power = { high, tail: Number(((exact - rounded) * one) / rounded) * 2 ** -160 }
    exact = (exact * root) >> 160n
    return power
  })
}

/** The integer part of a square root (Newton, from above). */
function integerRoot(square: bigint): bigint {
  let root = 1n << BigInt(Math.ceil(square.toString(2).length / 2))
  for (;;) {
    const next = (root + square / root) >> 1n
    if (next >= root) return root
    root = next
  }
}

/** From here on, for results beyond 1e±222, the C library uses another algorithm. */
const LIMIT = 512
const WHOLE_NUMBERS = 1.5 * 2 ** 52 // adding and subtracting it rounds to an integer, ties to even

/**
 * exp(x), to the last bit, as the C library of Linux computes it (glibc ≥ 2.28, processors with FMA). NumPy uses that function unless
 * it has its own vector routine. `Math.exp` differs in the last bit of every few values, and the last bit of a weight affects
 * float64 results and flat regions of integers.
 *
 * x = k/128 · ln 2 + r; exp(x) = 2^(k/128) · (1 + r + r²/2 + …), with every rounding at the same place as in the C code.
 * @param x from ±512 on the result is that of `Math.exp`
 * @see Arm Optimized Routines, `math/exp.c` (MIT licence), of which glibc's is a copy
 */
export function exactExp(x: number): number {
  if (!(Math.abs(x) < LIMIT)) return Math.exp(x)
  powers ??= computePowers()
  const k = x * 184.6649652337873 + WHOLE_NUMBERS - WHOLE_NUMBERS // x · 128 / ln 2
  // ln 2 / 128 in two parts, the first short enough for an exact product
  const r = fusedMultiplyAdd(k, -1.2864023111638346e-14, fusedMultiplyAdd(k, -0.005415212348111709, x))
  const { high, tail } = powers[((k % 128) + 128) % 128] as Power
  const square = r * r
  const c23 = fusedMultiplyAdd(r, 0.16666666666665886, 0.49999999999996786)
  const c45 = fusedMultiplyAdd(r, 0.008333335853059549, 0.0416666808410674)
  const rest = fusedMultiplyAdd(square * square, c45, fusedMultiplyAdd(square, c23, tail + r))
  return fusedMultiplyAdd(high, rest, high) * 2 ** Math.floor(k / 128) // the power of two last, far from overflow: it is exact
}
