// $ bellis run examples/segment.ts --input sample.hdf/volumes/raw --output out.zarr/volumes/inside --resources cpu=4,gpu=2
// A task whose workers each need a GPU and two processors: with two GPUs in the run, at most two workers do it, each with its own.
// The "network" here is a threshold that needs no GPU: voxels as dark as a membrane are outside of all cells.
import { defineTask, roi, z } from 'bellis'

const SIDE = 64

export default defineTask({
  name: 'Segment',
  requires: { cpu: 2, gpu: 1 },
  config: z.object({
    input: z.string().describe('uint8 dataset'),
    output: z.string().describe('Zarr array to write: 1 inside cells, 0 outside'),
  }),
  async plan(config, { arrays }) {
    const raw = await arrays.open(config.input)
    const inside = await arrays.create(config.output, { like: raw, chunkShape: [SIDE, SIDE, SIDE] })
    const block = roi(
      raw.offset,
      raw.voxelSize.map((size) => SIDE * size),
    )
    const blocks = { totalRoi: raw.roi, readRoi: block, writeRoi: block, fit: 'shrink' } as const
    return { ...blocks, readWriteConflict: false, writes: [inside] }
  },
  async setup(config, { arrays, workerId, resources }) {
    const raw = await arrays.open(config.input)
    const inside = await arrays.open(config.output, { mode: 'r+' })
    const infer = loadNetwork()
    console.log(`${workerId} has its network on GPU ${resources.gpu?.[0]}`) // the output of a worker goes to its log
    return async ({ readRoi, writeRoi }, { signal }) => {
      const { data } = await raw.read(readRoi, { signal })
      await inside.write(writeRoi, infer(data as Uint8Array))
    }
  },
})

/** A real one would load weights onto the GPU. CUDA sees only the worker's own GPU, so it is GPU 0 here. */
function loadNetwork(): (voxels: Uint8Array) => Uint8Array {
  return (voxels) => voxels.map((value) => Number(value > 90))
}
