import type { IndexBox } from '../grid/index-box.ts'

/** How many lattice points a tile has at most, whatever the rank. */
const TILE_POINTS = 512

/**
 * Every point of a lattice of blocks once, tile by tile: points that are near each other come near in time, so that what
 * they read in common (chunks, pages of the file cache) is still warm, and so that the front of a run stays small.
 * Points come as runs along the last axis.
 */
export class TileSweep {
  /** the row-major index of the run's first block; the next ones are `step` of the last axis further each */
  runStart = 0
  runLength = 0
  /** whether the run is the first of its tile */
  entersTile = true
  readonly #boxes: readonly IndexBox[]
  readonly #step: readonly number[]
  readonly #strides: readonly number[]
  readonly #side: number
  readonly #tile: number[]
  readonly #inner: number[]
  #box = -1
  #skipping = false

  /**
   * @param boxes lattice points: block coordinates are `first + point * step`
   * @param first block coordinates of lattice point 0
   * @param step blocks from one lattice point to the next, per axis
   * @param strides see `indexStrides`
   */
  constructor(
    boxes: readonly IndexBox[],
    first: readonly number[],
    step: readonly number[],
    strides: readonly number[],
  ) {
    this.#boxes = boxes.map(({ begin, end }) => ({
      begin: begin.map((low, axis) => first[axis]! + low * step[axis]!),
      end: end.map((high, axis) => high - begin[axis]!),
    }))
    this.#step = step
    this.#strides = strides
    this.#side = Math.max(2, Math.floor(TILE_POINTS ** (1 / step.length) + 1e-9))
    this.#tile = step.map(() => 0)
    this.#inner = step.map(() => 0)
  }

  /** Goes to the next run; false when there is none. */
  next(): boolean {
    if (!this.#advance()) return false
    const { begin, end } = this.#boxes[this.#box]!
    const last = begin.length - 1
    let start = 0
    for (let axis = 0; axis <= last; axis++) {
      const point = this.#tile[axis]! + (axis === last ? 0 : this.#inner[axis]!)
      start += (begin[axis]! + point * this.#step[axis]!) * this.#strides[axis]!
    }
    this.runStart = start
    this.runLength = Math.min(this.#side, end[last]! - this.#tile[last]!)
    return true
  }

  /** The smallest box of blocks around the run's tile. */
  tileBox(): IndexBox {
    const { begin, end } = this.#boxes[this.#box]!
    const first = begin.map((low, axis) => low + this.#tile[axis]! * this.#step[axis]!)
    const points = end.map((length, axis) => Math.min(this.#side, length - this.#tile[axis]!))
    return { begin: first, end: first.map((low, axis) => low + (points[axis]! - 1) * this.#step[axis]! + 1) }
  }

  /** Leaves out what is left of the run's tile. */
  skipTile(): void {
    this.#skipping = true
  }

  #advance(): boolean {
    if (this.#box >= this.#boxes.length) return false
    this.entersTile = false
    if (this.#box >= 0) {
      const lengths = this.#boxes[this.#box]!.end
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
 * What is left of a box without others, as boxes that share nothing.
 * @param whole lattice points from 0 up to `whole`, not included, per axis
 */
export function boxesOutside(whole: readonly number[], taken: readonly IndexBox[]): IndexBox[] {
  let left: IndexBox[] = [{ begin: whole.map(() => 0), end: whole }]
  for (const hole of taken) left = left.flatMap((box) => cutOut(box, hole))
  return left
}

function cutOut(box: IndexBox, hole: IndexBox): IndexBox[] {
  const low = box.begin.map((b, axis) => Math.max(b, hole.begin[axis]!))
  const high = box.end.map((e, axis) => Math.min(e, hole.end[axis]!))
  if (low.some((b, axis) => b >= high[axis]!)) return [box]
  const parts: IndexBox[] = []
  const begin = [...box.begin]
  const end = [...box.end]
  for (let axis = 0; axis < begin.length; axis++) {
    const replace = (values: readonly number[], value: number) => values.map((v, a) => (a === axis ? value : v))
    if (begin[axis]! < low[axis]!) parts.push({ begin: [...begin], end: replace(end, low[axis]!) })
    if (high[axis]! < end[axis]!) parts.push({ begin: replace(begin, high[axis]!), end: [...end] })
    begin[axis] = low[axis]!
    end[axis] = high[axis]!
  }
  return parts
}
