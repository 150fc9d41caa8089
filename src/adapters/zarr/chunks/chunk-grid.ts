/** The part of one chunk that a box of voxels meets. */
export interface ChunkPart {
  /** Which chunk, in chunks. */
  readonly index: readonly number[]
  /** Where the part begins inside the chunk, in voxels. */
  readonly inChunk: readonly number[]
  /** Where it begins inside the box, in voxels. */
  readonly inBox: readonly number[]
  readonly shape: readonly number[]
}

/**
 * The parts of the chunks that a box meets, in row-major order.
 * @param offset of the box, ≥ 0
 */
export function* chunkParts(
  offset: readonly number[],
  shape: readonly number[],
  chunkShape: readonly number[],
): Generator<ChunkPart> {
  if (shape.includes(0)) return
  const rank = shape.length
  const first = offset.map((begin, axis) => Math.floor(begin / (chunkShape[axis] as number)))
  const last = offset.map((begin, axis) =>
    Math.floor((begin + (shape[axis] as number) - 1) / (chunkShape[axis] as number)),
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
    const chunkBegin = (index[axis] as number) * (chunkShape[axis] as number)
    const boxBegin = offset[axis] as number
    const begin = Math.max(chunkBegin, boxBegin)
    const end = Math.min(chunkBegin + (chunkShape[axis] as number), boxBegin + (shape[axis] as number))
    inChunk.push(begin - chunkBegin)
    inBox.push(begin - boxBegin)
    part.push(end - begin)
  }
  return { index, inChunk, inBox, shape: part }
}

/** Chunks along each axis. */
export const gridShape = (shape: readonly number[], chunkShape: readonly number[]): number[] =>
  shape.map((length, axis) => Math.ceil(length / (chunkShape[axis] as number)))
