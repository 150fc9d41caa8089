// $ bellis run examples/smooth.ts --input sample.hdf/volumes/raw --output out.zarr/volumes/smoothed --sigma 1.5
import { cropTo, defineTask, growRoi, roi } from 'bellis'
import { gaussianFilter, gaussianRadius } from 'bellis/kernels'
import { z } from 'zod'

export default defineTask({
  name: 'GaussianSmoothing',
  // The fields become flags, are checked, and are stored with the run.
  config: z.object({
    input: z.string().describe('dataset to smooth'),
    output: z.string().describe('dataset to write'),
    sigma: z.number().positive().default(2).describe('standard deviation, voxels'),
  }),
  // Called once, where the run is started: inspects the input, plans the output, and defines how it is cut into blocks.
  async plan(config, { arrays }) {
    const raw = await arrays.open(config.input)
    const output = await arrays.create(config.output, { like: raw, chunkShape: [64, 64, 64] })
    const inWorld = (voxels: number) => raw.voxelSize.map((size) => voxels * size)
    const context = inWorld(gaussianRadius(config.sigma))
    const writeRoi = roi(raw.offset, inWorld(64))
    return {
      totalRoi: growRoi(raw.roi, context, context), // beyond the volume, zeros are read
      readRoi: growRoi(writeRoi, context, context),
      writeRoi,
      fit: 'shrink',
      readWriteConflict: false,
      writes: [output],
    }
  },
  // Called once per worker: opens what every block needs (arrays, a model, a database), and returns the function for one block.
  async setup(config, { arrays }) {
    const raw = await arrays.open(config.input)
    const output = await arrays.open(config.output, { mode: 'r+' })
    return async (block, { signal }) => {
      const voxels = await raw.read(block.readRoi, { signal })
      await output.write(block.writeRoi, cropTo(gaussianFilter(voxels, { sigma: config.sigma }), block.writeRoi))
    }
  },
})
