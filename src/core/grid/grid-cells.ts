import type { Coordinate } from '../geometry/coordinate.ts'
import { isEmptyRoi, type Roi, roi, roiFrom, shiftRoi, snapRoi } from '../geometry/roi.ts'
import { boxIndices, splitIndex } from './index-box.ts'

/** The cells of a regular grid that a region meets, row by row. @param origin where one of the cells starts @param shape of a cell */
export function* cellsOf(region: Roi, origin: Coordinate, shape: Coordinate): Generator<Roi> {
  if (isEmptyRoi(region)) return
  const { offset, shape: extent } = snapRoi(roiFrom(region, origin), shape, 'grow')
  const counts = extent.map((length, axis) => length / (shape[axis] as number))
  const at = counts.map(() => 0)
  for (const index of boxIndices({ start: counts.map(() => 0), end: counts }, counts)) {
    splitIndex(index, counts, at)
    const start = offset.map((first, axis) => first + (at[axis] as number) * (shape[axis] as number))
    yield shiftRoi(roi(start, shape), origin)
  }
}
