import { rowMajorStrides } from '../array/strides.ts'
import { type Coordinate, ceilDivide, combine, countElements, productOf } from '../geometry/coordinate.ts'
import type { Context } from '../geometry/roi.ts'
import { splitIndex } from './index-box.ts'
import { type NeighbourRows, neighbourRows, type Which } from './neighbour-rows.ts'

/** The most rows to cache (20 bytes or more each): high ranks with wide contexts have millions. */
const CACHED_ROWS = 1 << 20

/**
 * Computes which blocks of a task must not run together, and which of two such blocks goes first.
 *
 * Along each axis a block at k reads what the blocks k - below … k + above write. Two blocks conflict if either
 * reads what the other one writes: their distance lies in the box [-below, above] or in its mirror image.
 * Levels are `k mod stride`, from the lexicographically largest to the smallest, and stride > max(below, above), so
 * blocks of one level never conflict (if the grid is shorter than the stride, each block has its own residue).
 */
export class ConflictOrder {
  /** after how many blocks the order repeats, per axis */
  readonly stride: Coordinate<'block'>
  readonly levelCount: number
  /** how many blocks below and above a block are in its reach, per axis; zeros if nothing conflicts */
  readonly below: Coordinate<'block'>
  readonly above: Coordinate<'block'>
  /** an upper bound of `countEarlier` over all blocks */
  readonly mostEarlier: number
  readonly #shape: Coordinate<'block'>
  readonly #strides: readonly number[]
  /** the larger and the smaller of `below` and `above`, per axis */
  readonly #far: Coordinate<'block'>
  readonly #near: Coordinate<'block'>
  readonly #isSymmetric: boolean
  readonly #at: Float64Array
  readonly #cache = { earlier: new Map<number, NeighbourRows>(), later: new Map<number, NeighbourRows>() }
  #cachedRows = 0

  /**
   * @param shape blocks per axis
   * @param step a block's write shape, world units
   * @param readWriteConflict false: no two blocks conflict
   */
  constructor(shape: Coordinate<'block'>, step: Coordinate, context: Context, readWriteConflict: boolean) {
    // A reach beyond the grid's own length changes nothing, and cutting it keeps the boxes of neighbours small.
    const reach = (amount: Coordinate) =>
      combine<'block'>(combine(amount, step, ceilDivide), shape, (blocks, count) =>
        readWriteConflict ? Math.min(blocks, count - 1) : 0,
      )
    this.below = reach(context.lower)
    this.above = reach(context.upper)
    this.#far = combine<'block'>(this.below, this.above, Math.max)
    this.#near = combine<'block'>(this.below, this.above, Math.min)
    this.#isSymmetric = this.#far.every((most, axis) => most === this.#near[axis])
    this.stride = combine<'block'>(this.#far, shape, (most, count) => Math.min(most + 1, count))
    this.levelCount = Number(countElements(this.stride))
    this.mostEarlier = productOf(this.#far.map((most, axis) => Math.min(2 * most + 1, shape[axis]!))) - 1
    this.#shape = shape
    this.#strides = rowMajorStrides(shape)
    this.#at = new Float64Array(shape.length)
  }

  level(index: number): number {
    splitIndex(index, this.#shape, this.#at)
    return this.levelAt(this.#at)
  }

  /** The level of the block with these coordinates. */
  levelAt(at: ArrayLike<number>): number {
    const { stride } = this
    let place = 0
    for (let axis = 0; axis < stride.length; axis++) place = place * stride[axis]! + residueOf(at[axis]!, stride[axis]!)
    return this.levelCount - 1 - place
  }

  /** The indices of all conflicting blocks whose level comes earlier, ascending. */
  earlier(index: number): number[] {
    const at = this.#at
    const shape = this.#shape
    const last = shape.length - 1
    splitIndex(index, shape, at)
    const found: number[] = []
    const { count, prefix, linear, low, high } = this.rows(this.levelAt(at), 'earlier')
    for (let row = 0; row < count; row++) {
      if (!isRowInside(at, prefix, row, shape)) continue
      const k = at[last]!
      const end = Math.min(shape[last]! - 1 - k, high[row]!)
      for (let d = Math.max(-k, low[row]!); d <= end; d++) found.push(index + linear[row]! + d)
    }
    return found.sort((a, b) => a - b)
  }

  /** How many blocks `earlier` would give, in time proportional to the rank. */
  countEarlier(at: ArrayLike<number>): number {
    const { below, above } = this
    if (this.#isSymmetric) return this.#countEarlierIn(at, below, above)
    const both = this.#countEarlierIn(at, this.#near, this.#near)
    return this.#countEarlierIn(at, below, above) + this.#countEarlierIn(at, above, below) - both
  }

  /** Whether a block has all its neighbours: none is beyond the border of the grid. */
  isInterior(at: ArrayLike<number>): boolean {
    const shape = this.#shape
    const far = this.#far
    for (let axis = 0; axis < shape.length; axis++) {
      if (at[axis]! < far[axis]! || at[axis]! + far[axis]! >= shape[axis]!) return false
    }
    return true
  }

  /** The rows of earlier (or later) neighbours of the blocks of a level. */
  rows(level: number, which: Which): NeighbourRows {
    const known = this.#cache[which].get(level)
    if (known !== undefined) return known
    const residue = new Array<number>(this.stride.length).fill(0)
    splitIndex(this.levelCount - 1 - level, this.stride, residue)
    const built = neighbourRows(this, this.#strides, residue, which)
    if (this.#cachedRows + built.count > CACHED_ROWS) {
      this.#cache.earlier.clear()
      this.#cache.later.clear()
      this.#cachedRows = 0
    }
    this.#cachedRows += built.count
    this.#cache[which].set(level, built)
    return built
  }

  /**
   * Counts the earlier neighbours whose distance lies in the box [-low, high]. The first axis on which two conflicting blocks
   * differ decides their order (their residues differ there, since they are less than a stride apart), and the axes
   * after it are free: a sum of products.
   */
  #countEarlierIn(at: ArrayLike<number>, low: readonly number[], high: readonly number[]): number {
    const shape = this.#shape
    const { stride } = this
    let total = 0
    let free = 1
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const s = stride[axis]!
      const k = at[axis]!
      const down = Math.min(k, low[axis]!)
      const up = Math.min(shape[axis]! - 1 - k, high[axis]!)
      const residue = residueOf(k, s)
      total += (Math.min(up, s - 1 - residue) + Math.max(0, down - residue)) * free
      free *= down + up + 1
    }
    return total
  }
}

/** Whether a row of neighbours of the block at `at` lies inside the grid on all axes but the last. */
export function isRowInside(at: ArrayLike<number>, prefix: Int32Array, row: number, shape: readonly number[]): boolean {
  const width = shape.length - 1
  for (let axis = 0; axis < width; axis++) {
    const k = at[axis]! + prefix[row * width + axis]!
    if (k < 0 || k >= shape[axis]!) return false
  }
  return true
}

/** k modulo s. The remainder of two doubles is a call into C; this is a few instructions, and exact below 2^53. */
function residueOf(k: number, s: number): number {
  if (s === 1) return 0
  return s === 2 ? k & 1 : k - Math.floor(k / s) * s
}
