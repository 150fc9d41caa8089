// A task whose blocks are processed in Python: TypeScript plans the volume and its blocks, smooth.py computes them.
import { fileURLToPath } from 'node:url'
import { commandTask, growRoi, roi, z } from 'bellis'

const program = fileURLToPath(new URL('smooth.py', import.meta.url))

export default commandTask({
  name: 'python-smooth',
  config: z.object({
    input: z.string().describe('Zarr array to smooth'),
    output: z.string().describe('Zarr array to write'),
    sigma: z.number().positive().default(2).describe('standard deviation in voxels'),
    block: z.number().int().positive().default(64).describe('voxels that a block writes, per axis'),
    python: z.string().default('python3').describe('a Python with numpy, SciPy and zarr'),
  }),
  async plan({ input, output, sigma, block }, { arrays }) {
    const raw = await arrays.open(input)
    const smoothed = await arrays.create(output, { like: raw, chunkShape: raw.shape.map(() => block) })
    const radius = Math.floor(4 * sigma + 0.5)
    const context = raw.voxelSize.map((size) => size * radius)
    const writeRoi = roi(
      raw.offset,
      raw.voxelSize.map((size) => size * block),
    )
    return {
      totalRoi: growRoi(raw.roi, context, context),
      readRoi: growRoi(writeRoi, context, context),
      writeRoi,
      fit: 'shrink',
      readWriteConflict: false,
      writes: [smoothed],
    }
  },
  command: ({ python }) => [python, program],
})
