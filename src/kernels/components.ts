import { DisjointSets } from './disjoint-sets.ts'
import { assertShape, type TypedArray, type Voxels } from './voxels.ts'

/** What {@link labelComponents} is given. */
export interface ComponentOptions {
  /**
   * Along how many axes at once a neighbour may lie: 1 means voxels that share a face, the number of axes those that share a corner.
   * @default 1
   */
  readonly connectivity?: number
  /** Leading axes along which nothing is connected (channels). @default those that `roi` has not, or 0 */
  readonly separateAxes?: number
}

/** Steps to neighbouring voxels, one entry per axis. */
export type Step = readonly number[]

/**
 * Steps to half of a voxel's neighbours, those that come after it in C order; the others are the same steps back.
 * @param connectivity 1 … rank
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
 * Numbers the connected components of the voxels that are not 0 (NaN is not): 1, 2, … in the order in which C order meets them.
 * @returns `labels` has 0 where `data` has
 * @throws RangeError for a connectivity that is no whole number from 1 to the number of axes
 * @see scipy.ndimage `label`
 */
export function labelComponents(
  { data, shape, roi }: Voxels,
  options: ComponentOptions = {},
): { labels: Uint32Array; count: number } {
  assertShape(data, shape)
  const { connectivity = 1, separateAxes = roi === undefined ? 0 : shape.length - roi.shape.length } = options
  assertConnectivity(connectivity, shape.length - separateAxes)
  if (separateAxes < 0 || separateAxes > Math.max(0, shape.length - 1)) {
    throw new RangeError(
      `Of the axes of (${shape.join(', ')}), ${separateAxes} can't be separate; at least one is connected.`,
    )
  }
  const labels = new Uint32Array(data.length)
  if (data.length === 0) return { labels, count: 0 }
  const runs = labelRuns(isForeground(data), shape, connectivity, separateAxes, labels)
  return { labels, count: renumber(labels, runs) }
}

/** @param rank axes along which voxels can be connected @throws RangeError */
export function assertConnectivity(connectivity: number, rank: number): void {
  if (Number.isSafeInteger(connectivity) && connectivity >= 1 && connectivity <= Math.max(1, rank)) return
  throw new RangeError(
    `A connectivity of ${connectivity} is not a whole number from 1 (faces) to ${Math.max(1, rank)} (corners), as many as there are axes.`,
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

/** Gives every run of foreground along the last axis a label, that of a run before it that it touches where there is one. */
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
      const begin = x
      while (x < width && mask[row + x] !== 0) x++
      let label = 0
      for (const { offset, reach } of touching) {
        const from = row + offset * width
        const end = Math.min(x + reach, width)
        for (let i = Math.max(begin - reach, 0), last = 0; i < end; i++) {
          const other = labels[from + i]!
          if (other === last) continue
          last = other
          if (other === 0) continue
          if (label === 0) label = other
          else sets.unite(label, other)
        }
      }
      labels.fill(label === 0 ? sets.add() : label, row + begin, row + x)
    }
    for (let axis = outer.length - 1; axis >= 0 && ++index[axis]! === outer[axis]; axis--) index[axis] = 0
  }
  return sets
}

const isInside = (index: number, length: number): boolean => index >= 0 && index < length

/** The rows before one that it may touch. @returns `offset` in rows, `reach` 1 where also what lies diagonally along the row counts */
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

/** Gives the sets the numbers 1, 2, …, in the order of their first run. @returns how many there are */
function renumber(labels: Uint32Array, sets: DisjointSets): number {
  // Number 0 is the background, and comes first.
  const { numbers, count } = sets.numberSets()
  for (let i = 0; i < labels.length; i++) labels[i] = numbers[labels[i]!]! - 1
  return count - 1
}
