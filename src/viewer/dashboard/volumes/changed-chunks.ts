/** A box of voxels, fastest axis first; further axes are unbounded. */
export interface VoxelBox {
  readonly lower: readonly number[]
  /** Exclusive. */
  readonly upper: readonly number[]
}

/** The message about changed chunks to the worker that fetches them, which answers once those in view have been fetched. */
export interface ChangedChunks {
  /** Neuroglancer's number of the source. */
  readonly source: number
  readonly boxes: readonly VoxelBox[]
}

export const CHANGED_CHUNKS_RPC = 'bellis.changedChunks'

/** Whether a chunk intersects a box. @param chunk its index @param chunkShape both fastest axis first */
export function meetsBox(chunk: ArrayLike<number>, chunkShape: ArrayLike<number>, { lower, upper }: VoxelBox): boolean {
  return lower.every((low, axis) => {
    const length = chunkShape[axis] ?? 1
    const start = (chunk[axis] ?? 0) * length
    return start < (upper[axis] as number) && start + length > low
  })
}

/** More boxes than this are replaced by their bounding box. */
const MAX_BOXES = 256

export function fewBoxes(boxes: readonly VoxelBox[]): readonly VoxelBox[] {
  const [first] = boxes
  if (first === undefined || boxes.length <= MAX_BOXES) return boxes
  const around = { lower: [...first.lower], upper: [...first.upper] }
  for (const { lower, upper } of boxes) {
    for (const axis of lower.keys()) {
      around.lower[axis] = Math.min(around.lower[axis] as number, lower[axis] as number)
      around.upper[axis] = Math.max(around.upper[axis] as number, upper[axis] as number)
    }
  }
  return [around]
}
