import { assertBorderMode, type BorderMode, borderSource, isConstantMode } from '../border.ts'
import { assertShape, emptyLike, type ShapedVoxels, type TypedArray } from '../voxels.ts'
import { byteWeights } from './byte-weights.ts'
import { type AxisPass, type FilterableArray, isFilterable, type Stage, withStage } from './gaussian-module.ts'
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
  /** Memory for the result: of the type and length of `voxels.data`, which it may be itself. @default a new array */
  readonly into?: TypedArray
}

/** Bytes that are filtered at a time: along all axes while they are in the cache. */
const PART_BYTES = 4 * 2 ** 20

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
  const { data, shape } = voxels
  if (!isFilterable(data)) {
    throw new TypeError(
      `A ${data[Symbol.toStringTag]} can't be smoothed with a Gaussian; convert the data to float32 first.`,
    )
  }
  assertShape(data, shape)
  const passes = planPasses(voxels, options)
  const result = (options.into ?? emptyLike(data, data.length)) as FilterableArray
  assertResult(result, data)

  const source = overlapsPartly(data, result) ? data.slice() : data
  if (passes.length === 0 || data.length === 0) result.set(source as never)
  else runPasses(source, result, passes)
  return { ...voxels, data: result }
}

/** The axes to filter, slowest first, each with its weights and borders. */
function planPasses({ data, shape, roi }: ShapedVoxels, options: GaussianOptions): AxisPass[] {
  const { sigma, truncate = 4, mode = 'reflect', cval = 0 } = options
  const channelAxes = shape.length - (roi?.shape.length ?? shape.length)
  if (channelAxes < 0) {
    throw new RangeError(
      `The roi has ${roi?.shape.length} axes; expected at most those of the shape (${shape.join(', ')}).`,
    )
  }
  const sigmas = perAxis('sigma', sigma, shape.length - channelAxes)
  const modes = perAxis<BorderMode>('mode', mode, shape.length - channelAxes)
  return sigmas.flatMap((axisSigma, i) => {
    const radius = gaussianRadius(axisSigma, truncate) // also checks a sigma whose axis is skipped
    const axisMode = modes[i]
    assertBorderMode(axisMode)
    const axis = channelAxes + i
    const length = shape[axis]!
    if (axisSigma <= SMALLEST_SIGMA || length === 0) return []
    const weights = gaussianWeights(axisSigma, truncate).slice(radius)
    const isConstant = isConstantMode(axisMode)
    const isPlain = !isConstant || (Number.isInteger(cval) && holdsValue(data, cval))
    return {
      length,
      inner: shape.slice(axis + 1).reduce((product, n) => product * n, 1),
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

/**
 * Filters the array part by part; each part contains the filtered axes completely. As many of the last axes as fit are
 * filtered together; each axis before them takes its own pass over the array.
 */
function runPasses(source: FilterableArray, result: FilterableArray, passes: readonly AxisPass[]): void {
  const room = Math.floor(PART_BYTES / source.BYTES_PER_ELEMENT)
  const together = passes.filter((pass) => pass.length * pass.inner <= room)
  const alone = passes.filter((pass) => pass.length * pass.inner > room)
  let from = source
  for (const pass of alone) {
    filterSlabs(from, result, pass, room)
    from = result
  }
  if (together.length > 0) filterRuns(from, result, together, room)
}

/** Filters one axis in slabs: the complete axis by some columns of the axes after it. */
function filterSlabs(from: FilterableArray, to: FilterableArray, pass: AxisPass, room: number): void {
  const { length, inner } = pass
  const slabs = Math.ceil(inner / Math.max(1, Math.floor(room / length)))
  const width = Math.ceil(inner / slabs)
  withStage(from, length * width, [{ ...pass, inner: width }], ({ part, filter }) => {
    for (let start = 0; start < from.length; start += length * inner) {
      for (let column = 0; column < inner; column += width) {
        const columns = Math.min(width, inner - column)
        const first = start + column
        for (let l = 0; l < length; l++) copy(from, first + l * inner, part, l * columns, columns)
        filter({ ...pass, inner: columns }, 1)
        for (let l = 0; l < length; l++) copy(part, l * columns, to, first + l * inner, columns)
      }
    }
  })
}

/** Filters several axes, in runs of memory that contain each of them completely. */
function filterRuns(from: FilterableArray, to: FilterableArray, passes: readonly AxisPass[], room: number): void {
  const unit = passes[0]!.length * passes[0]!.inner
  const run = Math.min(from.length, Math.floor(room / unit) * unit)
  withStage(from, run, passes, ({ part, filter }: Stage) => {
    for (let start = 0; start < from.length; start += run) {
      const count = Math.min(run, from.length - start)
      copy(from, start, part, 0, count)
      for (const pass of passes) filter(pass, count / (pass.length * pass.inner))
      copy(part, 0, to, start, count)
    }
  })
}

function copy(from: FilterableArray, start: number, to: FilterableArray, at: number, count: number): void {
  to.set(from.subarray(start, start + count) as never, at)
}

function assertResult(result: TypedArray, data: TypedArray): void {
  const kinds = [result[Symbol.toStringTag], data[Symbol.toStringTag]]
  if (kinds[0] !== kinds[1]) throw new TypeError(`"into" is a ${kinds[0]}; expected a ${kinds[1]}, as the data is.`)
  if (result.length !== data.length) {
    throw new RangeError(`"into" has ${result.length} elements; expected ${data.length}, as the data has.`)
  }
}

/** Whether two arrays share memory but start at different places: then writing one destroys values of the other before they are read. */
function overlapsPartly(a: TypedArray, b: TypedArray): boolean {
  if (a.buffer !== b.buffer || a.byteOffset === b.byteOffset) return false
  return Math.abs(a.byteOffset - b.byteOffset) < a.byteLength
}
