import { stridesOf } from '../voxels.ts'

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

/** An earlier row that a row may touch. */
export interface EarlierRow {
  /** Along each axis but the last one. */
  readonly step: Step
  /** How many rows away, negative. */
  readonly offset: number
  /** 1 if diagonal neighbours along the rows touch, too, otherwise 0. */
  readonly reach: number
}

/** @param outer the lengths of the axes before the last one @param separateAxes how many of them connect nothing */
export function earlierRows(outer: readonly number[], connectivity: number, separateAxes: number): EarlierRow[] {
  const strides = stridesOf(outer)
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
