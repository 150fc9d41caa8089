// This task processes every block of a volume. Workers import this file, so it only defines the task; `bellis run task.ts` runs it.
// Node runs TypeScript by stripping its types, so enums, namespaces and decorators are not available.
import { defineTask, growRoi, roi, z } from 'bellis'

/** Voxels along each side of a block and of an output chunk: no two blocks may write to the same chunk. */
const SIDE = 64
/** Voxels that a block reads beyond each side of what it writes. */
const CONTEXT = 1

export default defineTask({
  name: 'my-task',
  // Each field is a flag of `bellis run task.ts`; it is checked, and stored with the run.
  config: z.object({
    input: z.string().describe('dataset to read: sample.hdf/volumes/raw'),
    output: z.string().describe('Zarr array to write: out.zarr/edges'),
    threshold: z.number().min(0).default(20).describe('smallest difference along z that makes an edge'),
  }),
  // Called once, where the run is started: inspects the input, plans the output, and defines how it is cut into blocks.
  // Nothing is written yet.
  async plan(config, { arrays }) {
    const raw = await arrays.open(config.input)
    const output = await arrays.create(config.output, { like: raw, dtype: 'uint8', chunkShape: [SIDE, SIDE, SIDE] })
    // Rois are in world units (nm), not in voxels.
    const context = raw.voxelSize.map((size) => CONTEXT * size)
    const writeRoi = roi(
      raw.offset,
      raw.voxelSize.map((size) => SIDE * size),
    )
    return {
      totalRoi: growRoi(raw.roi, context, context), // beyond the volume, zeros are read
      readRoi: growRoi(writeRoi, context, context),
      writeRoi,
      fit: 'shrink', // the last block along each axis is cut to the volume
      readWriteConflict: false, // no block reads what another block writes
      writes: [output],
    }
  },
  // Called once per worker: opens what every block needs, and returns the function for one block.
  async setup(config, { arrays }) {
    const raw = await arrays.open(config.input)
    const output = await arrays.open(config.output, { mode: 'r+' })
    return async (block, { signal }) => {
      const { data, shape } = await raw.read(block.readRoi, { signal })
      const [depth, height, width] = shape as [number, number, number]
      const at = (z: number, y: number, x: number) => Number(data[(z * height + y) * width + x])
      const edges = new Uint8Array((depth - 2) * (height - 2) * (width - 2))
      let i = 0
      for (let z = 1; z < depth - 1; z++) {
        for (let y = 1; y < height - 1; y++) {
          for (let x = 1; x < width - 1; x++) {
            edges[i++] = Math.abs(at(z + 1, y, x) - at(z - 1, y, x)) > config.threshold ? 255 : 0
          }
        }
      }
      // An error thrown here fails the attempt; the block is tried again, and reported if every attempt fails.
      await output.write(block.writeRoi, edges, { signal })
    }
  },
})
