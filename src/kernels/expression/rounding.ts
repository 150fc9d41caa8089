import type { TypedArray } from '../voxels.ts'

/** The nearest integer, halves to the even one. @see numpy `rint` */
export function roundHalfToEven(value: number): number {
  const above = Math.round(value)
  return above - value === 0.5 && above % 2 !== 0 ? above - 1 : above
}

const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  Int8Array: [-(2 ** 7), 2 ** 7 - 1],
  Int16Array: [-(2 ** 15), 2 ** 15 - 1],
  Int32Array: [-(2 ** 31), 2 ** 31 - 1],
  Uint8Array: [0, 2 ** 8 - 1],
  Uint16Array: [0, 2 ** 16 - 1],
  Uint32Array: [0, 2 ** 32 - 1],
}
const BIG_RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  BigInt64Array: [-(2n ** 63n), 2n ** 63n - 1n],
  BigUint64Array: [0n, 2n ** 64n - 1n],
}

/**
 * Writes numbers into an array of integers: rounded to the nearest integer, halves to the even one, and clipped to the range of
 * the type; NaN becomes 0.
 * @param at index in `out` of the first number
 */
export function storeWhole(values: Float64Array | readonly bigint[], out: TypedArray, at: number, count: number): void {
  const type = out[Symbol.toStringTag]
  const bigRange = BIG_RANGES[type]
  if (bigRange !== undefined) {
    const [low, high] = bigRange
    for (let i = 0; i < count; i++) {
      const value = toBig(values[i]!, low, high)
      out[at + i] = (value < low ? low : value > high ? high : value) as never
    }
    return
  }
  const [low, high] = RANGES[type] as readonly [number, number]
  for (let i = 0; i < count; i++) {
    // A bigint far out of range becomes a number out of range.
    const value = roundHalfToEven(Number(values[i]))
    out[at + i] = value < low ? low : value > high ? high : value
  }
}

function toBig(value: number | bigint, low: bigint, high: bigint): bigint {
  if (typeof value === 'bigint') return value
  if (Number.isNaN(value)) return 0n
  if (value <= Number(low)) return low
  return value >= Number(high) ? high : BigInt(roundHalfToEven(value))
}
