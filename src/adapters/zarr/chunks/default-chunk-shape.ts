import { BYTES_PER_ELEMENT, type DType } from '../../../core/array/dtype.ts'
import type { ArrayAxis } from '../../../ports/chunked-array.ts'

const MAX_VOXELS = 64 ** 3
const MAX_BYTES = 2 ** 20
const MAX_TILED_AXES = 3

/**
 * A chunk of at most 64³ voxels and 1 MiB, as near to a cube as the array allows: 64³ in a large 3-D volume, 512² in a large image.
 * Channels, time, and all but the last three axes in space have chunks of one.
 */
export function defaultChunkShape(shape: readonly number[], dtype: DType, axes: readonly ArrayAxis[]): number[] {
  const limit = Math.min(MAX_VOXELS, MAX_BYTES / BYTES_PER_ELEMENT[dtype])
  const chunk = shape.map(() => 1)
  const inSpace = shape.flatMap((_, axis) => (axes[axis]?.type === 'space' ? [axis] : []))
  const tiled = inSpace.slice(-MAX_TILED_AXES)
  for (let voxels = 1; ; ) {
    const growing = tiled.filter((axis) => (chunk[axis] as number) < (shape[axis] as number))
    const [axis] = growing.sort((a, b) => (chunk[a] as number) - (chunk[b] as number) || b - a)
    if (axis === undefined) return chunk
    const before = chunk[axis] as number
    const after = Math.min(2 * before, shape[axis] as number)
    voxels = (voxels / before) * after
    if (voxels > limit) return chunk
    chunk[axis] = after
  }
}
