// $ bellis run examples/chain.ts --input sample.hdf/volumes/raw --output out.zarr/volumes --workers 2
// Two Gaussians in a chain: a block of Gaussian2 starts as soon as the blocks of Gaussian1 that it reads are done.
import { definePipeline, z } from 'bellis'
import { smooth } from 'bellis/tasks'

export default definePipeline({
  name: 'chain',
  config: z.object({
    input: z.string().describe('dataset to smooth'),
    output: z.string().describe('group for the outputs, once and twice'),
    sigma: z.number().positive().default(1).describe('standard deviation of both Gaussians, voxels'),
    blockWrite: z.array(z.number().int().positive()).optional().describe('voxels that a block writes'),
  }),
  tasks({ input, output, sigma, blockWrite }) {
    const [once, twice] = [`${output}/once`, `${output}/twice`]
    const gaussian1 = smooth({ input, output: once, sigma, blockWrite }, { id: 'Gaussian1' })
    const gaussian2 = smooth({ input: once, output: twice, sigma, blockWrite }, { id: 'Gaussian2', after: [gaussian1] })
    return [gaussian1, gaussian2]
  },
})
