import { appendFileSync } from 'node:fs'
import { cropTo, defineTask, growRoi, roi, z } from 'bellis'
import { gaussianFilter } from 'bellis/kernels'

/** Smooths with sigma 2, and adds each block to the file `ran` once it is written. */
export default defineTask({
  name: 'logged-smooth',
  module: import.meta.url,
  config: z.object({ folder: z.string(), input: z.string(), output: z.string(), block: z.array(z.number()) }),
  async plan({ input, output, block }, { arrays }) {
    const raw = await arrays.open(input)
    const soft = await arrays.create(output, { like: raw, chunkShape: block })
    const world = (voxels: readonly number[]) => voxels.map((count, axis) => count * (raw.voxelSize[axis] as number))
    const writeRoi = roi(raw.offset, world(block))
    const context = world([8, 8, 8])
    return {
      totalRoi: growRoi(raw.roi, context),
      readRoi: growRoi(writeRoi, context),
      writeRoi,
      fit: 'shrink',
      readWriteConflict: false,
      writes: [soft],
    }
  },
  async setup({ folder, input, output }, { arrays }) {
    const raw = await arrays.open(input)
    const soft = await arrays.open(output, { mode: 'r+' })
    return async ({ index, readRoi, writeRoi }) => {
      const smoothed = gaussianFilter(await raw.read(readRoi), { sigma: 2, mode: 'constant' })
      await soft.write(writeRoi, cropTo(smoothed, writeRoi))
      appendFileSync(`${folder}/ran`, `${index}\n`)
    }
  },
})
