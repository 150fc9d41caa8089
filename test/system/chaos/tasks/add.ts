import { fileURLToPath } from 'node:url'
import { commandTask, roi, z } from 'bellis'

/** Half of every voxel and 100, computed in Python. */
export default commandTask({
  name: 'add',
  config: z.object({
    input: z.string(),
    output: z.string(),
    python: z.string(),
    voxelSize: z.array(z.number()).default([40, 4, 4]),
  }),
  async plan({ input, output }, { arrays }) {
    const raw = await arrays.open(input)
    const chunkShape = [8, 24, 24]
    const sum = await arrays.create(output, { like: raw, chunkShape })
    const block = roi(
      raw.offset,
      chunkShape.map((length, axis) => length * raw.voxelSize[axis]!),
    )
    return { totalRoi: raw.roi, readRoi: block, writeRoi: block, readWriteConflict: false, writes: [sum] }
  },
  command: ({ python }) => [python, fileURLToPath(new URL('add.py', import.meta.url))],
})
