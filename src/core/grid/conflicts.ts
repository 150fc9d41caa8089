import { type Coordinate, ceilDivide, combine, countElements } from '../geometry/coordinate.ts'
import type { Context } from '../geometry/roi.ts'
import { indexStrides, splitIndex } from './index-box.ts'

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

/**
 * Which blocks of a task may not run together, and which of two such goes first; all of it arithmetic.
 *
 * Along each axis a block at k reads what the blocks k - below … k + above write. Two blocks conflict when either
 * reads what the other one writes: their distance lies in the box [-below, above] or in its mirror image.
 * Levels are `k mod stride`, from the lexicographically largest to the smallest, and stride > max(below, above), so
 * blocks of one level never conflict (where the grid is shorter than the stride each block has its own residue).
 */
export interface ConflictOrder {
  readonly stride: Coordinate<'block'>
  readonly levelCount: number
  /** how many blocks below and above a block are in its reach, per axis; zeros when nothing conflicts */
  readonly below: Coordinate<'block'>
  readonly above: Coordinate<'block'>
  level(index: number): number
  /** the same for a block's coordinates */
  levelAt(at: ArrayLike<number>): number
  /** the indices of all blocks in conflict whose level comes earlier, ascending */
  earlier(index: number): number[]
  /** how many those are, in time proportional to the rank alone */
  countEarlier(at: ArrayLike<number>): number
  /** an upper bound of that count over all blocks */
  readonly mostEarlier: number
  /** whether a block has all its neighbours: none is cut off by the grid's border */
  isInterior(at: ArrayLike<number>): boolean
  /** the rows of earlier (or later) neighbours of the blocks of a level */
  rows(level: number, which: 'earlier' | 'later'): NeighbourRows
}

/** How many cached rows we keep at most (20 bytes and more each): high ranks with wide contexts have millions. */
const CACHED_ROWS = 1 << 20

/**
 * @param shape blocks per axis
 * @param step a block's write shape, world units
 * @param readWriteConflict false: no two blocks conflict
 */
export function createConflictOrder(
  shape: Coordinate<'block'>,
  step: Coordinate,
  context: Context,
  readWriteConflict: boolean,
): ConflictOrder {
  const rank = shape.length
  const strides = indexStrides(shape)
  // A reach beyond the grid's own length changes nothing, and cutting it keeps the boxes of neighbours small.
  const reach = (amount: Coordinate) =>
    combine<'block'>(combine(amount, step, ceilDivide), shape, (blocks, count) =>
      readWriteConflict ? Math.min(blocks, count - 1) : 0,
    )
  const below = reach(context.lower)
  const above = reach(context.upper)
  const far = combine<'block'>(below, above, Math.max)
  const near = combine<'block'>(below, above, Math.min)
  const stride = combine<'block'>(far, shape, (most, count) => Math.min(most + 1, count))
  const levelCount = Number(countElements(stride))
  const symmetric = far.every((most, axis) => most === near[axis])
  const at = new Float64Array(rank)
  const residue = new Array<number>(rank).fill(0)
  let cachedRows = 0
  const cache = { earlier: new Map<number, NeighbourRows>(), later: new Map<number, NeighbourRows>() }

  const levelAt = (k: ArrayLike<number>): number => {
    let place = 0
    for (let axis = 0; axis < rank; axis++) place = place * stride[axis]! + residueOf(k[axis]!, stride[axis]!)
    return levelCount - 1 - place
  }

  /**
   * Earlier neighbours whose distance lies in the box [-low, high]. The first axis on which two conflicting blocks
   * differ decides their order (their residues differ there, since they are less than a stride apart), and the axes
   * after it are free: a sum of products.
   */
  const countIn = (k: ArrayLike<number>, low: readonly number[], high: readonly number[]): number => {
    let total = 0
    let free = 1
    for (let axis = rank - 1; axis >= 0; axis--) {
      const s = stride[axis]!
      const here = k[axis]!
      const down = Math.min(here, low[axis]!)
      const up = Math.min(shape[axis]! - 1 - here, high[axis]!)
      const rest = residueOf(here, s)
      total += (Math.min(up, s - 1 - rest) + Math.max(0, down - rest)) * free
      free *= down + up + 1
    }
    return total
  }

  const buildRows = (level: number, which: 'earlier' | 'later'): NeighbourRows => {
    splitIndex(levelCount - 1 - level, stride, residue)
    const prefix: number[] = []
    const linear: number[] = []
    const lows: number[] = []
    const highs: number[] = []
    const delta = new Array<number>(rank - 1).fill(0)
    const addRow = (low: number, high: number): void => {
      if (low > high) return
      prefix.push(...delta)
      linear.push(delta.reduce((sum, d, axis) => sum + d * strides[axis]!, 0))
      lows.push(low)
      highs.push(high)
    }
    const last = rank - 1
    const visit = (axis: number, decided: boolean, direct: boolean, mirrored: boolean): void => {
      if (!direct && !mirrored) return
      if (axis < last) {
        for (let d = -far[axis]!; d <= far[axis]!; d++) {
          if (!decided && d !== 0 && isEarlier(residue[axis]!, d, stride[axis]!) !== (which === 'earlier')) continue
          delta[axis] = d
          visit(
            axis + 1,
            decided || d !== 0,
            direct && d >= -below[axis]! && d <= above[axis]!,
            mirrored && d >= -above[axis]! && d <= below[axis]!,
          )
        }
        return
      }
      const low = -Math.max(direct ? below[last]! : 0, mirrored ? above[last]! : 0)
      const high = Math.max(direct ? above[last]! : 0, mirrored ? below[last]! : 0)
      if (decided) {
        addRow(low, high)
        return
      }
      const r = residue[last]!
      const s = stride[last]!
      if (which === 'earlier') {
        addRow(low, -(r + 1))
        addRow(1, Math.min(s - 1 - r, high))
      } else {
        addRow(Math.max(-r, low), -1)
        addRow(s - r, high)
      }
    }
    visit(0, false, true, true)
    return {
      count: lows.length,
      prefix: Int32Array.from(prefix),
      linear: Float64Array.from(linear),
      low: Int32Array.from(lows),
      high: Int32Array.from(highs),
    }
  }

  const rows = (level: number, which: 'earlier' | 'later'): NeighbourRows => {
    const known = cache[which].get(level)
    if (known !== undefined) return known
    const built = buildRows(level, which)
    if (cachedRows + built.count > CACHED_ROWS) {
      cache.earlier.clear()
      cache.later.clear()
      cachedRows = 0
    }
    cachedRows += built.count
    cache[which].set(level, built)
    return built
  }

  const boxSize = far.reduce((product, most, axis) => product * Math.min(2 * most + 1, shape[axis]!), 1)
  return {
    stride,
    levelCount,
    levelAt,
    below,
    above,
    mostEarlier: boxSize - 1,
    level: (index) => {
      splitIndex(index, shape, at)
      return levelAt(at)
    },
    countEarlier: (k) =>
      symmetric
        ? countIn(k, below, above)
        : countIn(k, below, above) + countIn(k, above, below) - countIn(k, near, near),
    isInterior: (k) => {
      for (let axis = 0; axis < rank; axis++) {
        if (k[axis]! < far[axis]! || k[axis]! + far[axis]! >= shape[axis]!) return false
      }
      return true
    },
    earlier: (index) => {
      splitIndex(index, shape, at)
      const found: number[] = []
      const { count, prefix, linear, low, high } = rows(levelAt(at), 'earlier')
      for (let row = 0; row < count; row++) {
        if (!isRowInside(at, prefix, row, shape)) continue
        const k = at[rank - 1]!
        const end = Math.min(shape[rank - 1]! - 1 - k, high[row]!)
        for (let d = Math.max(-k, low[row]!); d <= end; d++) found.push(index + linear[row]! + d)
      }
      return found.sort((a, b) => a - b)
    },
    rows,
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

/** k modulo s. The remainder of two doubles is a call into C; these are a few instructions, and exact below 2^53. */
function residueOf(k: number, s: number): number {
  if (s === 1) return 0
  return s === 2 ? k & 1 : k - Math.floor(k / s) * s
}

/** Whether the block `d` away along an axis has the larger residue, and so the earlier level; d is not 0, |d| < stride. */
function isEarlier(residue: number, d: number, stride: number): boolean {
  const other = residue + d
  return d > 0 ? other < stride : other < 0
}
