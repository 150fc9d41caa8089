import { rowMajorStrides } from '../../array/strides.ts'
import { productOf } from '../../geometry/coordinate.ts'
import type { BlockGrid } from '../../grid/block-grid.ts'
import { type IndexBox, splitIndex } from '../../grid/index-box.ts'
import { nextClearBit, nextSetBit } from '../bitmap.ts'
import type { DoneAtStart, TileVerdict } from './done-at-start.ts'
import { boxesOutside, TileSweep } from './tile-sweep.ts'

/** Counting looks at so many tiles in one call at most, so that no call takes long. */
export const TILES_PER_CALL = 512

/** Runs along the last axis that are looked at before tiles are counted again. */
const RUNS_PER_LOOK = 64
/** `peek` has not come to a root, nor to the end. */
const UNDECIDED = -2

/**
 * The roots of a task: blocks that wait for nothing at the start, in the order in which they are handed out. They are
 * never listed. If nothing was done at the start they are the blocks of level 0 (every other block has a neighbour
 * of an earlier level) that do not wait for upstream blocks: a few boxes of a lattice.
 */
export class RootCursor {
  readonly #grid: BlockGrid
  readonly #waiting: readonly IndexBox[]
  readonly #start: DoneAtStart | undefined
  readonly #sweep: TileSweep
  readonly #latticeStep: readonly number[]
  // The current run: `#left` blocks from `#at` on, `#step` apart.
  #at = 0
  #left = 0
  #step: number
  #verdict: TileVerdict = { roots: 'any', sure: true }
  /** the task's own bitmap if it matters in this tile: if only level 0 matters, no block is done */
  #own: Uint8Array | undefined
  #total: number | undefined
  /** runs ahead of this cursor, and counts */
  #counter: RootCursor | undefined
  #counted = 0
  /** how many tiles it has entered */
  #tiles = 0

  /**
   * @param waiting boxes of blocks that wait for a task of which no block was done at the start
   * @param start undefined if nothing was done at the start, neither of this task nor of those before it
   */
  constructor(grid: BlockGrid, waiting: readonly IndexBox[], start: DoneAtStart | undefined) {
    this.#grid = grid
    this.#waiting = waiting
    this.#start = start
    // If blocks of the task itself are done, every block may be a root, otherwise only those of level 0.
    this.#latticeStep = start?.own === undefined ? grid.conflictStride : grid.shape.map(() => 1)
    this.#step = this.#latticeStep.at(-1)!
    const boxes = this.#boxes()
    const first = this.#latticeStep.map((s) => s - 1)
    this.#sweep = new TileSweep(boxes, first, this.#latticeStep, rowMajorStrides(grid.shape))
    if (start === undefined) this.#total = boxes.reduce((sum, box) => sum + volume(box.start, box.end), 0)
  }

  /**
   * The next root, or -1; does not move past it.
   * @param runs the most runs of blocks to look at; if there are more before the next root, the result is {@link UNDECIDED}
   */
  peek(runs = Number.POSITIVE_INFINITY): number {
    for (let left = runs; ; left--) {
      while (this.#left > 0) {
        if (this.#start === undefined) return this.#at
        const skipped = this.#countDone()
        if (skipped > 0) this.#pass(skipped)
        else if (this.#verdict.sure || this.#start.isFree(this.#at)) return this.#at
        else this.#pass(1)
      }
      if (left <= 0) return UNDECIDED
      if (!this.#sweep.next()) return -1
      this.#enterRun()
    }
  }

  /** Moves past the root that `peek` returned. */
  pass(): void {
    this.#pass(1)
  }

  /** The number of roots, including those handed out, if it is known already. */
  get knownTotal(): number | undefined {
    return this.#total
  }

  /**
   * How many roots there are, including those handed out. Computed from the grids, except for a task that is partly done or waits for one
   * that is: then each call counts further, for a limited time, and the result is how many were counted.
   * @param enough the number from which on no more are counted
   */
  countUpTo(enough: number): number {
    if (this.#total !== undefined) return this.#total
    this.#counter ??= new RootCursor(this.#grid, this.#waiting, this.#start)
    const counter = this.#counter
    const end = counter.#tiles + TILES_PER_CALL
    while (this.#counted < enough && counter.#tiles < end) {
      const root = counter.peek(RUNS_PER_LOOK)
      if (root === UNDECIDED) continue
      if (root < 0) {
        this.#total = this.#counted
        this.#counter = undefined
        break
      }
      const length = counter.#verdict.sure ? counter.#countLeft() : 1
      this.#counted += length
      counter.#pass(length)
    }
    return this.#counted
  }

  #enterRun(): void {
    this.#at = this.#sweep.runStart
    this.#left = this.#sweep.runLength
    if (this.#start === undefined) return
    this.#step = this.#latticeStep.at(-1)!
    if (this.#sweep.entersTile) this.#enterTile(this.#start)
    if (this.#verdict.roots === 'level-0') this.#keepLevelZero()
  }

  #enterTile(start: DoneAtStart): void {
    this.#tiles++
    const tile = this.#sweep.tileBox()
    const points = productOf(
      tile.start.map((low, axis) => Math.ceil((tile.end[axis]! - low) / this.#latticeStep[axis]!)),
    )
    this.#verdict = start.judge(tile, points)
    this.#own = this.#verdict.roots === 'level-0' ? undefined : start.own
    if (this.#verdict.roots !== 'none') return
    this.#sweep.skipTile()
    this.#left = 0
  }

  /** Reduces a run of all blocks (step 1) to those of level 0. */
  #keepLevelZero(): void {
    const { shape, conflictStride } = this.#grid
    const at = new Array<number>(shape.length)
    splitIndex(this.#at, shape, at)
    const last = at.length - 1
    for (let axis = 0; axis < last; axis++) {
      if ((at[axis]! + 1) % conflictStride[axis]! === 0) continue
      this.#left = 0
      return
    }
    this.#step = conflictStride[last]!
    const before = this.#step - 1 - (at[last]! % this.#step)
    this.#at += before
    this.#left = Math.max(0, Math.ceil((this.#left - before) / this.#step))
  }

  #pass(count: number): void {
    this.#at += count * this.#step
    this.#left -= count
  }

  /** How many blocks at the start of the rest of this run are done already. */
  #countDone(): number {
    const own = this.#own
    if (own === undefined) return 0
    return nextClearBit(own, this.#at, this.#at + this.#left) - this.#at
  }

  /** How many blocks at the start of the rest of this run are not done. */
  #countLeft(): number {
    const own = this.#own
    if (own === undefined) return this.#left
    return nextSetBit(own, this.#at, this.#at + this.#left) - this.#at
  }

  #boxes(): IndexBox[] {
    const step = this.#latticeStep
    const whole = this.#grid.shape.map((count, axis) => Math.floor(count / step[axis]!))
    const point = (block: number, axis: number) => Math.max(0, Math.ceil((block - step[axis]! + 1) / step[axis]!))
    const holes = this.#waiting.map(({ start, end }) => ({ start: start.map(point), end: end.map(point) }))
    return boxesOutside(whole, holes)
  }
}

const volume = (start: readonly number[], end: readonly number[]): number =>
  productOf(end.map((high, axis) => high - start[axis]!))
