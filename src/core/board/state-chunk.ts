/**
 * Updates a chunk of a volume that has one voxel per block; voxels outside the grid keep their values.
 * @param data the chunk's voxels, C order
 * @param at chunk index @param codes the state of each block, by index
 * @param shape blocks per axis @param chunkShape voxels per axis; all slowest axis first
 * @returns whether any voxel changed
 */
export function fillStateChunk(
  data: Uint8Array,
  at: readonly number[],
  codes: Uint8Array,
  shape: readonly number[],
  chunkShape: readonly number[],
): boolean {
  const last = shape.length - 1
  const width = chunkShape[last] as number
  const start = (at[last] as number) * width
  const count = Math.min(width, (shape[last] as number) - start)
  let isChanged = false
  for (let row = 0; row * width < data.length; row++) {
    let rest = row
    let index = start
    let stride = shape[last] as number
    let isInside = true
    for (let axis = last - 1; axis >= 0; axis--) {
      const length = chunkShape[axis] as number
      const place = (at[axis] as number) * length + (rest % length)
      rest = Math.floor(rest / length)
      if (place >= (shape[axis] as number)) isInside = false
      index += place * stride
      stride *= shape[axis] as number
    }
    if (!isInside) continue
    for (let i = 0; i < count; i++) {
      const code = codes[index + i] ?? 0
      if (data[row * width + i] === code) continue
      data[row * width + i] = code
      isChanged = true
    }
  }
  return isChanged
}
