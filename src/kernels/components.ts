import { DisjointSets } from './disjoint-sets.ts'
import { assertShape, type ShapedVoxels, type TypedArray } from './voxels.ts'

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

/** A step to a neighbouring voxel: -1, 0 or 1 per axis, slowest axis first. */
export type Step = readonly number[]

/**
 * The steps to those neighbours of a voxel that come after it in C order; the opposite steps lead to the others.
 * @param rank number of axes
 * @param connectivity along how many axes at once a neighbour may differ, 1 … rank
 * @example forwardSteps(2, 1) // [[0, 1], [1, 0]]
 * @see scipy.ndimage `generate_binary_structure`
 */
export function forwardSteps(rank: number, connectivity: number): Step[] {
  let steps: number[][] = [[]]
  for (let axis = 0; axis < rank; axis++) steps = steps.flatMap((step) => [-1, 0, 1].map((by) => [...step, by]))
  return steps.filter((step) => {
    const moved = step.filter((by) => by !== 0)
    return moved.length > 0 && moved.length <= connectivity && moved[0] === 1
  })
}

/**
 * Labels the connected components of the voxels that are not 0 (NaN is not 0): 1, 2, … in the C order of their first voxels.
 * @returns one label per voxel, 0 for voxels that are 0, and the number of components
 * @throws RangeError for a connectivity that is not a whole number from 1 to the number of axes, and for data that is not of `shape`
 * @example labelComponents({ data: Uint8Array.of(1, 0, 1, 1), shape: [4] }) // { labels: [1, 0, 2, 2], count: 2 }
 * @see scipy.ndimage `label`
 */
export function labelComponents(
  { data, shape, roi }: ShapedVoxels,
  options: ComponentOptions = {},
): { labels: Uint32Array; count: number } {
  assertShape(data, shape)
  const { connectivity = 1, separateAxes = roi === undefined ? 0 : shape.length - roi.shape.length } = options
  assertConnectivity(connectivity, shape.length - separateAxes)
  if (separateAxes < 0 || separateAxes > Math.max(0, shape.length - 1)) {
    throw new RangeError(
      `separateAxes is ${separateAxes}; expected 0 to ${Math.max(0, shape.length - 1)} for the shape (${shape.join(', ')}).`,
    )
  }
  const labels = options.into?.fill(0) ?? new Uint32Array(data.length)
  if (labels.length !== data.length) {
    throw new RangeError(`"into" has ${labels.length} elements; expected ${data.length}, one per voxel.`)
  }
  if (data.length === 0) return { labels, count: 0 }
  const runs = findRuns(isForeground(data), shape.at(-1) ?? 1)
  const sets = uniteRuns(runs, shape, connectivity, separateAxes)
  return { labels, count: numberVoxels(labels, runs, sets) }
}

/** @param rank axes along which voxels can be connected @throws RangeError */
function assertConnectivity(connectivity: number, rank: number): void {
  if (Number.isSafeInteger(connectivity) && connectivity >= 1 && connectivity <= Math.max(1, rank)) return
  throw new RangeError(
    `The connectivity is ${connectivity}; expected a whole number from 1 (faces) to ${Math.max(1, rank)} (corners).`,
  )
}

function isForeground(data: TypedArray): Uint8Array {
  if (data instanceof Uint8Array) return data
  const mask = new Uint8Array(data.length)
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const halves = new Uint32Array(data.buffer, data.byteOffset, 2 * data.length)
    for (let i = 0; i < mask.length; i++) mask[i] = (halves[2 * i]! | halves[2 * i + 1]!) === 0 ? 0 : 1
  } else {
    for (let i = 0; i < mask.length; i++) mask[i] = data[i] === 0 ? 0 : 1
  }
  return mask
}

/** The runs of foreground along the last axis, in C order. */
interface Runs {
  readonly count: number
  /** Places of the first voxel of each run, and behind the last one, in the whole array. */
  readonly starts: Int32Array
  readonly ends: Int32Array
  /** The number of the first run of each row; one entry more than rows. */
  readonly rows: Int32Array
}

/** Four voxels that are 1. */
const ONES = 0x01010101

function findRuns(given: Uint8Array, width: number): Runs {
  // Long runs of 0 and 1 are passed over in steps of four voxels.
  const mask = given.byteOffset % 4 === 0 ? given : given.slice()
  const fours = new Uint32Array(mask.buffer, mask.byteOffset, Math.floor(mask.length / 4))
  let starts = new Int32Array(1024)
  let ends = new Int32Array(1024)
  const rows = new Int32Array(mask.length / width + 1)
  let count = 0
  for (let row = 0, from = 0; from < mask.length; row++) {
    const end = from + width
    if (count + width > starts.length) {
      starts = enlarged(starts, count + width)
      ends = enlarged(ends, count + width)
    }
    for (let at = from; ; ) {
      while (at < end && mask[at] === 0) at = at % 4 === 0 && at + 4 <= end && fours[at / 4] === 0 ? at + 4 : at + 1
      if (at === end) break
      starts[count] = at
      while (at < end && mask[at] !== 0) at = at % 4 === 0 && at + 4 <= end && fours[at / 4] === ONES ? at + 4 : at + 1
      ends[count++] = at
    }
    rows[row + 1] = count
    from = end
  }
  return { count, starts, ends, rows }
}

function enlarged(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(Math.max(length, 2 * from.length))
  to.set(from)
  return to
}

/** Unites the numbers of runs that touch. */
function uniteRuns(runs: Runs, shape: readonly number[], connectivity: number, separateAxes: number): DisjointSets {
  const width = shape.at(-1) ?? 1
  const outer = shape.slice(0, -1)
  const sets = new DisjointSets(runs.count)
  const rowsBefore = earlierRows(outer, connectivity, separateAxes)
  const index = outer.map(() => 0)
  for (let row = 0; row + 1 < runs.rows.length; row++) {
    for (const { step, offset, reach } of rowsBefore) {
      if (!step.every((by, axis) => isInside(index[axis]! + by, outer[axis]!))) continue
      uniteRows(runs, row, offset, offset * width, reach, sets)
    }
    for (let axis = outer.length - 1; axis >= 0 && ++index[axis]! === outer[axis]; axis--) index[axis] = 0
  }
  return sets
}

/** Unites the runs of a row with those of an earlier one. @param by how far the earlier row's voxels are away */
function uniteRows(runs: Runs, row: number, offset: number, by: number, reach: number, sets: DisjointSets): void {
  const { starts, ends, rows } = runs
  let other = rows[row + offset]!
  const [last, lastOther] = [rows[row + 1]!, rows[row + offset + 1]!]
  for (let run = rows[row]!; run < last && other < lastOther; ) {
    const [start, end] = [starts[run]! + by - reach, ends[run]! + by + reach]
    if (ends[other]! <= start) {
      other++
    } else if (starts[other]! >= end) {
      run++
    } else {
      sets.unite(other, run)
      // The run that ends first can touch nothing more in the other row. With diagonal neighbours both may.
      if (ends[other]! < end) other++
      else run++
    }
  }
}

const isInside = (index: number, length: number): boolean => index >= 0 && index < length

/** The earlier rows that a row may touch. @returns `offset` in rows; `reach` is 1 if diagonal neighbours along the row count, too */
function earlierRows(outer: readonly number[], connectivity: number, separateAxes: number) {
  const strides = outer.map((_, axis) => outer.slice(axis + 1).reduce((product, length) => product * length, 1))
  const rank = outer.length - separateAxes
  return forwardSteps(Math.max(0, rank), connectivity).map((forward) => {
    const step = [...outer.slice(0, separateAxes).map(() => 0), ...forward.map((by) => -by)]
    return {
      step,
      offset: step.reduce((sum, by, axis) => sum + by * strides[axis]!, 0),
      reach: forward.filter((by) => by !== 0).length < connectivity ? 1 : 0,
    }
  })
}

/** Writes the number of its component to each voxel: 1, 2, … in the order of their first runs. @returns how many there are */
function numberVoxels(labels: Uint32Array, { count, starts, ends }: Runs, sets: DisjointSets): number {
  const { numbers, count: components } = sets.numberSets()
  for (let run = 0; run < count; run++) {
    const [number, start, end] = [numbers[run]!, starts[run]!, ends[run]!]
    // A call of fill takes longer than a short loop.
    if (end - start > 32) labels.fill(number, start, end)
    else for (let at = start; at < end; at++) labels[at] = number
  }
  return components
}
