import { assertShape, type ShapedVoxels } from '../voxels.ts'
import { foregroundOf } from './foreground.ts'
import { type NumberedRuns, plainRuns } from './plain-runs.ts'
import { fitsModule, withRuns } from './runs-module.ts'
import { earlierRows } from './steps.ts'

/** Options of {@link labelComponents}. */
export interface ComponentOptions {
  /**
   * Along how many axes at once a neighbour may differ: 1 connects voxels that share a face; the number of axes also
   * connects those that share only a corner.
   * @default 1
   */
  readonly connectivity?: number
  /** Leading axes along which nothing is connected (channels). @default those that `roi` does not have, or 0 */
  readonly separateAxes?: number
  /** Memory for the labels, one per voxel; its content does not matter. @default new memory */
  readonly into?: Uint32Array
}

/**
 * Labels the connected components of the voxels that are not 0 (NaN is not 0): 1, 2, … in the C order of their first voxels.
 * @returns one label per voxel, 0 for voxels that are 0, and the number of components
 * @throws RangeError for a connectivity that is not a whole number from 1 to the number of axes, and for data that is not of `shape`
 * @example labelComponents({ data: Uint8Array.of(1, 0, 1, 1), shape: [4] }) // { labels: [1, 0, 2, 2], count: 2 }
 * @see scipy.ndimage `label`
 */
export function labelComponents(
  voxels: ShapedVoxels,
  options: ComponentOptions = {},
): { labels: Uint32Array; count: number } {
  const settled = settleOptions(voxels, options)
  const { length } = voxels.data
  const labels = options.into ?? new Uint32Array(length)
  if (labels.length !== length) {
    throw new RangeError(`"into" has ${labels.length} elements; expected ${length}, one per voxel.`)
  }
  const count = withNumberedRuns(voxels, settled, ({ runs, count: found }) => {
    let at = 0
    for (let run = 0; run < runs.length; run += 3) {
      const [start, end] = [runs[run]!, runs[run + 1]!]
      fill(labels, 0, at, start)
      fill(labels, runs[run + 2]!, start, end)
      at = end
    }
    labels.fill(0, at)
    return found
  })
  return { labels, count }
}

/** Connected components before they have labels: see {@link findComponents}. */
export interface Components extends NumberedRuns {
  /** How many voxels there are, foreground and background. */
  readonly voxels: number
}

/**
 * Finds the components that {@link labelComponents} labels, without labels: they take less memory, and {@link numberComponents}
 * gives them any numbers.
 * @throws what `labelComponents` throws
 */
export function findComponents(voxels: ShapedVoxels, options: Omit<ComponentOptions, 'into'> = {}): Components {
  const settled = settleOptions(voxels, options)
  // A copy: the runs are in memory that the next call uses.
  return withNumberedRuns(voxels, settled, ({ runs, count }) => {
    return { runs: runs.slice(), count, voxels: voxels.data.length }
  })
}

/**
 * Writes a number of 64 bits to each voxel: that of its component, 0 for the background.
 * @param numbers for component 1, 2, …
 * @param into memory for the result, one per voxel; its content does not matter
 * @returns `into`
 * @throws RangeError if `numbers` or `into` is too short
 */
export function numberComponents(
  { runs, count, voxels }: Components,
  numbers: BigUint64Array,
  into: BigUint64Array,
): BigUint64Array {
  if (numbers.length < count || into.length !== voxels) {
    throw new RangeError(
      `There are ${numbers.length} numbers for ${count} components, and memory for ${into.length} of ${voxels} voxels.`,
    )
  }
  // By halves of 32 bits: a bigint per voxel would be slow.
  const halves = new Uint32Array(numbers.buffer, numbers.byteOffset, 2 * numbers.length)
  const to = new Uint32Array(into.buffer, into.byteOffset, 2 * into.length)
  let at = 0
  for (let run = 0; run < runs.length; run += 3) {
    const [start, end, number] = [runs[run]!, runs[run + 1]!, runs[run + 2]! - 1]
    fill(to, 0, 2 * at, 2 * start)
    if (end - start > LONG) into.fill(numbers[number]!, start, end)
    else {
      const [low, high] = [halves[2 * number]!, halves[2 * number + 1]!]
      for (let i = 2 * start; i < 2 * end; i += 2) {
        to[i] = low
        to[i + 1] = high
      }
    }
    at = end
  }
  to.fill(0, 2 * at)
  return into
}

/** A call of fill takes longer than a loop over fewer elements. */
const LONG = 32

function fill(to: Uint32Array, value: number, start: number, end: number): void {
  if (end - start > LONG) to.fill(value, start, end)
  else for (let i = start; i < end; i++) to[i] = value
}

/** @param use gets runs that are valid until it returns */
function withNumberedRuns<Result>(
  { data, shape }: ShapedVoxels,
  { connectivity, separateAxes }: SettledOptions,
  use: (runs: NumberedRuns) => Result,
): Result {
  if (data.length === 0) return use({ runs: new Int32Array(0), count: 0 })
  const earlier = earlierRows(shape.slice(0, -1), connectivity, separateAxes)
  if (fitsModule(data.length, shape)) return withRuns(data, shape, earlier, use)
  return use(plainRuns(foregroundOf(data), shape, earlier))
}

type SettledOptions = Required<Pick<ComponentOptions, 'connectivity' | 'separateAxes'>>

/** The options with their defaults. @throws RangeError */
function settleOptions({ data, shape, roi }: ShapedVoxels, options: ComponentOptions): SettledOptions {
  const channels = roi === undefined ? 0 : shape.length - roi.shape.length
  const { connectivity = 1, separateAxes = channels } = options
  assertShape(data, shape)
  assertConnectivity(connectivity, shape.length - separateAxes)
  if (separateAxes < 0 || separateAxes > Math.max(0, shape.length - 1)) {
    throw new RangeError(
      `separateAxes is ${separateAxes}; expected 0 to ${Math.max(0, shape.length - 1)} for the shape (${shape.join(', ')}).`,
    )
  }
  return { connectivity, separateAxes }
}

/** @param rank axes along which voxels can be connected @throws RangeError */
function assertConnectivity(connectivity: number, rank: number): void {
  if (Number.isSafeInteger(connectivity) && connectivity >= 1 && connectivity <= Math.max(1, rank)) return
  throw new RangeError(
    `The connectivity is ${connectivity}; expected a whole number from 1 (faces) to ${Math.max(1, rank)} (corners).`,
  )
}
