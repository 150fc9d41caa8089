// The task: what is done to every block of a volume. Workers import this file, so it only defines; `bellis run task.ts` runs it.
// Node runs TypeScript as it is, without its types: no enums, namespaces or decorators.
import { defineTask, growRoi, roi, z } from 'bellis'

/** Voxels along each side of a block, and of a chunk of the output: no two blocks may write into one chunk. */
const SIDE = 64
/** Voxels around a block that it reads besides its own. */
const CONTEXT = 1

export default defineTask({
  name: 'my-task',
  // Each field is a flag of `bellis run task.ts`, is checked, and is stored with the run.
  config: z.object({
    input: z.string().describe('dataset to read: sample.hdf/volumes/raw'),
    output: z.string().describe('Zarr array to write: out.zarr/edges'),
    threshold: z.number().min(0).default(20).describe('how much neighbours along z have to differ'),
  }),
  // Once, where the run is started: look at the input, plan the output, say how to cut it into blocks. Nothing is written yet.
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
      totalRoi: growRoi(raw.roi, context, context), // beyond the volume zeros are read
      readRoi: growRoi(writeRoi, context, context),
      writeRoi,
      fit: 'shrink', // the last block along an axis is cut to the volume
      readWriteConflict: false, // no block reads what another one writes
      writes: [output],
    }
  },
  // Once per worker: open what every block needs, return the function for one block.
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
      // What is thrown fails the block; it is tried again, and reported if it fails each time.
      await output.write(block.writeRoi, edges, { signal })
    }
  },
})
