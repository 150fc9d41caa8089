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
  const labels = new Uint32Array(data.length)
  if (data.length === 0) return { labels, count: 0 }
  const runs = labelRuns(isForeground(data), shape, connectivity, separateAxes, labels)
  return { labels, count: renumber(labels, runs) }
}

/** @param rank axes along which voxels can be connected @throws RangeError */
function assertConnectivity(connectivity: number, rank: number): void {
  if (Number.isSafeInteger(connectivity) && connectivity >= 1 && connectivity <= Math.max(1, rank)) return
  throw new RangeError(
    `The connectivity is ${connectivity}; expected a whole number from 1 (faces) to ${Math.max(1, rank)} (corners).`,
  )
}

function isForeground(data: TypedArray): Uint8Array {
  const mask = new Uint8Array(data.length)
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const halves = new Uint32Array(data.buffer, data.byteOffset, 2 * data.length)
    for (let i = 0; i < mask.length; i++) mask[i] = (halves[2 * i]! | halves[2 * i + 1]!) === 0 ? 0 : 1
  } else {
    for (let i = 0; i < mask.length; i++) mask[i] = data[i] === 0 ? 0 : 1
  }
  return mask
}

/** Labels every run of foreground along the last axis: with the label of an earlier run that it touches, or a new one. */
function labelRuns(
  mask: Uint8Array,
  shape: readonly number[],
  connectivity: number,
  separateAxes: number,
  labels: Uint32Array,
): DisjointSets {
  const width = shape.at(-1) ?? 1
  const outer = shape.slice(0, -1)
  // Number 0 is the background.
  const sets = new DisjointSets(1)
  const rowsBefore = earlierRows(outer, connectivity, separateAxes)
  const index = outer.map(() => 0)
  for (let row = 0; row < mask.length; row += width) {
    const touching = rowsBefore.filter(({ step }) =>
      step.every((by, axis) => isInside(index[axis]! + by, outer[axis]!)),
    )
    for (let x = 0; x < width; ) {
      if (mask[row + x] === 0) {
        x++
        continue
      }
      const start = x
      while (x < width && mask[row + x] !== 0) x++
      let label = 0
      for (const { offset, reach } of touching) {
        const from = row + offset * width
        const end = Math.min(x + reach, width)
        for (let i = Math.max(start - reach, 0), last = 0; i < end; i++) {
          const other = labels[from + i]!
          if (other === last) continue
          last = other
          if (other === 0) continue
          if (label === 0) label = other
          else sets.unite(label, other)
        }
      }
      labels.fill(label === 0 ? sets.add() : label, row + start, row + x)
    }
    for (let axis = outer.length - 1; axis >= 0 && ++index[axis]! === outer[axis]; axis--) index[axis] = 0
  }
  return sets
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

/** Numbers the sets 1, 2, … in the order of their first runs. @returns how many there are */
function renumber(labels: Uint32Array, sets: DisjointSets): number {
  // The first set, that of number 0, is the background.
  const { numbers, count } = sets.numberSets()
  for (let i = 0; i < labels.length; i++) labels[i] = numbers[labels[i]!]! - 1
  return count - 1
}
