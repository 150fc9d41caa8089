import { showCoordinate } from '../geometry/coordinate.ts'
import { containsRoi, type Roi, roiEnd, showRoi } from '../geometry/roi.ts'
import type { BlockGrid } from '../grid/block-grid.ts'
import type { IndexBox } from '../grid/index-box.ts'
import { isBitSet } from '../scheduling/bitmap.ts'

/** Two grids of one task, of which the later one has the blocks of the earlier one, and more. */
export interface GridGrowth {
  readonly before: BlockGrid
  readonly after: BlockGrid
  /** Added to a block's position in the earlier grid, gives that in the later one. */
  readonly shift: readonly number[]
}

/**
 * How a grid has grown.
 * @returns a reason, for people, if the blocks of the earlier grid are not blocks of the later one
 */
export function gridGrowth(before: BlockGrid, after: BlockGrid): GridGrowth | string {
  const differences = [
    compare('it writes blocks of', before.writeRoi.shape, after.writeRoi.shape),
    compare('it reads below each block', before.context.lower, after.context.lower),
    compare('it reads above each block', before.context.upper, after.context.upper),
    before.fit === after.fit ? undefined : `its fit was ${before.fit}, and is now ${after.fit}`,
    before.readWriteConflict === after.readWriteConflict ? undefined : 'its readWriteConflict is another one',
  ]
  const difference = differences.find((found) => found !== undefined)
  if (difference !== undefined) return difference
  if (!containsRoi(after.totalWriteRoi, before.totalWriteRoi)) {
    return `it wrote ${showRoi(before.totalWriteRoi)}, which is not inside ${showRoi(after.totalWriteRoi)}`
  }
  const step = before.writeRoi.shape
  const added = before.totalWriteRoi.offset.map((start, axis) => start - (after.totalWriteRoi.offset[axis] as number))
  if (added.some((amount, axis) => amount % (step[axis] as number) !== 0)) {
    return `${showCoordinate(added)} were added at the start, which are not whole blocks of ${showCoordinate(step)}`
  }
  return { before, after, shift: added.map((amount, axis) => amount / (step[axis] as number)) }
}

function compare(what: string, before: readonly number[], after: readonly number[]): string | undefined {
  if (String(before) === String(after)) return undefined
  return `${what} ${showCoordinate(after)} now, not ${showCoordinate(before)}`
}

/** A volume that a task reads, as it was and as it is. */
export interface VolumeGrowth {
  readonly before: Roi
  readonly after: Roi
}

/**
 * The blocks, as positions in the later grid, whose output is the same as it was: they write what they wrote, and read nothing that was
 * added.
 * @param inputs what the task reads, as far as it is known how large that was
 */
export function unchangedBox({ before, after, shift }: GridGrowth, inputs: readonly VolumeGrowth[] = []): IndexBox {
  const volumes = [
    { before: before.totalWriteRoi, after: after.totalWriteRoi },
    ...inputs.filter((volume) => volume.before.shape.length === shift.length),
  ]
  const perAxis = shift.map((first, axis) => {
    let [low, high] = [first, first + (before.shape[axis] as number)]
    for (const volume of volumes) {
      low = Math.max(low, firstInside(after, axis, volume))
      high = Math.min(high, endInside(after, axis, volume))
    }
    return { low, high: Math.max(low, high) }
  })
  return { start: perAxis.map(({ low }) => low), end: perAxis.map(({ high }) => high) }
}

/** The first block along an axis that reads nothing below the start that a volume had. A start that has not moved is what it was for all blocks. */
function firstInside({ totalWriteRoi, writeRoi, context }: BlockGrid, axis: number, volume: VolumeGrowth): number {
  const start = volume.before.offset[axis] as number
  if (start === volume.after.offset[axis]) return 0
  const first = start + (context.lower[axis] as number) - (totalWriteRoi.offset[axis] as number)
  return Math.ceil(first / (writeRoi.shape[axis] as number))
}

/** The end of the blocks along an axis that read nothing beyond the end that a volume had. */
function endInside({ totalWriteRoi, writeRoi, context }: BlockGrid, axis: number, volume: VolumeGrowth): number {
  const [before, after] = [volume.before, volume.after].map((roi) => roiEnd(roi)[axis] as number) as [number, number]
  if (before === after) return Number.POSITIVE_INFINITY
  const end = Math.min(before, after) - (context.upper[axis] as number) - (totalWriteRoi.offset[axis] as number)
  return Math.floor(end / (writeRoi.shape[axis] as number))
}

/**
 * The blocks that are done of those that are carried over, as a bitmap of the later grid.
 * @param box those that are carried over, as positions in the later grid
 * @param done a bitmap of the earlier grid
 */
export function carriedBits({ before, after, shift }: GridGrowth, box: IndexBox, done: Uint8Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(after.blockCount / 8))
  const earlier = {
    start: box.start.map((at, axis) => at - (shift[axis] as number)),
    end: box.end.map((at, axis) => at - (shift[axis] as number)),
  }
  const from = before.indicesOf(earlier)
  for (const place of after.indicesOf(box)) {
    const index = from.next().value as number
    if (isBitSet(done, index)) bits[(place - (place & 7)) / 8]! |= 1 << (place & 7)
  }
  return bits
}
