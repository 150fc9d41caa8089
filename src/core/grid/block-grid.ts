import { ConfigError } from '../errors.ts'
import {
  type Coordinate,
  ceilDivide,
  combine,
  countElements,
  floorDivide,
  maxCoordinates,
  minCoordinates,
  showCoordinate,
} from '../geometry/coordinate.ts'
import { type Context, contextOf, isEmptyRoi, makeRoi, type Roi, roiEnd, showRoi } from '../geometry/roi.ts'
import { ConflictOrder } from './conflicts.ts'
import { type BlockGridOptions, checkGridOptions, type Fit } from './grid-options.ts'
import { boxIndices, type IndexBox } from './index-box.ts'

/** One unit of work: its row-major index in the grid (last axis fastest), what it reads and what it writes. */
export interface Block {
  readonly index: number
  readonly readRoi: Roi
  readonly writeRoi: Roi
}

/** A task's blocks, computed from their index: nothing is stored per block. */
export interface BlockGrid extends Required<BlockGridOptions> {
  /** `totalRoi` minus the context: the region to be written */
  readonly totalWriteRoi: Roi
  readonly context: Context
  readonly blockCount: number
  /** blocks per axis */
  readonly shape: Coordinate<'block'>
  /** after how many blocks the order within the task repeats, per axis; 1 on every axis if no block waits for another */
  readonly conflictStride: Coordinate<'block'>
  readonly levelCount: number
  /** what `valid` leaves unwritten at the high end of each axis, in world units; zeros for the other fits */
  readonly leftOut: Coordinate
  /** The volume of `totalWriteRoi` that no block writes, in world units to the power of the rank. */
  leftOutVolume(): bigint
  /** @throws ConfigError `NO_SUCH_BLOCK` */
  block(index: number): Block
  /** The same block, whose Rois have no text of their own (see {@link Roi}): several times as fast, for those who take millions. */
  plainBlock(index: number): Block
  /** A block's position in the order within the task: 0 goes first. @throws ConfigError `NO_SUCH_BLOCK` */
  level(index: number): number
  /** All blocks of earlier levels that conflict with this one, ascending. @throws ConfigError `NO_SUCH_BLOCK` */
  dependencies(index: number): number[]
  /** The indices of the blocks whose write Roi meets `region`, ascending; for large answers see {@link blockBox}. */
  blocksMeeting(region: Roi): number[]
  /** The same as a box of block coordinates, fast for any size; some axis has length 0 if no block meets the region. */
  blockBox(region: Roi): IndexBox
  /** The indices of a box of blocks, ascending, one by one. */
  indicesOf(box: IndexBox): Generator<number>
  /** All blocks, ascending, one by one. */
  blocks(): Generator<Block>
}

/**
 * The grid of blocks of one task.
 * @param options `taskId` is only for messages
 * @throws ConfigError `RANK_MISMATCH`, `INVALID_ROI`, `INVALID_COORDINATE`, `INVALID_CONFIG`, `WRITE_ROI_OUTSIDE_READ_ROI`,
 * `EMPTY_TOTAL_WRITE_ROI`, `NO_BLOCKS`, `TOO_MANY_BLOCKS`: one line that names the values
 */
export function createBlockGrid(options: BlockGridOptions & { readonly taskId?: string }): BlockGrid {
  return new RegularGrid(options, options.taskId === undefined ? '' : `Task "${options.taskId}": `)
}

class RegularGrid implements BlockGrid {
  readonly totalRoi: Roi
  readonly readRoi: Roi
  readonly writeRoi: Roi
  readonly fit: Fit
  readonly readWriteConflict: boolean
  readonly totalWriteRoi: Roi
  readonly context: Context
  readonly blockCount: number
  readonly shape: Coordinate<'block'>
  readonly conflictStride: Coordinate<'block'>
  readonly levelCount: number
  readonly leftOut: Coordinate
  readonly #who: string
  readonly #order: ConflictOrder
  /** end of what the last blocks write */
  readonly #end: Coordinate

  /** @param who start of every message */
  constructor(options: BlockGridOptions, who: string) {
    const { totalRoi, readRoi, writeRoi, fit, readWriteConflict } = checkGridOptions(options, who)
    this.#who = who
    this.totalRoi = totalRoi
    this.readRoi = readRoi
    this.writeRoi = writeRoi
    this.fit = fit
    this.readWriteConflict = readWriteConflict
    this.context = checkedContext(readRoi, writeRoi, who)
    this.totalWriteRoi = shrinkTotal(totalRoi, this.context, who)
    this.shape = countPerAxis(this.totalWriteRoi, writeRoi.shape, fit, who)
    this.blockCount = countBlocks(this.shape, who)
    const writtenEnd = combine<'world'>(this.totalWriteRoi.offset, this.#writtenShape, add)
    // Refuses a grid whose last blocks would exceed the safe integers; checked once, here.
    combine(writtenEnd, this.context.upper, add)
    this.#end = fit === 'shrink' ? roiEnd(this.totalWriteRoi) : writtenEnd
    this.leftOut = combine(roiEnd(this.totalWriteRoi), this.#end, (want, have) => Math.max(0, want - have))
    this.#order = new ConflictOrder(this.shape, writeRoi.shape, this.context, readWriteConflict)
    this.conflictStride = this.#order.stride
    this.levelCount = this.#order.levelCount
  }

  /** shape of all blocks together, uncut */
  get #writtenShape(): Coordinate {
    return combine(this.shape, this.writeRoi.shape, multiply)
  }

  leftOutVolume(): bigint {
    return this.fit === 'valid' ? countElements(this.totalWriteRoi.shape) - countElements(this.#writtenShape) : 0n
  }

  block(index: number): Block {
    const { readRoi, writeRoi } = this.plainBlock(index)
    return {
      index,
      readRoi: makeRoi(readRoi.offset, readRoi.shape),
      writeRoi: makeRoi(writeRoi.offset, writeRoi.shape),
    }
  }

  plainBlock(index: number): Block {
    this.#assertIndex(index)
    const { shape, context, totalWriteRoi } = this
    const { shape: step } = this.writeRoi
    const { shape: readShape } = this.readRoi
    const rank = shape.length
    const readOffset = new Array<number>(rank)
    const writeOffset = new Array<number>(rank)
    let cutWrite: number[] | undefined
    let cutRead: number[] | undefined
    let rest = index
    for (let axis = rank - 1; axis >= 0; axis--) {
      const length = step[axis]!
      const outer = Math.floor(rest / shape[axis]!)
      const start = totalWriteRoi.offset[axis]! + (rest - outer * shape[axis]!) * length
      rest = outer
      writeOffset[axis] = start
      readOffset[axis] = start - context.lower[axis]!
      const beyond = start + length - this.#end[axis]!
      if (beyond > 0) {
        cutWrite ??= [...step]
        cutRead ??= [...readShape]
        cutWrite[axis] = length - beyond
        cutRead[axis] = readShape[axis]! - beyond
      }
    }
    return {
      index,
      readRoi: { offset: readOffset, shape: cutRead ?? readShape },
      writeRoi: { offset: writeOffset, shape: cutWrite ?? step },
    }
  }

  level(index: number): number {
    this.#assertIndex(index)
    return this.#order.level(index)
  }

  dependencies(index: number): number[] {
    this.#assertIndex(index)
    return this.#order.earlier(index)
  }

  blocksMeeting(region: Roi): number[] {
    return [...this.indicesOf(this.blockBox(region))]
  }

  blockBox(region: Roi): IndexBox {
    const { offset } = this.totalWriteRoi
    const { shape: step } = this.writeRoi
    const start = combine<'block'>(combine(maxCoordinates(region.offset, offset), offset, subtract), step, floorDivide)
    const highest = minCoordinates(roiEnd(region), this.#end)
    const end = combine<'block'>(combine(highest, offset, subtract), step, ceilDivide)
    const isEmpty = isEmptyRoi(region) || region.offset.some((low, axis) => low >= this.#end[axis]!)
    return { start, end: isEmpty ? start : combine(end, start, Math.max) }
  }

  indicesOf(box: IndexBox): Generator<number> {
    return boxIndices(box, this.shape)
  }

  *blocks(): Generator<Block> {
    for (let index = 0; index < this.blockCount; index++) yield this.block(index)
  }

  #assertIndex(index: number): void {
    if (Number.isInteger(index) && index >= 0 && index < this.blockCount) return
    throw new ConfigError(
      'NO_SUCH_BLOCK',
      `${this.#who}there is no block ${index}; the blocks are 0 to ${this.blockCount - 1}.`,
    )
  }
}

const add = (a: number, b: number): number => a + b
const subtract = (a: number, b: number): number => a - b
const multiply = (a: number, b: number): number => a * b

function checkedContext(readRoi: Roi, writeRoi: Roi, who: string): Context {
  const context = contextOf(readRoi, writeRoi)
  if (![...context.lower, ...context.upper].some((amount) => amount < 0)) return context
  throw new ConfigError(
    'WRITE_ROI_OUTSIDE_READ_ROI',
    `${who}writeRoi ${showRoi(writeRoi)} is not inside readRoi ${showRoi(readRoi)}; grow readRoi by the context.`,
  )
}

function shrinkTotal(total: Roi, context: Context, who: string): Roi {
  const shape = combine<'world'>(total.shape, combine(context.lower, context.upper, add), subtract)
  if (shape.some((length) => length <= 0)) {
    throw new ConfigError(
      'EMPTY_TOTAL_WRITE_ROI',
      `${who}totalRoi ${showRoi(total)} without the context (${showCoordinate(context.lower)} below, ${showCoordinate(context.upper)} above) has the shape ${showCoordinate(shape)}, so nothing would be written; make totalRoi larger or the context smaller.`,
    )
  }
  return { offset: combine(total.offset, context.lower, add), shape }
}

function countPerAxis(totalWrite: Roi, step: Coordinate, fit: Fit, who: string): Coordinate<'block'> {
  const shape = combine<'block'>(totalWrite.shape, step, fit === 'valid' ? floorDivide : ceilDivide)
  if (shape.some((count) => count === 0)) {
    throw new ConfigError(
      'NO_BLOCKS',
      `${who}no block of the write shape ${showCoordinate(step)} fits into ${showRoi(totalWrite)}, the total without the context, so fit "valid" gives no blocks; use fit "shrink", or a smaller block.`,
    )
  }
  return shape
}

function countBlocks(shape: Coordinate<'block'>, who: string): number {
  const count = countElements(shape)
  if (count > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new ConfigError(
      'TOO_MANY_BLOCKS',
      `${who}${showCoordinate(shape)} are ${count} blocks; a block's index must stay below 2^53. Use larger blocks.`,
    )
  }
  return Number(count)
}
