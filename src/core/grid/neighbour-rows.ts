import type { Coordinate } from '../geometry/coordinate.ts'

/** Neighbours whose level comes earlier than that of a block, or later. */
export type Which = 'earlier' | 'later'

/**
 * The neighbours of one level's blocks, as rows along the last axis, relative to a block and not yet cut at the grid's
 * border. Row r covers the blocks at `linear[r] + low[r] … linear[r] + high[r]`, and lies `prefix[r * (rank - 1) + axis]`
 * blocks away along each of the other axes.
 */
export interface NeighbourRows {
  readonly count: number
  readonly prefix: Int32Array
  readonly linear: Float64Array
  readonly low: Int32Array
  readonly high: Int32Array
}

/** The reach of a block, in blocks per axis, and the period of the order of blocks. */
interface Reach {
  readonly stride: Coordinate<'block'>
  readonly below: Coordinate<'block'>
  readonly above: Coordinate<'block'>
}

/**
 * The rows of neighbours of the blocks of one level.
 * @param strides of the grid
 * @param residue the coordinates of these blocks modulo `reach.stride`
 */
export function neighbourRows(
  reach: Reach,
  strides: readonly number[],
  residue: readonly number[],
  which: Which,
): NeighbourRows {
  return new RowBuilder(reach, strides, residue, which).build()
}

class RowBuilder {
  readonly #reach: Reach
  readonly #strides: readonly number[]
  readonly #residue: readonly number[]
  readonly #which: Which
  /** distance of the current row along each axis but the last */
  readonly #delta: number[]
  readonly #prefix: number[] = []
  readonly #linear: number[] = []
  readonly #low: number[] = []
  readonly #high: number[] = []

  constructor(reach: Reach, strides: readonly number[], residue: readonly number[], which: Which) {
    this.#reach = reach
    this.#strides = strides
    this.#residue = residue
    this.#which = which
    this.#delta = new Array<number>(residue.length - 1).fill(0)
  }

  build(): NeighbourRows {
    this.#visit(0, false, true, true)
    return {
      count: this.#low.length,
      prefix: Int32Array.from(this.#prefix),
      linear: Float64Array.from(this.#linear),
      low: Int32Array.from(this.#low),
      high: Int32Array.from(this.#high),
    }
  }

  /**
   * @param isDecided whether an axis before this one has decided which of the two blocks goes first
   * @param isDirect whether the distance so far lies in the box [-below, above]
   * @param isMirrored whether it lies in the mirror image of that box
   */
  #visit(axis: number, isDecided: boolean, isDirect: boolean, isMirrored: boolean): void {
    if (!isDirect && !isMirrored) return
    if (axis === this.#residue.length - 1) {
      this.#addRows(axis, isDecided, isDirect, isMirrored)
      return
    }
    const below = this.#reach.below[axis]!
    const above = this.#reach.above[axis]!
    const far = Math.max(below, above)
    for (let d = -far; d <= far; d++) {
      if (!isDecided && d !== 0 && this.#isEarlier(axis, d) !== (this.#which === 'earlier')) continue
      this.#delta[axis] = d
      this.#visit(
        axis + 1,
        isDecided || d !== 0,
        isDirect && d >= -below && d <= above,
        isMirrored && d >= -above && d <= below,
      )
    }
  }

  #addRows(last: number, isDecided: boolean, isDirect: boolean, isMirrored: boolean): void {
    const below = this.#reach.below[last]!
    const above = this.#reach.above[last]!
    const low = -Math.max(isDirect ? below : 0, isMirrored ? above : 0)
    const high = Math.max(isDirect ? above : 0, isMirrored ? below : 0)
    if (isDecided) {
      this.#add(low, high)
      return
    }
    const r = this.#residue[last]!
    const s = this.#reach.stride[last]!
    if (this.#which === 'earlier') {
      this.#add(low, -(r + 1))
      this.#add(1, Math.min(s - 1 - r, high))
    } else {
      this.#add(Math.max(-r, low), -1)
      this.#add(s - r, high)
    }
  }

  #add(low: number, high: number): void {
    if (low > high) return
    this.#prefix.push(...this.#delta)
    this.#linear.push(this.#delta.reduce((sum, d, axis) => sum + d * this.#strides[axis]!, 0))
    this.#low.push(low)
    this.#high.push(high)
  }

  /** Whether the block `d` away along an axis has the larger residue, and so the earlier level; d is not 0, |d| < stride. */
  #isEarlier(axis: number, d: number): boolean {
    const other = this.#residue[axis]! + d
    return d > 0 ? other < this.#reach.stride[axis]! : other < 0
  }
}
