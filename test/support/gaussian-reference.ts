import { type BorderMode, borderSource } from '../../src/kernels/border.ts'
import { gaussianRadius, gaussianWeights } from '../../src/kernels/gaussian/gaussian-weights.ts'
import { emptyLike, type TypedArray } from '../../src/kernels/voxels.ts'

export interface ReferenceOptions {
  readonly sigma: readonly number[]
  readonly truncate: number
  readonly mode: BorderMode
  readonly cval: number
}

/** The filter as in SciPy's C code, one element after the other. The fast filter keeps this order of operations. */
export function referenceFilter(data: TypedArray, shape: readonly number[], options: ReferenceOptions): TypedArray {
  return options.sigma.reduce<TypedArray>(
    (current, sigma, axis) => (sigma <= 1e-15 ? current : referenceAxis(current, shape, axis, sigma, options)),
    data,
  )
}

function referenceAxis(
  data: TypedArray,
  shape: readonly number[],
  axis: number,
  sigma: number,
  { truncate, mode, cval }: ReferenceOptions,
): TypedArray {
  const radius = gaussianRadius(sigma, truncate)
  const weights = gaussianWeights(sigma, truncate)
  const length = shape[axis]!
  const inner = shape.slice(axis + 1).reduce((product, n) => product * n, 1)
  const result = emptyLike(data, data.length)
  for (let i = 0; i < data.length; i++) {
    const place = Math.floor(i / inner) % length
    const valueAt = (at: number): number => {
      const source = at >= 0 && at < length ? at : borderSource(at, length, mode)
      return source < 0 ? cval : Number(data[i + (source - place) * inner])
    }
    let sum = valueAt(place) * weights[radius]!
    for (let j = radius; j > 0; j--) sum += (valueAt(place - j) + valueAt(place + j)) * weights[radius - j]!
    storeCast(result, i, sum)
  }
  return result
}

/** A C cast on x86-64: truncates. A value outside int32 (for larger types, int64) becomes the lowest one; then the low bits are kept. */
function storeCast(result: TypedArray, i: number, value: number): void {
  if (result instanceof Float32Array || result instanceof Float64Array) result[i] = value
  else if (result instanceof BigInt64Array) result[i] = toInt64(value)
  else if (result instanceof BigUint64Array) {
    result[i] = value >= 2 ** 63 ? toInt64(value - 2 ** 63) ^ (1n << 63n) : toInt64(value) // the array stores it modulo 2^64
  } else if (result instanceof Uint32Array) result[i] = Number(BigInt.asUintN(32, toInt64(value)))
  else result[i] = value > -(2 ** 31) - 1 && value < 2 ** 31 ? Math.trunc(value) : -(2 ** 31)
}

const toInt64 = (value: number): bigint =>
  value >= -(2 ** 63) && value < 2 ** 63 ? BigInt(Math.trunc(value)) : -(1n << 63n)
