import {
  type Coordinate,
  ceilDivide,
  combine,
  countElements,
  floorDivide,
  type Unit,
} from '../../core/geometry/coordinate.ts'
import { isEmptyRoi, type Roi, roi, roiBetween, roiEnd } from '../../core/geometry/roi.ts'

/** The chunks that a box of voxels meets, as indices in the array's chunk grid. */
export const chunksMeeting = (box: Roi<'voxel'>, chunkShape: Coordinate<'voxel'>): Roi<'block'> =>
  roiBetween(
    combine<'block'>(box.offset, chunkShape, floorDivide),
    combine<'block'>(roiEnd(box), chunkShape, ceilDivide),
  )

/** All voxels of a box of chunks, including those beyond the array's end. */
export const voxelsOfChunks = (chunks: Roi<'block'>, chunkShape: Coordinate<'voxel'>): Roi<'voxel'> => ({
  offset: combine<'voxel'>(chunks.offset, chunkShape, (index, length) => index * length),
  shape: combine<'voxel'>(chunks.shape, chunkShape, (count, length) => count * length),
})

/**
 * Cuts a box into pieces of at most `limit` elements, along the slow axes first, never through a chunk, so that no chunk is
 * decoded twice. A piece that is a single chunk may exceed the limit.
 */
export function* splitBox(box: Roi<'voxel'>, chunkShape: Coordinate<'voxel'>, limit: number): Generator<Roi<'voxel'>> {
  const chunks = chunksMeeting(box, chunkShape)
  const axis = chunks.shape.findIndex((length) => length > 1)
  if (axis === -1 || countElements(box.shape) <= BigInt(Math.floor(limit))) {
    yield box
    return
  }
  const middle = (chunks.offset[axis]! + Math.ceil(chunks.shape[axis]! / 2)) * chunkShape[axis]!
  for (const half of halves(box, axis, middle)) yield* splitBox(half, chunkShape, limit)
}

function halves<U extends Unit>(box: Roi<U>, axis: number, at: number): [Roi<U>, Roi<U>] {
  const end = roiEnd(box)[axis]!
  const start = box.offset[axis]!
  return [
    roi(box.offset, box.shape.with(axis, at - start)),
    roi(box.offset.with(axis, at), box.shape.with(axis, end - at)),
  ]
}

/** The first or last layer of a box along an axis, and the rest of the box. */
export function cutFace<U extends Unit>(
  box: Roi<U>,
  axis: number,
  end: 'low' | 'high',
): { face: Roi<U>; rest: Roi<U> } {
  const start = box.offset[axis]!
  const length = box.shape[axis]!
  if (end === 'low') {
    const [face, rest] = halves(box, axis, start + 1)
    return { face, rest }
  }
  const [rest, face] = halves(box, axis, start + length - 1)
  return { face, rest }
}

/** All indices of a box, last axis fastest. */
export function* indicesOf(box: Roi<Unit>): Generator<number[]> {
  if (isEmptyRoi(box)) return
  const end = roiEnd(box)
  const index = [...box.offset]
  for (;;) {
    yield [...index]
    let axis = index.length - 1
    while (axis >= 0 && ++index[axis]! === end[axis]) index[axis] = box.offset[axis--]!
    if (axis < 0) return
  }
}
