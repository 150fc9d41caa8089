import { exactExp } from './exact-exp.ts'

/** More taps than any volume has voxels along an axis: a larger radius means a mistake in sigma. */
const MAX_RADIUS = 2 ** 24

/** Up to this sigma, SciPy leaves an axis unchanged. */
export const SMALLEST_SIGMA = 1e-15

/**
 * The radius of the filter: how many voxels it reaches to each side, and so the context that a block needs.
 * @param sigma standard deviation, voxels, ≥ 0
 * @param truncate radius of the filter, in standard deviations, ≥ 0. @default 4
 * @throws RangeError for a sigma or truncate that is negative or not finite, and for a radius above 2^24
 * @see scipy.ndimage `gaussian_filter1d`: `int(truncate * sd + 0.5)`
 */
export function gaussianRadius(sigma: number, truncate = 4): number {
  assertAmount('sigma', sigma, 'a standard deviation in voxels')
  assertAmount('truncate', truncate, 'a number of standard deviations')
  if (sigma <= SMALLEST_SIGMA) return 0
  const radius = Math.trunc(truncate * sigma + 0.5)
  if (radius > MAX_RADIUS) {
    throw new RangeError(
      `A Gaussian of sigma ${sigma}, truncated at ${truncate} sigma, has a radius of ${radius} voxels; the largest supported is ${MAX_RADIUS}. Note that sigma is in voxels, not in nm.`,
    )
  }
  return radius
}

/**
 * The weights of the filter, from -radius to radius, with the sum 1. They equal SciPy's to the last bit if NumPy uses `exp` of the C
 * library of Linux. On processors with AVX-512, NumPy uses its own `exp`, which differs between NumPy 1 and NumPy 2, and the last bit of
 * some weights differs; to compare there, set NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL" (NumPy 1: "AVX512F AVX512_SKX …").
 * @param sigma standard deviation, voxels, ≥ 0
 * @param truncate radius of the filter, in standard deviations, ≥ 0. @default 4
 * @returns 2 · radius + 1 weights
 * @throws RangeError as {@link gaussianRadius}
 * @see scipy.ndimage `_gaussian_kernel1d`
 */
export function gaussianWeights(sigma: number, truncate = 4): Float64Array {
  const radius = gaussianRadius(sigma, truncate)
  const weights = new Float64Array(2 * radius + 1)
  if (radius === 0) return weights.fill(1) // exp(0) / exp(0); also if sigma² underflows
  const factor = -0.5 / (sigma * sigma)
  for (let x = 0; x <= radius; x++) weights[radius - x] = weights[radius + x] = exactExp(factor * (x * x))
  const sum = sumPairwise(weights, 0, weights.length)
  return weights.map((weight) => weight / sum)
}

/** A sum in NumPy's order of additions: eight running sums for up to 128 values; more values are split at a multiple of eight. */
function sumPairwise(values: Float64Array, start: number, count: number): number {
  if (count > 128) {
    const half = Math.floor(count / 2)
    const first = half - (half % 8)
    return sumPairwise(values, start, first) + sumPairwise(values, start + first, count - first)
  }
  const eights = count - (count % 8)
  let sum = 0
  if (eights > 0) {
    const sums = values.slice(start, start + 8)
    for (let i = 8; i < eights; i++) sums[i % 8] = sums[i % 8]! + values[start + i]!
    const pairSum = (i: number): number => sums[i]! + sums[i + 1]!
    sum = pairSum(0) + pairSum(2) + (pairSum(4) + pairSum(6))
  }
  for (let i = eights; i < count; i++) sum += values[start + i]!
  return sum
}

function assertAmount(name: string, value: number, meaning: string): void {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new RangeError(`${name} is ${String(value)}; expected ${meaning}, finite and not negative.`)
  }
}
