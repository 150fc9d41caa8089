/** A box of voxels, fastest axis first; further axes are not bounded. */
export interface VoxelBox {
  readonly lower: readonly number[]
  /** Not included. */
  readonly upper: readonly number[]
}

/** Tells the worker that fetches chunks which ones are others now. */
export interface ChangedChunks {
  /** Of the source, in Neuroglancer's own numbers. */
  readonly id: number
  readonly boxes: readonly VoxelBox[]
}

export const CHANGED_CHUNKS_RPC = 'bellis.changedChunks'

/** Whether a chunk has voxels of a box. @param chunk its place among the chunks @param chunkShape both fastest axis first */
export function meetsBox(chunk: ArrayLike<number>, chunkShape: ArrayLike<number>, { lower, upper }: VoxelBox): boolean {
  return lower.every((low, axis) => {
    const length = chunkShape[axis] ?? 1
    const begin = (chunk[axis] ?? 0) * length
    return begin < (upper[axis] as number) && begin + length > low
  })
}

/** More boxes than this become one around them all. */
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
