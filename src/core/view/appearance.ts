import { type DType, isBigDType, isFloatDType, type Scalar, type TypedArray } from '../array/dtype.ts'
import type { LayerKind } from './view.ts'

/** A box of voxels that represents its array. */
export interface Sample {
  /** C order. */
  readonly data: TypedArray
  /** Voxels along the fastest axis. */
  readonly rowLength: number
}

// In smooth images a third to a half of all neighbours are equal; in labels all but those at borders.
const EQUAL_NEIGHBOURS_OF_LABELS = 0.9
const SMALLEST_LABEL_SAMPLE = 1000

/**
 * Guesses what an array contains from its dtype and some of its values. 64-bit integers are labels, floats never are, and other types are
 * labels if nearly all neighbours are equal. Background (0) and saturation (all bits set) are ignored.
 */
export function guessKind(dtype: DType, samples: readonly Sample[]): LayerKind {
  if (isBigDType(dtype)) return 'segmentation'
  if (isFloatDType(dtype) || dtype === 'bool' || dtype === 'int8' || dtype === 'int16') return 'image'
  const saturated = dtype === 'uint8' ? 255 : dtype === 'uint16' ? 65535 : -1
  let pairs = 0
  let equal = 0
  for (const { data, rowLength } of samples) {
    for (let i = 1; i < data.length; i++) {
      if (i % rowLength === 0) continue
      const value = data[i] as Scalar
      const before = data[i - 1] as Scalar
      const isSame = value === before
      if (isSame && (value === 0 || value === saturated)) continue
      pairs++
      if (isSame) equal++
    }
  }
  return pairs >= SMALLEST_LABEL_SAMPLE && equal >= EQUAL_NEIGHBOURS_OF_LABELS * pairs ? 'segmentation' : 'image'
}

/** The value of all voxels in some samples; undefined if they differ. A single value usually means that nothing is written yet. */
export function onlyValue(samples: readonly Sample[]): Scalar | undefined {
  const [first] = samples[0]?.data ?? []
  const isOnly = samples.every(({ data }) => data.every((value: Scalar) => Object.is(value, first)))
  return isOnly ? first : undefined
}

const LARGEST_HISTOGRAM = 500_000

/** The range that contains 99 % of some voxels, to draw from black to white; integers for integer types. Low is below high. */
export function contrastRange(dtype: DType, samples: readonly Sample[]): readonly [number, number] {
  if (dtype === 'bool') return [0, 1]
  const values = finiteValues(samples)
  if (values.length === 0) return [0, 1]
  const at = (part: number) => values[Math.round(part * (values.length - 1))] as number
  const [low, high] = at(0.005) < at(0.995) ? [at(0.005), at(0.995)] : [at(0), at(1)]
  if (low < high) return [low, high]
  // All values are equal: drawn black if they are 0, otherwise white.
  return low > 0 ? [0, low] : [low, low + 1]
}

function finiteValues(samples: readonly Sample[]): Float64Array {
  const count = samples.reduce((sum, { data }) => sum + data.length, 0)
  const stride = Math.max(1, Math.ceil(count / LARGEST_HISTOGRAM))
  const values = new Float64Array(Math.ceil(count / stride) + samples.length)
  let length = 0
  for (const { data } of samples) {
    for (let i = 0; i < data.length; i += stride) {
      const value = Number(data[i])
      if (Number.isFinite(value)) values[length++] = value
    }
  }
  return values.subarray(0, length).sort()
}
