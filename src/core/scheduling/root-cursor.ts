import type { BlockGrid } from '../grid/block-grid.ts'
import { type IndexBox, indexStrides } from '../grid/index-box.ts'
import { nextClearBit } from './bitmap.ts'
import { boxesOutside, TileSweep } from './tile-sweep.ts'

/** What the cursor needs to know of a task whose blocks, or those it waits for, are partly done at the start. */
export interface DoneAtStart {
  /** the task's own bitmap, when some of its blocks are done */
  readonly own: Uint8Array | undefined
  /** whether all that a block waits for was done at the start */
  isFree(index: number): boolean
}

/**
 * The roots of a task: blocks that wait for nothing at the start, in the order in which they are handed out. They are
 * never listed: without anything done at the start they are the blocks of level 0 (every other block has a neighbour
 * of an earlier level) outside of what waits for upstream blocks, so a few boxes of a lattice.
 */
export class RootCursor {
  readonly #grid: BlockGrid
  readonly #waiting: readonly IndexBox[]
  readonly #start: DoneAtStart | undefined
  readonly #sweep: TileSweep
  readonly #step: number
  #at = 0
  #left = 0
  #total: number | undefined

  /**
   * @param waiting boxes of blocks that wait for some upstream block that was not done at the start
   * @param start undefined when nothing of it is done at the start
   */
  constructor(grid: BlockGrid, waiting: readonly IndexBox[], start: DoneAtStart | undefined) {
    this.#grid = grid
    this.#waiting = waiting
    this.#start = start
    this.#sweep = this.#newSweep()
    this.#step = this.#steps()[grid.shape.length - 1]!
    if (start === undefined) {
      this.#total = this.#boxes().reduce(
        (sum, { begin, end }) => sum + end.reduce((product, high, axis) => product * (high - begin[axis]!), 1),
        0,
      )
    }
  }

  /** The next root, or -1: without going past it. */
  peek(): number {
    for (;;) {
      while (this.#left > 0) {
        if (this.#start === undefined) return this.#at
        const skipped = this.#skipDone()
        if (skipped > 0) this.#pass(Math.min(skipped, this.#left))
        else if (this.#start.isFree(this.#at)) return this.#at
        else this.#pass(1)
      }
      if (!this.#sweep.next()) return -1
      this.#at = this.#sweep.runStart
      this.#left = this.#sweep.runLength
    }
  }

  /** Goes past the root that `peek` gave. */
  pass(): void {
    this.#pass(1)
  }

  /** As {@link total} when that is known without work. */
  get knownTotal(): number | undefined {
    return this.#total
  }

  /**
   * How many roots there are in all, those handed out included. Arithmetic, except for a task that is partly done: there
   * the first call goes once over the blocks that are not.
   */
  total(): number {
    if (this.#total === undefined) {
      const rest = new RootCursor(this.#grid, this.#waiting, this.#start)
      let count = 0
      for (; rest.peek() >= 0; rest.pass()) count++
      this.#total = count
    }
    return this.#total
  }

  #pass(count: number): void {
    this.#at += count * this.#step
    this.#left -= count
  }

  /** How many blocks from here on are done already; only a sweep over all blocks (step 1) meets such. */
  #skipDone(): number {
    const own = this.#start?.own
    return own === undefined ? 0 : nextClearBit(own, this.#at, this.#at + this.#left) - this.#at
  }

  /** With a bitmap of its own every block of the task may be a root, otherwise only those of level 0. */
  #steps(): readonly number[] {
    return this.#start?.own === undefined ? this.#grid.conflictStride : this.#grid.shape.map(() => 1)
  }

  #boxes(): IndexBox[] {
    const step = this.#steps()
    const whole = this.#grid.shape.map((count, axis) => Math.floor(count / step[axis]!))
    if (this.#start !== undefined) return [{ begin: whole.map(() => 0), end: whole }]
    const point = (block: number, axis: number) => Math.max(0, Math.ceil((block - step[axis]! + 1) / step[axis]!))
    const holes = this.#waiting.map(({ begin, end }) => ({ begin: begin.map(point), end: end.map(point) }))
    return boxesOutside(whole, holes)
  }

  #newSweep(): TileSweep {
    const step = this.#steps()
    const first = step.map((s) => s - 1)
    return new TileSweep(this.#boxes(), first, step, indexStrides(this.#grid.shape))
  }
}
