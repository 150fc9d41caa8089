import { ConfigError } from '../errors.ts'
import {
  addCoordinates,
  assertSameRank,
  type Coordinate,
  ceilDivide,
  combine,
  coordinate,
  equalCoordinates,
  floorDivide,
  maxCoordinates,
  minCoordinates,
  showCoordinate,
  subtractCoordinates,
  type Unit,
} from './coordinate.ts'

/**
 * A half-open box: from `offset` up to `offset + shape`, exclusive. Plain data, never changed. In a text it is `0,0,0:20,256,384`, unless it
 * was written as a literal: in the unit in which it counts, that of the arrays of a task; `showRoiInNm` is in nm.
 */
export interface Roi<U extends Unit = 'world'> {
  readonly offset: Coordinate<U>
  readonly shape: Coordinate<U>
}

/** How far a read Roi exceeds its write Roi, at the low and at the high end of each axis; never negative. */
export interface Context<U extends Unit = 'world'> {
  readonly lower: Coordinate<U>
  readonly upper: Coordinate<U>
}

/** Not enumerable, so that a Roi stays plain data where it is compared, copied, sent or printed as JSON. */
const TEXT: PropertyDescriptor = {
  value(this: Roi<Unit>) {
    return showRoi(this)
  },
}

/** A Roi from parts that need no check. */
export const makeRoi = <U extends Unit>(offset: Coordinate<U>, shape: Coordinate<U>): Roi<U> =>
  Object.defineProperty({ offset, shape }, 'toString', TEXT)

/**
 * A Roi from its offset and shape.
 * @throws ConfigError `RANK_MISMATCH`, `INVALID_COORDINATE`, `INVALID_ROI` (a negative shape)
 */
export function roi<U extends Unit = 'world'>(offset: readonly number[], shape: readonly number[]): Roi<U> {
  assertSameRank(offset, shape, 'offset and shape of a Roi')
  if (shape.some((length) => length < 0)) {
    throw new ConfigError('INVALID_ROI', `The shape of a Roi is ${showCoordinate(shape)}; expected lengths from 0.`)
  }
  return makeRoi(coordinate<U>(offset), coordinate<U>(shape))
}

/** A Roi from its low corner and its high corner, exclusive; empty if `end` lies before `start` on some axis. */
export function roiBetween<U extends Unit>(start: Coordinate<U>, end: Coordinate<U>): Roi<U> {
  return makeRoi(
    start,
    combine<U>(end, start, (e, b) => Math.max(0, e - b)),
  )
}

/** The high corner, exclusive: `offset + shape`. */
export const roiEnd = <U extends Unit>(r: Roi<U>): Coordinate<U> => addCoordinates(r.offset, r.shape)

/** Whether a Roi contains nothing: its shape is 0 on some axis. */
export const isEmptyRoi = (r: Roi<Unit>): boolean => r.shape.some((length) => length === 0)

/** Whether two Rois have the same offset and the same shape. */
export const equalRois = <U extends Unit>(a: Roi<U>, b: Roi<U>): boolean =>
  equalCoordinates(a.offset, b.offset) && equalCoordinates(a.shape, b.shape)

/** The intersection of two Rois; its shape is 0 on the axes on which they don't overlap. */
export const intersectRoi = <U extends Unit>(a: Roi<U>, b: Roi<U>): Roi<U> =>
  roiBetween(maxCoordinates(a.offset, b.offset), minCoordinates(roiEnd(a), roiEnd(b)))

/** Whether two Rois share at least one element. */
export const meetsRoi = <U extends Unit>(a: Roi<U>, b: Roi<U>): boolean => !isEmptyRoi(intersectRoi(a, b))

/** The smallest Roi that covers both; an empty Roi adds nothing. */
export function uniteRoi<U extends Unit>(a: Roi<U>, b: Roi<U>): Roi<U> {
  if (isEmptyRoi(a)) return b
  if (isEmptyRoi(b)) return a
  return roiBetween(minCoordinates(a.offset, b.offset), maxCoordinates(roiEnd(a), roiEnd(b)))
}

/** Whether `inner` lies completely inside `outer`; an empty Roi lies inside every Roi. */
export const containsRoi = <U extends Unit>(outer: Roi<U>, inner: Roi<U>): boolean =>
  isEmptyRoi(inner) || equalRois(intersectRoi(outer, inner), inner)

/** A Roi moved by `by`. @throws ConfigError `RANK_MISMATCH` */
export const shiftRoi = <U extends Unit>(r: Roi<U>, by: Coordinate<U>): Roi<U> =>
  makeRoi(addCoordinates(r.offset, by), r.shape)

/** A Roi relative to `origin`. */
export const roiFrom = <U extends Unit>(r: Roi<U>, origin: Coordinate<U>): Roi<U> =>
  makeRoi(subtractCoordinates(r.offset, origin), r.shape)

/**
 * A Roi grown by `lower` at the low end and by `upper` at the high end of each axis; negative amounts shrink it, until it is
 * empty. `upper` defaults to `lower`.
 */
export function growRoi<U extends Unit>(r: Roi<U>, lower: Coordinate<U>, upper: Coordinate<U> = lower): Roi<U> {
  return roiBetween(subtractCoordinates(r.offset, lower), addCoordinates(roiEnd(r), upper))
}

/**
 * A Roi whose ends are multiples of `grid`: the smallest that covers `r` (grow), the largest inside it (shrink), or with each
 * end moved to the closest multiple.
 * @throws ConfigError `RANK_MISMATCH`
 * @see funlib.geometry `Roi.snap_to_grid`
 */
export function snapRoi<U extends Unit>(r: Roi<U>, grid: Coordinate<U>, mode: 'grow' | 'shrink' | 'closest'): Roi<U> {
  const down = (value: number, step: number) => floorDivide(value, step) * step
  const up = (value: number, step: number) => ceilDivide(value, step) * step
  const near = (value: number, step: number) => floorDivide(2 * value + step, 2 * step) * step
  switch (mode) {
    case 'grow':
      return roiBetween(combine<U>(r.offset, grid, down), combine<U>(roiEnd(r), grid, up))
    case 'shrink':
      return roiBetween(combine<U>(r.offset, grid, up), combine<U>(roiEnd(r), grid, down))
    case 'closest':
      return roiBetween(combine<U>(r.offset, grid, near), combine<U>(roiEnd(r), grid, near))
    default:
      mode satisfies never
      throw new ConfigError('INVALID_CONFIG', `The snap mode is "${mode}"; expected "grow", "shrink" or "closest".`)
  }
}

/** Whether both ends of a Roi are multiples of `step`. */
export const isAlignedRoi = <U extends Unit>(r: Roi<U>, step: Coordinate<U>): boolean =>
  [r.offset, r.shape].every((part) => combine(part, step, (value, s) => value % s).every((rest) => rest === 0))

/**
 * The smallest voxel region that covers a world region.
 * @param region world units, any alignment
 * @param voxelSize world units per voxel, one per axis, all > 0
 * @returns array indices; the offset is rounded down and the end is rounded up
 * @throws ConfigError `RANK_MISMATCH`
 * @see funlib.geometry `Roi.snap_to_grid(mode="grow")`
 */
export function toVoxels(region: Roi<'world'>, voxelSize: Coordinate<'world'>): Roi<'voxel'> {
  return roiBetween(
    combine<'voxel'>(region.offset, voxelSize, floorDivide),
    combine<'voxel'>(roiEnd(region), voxelSize, ceilDivide),
  )
}

/** The world region of a voxel region. @param voxelSize world units per voxel, one per axis */
export function fromVoxels(region: Roi<'voxel'>, voxelSize: Coordinate<'world'>): Roi<'world'> {
  const scale = (value: number, size: number) => value * size
  return makeRoi(combine<'world'>(region.offset, voxelSize, scale), combine<'world'>(region.shape, voxelSize, scale))
}

/** The context of a block: how far `read` exceeds `write`; negative if `write` is not inside `read`. */
export const contextOf = <U extends Unit>(read: Roi<U>, write: Roi<U>): Context<U> => ({
  lower: subtractCoordinates(write.offset, read.offset),
  upper: subtractCoordinates(roiEnd(read), roiEnd(write)),
})

/** A Roi as users read and write it: `0,0,0:20,256,384`. */
export const showRoi = (r: Roi<Unit>): string => `${r.offset.join(',')}:${r.shape.join(',')}`

/** A Roi in voxels as users read and write it, a slice of NumPy: `0:20,100:200,100:200`. */
export const showSlice = ({ offset, shape }: Roi<Unit>): string =>
  offset.map((start, axis) => `${start}:${start + (shape[axis] as number)}`).join(',')
