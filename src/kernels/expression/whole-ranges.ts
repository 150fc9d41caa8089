import { areLargeIntegers, type TypedArray } from '../voxels.ts'

/** The least and the largest value that there may be. */
export type WholeRange = readonly [least: bigint, most: bigint]

const LEAST = -(2n ** 63n)
const MOST = 2n ** 63n - 1n

/** Whether all values fit into signed integers of 64 bits. */
export const fitsInto64 = ([least, most]: WholeRange): boolean => least >= LEAST && most <= MOST

/** A range that has all values of an array of 64-bit integers: that of their upper halves. */
function rangeOf(data: BigInt64Array | BigUint64Array): WholeRange {
  const { buffer, byteOffset, length } = data
  const isSigned = data instanceof BigInt64Array
  const halves = isSigned
    ? new Int32Array(buffer, byteOffset, 2 * length)
    : new Uint32Array(buffer, byteOffset, 2 * length)
  let [least, most] = [halves[1] ?? 0, halves[1] ?? 0]
  for (let i = 3; i < halves.length; i += 2) {
    const half = halves[i]!
    if (half < least) least = half
    else if (half > most) most = half
  }
  return [BigInt(least) << 32n, ((BigInt(most) + 1n) << 32n) - 1n]
}

const around = (...values: readonly bigint[]): WholeRange => [
  values.reduce((least, value) => (value < least ? value : least)),
  values.reduce((most, value) => (value > most ? value : most)),
]

/** What `+`, `-` and `*` give. */
export function rangeOfArithmetic(operator: string, [a, b]: WholeRange, [c, d]: WholeRange): WholeRange {
  if (operator === '+') return [a + c, b + d]
  if (operator === '-') return [a - d, b - c]
  return around(a * c, a * d, b * c, b * d)
}

/** A range that has all values of several. */
export const rangeOfAll = (ranges: readonly WholeRange[]): WholeRange => around(...ranges.flat())

/** A range with the same values, and those with the other sign. */
export const rangeOfBothSigns = ([least, most]: WholeRange): WholeRange => around(least, most, -least, -most)

export type Ranges = ReadonlyMap<string, WholeRange>

/** The ranges of the arrays of 64-bit integers, by name. */
export const rangesOf = (variables: Readonly<Record<string, TypedArray>>): Ranges =>
  new Map(
    Object.entries(variables).flatMap(([name, data]) =>
      areLargeIntegers(data) ? [[name, rangeOf(data)] as const] : [],
    ),
  )
