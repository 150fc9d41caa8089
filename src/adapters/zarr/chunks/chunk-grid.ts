/** The part of one chunk that lies in a box of voxels. */
export interface ChunkPart {
  /** Index of the chunk in the grid. */
  readonly index: readonly number[]
  /** Start of the part in the chunk, in voxels. */
  readonly inChunk: readonly number[]
  /** Start of the part in the box, in voxels. */
  readonly inBox: readonly number[]
  readonly shape: readonly number[]
}

/**
 * The parts of chunks that lie in a box, in row-major order.
 * @param offset of the box, ≥ 0
 */
export function* chunkParts(
  offset: readonly number[],
  shape: readonly number[],
  chunkShape: readonly number[],
): Generator<ChunkPart> {
  if (shape.includes(0)) return
  const rank = shape.length
  const first = offset.map((start, axis) => Math.floor(start / (chunkShape[axis] as number)))
  const last = offset.map((start, axis) =>
    Math.floor((start + (shape[axis] as number) - 1) / (chunkShape[axis] as number)),
  )
  const index = [...first]
  for (;;) {
    yield partOf([...index], offset, shape, chunkShape)
    let axis = rank - 1
    while (axis >= 0 && index[axis] === last[axis]) {
      index[axis] = first[axis] as number
      axis--
    }
    if (axis < 0) return
    index[axis] = (index[axis] as number) + 1
  }
}

function partOf(
  index: readonly number[],
  offset: readonly number[],
  shape: readonly number[],
  chunkShape: readonly number[],
): ChunkPart {
  const inChunk: number[] = []
  const inBox: number[] = []
  const part: number[] = []
  for (let axis = 0; axis < index.length; axis++) {
    const chunkStart = (index[axis] as number) * (chunkShape[axis] as number)
    const boxStart = offset[axis] as number
    const start = Math.max(chunkStart, boxStart)
    const end = Math.min(chunkStart + (chunkShape[axis] as number), boxStart + (shape[axis] as number))
    inChunk.push(start - chunkStart)
    inBox.push(start - boxStart)
    part.push(end - start)
  }
  return { index, inChunk, inBox, shape: part }
}

/** Chunks along each axis. */
export const gridShape = (shape: readonly number[], chunkShape: readonly number[]): number[] =>
  shape.map((length, axis) => Math.ceil(length / (chunkShape[axis] as number)))
