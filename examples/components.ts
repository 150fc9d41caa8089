// $ bellis run examples/components.ts --input sample.hdf/volumes/raw --output dark.zarr --below 90 --workers 2
// Built-in tasks as one pipeline: smooth a volume, keep its dark voxels, and number their connected components.
import { definePipeline, z } from 'bellis'
import { label, smooth, threshold } from 'bellis/tasks'

export default definePipeline({
  name: 'components',
  config: z.object({
    input: z.string().describe('dataset to process'),
    output: z.string().describe('group for the outputs: soft, mask, and components'),
    sigma: z.number().positive().default(1).describe('standard deviation of the Gaussian, voxels'),
    below: z.number().describe('keep voxels darker than this'),
  }),
  tasks({ input, output, sigma, below }) {
    const [soft, mask] = [`${output}/soft`, `${output}/mask`]
    const smoothed = smooth({ input, output: soft, sigma })
    const kept = threshold({ input: soft, output: mask, below }, { after: [smoothed] })
    // `label` is itself a chain of four tasks; the last one writes the output.
    return [
      smoothed,
      kept,
      label({ input: mask, output: `${output}/components`, block: [32, 64, 64] }, { after: [kept] }),
    ]
  },
})
