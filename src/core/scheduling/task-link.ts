import { ConfigError } from '../errors.ts'
import { ceilDivide, productOf } from '../geometry/coordinate.ts'
import { roiEnd } from '../geometry/roi.ts'
import type { BlockGrid } from '../grid/block-grid.ts'
import { everyRow, type IndexBox } from '../grid/index-box.ts'

/** One axis of two grids: blocks repeat along it, so finding those that meet takes two divisions. World units. */
interface LinkAxis {
  readonly upStart: number
  readonly upStep: number
  readonly upCount: number
  /** end of what the last upstream block writes */
  readonly upEnd: number
  readonly downStart: number
  readonly downStep: number
  readonly downCount: number
  /** end of what the last downstream block writes; it reads `upper` more */
  readonly downEnd: number
  readonly lower: number
  readonly upper: number
}

/**
 * Which blocks of a downstream task wait for which blocks of a task before it: those whose read Roi meets the write Roi of
 * these. In either direction this is a box of blocks, since Rois are boxes and both grids are regular.
 */
export class TaskLink {
  readonly #axes: readonly LinkAxis[]
  /** The downstream blocks that wait for any upstream block; empty (`end` = `start` on some axis) if none does. */
  readonly waiting: IndexBox
  /** An upper bound of the number of upstream blocks that one downstream block waits for. */
  readonly mostAwaited: number

  /** @throws ConfigError `RANK_MISMATCH` */
  constructor(up: BlockGrid, down: BlockGrid, names: readonly [string, string]) {
    if (up.shape.length !== down.shape.length) {
      throw new ConfigError(
        'RANK_MISMATCH',
        `Task "${names[1]}" has ${down.shape.length} axes and comes after task "${names[0]}", which has ${up.shape.length}; expected the same number.`,
      )
    }
    this.#axes = up.shape.map((upCount, axis) => ({
      upStart: up.totalWriteRoi.offset[axis]!,
      upStep: up.writeRoi.shape[axis]!,
      upCount,
      upEnd: endOf(up, axis),
      downStart: down.totalWriteRoi.offset[axis]!,
      downStep: down.writeRoi.shape[axis]!,
      downCount: down.shape[axis]!,
      downEnd: endOf(down, axis),
      lower: down.context.lower[axis]!,
      upper: down.context.upper[axis]!,
    }))
    const start = this.#axes.map((_, axis) => this.firstWaiting(axis, 0))
    this.waiting = {
      start,
      end: this.#axes.map((a, axis) => Math.max(start[axis]!, this.lastWaiting(axis, a.upCount - 1) + 1)),
    }
    this.mostAwaited = productOf(
      this.#axes.map((a) => Math.min(a.upCount, ceilDivide(a.downStep + a.lower + a.upper, a.upStep) + 1)),
    )
  }

  /** The first downstream block along an axis that waits for upstream block k there; beyond the last if none does. */
  firstWaiting(axis: number, k: number): number {
    const a = this.#axes[axis]!
    const start = a.upStart + k * a.upStep
    if (start >= a.downEnd + a.upper) return a.downCount
    return Math.max(0, Math.floor((start - a.upper - a.downStart) / a.downStep))
  }

  /** The last one; before the first if none does. */
  lastWaiting(axis: number, k: number): number {
    const a = this.#axes[axis]!
    const end = Math.min(a.upStart + (k + 1) * a.upStep, a.upEnd)
    return Math.min(a.downCount - 1, Math.ceil((end + a.lower - a.downStart) / a.downStep) - 1)
  }

  /** The first upstream block along an axis that downstream block k awaits there; beyond the last if there is none. */
  firstAwaited(axis: number, k: number): number {
    const a = this.#axes[axis]!
    const start = a.downStart + k * a.downStep - a.lower
    if (start >= a.upEnd) return a.upCount
    return Math.max(0, Math.floor((start - a.upStart) / a.upStep))
  }

  /** The last one; before the first if there is none. */
  lastAwaited(axis: number, k: number): number {
    const a = this.#axes[axis]!
    const end = Math.min(a.downStart + (k + 1) * a.downStep, a.downEnd) + a.upper
    return Math.min(a.upCount - 1, Math.ceil((end - a.upStart) / a.upStep) - 1)
  }

  /** How many upstream blocks the downstream block at `k` awaits. */
  countAwaited(k: ArrayLike<number>): number {
    let count = 1
    for (let axis = 0; axis < this.#axes.length; axis++) {
      const first = this.firstAwaited(axis, k[axis]!)
      const last = this.lastAwaited(axis, k[axis]!)
      if (last < first) return 0
      count *= last - first + 1
    }
    return count
  }

  /** The largest number of upstream blocks that one downstream block awaits: exact, while {@link mostAwaited} is a bound. */
  largestAwaited(): number {
    const mostAlong = ({ downCount }: LinkAxis, axis: number): number => {
      let most = 0
      for (let k = 0; k < downCount; k++) {
        most = Math.max(most, this.lastAwaited(axis, k) - this.firstAwaited(axis, k) + 1)
      }
      return most
    }
    return productOf(this.#axes.map(mostAlong))
  }

  /** The box around the upstream blocks that a box of downstream blocks awaits. */
  awaitedBox(start: ArrayLike<number>, last: ArrayLike<number>): IndexBox {
    return {
      start: this.#axes.map((_, axis) => this.firstAwaited(axis, start[axis]!)),
      end: this.#axes.map((_, axis) => this.lastAwaited(axis, last[axis]!) + 1),
    }
  }

  /**
   * The upstream blocks that the downstream block at `k` awaits, as rows of indices [start, end).
   * @param strides of the upstream grid
   * @param visit called until it returns false
   */
  eachAwaitedRow(
    k: ArrayLike<number>,
    strides: readonly number[],
    visit: (start: number, end: number) => boolean,
  ): void {
    everyRow(this.awaitedBox(k, k), strides, visit)
  }

  /** Whether every downstream block waits for some upstream block. */
  get coversAll(): boolean {
    return this.#axes.every((a, axis) => this.waiting.start[axis] === 0 && this.waiting.end[axis] === a.downCount)
  }
}

const endOf = (grid: BlockGrid, axis: number): number =>
  grid.fit === 'shrink'
    ? roiEnd(grid.totalWriteRoi)[axis]!
    : grid.totalWriteRoi.offset[axis]! + grid.shape[axis]! * grid.writeRoi.shape[axis]!
