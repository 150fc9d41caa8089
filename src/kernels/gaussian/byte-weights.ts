/** Integer weights by which most sums of bytes can be decided, and the bounds within which they may be wrong. */
export interface ByteWeights {
  /** Pairs of 16-bit weights, low half first: taps 0 and 1, 2 and 3, …; an odd number of taps ends with a weight of 0. */
  readonly pairs: Int32Array
  /** The weights are multiples of 2^-shift. */
  readonly shift: number
  /** Integer sum + low ≤ exact sum · 2^shift ≤ integer sum + high, and SciPy's rounded sum lies strictly between them. */
  readonly low: number
  readonly high: number
  /** SciPy's result if all taps have the same value, for each value. */
  readonly flat: Uint8Array
}

/** A signed 16-bit weight. */
const MOST_WEIGHT = 2 ** 15 - 1
/** A sum of weights that is near 2^shift, times 255, has to stay in 32 bits with its bounds. */
const MOST_SHIFT = 22
const MOST_BYTE = 255

/**
 * Approximates weights by 16-bit integers, as finely as the largest allows. For a sum of bytes, the error of each weight counts at
 * most 255 times at the centre and 510 times elsewhere, where two taps share it; errors of one sign give one bound. One unit more
 * covers the rounding of SciPy's float64 sum, which is below 2^-8 of a unit for up to 2^14 taps.
 * @param weights radius + 1 weights ≥ 0 of a sum of 1, that of the centre first
 * @returns undefined if the weights are not of this kind, or too many for 32 bits
 */
export function byteWeights(weights: Float64Array): ByteWeights | undefined {
  const largest = Math.max(...weights.subarray(0, 64))
  if (weights.length < 2 || weights.length > 2 ** 14 || !(weights[0] === largest && largest > 0)) return undefined
  const shift = Math.min(MOST_SHIFT, Math.floor(Math.log2(MOST_WEIGHT / largest)))
  const scaled = weights.map((weight) => weight * 2 ** shift)
  const integers = scaled.map((weight) => Math.round(weight))
  const bound = (sign: 1 | -1) =>
    scaled.reduce((sum, weight, tap) => {
      const error = Math.max(0, sign * (weight - integers[tap]!))
      return sum + error * MOST_BYTE * (tap === 0 ? 1 : 2)
    }, 0)
  const pairs = new Int32Array(Math.ceil(weights.length / 2))
  for (const [tap, weight] of integers.entries()) {
    if (weight < 0 || weight > MOST_WEIGHT) return undefined
    pairs[tap >> 1]! |= weight << (tap % 2 === 0 ? 0 : 16)
  }
  return { pairs, shift, low: -Math.ceil(bound(-1)) - 1, high: Math.ceil(bound(1)) + 1, flat: flatResults(weights) }
}

function flatResults(weights: Float64Array): Uint8Array {
  return Uint8Array.from({ length: MOST_BYTE + 1 }, (_, value) => {
    let sum = value * weights[0]!
    for (let tap = weights.length - 1; tap > 0; tap--) sum += (value + value) * weights[tap]!
    return sum
  })
}
