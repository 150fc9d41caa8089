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
import { type Context, contextOf, isEmptyRoi, type Roi, roi, roiEnd, showRoi } from '../geometry/roi.ts'
import { createConflictOrder } from './conflicts.ts'
import { boxIndices, countBox, type IndexBox } from './index-box.ts'

/** What a task's blocks do where the total is no multiple of the block: leave the rest, stick out, or be cut. */
export type Fit = 'valid' | 'overhang' | 'shrink'

/** How a task cuts its volume. All Rois in world units, whole numbers, slowest axis first. */
export interface BlockGridOptions {
  /** everything the task may read */
  readonly totalRoi: Roi
  /** one block's read Roi; only its shape and its place relative to `writeRoi` count */
  readonly readRoi: Roi
  /** one block's write Roi, inside `readRoi` */
  readonly writeRoi: Roi
  /** @default 'valid' */
  readonly fit?: Fit
  /** whether a block that reads what another one writes must not run beside it @default true */
  readonly readWriteConflict?: boolean
}

/** The options alone of a grid, a plan, or whatever else has them: what can be sent and compared. */
export const gridOptions = ({
  totalRoi,
  readRoi,
  writeRoi,
  fit,
  readWriteConflict,
}: BlockGridOptions): BlockGridOptions => ({
  totalRoi,
  readRoi,
  writeRoi,
  ...(fit === undefined ? {} : { fit }),
  ...(readWriteConflict === undefined ? {} : { readWriteConflict }),
})

/** One unit of work: its row-major index in the grid (last axis fastest), what it reads and what it writes. */
export interface Block {
  readonly index: number
  readonly readRoi: Roi
  readonly writeRoi: Roi
}

/** A task's blocks, all of them by arithmetic on their index: nothing is stored per block. */
export interface BlockGrid extends Required<BlockGridOptions> {
  /** `totalRoi` shrunk by the context: what is to be written */
  readonly totalWriteRoi: Roi
  readonly context: Context
  readonly blockCount: number
  /** blocks per axis */
  readonly shape: Coordinate<'block'>
  /** after how many blocks the order within the task repeats, per axis; 1 on every axis when no block waits for another */
  readonly conflictStride: Coordinate<'block'>
  readonly levelCount: number
  /** what `valid` leaves unwritten at the high end of each axis, in world units; zeros for the other fits */
  readonly leftOut: Coordinate
  /** The volume of `totalWriteRoi` that no block writes, in world units cubed (or to whatever power the rank is). */
  leftOutVolume(): bigint
  /** @throws ConfigError `NO_SUCH_BLOCK` */
  block(index: number): Block
  /** Which place a block has in the order within the task: 0 goes first. @throws ConfigError `NO_SUCH_BLOCK` */
  level(index: number): number
  /** All blocks of earlier levels in conflict with this one, ascending. @throws ConfigError `NO_SUCH_BLOCK` */
  dependencies(index: number): number[]
  /** The indices of the blocks whose write Roi meets `region`, ascending; for large answers see {@link blockBox}. */
  blocksMeeting(region: Roi): number[]
  /** The same as a box of block coordinates, whatever its size; some axis has length 0 where nothing meets. */
  blockBox(region: Roi): IndexBox
  /** The indices of a box of blocks, ascending, one by one. */
  indicesOf(box: IndexBox): Generator<number>
  /** All blocks, ascending, one by one. */
  blocks(): Generator<Block>
}

/**
 * The grid of blocks of one task.
 * @param options `taskId` is for messages alone
 * @throws ConfigError `RANK_MISMATCH`, `INVALID_ROI`, `INVALID_COORDINATE`, `INVALID_CONFIG`, `WRITE_ROI_OUTSIDE_READ_ROI`,
 * `EMPTY_TOTAL_WRITE_ROI`, `NO_BLOCKS`, `TOO_MANY_BLOCKS`: one line that names the values
 */
export function createBlockGrid(options: BlockGridOptions & { readonly taskId?: string }): BlockGrid {
  const who = options.taskId === undefined ? '' : `Task "${options.taskId}": `
  const { fit = 'valid', readWriteConflict = true } = options
  const [totalRoi, readRoi, writeRoi] = checkRois(options, who)
  const context = contextOf(readRoi, writeRoi)
  if ([...context.lower, ...context.upper].some((amount) => amount < 0)) {
    throw new ConfigError(
      'WRITE_ROI_OUTSIDE_READ_ROI',
      `${who}writeRoi ${showRoi(writeRoi)} is not inside readRoi ${showRoi(readRoi)}; grow readRoi by the context.`,
    )
  }
  const totalWriteRoi = shrinkTotal(totalRoi, context, who)
  const step = writeRoi.shape
  const shape = countPerAxis(totalWriteRoi, step, fit, who)
  const blockCount = countBlocks(shape, who)
  // Refuses here, once, what would leave the whole numbers in some far block.
  const writtenEnd = combine(totalWriteRoi.offset, combine(shape, step, multiply), add)
  combine(writtenEnd, context.upper, add)
  const end = fit === 'shrink' ? roiEnd(totalWriteRoi) : writtenEnd
  const order = createConflictOrder(shape, step, context, readWriteConflict)
  const rank = shape.length

  const check = (index: number): void => {
    if (Number.isInteger(index) && index >= 0 && index < blockCount) return
    throw new ConfigError('NO_SUCH_BLOCK', `${who}there is no block ${index}; the blocks are 0 to ${blockCount - 1}.`)
  }
  const readShape = readRoi.shape
  const block = (index: number): Block => {
    check(index)
    const readOffset = new Array<number>(rank)
    const writeOffset = new Array<number>(rank)
    let cutWrite: number[] | undefined
    let cutRead: number[] | undefined
    let rest = index
    for (let axis = rank - 1; axis >= 0; axis--) {
      const length = step[axis]!
      const outer = Math.floor(rest / shape[axis]!)
      const begin = totalWriteRoi.offset[axis]! + (rest - outer * shape[axis]!) * length
      rest = outer
      writeOffset[axis] = begin
      readOffset[axis] = begin - context.lower[axis]!
      const beyond = begin + length - end[axis]!
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
  const blockBox = (region: Roi): IndexBox => {
    const begin = combine<'block'>(
      combine(maxCoordinates(region.offset, totalWriteRoi.offset), totalWriteRoi.offset, subtract),
      step,
      floorDivide,
    )
    const highest = minCoordinates(roiEnd(region), end)
    const boxEnd = combine<'block'>(combine(highest, totalWriteRoi.offset, subtract), step, ceilDivide)
    const empty = isEmptyRoi(region) || region.offset.some((low, axis) => low >= end[axis]!)
    return { begin, end: empty ? begin : combine(boxEnd, begin, Math.max) }
  }
  const box = { begin: shape.map(() => 0), end: shape } as IndexBox
  return {
    totalRoi,
    readRoi,
    writeRoi,
    fit,
    readWriteConflict,
    totalWriteRoi,
    context,
    blockCount,
    shape,
    conflictStride: order.stride,
    levelCount: order.levelCount,
    leftOut: combine(roiEnd(totalWriteRoi), end, (want, have) => Math.max(0, want - have)),
    leftOutVolume: () =>
      fit === 'valid' ? countElements(totalWriteRoi.shape) - countElements(combine(shape, step, multiply)) : 0n,
    block,
    level: (index) => {
      check(index)
      return order.level(index)
    },
    dependencies: (index) => {
      check(index)
      return order.earlier(index)
    },
    blocksMeeting: (region) => [...boxIndices(blockBox(region), shape)],
    blockBox,
    indicesOf: (part) => boxIndices(part, shape),
    *blocks() {
      for (const index of boxIndices(box, shape)) yield block(index)
    },
  }
}

const add = (a: number, b: number): number => a + b
const subtract = (a: number, b: number): number => a - b
const multiply = (a: number, b: number): number => a * b

function checkRois(options: BlockGridOptions, who: string): [Roi, Roi, Roi] {
  const { fit = 'valid' } = options
  if (fit !== 'valid' && fit !== 'overhang' && fit !== 'shrink') {
    throw new ConfigError(
      'INVALID_CONFIG',
      `${who}fit is ${JSON.stringify(fit)}; it must be valid, overhang or shrink.`,
    )
  }
  const names = ['totalRoi', 'readRoi', 'writeRoi'] as const
  for (const name of names) checkRoi(name, options[name], who)
  const rank = options.writeRoi.shape.length
  for (const name of names) {
    const { offset, shape } = options[name]
    if (offset.length !== rank || shape.length !== rank || rank === 0) {
      throw new ConfigError(
        'RANK_MISMATCH',
        `${who}${name} ${showRoi(options[name])} has ${offset.length} and ${shape.length} axes, and writeRoi ${showRoi(options.writeRoi)} has ${rank}; all need the same number, at least 1.`,
      )
    }
    if (shape.some((length) => length < 0) || (name !== 'totalRoi' && shape.some((length) => length === 0))) {
      throw new ConfigError(
        'INVALID_ROI',
        `${who}${name} ${showRoi(options[name])} has the shape ${showCoordinate(shape)}; every axis needs a length of at least 1.`,
      )
    }
  }
  return names.map((name) => roi(options[name].offset, options[name].shape)) as [Roi, Roi, Roi]
}

/** What types promise, but not every caller keeps. */
function checkRoi(name: string, value: Partial<Roi> | undefined, who: string): void {
  const { offset, shape } = value ?? {}
  if (!(Array.isArray(offset) && Array.isArray(shape))) {
    const problem = value === undefined ? 'is missing' : 'is no Roi'
    throw new ConfigError('INVALID_ROI', `${who}${name} ${problem}; give { offset: [0, 0, 0], shape: [64, 64, 64] }.`)
  }
  const isWhole = [...offset, ...shape].every(Number.isSafeInteger)
  if (isWhole && shape.every((length, axis) => Number.isSafeInteger((offset[axis] ?? 0) + length))) return
  throw new ConfigError(
    'INVALID_COORDINATE',
    `${who}${name} ${offset.join(',')}:${shape.join(',')} needs whole numbers, and an end below 2^53.`,
  )
}

function shrinkTotal(total: Roi, context: Context, who: string): Roi {
  const shape = combine<'world'>(total.shape, combine(context.lower, context.upper, add), subtract)
  if (shape.some((length) => length <= 0)) {
    throw new ConfigError(
      'EMPTY_TOTAL_WRITE_ROI',
      `${who}totalRoi ${showRoi(total)} without the context (${showCoordinate(context.lower)} below, ${showCoordinate(context.upper)} above) has the shape ${showCoordinate(shape)}, so there is nothing to write; make totalRoi larger or the context smaller.`,
    )
  }
  return { offset: combine(total.offset, context.lower, add), shape }
}

function countPerAxis(totalWrite: Roi, step: Coordinate, fit: Fit, who: string): Coordinate<'block'> {
  const shape = combine<'block'>(totalWrite.shape, step, fit === 'valid' ? floorDivide : ceilDivide)
  if (shape.some((count) => count === 0)) {
    throw new ConfigError(
      'NO_BLOCKS',
      `${who}no block of the write shape ${showCoordinate(step)} fits into ${showRoi(totalWrite)}, the total without the context, so with fit "valid" there are no blocks; use fit "shrink", or a smaller block.`,
    )
  }
  return shape
}

function countBlocks(shape: Coordinate<'block'>, who: string): number {
  const count = countBox(shape)
  if (count > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new ConfigError(
      'TOO_MANY_BLOCKS',
      `${who}${showCoordinate(shape)} are ${count} blocks, and a block's index must stay below 2^53; use larger blocks.`,
    )
  }
  return Number(count)
}
