import { rowMajorStrides } from '../../array/strides.ts'
import type { BlockGrid } from '../../grid/block-grid.ts'
import { type ConflictOrder, isRowInside } from '../../grid/conflicts.ts'
import { splitIndex } from '../../grid/index-box.ts'
import { countClearBits } from '../bitmap.ts'
import type { TaskLink } from '../task-link.ts'
import { DoneAtStart, type PartlyDone } from './done-at-start.ts'

/** A task directly upstream of another one. */
interface Upstream {
  readonly link: TaskLink
  readonly strides: readonly number[]
  /** bitmap of its blocks that were done at the start; undefined if none was */
  readonly done: Uint8Array | undefined
}

/**
 * How many blocks each block of a task waits for: earlier ones of the same task and those of upstream tasks, without
 * the ones that were done at the start. Computed from the grids if nothing was done at the start, otherwise by counting
 * bits.
 */
export class AwaitedBlocks {
  readonly #grid: BlockGrid
  readonly #order: ConflictOrder
  readonly #upstream: readonly Upstream[]
  readonly #done: Uint8Array | undefined
  /** whether blocks that were done at the start change the counts */
  readonly #startsPartly: boolean
  readonly #at: Float64Array

  /** @param done bitmap of the task's own blocks that were done at the start; undefined if none was */
  constructor(grid: BlockGrid, order: ConflictOrder, upstream: readonly Upstream[], done: Uint8Array | undefined) {
    this.#grid = grid
    this.#order = order
    this.#upstream = upstream
    this.#done = done
    this.#startsPartly = done !== undefined || upstream.some((task) => task.done !== undefined)
    this.#at = new Float64Array(grid.shape.length)
  }

  /** How many blocks the block waits for at the start of the run; stops counting at `enough`. */
  count(index: number, enough = Number.POSITIVE_INFINITY): number {
    const at = this.#at
    splitIndex(index, this.#grid.shape, at)
    if (this.#startsPartly) return this.#countPartly(index, at, enough)
    let count = this.#order.levelCount === 1 ? 0 : this.#order.countEarlier(at)
    for (let u = 0; u < this.#upstream.length; u++) count += this.#upstream[u]!.link.countAwaited(at)
    return count
  }

  /** For the search for roots; undefined if nothing was done at the start. */
  doneAtStart(): DoneAtStart | undefined {
    if (!this.#startsPartly) return undefined
    const partly = this.#upstream.flatMap(({ link, strides, done }): PartlyDone[] =>
      done === undefined ? [] : [{ link, strides, done }],
    )
    return new DoneAtStart(this.#grid, this.#done, partly, (index) => this.count(index, 1) === 0)
  }

  #countPartly(index: number, at: ArrayLike<number>, enough: number): number {
    let count = this.#countEarlier(index, at, enough)
    for (let u = 0; u < this.#upstream.length && count < enough; u++) {
      const { link, strides, done } = this.#upstream[u]!
      if (done === undefined) count += link.countAwaited(at)
      else
        link.eachAwaitedRow(at, strides, (start, end) => {
          count += countClearBits(done, start, end)
          return count < enough
        })
    }
    return count
  }

  /** Those of the same task. */
  #countEarlier(index: number, at: ArrayLike<number>, enough: number): number {
    if (this.#done === undefined) return this.#order.countEarlier(at)
    if (this.#order.levelCount === 1) return 0
    const { shape } = this.#grid
    const last = at.length - 1
    const { count: rows, prefix, linear, low, high } = this.#order.rows(this.#order.levelAt(at), 'earlier')
    let count = 0
    for (let row = 0; row < rows && count < enough; row++) {
      if (!isRowInside(at, prefix, row, shape)) continue
      const start = index + linear[row]! + Math.max(low[row]!, -at[last]!)
      const end = index + linear[row]! + Math.min(high[row]!, shape[last]! - 1 - at[last]!) + 1
      if (start < end) count += countClearBits(this.#done, start, end)
    }
    return count
  }
}

/** An upstream task as `AwaitedBlocks` needs it. */
export const asUpstream = (link: TaskLink, grid: BlockGrid, done: Uint8Array | undefined): Upstream => ({
  link,
  strides: rowMajorStrides(grid.shape),
  done,
})
