import { assertBorderMode, type BorderMode, borderSource, isConstantMode } from '../border.ts'
import { assertInside, cropBox } from '../crop.ts'
import { assertShape, elementCount, emptyLike, type ShapedVoxels, type TypedArray } from '../voxels.ts'
import { byteWeights } from './byte-weights.ts'
import { type FilterableArray, isFilterable } from './gaussian-module.ts'
import { type PlannedPass, runPasses } from './gaussian-passes.ts'
import { gaussianRadius, gaussianWeights, SMALLEST_SIGMA } from './gaussian-weights.ts'
import { wordWeights } from './word-weights.ts'

/** Options of {@link gaussianFilter}. */
export interface GaussianOptions {
  /** Standard deviation, voxels: one for all axes or one per axis (channels not counted); 0 leaves an axis unchanged. */
  readonly sigma: number | readonly number[]
  /** Radius of the filter, in standard deviations. @default 4 */
  readonly truncate?: number
  /** How the array is extended beyond its ends: one mode for all axes or one per axis. @default 'reflect' */
  readonly mode?: BorderMode | readonly BorderMode[]
  /** The value beyond the array in mode `constant`. @default 0 */
  readonly cval?: number
  /** Memory for the result, of the type of `voxels.data`, which it may be itself if the result is as large. @default a new array */
  readonly into?: TypedArray
}

/**
 * Smooths with a Gaussian, axis by axis. The result equals SciPy's to the last bit: the taps are summed in float64 in SciPy's
 * order, and the result of each axis is cast to the type of the data (integers are truncated, not rounded). Channels are never
 * mixed.
 *
 * SciPy's weights come from NumPy's `exp`, whose last bit depends on the processor; see {@link gaussianWeights}.
 * @param voxels any integer type, float32 or float64; all its fields but `data` are kept
 * @returns `voxels` with new data of the same type and shape
 * @throws TypeError for float16 and other types; RangeError for an invalid option or shape
 * @example gaussianFilter({ data: new Float32Array(1000), shape: [10, 10, 10] }, { sigma: 2, mode: 'constant' }).data
 * @see scipy.ndimage `gaussian_filter`
 */
export function gaussianFilter<Input extends ShapedVoxels>(voxels: Input, options: GaussianOptions): Input {
  const { shape } = voxels
  const box = { offset: shape.map(() => 0), shape }
  return { ...voxels, data: filterBox(voxels, box, options) }
}

/**
 * Computes a part of what {@link gaussianFilter} computes, in less time: along each axis only the rows that the rest needs.
 * @param box the part that is wanted, elements per axis, channels too
 * @param options `into`: memory for the part, of the type of `voxels.data`
 * @returns the voxels of the part, and its shape
 * @throws what `gaussianFilter` throws; RangeError for a box that is not inside the voxels
 * @example gaussianFilterBox({ data, shape: [144, 144, 144] }, { offset: [8, 8, 8], shape: [128, 128, 128] }, { sigma: 2 })
 */
export function gaussianFilterBox<Data extends TypedArray>(
  voxels: ShapedVoxels & { readonly data: Data },
  box: { readonly offset: readonly number[]; readonly shape: readonly number[] },
  options: GaussianOptions,
): { data: Data; shape: number[] } {
  return { data: filterBox(voxels, box, options), shape: [...box.shape] }
}

interface Box {
  readonly offset: readonly number[]
  readonly shape: readonly number[]
}

function filterBox<Data extends TypedArray>(
  voxels: ShapedVoxels & { readonly data: Data },
  box: Box,
  options: GaussianOptions,
): Data {
  const { data, shape } = voxels
  if (!isFilterable(data)) {
    throw new TypeError(
      `A ${(data as TypedArray)[Symbol.toStringTag]} can't be smoothed with a Gaussian; convert the data to float32 first.`,
    )
  }
  assertShape(data, shape)
  assertInside(shape, box.offset, box.shape)
  const passes = planPasses(voxels, box, options)
  const result = (options.into ?? emptyLike(data, elementCount(box.shape))) as Data & FilterableArray
  assertResult(result, data, elementCount(box.shape))
  if (result.length === 0) return result

  // Axes that are not filtered are cut first.
  const filtered = new Set(passes.map(({ axis }) => axis))
  const offset = box.offset.map((at, axis) => (filtered.has(axis) ? 0 : at))
  const cut = box.shape.map((length, axis) => (filtered.has(axis) ? shape[axis]! : length))
  const isWhole = cut.every((length, axis) => length === shape[axis])
  const source = isWhole ? (overlapsPartly(data, result) ? data.slice() : data) : cropBox(data, shape, offset, cut)
  if (passes.length === 0) result.set(source as never)
  else runPasses(source, result, passes)
  return result
}

/** The axes to filter, slowest first, each with its weights and borders. */
function planPasses({ data, shape, roi }: ShapedVoxels, box: Box, options: GaussianOptions): PlannedPass[] {
  const { sigma, truncate = 4, mode = 'reflect', cval = 0 } = options
  const channelAxes = shape.length - (roi?.shape.length ?? shape.length)
  if (channelAxes < 0) {
    throw new RangeError(
      `The roi has ${roi?.shape.length} axes; expected at most those of the shape (${shape.join(', ')}).`,
    )
  }
  const sigmas = perAxis('sigma', sigma, shape.length - channelAxes)
  const modes = perAxis<BorderMode>('mode', mode, shape.length - channelAxes)
  const radii = sigmas.map((axisSigma) => gaussianRadius(axisSigma, truncate)) // also checks those of axes that are skipped
  const isFiltered = (axis: number) => (sigmas[axis - channelAxes] ?? 0) > SMALLEST_SIGMA && shape[axis]! > 0
  return sigmas.flatMap((axisSigma, i) => {
    const radius = radii[i]!
    const axisMode = modes[i]
    assertBorderMode(axisMode)
    const axis = channelAxes + i
    const length = shape[axis]!
    if (!isFiltered(axis)) return []
    const weights = gaussianWeights(axisSigma, truncate).slice(radius)
    const isConstant = isConstantMode(axisMode)
    const isPlain = !isConstant || (Number.isInteger(cval) && holdsValue(data, cval))
    return {
      axis,
      length,
      // Axes after this one are cut later if they are filtered.
      inner: shape.reduce((product, n, other) => {
        return other <= axis ? product : product * (isFiltered(other) ? n : box.shape[other]!)
      }, 1),
      begin: box.offset[axis]!,
      end: box.offset[axis]! + box.shape[axis]!,
      radius,
      weights,
      sources: Int32Array.from({ length: 2 * radius }, (_, k) =>
        borderSource(k < radius ? k - radius : length + k - radius, length, axisMode),
      ),
      cval,
      wide: isConstant && !holdsValue(data, cval),
      bytes: isPlain && data instanceof Uint8Array ? byteWeights(weights) : undefined,
      words: isPlain && areWords(data) ? wordWeights(weights) : undefined,
    }
  })
}

const areWords = (data: TypedArray): boolean => /^(Int8|Int16|Uint16)Array$/.test(data[Symbol.toStringTag])

function perAxis<T>(name: string, value: T | readonly T[], axes: number): readonly T[] {
  if (!Array.isArray(value)) return new Array<T>(axes).fill(value as T)
  if (value.length === axes) return value
  throw new RangeError(
    `${name} has ${value.length} entries (${value.join(', ')}), but the data has ${axes} axes to smooth; pass one per axis, or one for all.`,
  )
}

/** Whether every sum stays inside the type's range if the array is extended by a constant. */
function holdsValue(data: TypedArray, value: number): boolean {
  if (data instanceof Float32Array || data instanceof Float64Array) return true
  const bits = 8 * data.BYTES_PER_ELEMENT
  const signed = data[Symbol.toStringTag].startsWith('Int') || data instanceof BigInt64Array
  return signed ? value >= -(2 ** (bits - 1)) && value < 2 ** (bits - 1) : value >= 0 && value < 2 ** bits
}

function assertResult(result: TypedArray, data: TypedArray, length: number): void {
  const kinds = [result[Symbol.toStringTag], data[Symbol.toStringTag]]
  if (kinds[0] !== kinds[1]) throw new TypeError(`"into" is a ${kinds[0]}; expected a ${kinds[1]}, as the data is.`)
  if (result.length !== length) {
    throw new RangeError(`"into" has ${result.length} elements; expected ${length}, one per result.`)
  }
}

/** Whether two arrays share memory but are not the same: then writing one destroys values of the other before they are read. */
function overlapsPartly(a: TypedArray, b: TypedArray): boolean {
  if (a.buffer !== b.buffer || (a.byteOffset === b.byteOffset && a.byteLength === b.byteLength)) return false
  return a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength
}
