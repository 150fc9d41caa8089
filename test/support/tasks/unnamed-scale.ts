import { fileURLToPath } from 'node:url'
import { commandTask, z } from 'bellis'

/** Fills a volume of two chunks with 7, by a program that writes through Bellis; the path of a precomputed volume may name no scale. */
export default commandTask({
  name: 'unnamed-scale',
  config: z.object({ output: z.string() }),
  async plan({ output }, { arrays }) {
    const array = await arrays.create(output, { shape: [4, 8, 8], dtype: 'uint8', chunkShape: [2, 8, 8] })
    const block = { offset: [0, 0, 0], shape: [2, 8, 8] }
    return { totalRoi: array.roi, readRoi: block, writeRoi: block, readWriteConflict: false, writes: [array] }
  },
  command: () => [process.execPath, fileURLToPath(new URL('unnamed-scale.mjs', import.meta.url))],
})
