// A task of your own that exchanges light and dark in every block of a volume.
// Workers import this file and find the task among its exports, so the file only defines it; run-invert.ts starts a run.
import { ConfigError, defineTask, roi, z } from 'bellis'

export default defineTask({
  name: 'invert',
  config: z.object({
    input: z.string().describe('uint8 dataset to invert'),
    output: z.string().describe('Zarr array to write'),
  }),
  // Called once, where the run is started: inspects the input, plans the output, and defines how it is cut into blocks.
  async plan(config, { arrays }) {
    const raw = await arrays.open(config.input)
    if (raw.dtype !== 'uint8') {
      throw new ConfigError('DTYPE_MISMATCH', `${raw.path} is ${raw.dtype}; expected uint8.`)
    }
    const inverted = await arrays.create(config.output, { like: raw, chunkShape: [64, 64, 64] })
    const voxels = [128, 128, 128]
    const block = roi(
      raw.offset,
      voxels.map((length, axis) => length * raw.voxelSize[axis]!),
    )
    return {
      totalRoi: raw.roi,
      readRoi: block,
      writeRoi: block,
      fit: 'shrink',
      readWriteConflict: false,
      writes: [inverted],
    }
  },
  // Called once per worker: opens what every block needs, and returns the function for one block.
  async setup(config, { arrays }) {
    const raw = await arrays.open(config.input)
    const inverted = await arrays.open(config.output, { mode: 'r+' })
    return async (block, { signal }) => {
      const { data } = await raw.read(block.readRoi, { signal })
      await inverted.write(
        block.writeRoi,
        (data as Uint8Array).map((value) => 255 - value),
      )
    }
  },
})
