import { rowMajorStrides } from '../array/strides.ts'
import type { Coordinate } from '../geometry/coordinate.ts'

/** A half-open box of block coordinates; empty if `end` is not above `start` on some axis. */
export interface IndexBox {
  readonly start: Coordinate<'block'>
  readonly end: Coordinate<'block'>
}

/** Writes the block coordinates of a row-major index to `out`; exact for all indices below 2^53. */
export function splitIndex(index: number, shape: readonly number[], out: { [axis: number]: number }): void {
  let rest = index
  for (let axis = shape.length - 1; axis > 0; axis--) {
    // The quotient of two whole numbers below 2^53 never rounds up to the next whole number.
    const outer = Math.floor(rest / shape[axis]!)
    out[axis] = rest - outer * shape[axis]!
    rest = outer
  }
  out[0] = rest
}

/**
 * Visits the rows of a box along its last axis, each as indices [start, end), until `visit` returns false.
 * @param strides those of the grid
 */
export function everyRow(
  { start, end }: IndexBox,
  strides: readonly number[],
  visit: (start: number, end: number) => boolean,
): void {
  if (isEmptyBox({ start, end })) return
  const last = start.length - 1
  const at = [...start]
  for (;;) {
    let row = 0
    for (let axis = 0; axis < last; axis++) row += at[axis]! * strides[axis]!
    if (!visit(row + start[last]!, row + end[last]!)) return
    let axis = last - 1
    for (; axis >= 0; axis--) {
      if (++at[axis]! < end[axis]!) break
      at[axis] = start[axis]!
    }
    if (axis < 0) return
  }
}

export const isEmptyBox = ({ start, end }: IndexBox): boolean => start.some((low, axis) => low >= end[axis]!)

export const isInBox = (at: readonly number[], { start, end }: IndexBox): boolean =>
  at.every((k, axis) => k >= start[axis]! && k < end[axis]!)

/** The row-major indices of a box of blocks in a grid of this shape, ascending. */
export function* boxIndices(box: IndexBox, shape: readonly number[]): Generator<number> {
  const last = shape.length - 1
  const strides = rowMajorStrides(shape)
  if (isEmptyBox(box)) return
  const at = [...box.start]
  for (;;) {
    const row = at.reduce((index, k, axis) => (axis === last ? index : index + k * strides[axis]!), 0)
    for (let k = box.start[last]!; k < box.end[last]!; k++) yield row + k
    let axis = last - 1
    for (; axis >= 0; axis--) {
      at[axis] = at[axis]! + 1
      if (at[axis]! < box.end[axis]!) break
      at[axis] = box.start[axis]!
    }
    if (axis < 0) return
  }
}
