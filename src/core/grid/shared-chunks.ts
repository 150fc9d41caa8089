import { type Coordinate, ceilDivide, floorDivide } from '../geometry/coordinate.ts'
import type { BlockGrid } from './block-grid.ts'

/** The grid of an array's storage: chunks, or shards if it has them, which are written as a unit. World units. */
export interface StorageGrid {
  /** Start of the first chunk. */
  readonly offset: Coordinate
  /** The size of a chunk, per axis, > 0. */
  readonly chunkShape: Coordinate
}

/**
 * Looks for two blocks of one task that write into the same chunk (or shard) and may run at the same time; one of the writes
 * could be lost. Blocks in read/write conflict never run together, so they may share a chunk.
 * @returns the axes along which two such blocks are neighbours, or undefined if there are none
 */
export function findSharedChunk(grid: BlockGrid, storage: StorageGrid): readonly number[] | undefined {
  const reach = grid.shape.map((count, axis) => sharingDistance(grid, storage, axis, count))
  for (const step of stepsWithin(reach)) {
    if (!(grid.readWriteConflict && inConflict(grid, step))) return step.flatMap((by, axis) => (by === 0 ? [] : [axis]))
  }
  return undefined
}

/** The largest distance, in blocks along one axis, at which two write Rois touch the same row of chunks. */
function sharingDistance(grid: BlockGrid, storage: StorageGrid, axis: number, count: number): number {
  const width = grid.writeRoi.shape[axis] as number
  const chunk = storage.chunkShape[axis] as number
  const start = (grid.totalWriteRoi.offset[axis] as number) - (storage.offset[axis] as number)
  // The place of a block's start within its chunk repeats after this many blocks.
  const period = chunk / greatestDivisor(chunk, width)
  let farthest = 0
  for (let k = 0; k < Math.min(count - 1, period); k++) {
    const blockStart = start + k * width
    const chunkEnd = (floorDivide(blockStart + width - 1, chunk) + 1) * chunk
    farthest = Math.max(farthest, Math.min(ceilDivide(chunkEnd - blockStart, width) - 1, count - 1 - k))
  }
  return farthest
}

/** Every non-zero step of at most `reach` blocks per axis; one of each pair of opposite steps. */
function* stepsWithin(reach: readonly number[]): Generator<number[]> {
  const step = reach.map((far) => -far)
  for (;;) {
    const first = step.find((by) => by !== 0)
    if (first !== undefined && first > 0) yield [...step]
    let axis = step.length - 1
    while (axis >= 0 && step[axis] === reach[axis]) {
      step[axis] = -(reach[axis] as number)
      axis--
    }
    if (axis < 0) return
    step[axis] = (step[axis] as number) + 1
  }
}

/** Whether a block or the one `step` away reads what the other one writes. */
function inConflict(grid: BlockGrid, step: readonly number[]): boolean {
  const meets = (direction: 1 | -1) =>
    step.every((by, axis) => {
      const width = grid.writeRoi.shape[axis] as number
      const away = by * direction
      const context = (away > 0 ? grid.context.upper : grid.context.lower)[axis] as number
      return away === 0 || (Math.abs(away) - 1) * width < context
    })
  return meets(1) || meets(-1)
}

/** The largest divisor of `width` that is at most `most`; both are whole numbers from 1. */
export function largestDivisor(width: number, most: number): number {
  for (let parts = Math.max(1, Math.ceil(width / most)); parts <= width; parts++) {
    if (width % parts === 0) return width / parts
  }
  return 1
}

/** The greatest common divisor of two whole numbers, not both 0. */
export const greatestDivisor = (a: number, b: number): number => (b === 0 ? Math.abs(a) : greatestDivisor(b, a % b))
