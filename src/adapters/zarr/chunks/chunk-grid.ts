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
 * The chunks along one axis: the length of each, if they are equally long, or else where each starts, and at last where the last one
 * ends, which is not before the end of the array.
 */
export type AxisChunks = number | readonly number[]

/** The index of the chunk in which a voxel of the array lies. */
export function chunkAt(chunks: AxisChunks, position: number): number {
  if (typeof chunks === 'number') return Math.floor(position / chunks)
  let [low, high] = [0, chunks.length - 1]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((chunks[middle] as number) <= position) low = middle
    else high = middle
  }
  return low
}

/** Where a chunk starts, in voxels; that of the chunk after the last one is where the last one ends. */
export const chunkStart = (chunks: AxisChunks, index: number): number =>
  typeof chunks === 'number' ? index * chunks : (chunks[index] as number)

/**
 * The parts of chunks that lie in a box, in row-major order.
 * @param offset of the box, ≥ 0
 * @param chunks of each axis
 */
export function* chunkParts(
  offset: readonly number[],
  shape: readonly number[],
  chunks: readonly AxisChunks[],
): Generator<ChunkPart> {
  if (shape.includes(0)) return
  const rank = shape.length
  const first = offset.map((start, axis) => chunkAt(chunks[axis] as AxisChunks, start))
  const last = offset.map((start, axis) => chunkAt(chunks[axis] as AxisChunks, start + (shape[axis] as number) - 1))
  const index = [...first]
  for (;;) {
    yield partOf([...index], offset, shape, chunks)
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
  chunks: readonly AxisChunks[],
): ChunkPart {
  const inChunk: number[] = []
  const inBox: number[] = []
  const part: number[] = []
  for (let axis = 0; axis < index.length; axis++) {
    const along = chunks[axis] as AxisChunks
    const start = chunkStart(along, index[axis] as number)
    const boxStart = offset[axis] as number
    const from = Math.max(start, boxStart)
    const to = Math.min(chunkStart(along, (index[axis] as number) + 1), boxStart + (shape[axis] as number))
    inChunk.push(from - start)
    inBox.push(from - boxStart)
    part.push(to - from)
  }
  return { index, inChunk, inBox, shape: part }
}

/** Chunks along each axis. */
export const gridShape = (shape: readonly number[], chunks: readonly AxisChunks[]): number[] =>
  shape.map((length, axis) => (length === 0 ? 0 : chunkAt(chunks[axis] as AxisChunks, length - 1) + 1))
