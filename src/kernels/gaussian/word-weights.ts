/** Float32 weights by which most sums of 16-bit integers can be decided, and how far such a sum may be wrong. */
export interface WordWeights {
  readonly floats: Float32Array
  /** A sum of values of at most `most` differs from SciPy's by less than `slope` · (most + 1) + `floor`. */
  readonly slope: number
  readonly floor: number
}

/** Half the distance from 1 to the next float32. */
const UNIT = 2 ** -24
const MOST_WEIGHTS = 2 ** 12

/**
 * The bound of a float32 sum that starts with the outermost pair. Values are integers of less than 2^17, so pairs are exact. Each
 * product is wrong by its rounding and by that of its weight, each sum by its rounding, and the comparison by one more. Terms of
 * second order are covered by a percent more, float64's own roundings and weights whose sum is not quite 1 by `floor`.
 * @param weights radius + 1 weights ≥ 0 of a sum of 1, that of the centre first
 * @returns undefined if the weights are not of this kind, or too many
 */
export function wordWeights(weights: Float64Array): WordWeights | undefined {
  if (weights.length < 2 || weights.length > MOST_WEIGHTS || !weights.every((weight) => weight >= 0)) return undefined
  // The weight of all taps from one outwards, both sides.
  let mass = 0
  let masses = 0
  for (let tap = weights.length - 1; tap >= 0; tap--) {
    mass += weights[tap]! * (tap === 0 ? 1 : 2)
    masses += mass
  }
  if (!(Math.abs(mass - 1) < 1e-9)) return undefined
  return { floats: Float32Array.from(weights), slope: UNIT * (2 * mass + masses + 1) * 1.01, floor: 2 ** -21 }
}
