import type { IndexBox } from '../../grid/index-box.ts'

/** The most lattice points of a tile, for any rank. */
const TILE_POINTS = 512

/** A box of lattice points. */
interface LatticeBox {
  /** block coordinates of its first point */
  readonly first: readonly number[]
  /** points per axis */
  readonly points: readonly number[]
}

/**
 * Visits every point of a lattice of blocks once, tile by tile: points that are close in space are close in time, so that
 * the data they share (chunks, pages of the file cache) is still warm, and the front of a run stays small. Points come as runs
 * along the last axis.
 */
export class TileSweep {
  /** the row-major index of the run's first block; the next ones are `step` of the last axis further each */
  runStart = 0
  runLength = 0
  /** whether the run is the first of its tile */
  entersTile = true
  readonly #boxes: readonly LatticeBox[]
  readonly #step: readonly number[]
  readonly #strides: readonly number[]
  readonly #side: number
  readonly #tile: number[]
  readonly #inner: number[]
  #box = -1
  #skipping = false

  /**
   * @param boxes of lattice points: block coordinates are `first + point * step`
   * @param first block coordinates of lattice point 0
   * @param step blocks from one lattice point to the next, per axis
   * @param strides see `rowMajorStrides`
   */
  constructor(
    boxes: readonly IndexBox[],
    first: readonly number[],
    step: readonly number[],
    strides: readonly number[],
  ) {
    this.#boxes = boxes.map(({ start, end }) => ({
      first: start.map((low, axis) => first[axis]! + low * step[axis]!),
      points: end.map((high, axis) => high - start[axis]!),
    }))
    this.#step = step
    this.#strides = strides
    this.#side = Math.max(2, Math.floor(TILE_POINTS ** (1 / step.length) + 1e-9))
    this.#tile = step.map(() => 0)
    this.#inner = step.map(() => 0)
  }

  /** Goes to the next run; false if there is none. */
  next(): boolean {
    if (!this.#advance()) return false
    const { first, points } = this.#boxes[this.#box]!
    const last = first.length - 1
    let start = 0
    for (let axis = 0; axis <= last; axis++) {
      const point = this.#tile[axis]! + (axis === last ? 0 : this.#inner[axis]!)
      start += (first[axis]! + point * this.#step[axis]!) * this.#strides[axis]!
    }
    this.runStart = start
    this.runLength = Math.min(this.#side, points[last]! - this.#tile[last]!)
    return true
  }

  /** The smallest box of blocks around the run's tile. */
  tileBox(): IndexBox {
    const { first, points } = this.#boxes[this.#box]!
    const start = first.map((low, axis) => low + this.#tile[axis]! * this.#step[axis]!)
    const inTile = points.map((count, axis) => Math.min(this.#side, count - this.#tile[axis]!))
    return { start, end: start.map((low, axis) => low + (inTile[axis]! - 1) * this.#step[axis]! + 1) }
  }

  /** Skips the rest of the run's tile. */
  skipTile(): void {
    this.#skipping = true
  }

  #advance(): boolean {
    if (this.#box >= this.#boxes.length) return false
    this.entersTile = false
    if (this.#box >= 0) {
      const { points: lengths } = this.#boxes[this.#box]!
      const last = lengths.length - 1
      for (let axis = this.#skipping ? -1 : last - 1; axis >= 0; axis--) {
        const next = ++this.#inner[axis]!
        if (next < this.#side && this.#tile[axis]! + next < lengths[axis]!) return true
        this.#inner[axis] = 0
      }
      if (this.#skipping) this.#inner.fill(0)
      this.#skipping = false
      this.entersTile = true
      for (let axis = last; axis >= 0; axis--) {
        this.#tile[axis]! += this.#side
        if (this.#tile[axis]! < lengths[axis]!) return true
        this.#tile[axis] = 0
      }
    }
    this.#box++
    this.entersTile = true
    return this.#box < this.#boxes.length
  }
}

/**
 * A box without the parts covered by others, as disjoint boxes.
 * @param end the box reaches from 0 to `end`, exclusive, per axis
 */
export function boxesOutside(end: readonly number[], holes: readonly IndexBox[]): IndexBox[] {
  let left: IndexBox[] = [{ start: end.map(() => 0), end }]
  for (const hole of holes) left = left.flatMap((box) => cutOut(box, hole))
  return left
}

function cutOut(box: IndexBox, hole: IndexBox): IndexBox[] {
  const low = box.start.map((b, axis) => Math.max(b, hole.start[axis]!))
  const high = box.end.map((e, axis) => Math.min(e, hole.end[axis]!))
  if (low.some((b, axis) => b >= high[axis]!)) return [box]
  const parts: IndexBox[] = []
  const start = [...box.start]
  const end = [...box.end]
  for (let axis = 0; axis < start.length; axis++) {
    const replace = (values: readonly number[], value: number) => values.map((v, a) => (a === axis ? value : v))
    if (start[axis]! < low[axis]!) parts.push({ start: [...start], end: replace(end, low[axis]!) })
    if (high[axis]! < end[axis]!) parts.push({ start: replace(start, high[axis]!), end: [...end] })
    start[axis] = low[axis]!
    end[axis] = high[axis]!
  }
  return parts
}
