import { rowMajorStrides } from '../../array/strides.ts'
import type { BlockGrid } from '../../grid/block-grid.ts'
import { everyRow, type IndexBox, isEmptyBox } from '../../grid/index-box.ts'
import { nextClearBit, nextSetBit } from '../bitmap.ts'
import type { TaskLink } from '../task-link.ts'

/** An upstream task with some blocks, but not all, done at the start. */
export interface PartlyDone {
  readonly link: TaskLink
  /** of the upstream grid */
  readonly strides: readonly number[]
  readonly done: Uint8Array
}

/** A statement about all blocks of a tile. */
export interface TileVerdict {
  /** which of its blocks may wait for nothing: none, only those of level 0, or any that is not done */
  readonly roots: 'none' | 'level-0' | 'any'
  /** whether all of these do wait for nothing, so that they need not be checked one by one */
  readonly sure: boolean
}

const NO_ROOTS: TileVerdict = { roots: 'none', sure: true }
const LEVEL_ZERO: TileVerdict = { roots: 'level-0', sure: true }
const NOT_DONE: TileVerdict = { roots: 'any', sure: true }
const CHECK_EACH: TileVerdict = { roots: 'any', sure: false }
/** Checking one block costs about as much as looking at this many rows of a bitmap. */
const ROWS_PER_BLOCK = 16
/** Passing this many equal bits costs about as much as moving to the next row. */
const BITS_PER_ROW = 64

/**
 * Which blocks are roots, given what was done at the start of a task and of those before it. A tile in which everything or
 * nothing is done is judged at once; only in the tiles between does each block have to be checked.
 */
export class DoneAtStart {
  /** the task's own bitmap, if some of its blocks are done */
  readonly own: Uint8Array | undefined
  /** whether all that a block waits for was done at the start */
  readonly isFree: (index: number) => boolean
  readonly #grid: BlockGrid
  readonly #strides: readonly number[]
  readonly #upstream: readonly PartlyDone[]
  /** the first block that is not done */
  readonly #firstLeft: number

  constructor(
    grid: BlockGrid,
    own: Uint8Array | undefined,
    upstream: readonly PartlyDone[],
    isFree: (index: number) => boolean,
  ) {
    this.#grid = grid
    this.#strides = rowMajorStrides(grid.shape)
    this.own = own
    this.#firstLeft = own === undefined ? 0 : nextClearBit(own, 0, grid.blockCount)
    this.#upstream = upstream
    this.isFree = isFree
  }

  /** @param tile without blocks that wait for a task of which no block is done @param points how many of its blocks matter */
  judge(tile: IndexBox, points: number): TileVerdict {
    let { roots, sure } = this.#judgeOrder(tile, points)
    for (let u = 0; u < this.#upstream.length && roots !== 'none'; u++) {
      const waits = judgeLink(this.#upstream[u]!, tile, points)
      if (waits === 'all') return NO_ROOTS
      if (waits === 'some') sure = false
    }
    return { roots, sure }
  }

  /** Considers the order within the task: a block that is not of level 0 has an earlier neighbour in its reach. */
  #judgeOrder(tile: IndexBox, points: number): TileVerdict {
    const { levelCount, conflictStride, shape } = this.#grid
    if (this.own === undefined) return NOT_DONE
    const highest = tile.end.reduce((index, high, axis) => index + (high - 1) * this.#strides[axis]!, 0)
    if (highest < this.#firstLeft) return NO_ROOTS
    const inside = shareDone(this.own, tile, this.#strides)
    if (inside === 'all') return NO_ROOTS
    const sure = levelCount === 1
    if (sure || inside === 'some') return sure ? NOT_DONE : CHECK_EACH
    const reach = (axis: number) => conflictStride[axis]! - 1
    const around = {
      start: tile.start.map((low, axis) => Math.max(0, low - reach(axis))),
      end: tile.end.map((high, axis) => Math.min(shape[axis]!, high + reach(axis))),
    }
    const isNothingNear = isQuick(around, points) && shareDone(this.own, around, this.#strides) === 'none'
    return isNothingNear ? LEVEL_ZERO : CHECK_EACH
  }
}

/** Which blocks of a tile wait for an upstream block that is not done. */
function judgeLink({ link, strides, done }: PartlyDone, tile: IndexBox, points: number): 'none' | 'some' | 'all' {
  const awaited = link.awaitedBox(
    tile.start,
    tile.end.map((high) => high - 1),
  )
  if (isEmptyBox(awaited)) return 'none'
  if (!isQuick(awaited, points)) return 'some'
  const share = shareDone(done, awaited, strides)
  if (share === 'all') return 'none'
  const { start, end } = link.waiting
  const allWait = tile.start.every((low, axis) => low >= start[axis]! && tile.end[axis]! <= end[axis]!)
  return share === 'none' && allWait ? 'all' : 'some'
}

function isQuick({ start, end }: IndexBox, points: number): boolean {
  const last = start.length - 1
  let rows = 1
  for (let axis = 0; axis < last; axis++) rows *= end[axis]! - start[axis]!
  return rows * (1 + (end[last]! - start[last]!) / BITS_PER_ROW) <= ROWS_PER_BLOCK * points
}

function shareDone(bitmap: Uint8Array, box: IndexBox, strides: readonly number[]): 'none' | 'some' | 'all' {
  let isSomeDone = false
  let isSomeLeft = false
  everyRow(box, strides, (start, end) => {
    isSomeDone ||= nextSetBit(bitmap, start, end) < end
    isSomeLeft ||= nextClearBit(bitmap, start, end) < end
    return !(isSomeDone && isSomeLeft)
  })
  if (!isSomeDone) return 'none'
  return isSomeLeft ? 'some' : 'all'
}
