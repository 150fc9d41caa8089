// $ bellis run examples/diamond.ts --input sample.hdf/volumes/raw --output out.zarr/volumes --workers 2
// A diamond: one copy, smoothed with a narrow and a wide Gaussian, and the difference of both.
// Blocks of the two Gaussians run side by side; a block of the difference starts when the blocks of both that it reads are done.
import { definePipeline, defineTask, roi, z } from 'bellis'
import { convert, smooth } from 'bellis/tasks'

const SIDE = 64

/** Structures wider than one Gaussian and narrower than the other; 128 means that there are none. */
export const subtract = defineTask({
  name: 'subtract',
  config: z.object({ narrow: z.string(), wide: z.string(), output: z.string() }),
  async plan(config, { arrays }) {
    const narrow = await arrays.open(config.narrow)
    const output = await arrays.create(config.output, { like: narrow, chunkShape: [SIDE, SIDE, SIDE] })
    const block = roi(
      narrow.offset,
      narrow.voxelSize.map((size) => SIDE * size),
    )
    const blocks = { totalRoi: narrow.roi, readRoi: block, writeRoi: block, fit: 'shrink' } as const
    return { ...blocks, readWriteConflict: false, writes: [output] }
  },
  async setup(config, { arrays }) {
    const [narrow, wide] = [await arrays.open(config.narrow), await arrays.open(config.wide)]
    const output = await arrays.open(config.output, { mode: 'r+' })
    return async ({ readRoi, writeRoi }, { signal }) => {
      const [a, b] = await Promise.all([narrow.read(readRoi, { signal }), wide.read(readRoi, { signal })])
      const difference = (a.data as Uint8Array).map((value, i) =>
        Math.max(0, Math.min(255, 128 + value - Number(b.data[i]))),
      )
      await output.write(writeRoi, difference)
    }
  },
})

export default definePipeline({
  name: 'diamond',
  config: z.object({
    input: z.string().describe('uint8 dataset'),
    output: z.string().describe('group for the outputs: raw, narrow, wide, and difference'),
    sigma: z.number().positive().default(1).describe('standard deviation of the narrow Gaussian, voxels'),
  }),
  tasks({ input, output, sigma }) {
    const [raw, narrow, wide] = [`${output}/raw`, `${output}/narrow`, `${output}/wide`]
    const copy = convert({ input, output: raw })
    const left = smooth({ input: raw, output: narrow, sigma }, { id: 'narrow', after: [copy] })
    const right = smooth({ input: raw, output: wide, sigma: 1.6 * sigma }, { id: 'wide', after: [copy] })
    return subtract({ narrow, wide, output: `${output}/difference` }, { after: [left, right] })
  },
})
