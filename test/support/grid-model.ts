import fc from 'fast-check'
import { type Roi, roi } from '../../src/core/geometry/roi.ts'
import type { BlockGridOptions, Fit } from '../../src/core/grid/grid-options.ts'

/** A block of the naive model, which follows the written semantics and uses none of the engine's arithmetic. */
export interface ModelBlock {
  readonly at: readonly number[]
  readonly level: number
  /** as handed out */
  readonly read: Roi
  readonly write: Roi
  /** before `shrink` crops it */
  readonly fullRead: Roi
}

export const meets = (a: Roi, b: Roi): boolean =>
  a.offset.every(
    (low, axis) => Math.max(low, b.offset[axis]!) < Math.min(low + a.shape[axis]!, b.offset[axis]! + b.shape[axis]!),
  )

/** All blocks of a task in row-major order, from the definition: T, R, W and the fit. */
export function modelBlocks(task: BlockGridOptions): ModelBlock[] {
  const { totalRoi, readRoi, writeRoi, fit = 'valid', readWriteConflict = true } = task
  const axes = totalRoi.offset.map((start, axis) => {
    const w = writeRoi.shape[axis]!
    const lower = writeRoi.offset[axis]! - readRoi.offset[axis]!
    const upper = readRoi.shape[axis]! - w - lower
    const writeStart = start + lower
    const writeEnd = start + totalRoi.shape[axis]! - upper
    const starts: number[] = []
    for (let at = writeStart; fit === 'valid' ? at + w <= writeEnd : at < writeEnd; at += w) starts.push(at)
    const stride = readWriteConflict ? Math.min(Math.ceil((w + Math.max(lower, upper)) / w), starts.length) : 1
    return { w, lower, upper, writeEnd, starts, stride }
  })
  // Level 0 is the lexicographically largest residue.
  const residues = axes.reduce<number[][]>(
    (known, { stride }) => known.flatMap((r) => Array.from({ length: stride }, (_, k) => [...r, k])),
    [[]],
  )
  const levels = new Map(residues.reverse().map((r, level) => [r.join(), level]))
  const places = axes.reduce<number[][]>(
    (known, { starts }) => known.flatMap((p) => starts.map((_, k) => [...p, k])),
    [[]],
  )
  return places.map((at) => {
    const start = at.map((k, axis) => axes[axis]!.starts[k]!)
    const end = start.map((b, axis) => b + axes[axis]!.w)
    const cut = end.map((e, axis) => (fit === 'shrink' ? Math.min(e, axes[axis]!.writeEnd) : e))
    const between = (low: number[], high: number[]) =>
      roi(
        low,
        high.map((h, axis) => h - low[axis]!),
      )
    const readStart = start.map((b, axis) => b - axes[axis]!.lower)
    return {
      at,
      level: levels.get(at.map((k, axis) => k % axes[axis]!.stride).join())!,
      write: between(start, cut),
      read: between(
        readStart,
        cut.map((e, axis) => e + axes[axis]!.upper),
      ),
      fullRead: between(
        readStart,
        end.map((e, axis) => e + axes[axis]!.upper),
      ),
    }
  })
}

/** Whether one of two blocks of a task reads what the other one writes. */
export const conflict = (a: ModelBlock, b: ModelBlock): boolean =>
  meets(a.fullRead, b.write) || meets(b.fullRead, a.write)

/** For each block, the earlier blocks of its task that it waits for, found by looking at every pair. */
export function modelDependencies(blocks: readonly ModelBlock[], readWriteConflict = true): number[][] {
  return blocks.map((block) =>
    blocks.flatMap((other, index) =>
      readWriteConflict && other.level < block.level && conflict(block, other) ? [index] : [],
    ),
  )
}

interface AxisDraw {
  readonly offset: number
  readonly w: number
  readonly lower: number
  readonly upper: number
  readonly total: number
  readonly place: number
}

/** One axis of a task: any offset, odd sizes, contexts of up to three blocks, totals from the minimum to several blocks. */
const axisDraw = (most: number): fc.Arbitrary<AxisDraw> =>
  fc
    .record({
      offset: fc.integer({ min: -20, max: 20 }),
      w: fc.integer({ min: 1, max: 4 }),
      lower: fc.integer({ min: 0, max: 5 }),
      upper: fc.integer({ min: 0, max: 5 }),
      extra: fc.integer({ min: 0, max: 4 * most }),
      place: fc.integer({ min: -9, max: 9 }),
    })
    .map(({ extra, ...axis }) => {
      const total = axis.lower + axis.upper + axis.w + Math.min(extra, axis.w * (most - 1) + (extra % axis.w))
      return { ...axis, total }
    })

/** The maximum number of blocks per axis, by rank. */
const mostPerAxis = [0, 14, 7, 4, 3, 2, 2]

export interface GridDraw extends Required<BlockGridOptions> {
  readonly rank: number
}

/** A task with at least one block, of this rank or of any rank from 1 to 6. */
export const anyGridOptions = (rank?: number, fit?: Fit, most?: number): fc.Arbitrary<GridDraw> =>
  (rank === undefined ? fc.integer({ min: 1, max: 6 }) : fc.constant(rank)).chain((n) =>
    fc
      .record({
        axes: fc.array(axisDraw(most ?? mostPerAxis[n]!), { minLength: n, maxLength: n }),
        fit: fit === undefined ? fc.constantFrom<Fit>('valid', 'overhang', 'shrink') : fc.constant(fit),
        readWriteConflict: fc.boolean(),
      })
      .map(({ axes, fit, readWriteConflict }) => ({
        rank: n,
        fit,
        readWriteConflict,
        totalRoi: roi(
          axes.map((a) => a.offset),
          axes.map((a) => a.total),
        ),
        readRoi: roi(
          axes.map((a) => a.place),
          axes.map((a) => a.lower + a.w + a.upper),
        ),
        writeRoi: roi(
          axes.map((a) => a.place + a.lower),
          axes.map((a) => a.w),
        ),
      })),
  )
