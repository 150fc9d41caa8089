import { rowMajorStrides } from '../array/strides.ts'
import { roi } from '../geometry/roi.ts'
import { createBlockGrid } from '../grid/block-grid.ts'
import type { BlockGridOptions } from '../grid/grid-options.ts'
import { nextSetBit } from '../scheduling/bitmap.ts'
import { STATE_CODE } from '../scheduling/state-map.ts'
import type { BlockState } from '../scheduling/task-run.ts'

/** Tasks with more blocks than this have a map of cells of several blocks: a screen can't show more, and each block costs a byte. */
export const MAX_MAPPED_BLOCKS = 2 ** 22
/** All cells are checked every second. */
const MAX_CELLS = 2 ** 17

/** The state of a cell with some blocks done and none running, in addition to those of {@link STATE_CODE}. */
export const PARTLY_DONE = 9

/** What a task's map shows: its blocks, or cells of several blocks. */
export interface MapGrid {
  /** A block of this grid writes what the blocks of a cell write together. */
  readonly grid: BlockGridOptions
  /** Blocks per cell along each axis; 1 on every axis if cells are single blocks. */
  readonly cell: readonly number[]
}

/** @param most the largest number of blocks shown individually @param mostCells the largest number of cells otherwise */
export function mapGridOf(options: BlockGridOptions, most = MAX_MAPPED_BLOCKS, mostCells = MAX_CELLS): MapGrid {
  const { shape, blockCount, writeRoi, totalWriteRoi } = createBlockGrid(options)
  const cell = shape.map(() => 1)
  if (blockCount <= most) return { grid: options, cell }
  const cells = shape.map((length) => length)
  while (cells.reduce((product, length) => product * length, 1) > mostCells) {
    const longest = cells.indexOf(Math.max(...cells))
    cell[longest]! *= 2
    cells[longest] = Math.ceil(shape[longest]! / cell[longest]!)
  }
  const size = cell.map((count, axis) => count * writeRoi.shape[axis]!)
  const total = roi(
    totalWriteRoi.offset,
    shape.map((length, axis) => length * writeRoi.shape[axis]!),
  )
  const one = roi(totalWriteRoi.offset, size)
  return { grid: { totalRoi: total, readRoi: one, writeRoi: one, fit: 'shrink', readWriteConflict: false }, cell }
}

/** The cell that contains a block. @param shape blocks per axis */
export function cellAt(index: number, shape: readonly number[], cell: readonly number[]): number {
  let rest = index
  let at = 0
  let stride = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis]!
    const outer = Math.floor(rest / length)
    at += Math.floor((rest - outer * length) / cell[axis]!) * stride
    stride *= Math.ceil(length / cell[axis]!)
    rest = outer
  }
  return at
}

/** Bitmaps of blocks whose state is known at the start. */
export interface KnownBlocks {
  readonly done?: Uint8Array | undefined
  readonly masked?: Uint8Array | undefined
  readonly leftOut?: Uint8Array | undefined
}

/** The states of cells of several blocks, for a task with too many blocks to show each. */
export class CellMap {
  /** By the cell's index. */
  readonly codes: Uint8Array
  readonly #shape: readonly number[]
  readonly #cell: readonly number[]
  readonly #totals: Uint32Array
  readonly #firsts: Float64Array
  readonly #done: Uint32Array
  readonly #skipped: Uint32Array
  readonly #held: Uint32Array
  readonly #failed: Uint32Array
  /** Blocks outside a mask, which count as done, and blocks that are left out, which do not. */
  readonly #masked: Uint32Array
  readonly #leftOut: Uint32Array
  readonly #stateCodeOf: (index: number) => number

  /**
   * @param known bitmaps of the blocks that are already done, of those outside a mask, and of those that are left out
   * @param stateCodeOf the state code of a block
   */
  constructor(
    options: BlockGridOptions,
    { grid, cell }: MapGrid,
    { done, masked, leftOut }: KnownBlocks,
    stateCodeOf: (index: number) => number,
  ) {
    const { shape, blockCount } = createBlockGrid(options)
    const cells = createBlockGrid(grid)
    this.#shape = shape
    this.#cell = cell
    this.#stateCodeOf = stateCodeOf
    const count = cells.blockCount
    this.codes = new Uint8Array(count)
    this.#totals = new Uint32Array(count)
    this.#firsts = new Float64Array(count)
    this.#done = new Uint32Array(count)
    this.#skipped = new Uint32Array(count)
    this.#held = new Uint32Array(count)
    this.#failed = new Uint32Array(count)
    this.#masked = new Uint32Array(count)
    this.#leftOut = new Uint32Array(count)
    const strides = rowMajorStrides(shape)
    const cellStrides = rowMajorStrides(cells.shape)
    for (let at = 0; at < count; at++) {
      let total = 1
      for (const [axis, length] of shape.entries()) {
        const start = (Math.floor(at / cellStrides[axis]!) % cells.shape[axis]!) * cell[axis]!
        this.#firsts[at]! += start * strides[axis]!
        total *= Math.min(cell[axis]!, length - start)
      }
      this.#totals[at] = total
    }
    this.#countInto(this.#done, done, blockCount)
    this.#countInto(this.#masked, masked, blockCount)
    this.#countInto(this.#leftOut, leftOut, blockCount)
    for (let at = 0; at < count; at++) this.#done[at]! += this.#masked[at]!
    this.#skipped.set(this.#done)
    this.update(() => {})
  }

  #countInto(counts: Uint32Array, bits: Uint8Array | undefined, blockCount: number): void {
    if (bits === undefined) return
    for (let index = -1; (index = nextSetBit(bits, index + 1, blockCount)) < blockCount; ) counts[this.#at(index)]!++
  }

  hold(index: number): void {
    this.#held[this.#at(index)]!++
  }

  giveBack(index: number): void {
    this.#held[this.#at(index)]!--
  }

  complete(index: number): void {
    const at = this.#at(index)
    this.#held[at]!--
    this.#done[at]!++
  }

  fail(index: number): void {
    const at = this.#at(index)
    this.#held[at]!--
    this.#failed[at]!++
  }

  /** A failed block is attempted again. */
  retry(index: number): void {
    this.#failed[this.#at(index)]!--
  }

  /** A block is done again. @param state its state until now */
  forget(index: number, state: BlockState): void {
    const at = this.#at(index)
    if (state === 'failed') this.#failed[at]!--
    if (state !== 'completed') return
    this.#done[at]!--
    this.#skipped[at] = Math.min(this.#skipped[at]!, this.#done[at]!)
  }

  markSkipped(index: number): void {
    this.#skipped[this.#at(index)]!++
  }

  /** Updates `codes`. @param onChange called for every cell whose state has changed, in ascending order */
  update(onChange: (cell: number, code: number) => void): void {
    for (let at = 0; at < this.codes.length; at++) {
      const before = this.codes[at]!
      const wasDone = before === STATE_CODE.completed || before === STATE_CODE.skipped
      if (wasDone && this.#done[at] === this.#totals[at]) continue
      const code = this.#codeOf(at)
      if (code === before) continue
      this.codes[at] = code
      onChange(at, code)
    }
  }

  #at(index: number): number {
    return cellAt(index, this.#shape, this.#cell)
  }

  #codeOf(at: number): number {
    if (this.#failed[at]! > 0) return STATE_CODE.failed
    const done = this.#done[at]!
    if (done === this.#totals[at]) {
      if (this.#masked[at] === done) return STATE_CODE.masked
      return this.#skipped[at] === done ? STATE_CODE.skipped : STATE_CODE.completed
    }
    if (this.#held[at]! > 0) return STATE_CODE.processing
    if (done > this.#masked[at]!) return PARTLY_DONE
    if (this.#masked[at]! + this.#leftOut[at]! === this.#totals[at]) return STATE_CODE.leftOut
    const code = this.#stateCodeOf(this.#firsts[at]!)
    return code === STATE_CODE.completed ? STATE_CODE.pending : code
  }
}
