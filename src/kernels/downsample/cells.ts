/** How many of a cell's voxels there are along an axis: fewer at the end. */
export const extent = (length: number, cell: number, index: number): number => Math.min(cell, length - index * cell)

/** The rows along the last axis of an array, in C order: the index on every other axis. */
export function* rowsOf(shape: readonly number[]): Generator<readonly number[]> {
  const index = new Array<number>(Math.max(0, shape.length - 1)).fill(0)
  for (;;) {
    yield index
    let axis = index.length - 1
    for (; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0
    if (axis < 0) return
  }
}

/** The places of a cell's voxels, C order; computed again only if the shape of the cell differs from the last one. */
export function cachedPlaces(strides: readonly number[]): (extents: readonly number[]) => Int32Array {
  let last = { extents: [] as readonly number[], places: new Int32Array(1) }
  return (extents) => {
    if (extents.every((length, axis) => length === last.extents[axis])) return last.places
    let places = [0]
    for (const [axis, length] of extents.entries()) {
      places = places.flatMap((place) => Array.from({ length }, (_, i) => place + i * strides[axis]!))
    }
    last = { extents, places: Int32Array.from(places) }
    return last.places
  }
}
