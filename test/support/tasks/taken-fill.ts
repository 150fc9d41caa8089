import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { defineTask, openArray, z } from 'bellis'

/**
 * Writes 10 and 20 into the two voxels of one chunk, one after the other. The first attempt of the first block ignores its signal, and writes
 * 1 into both once the file `go` is there; what that threw is left in `late`. The other block waits for the file `end`.
 */
export default defineTask({
  name: 'taken-fill',
  module: import.meta.url,
  config: z.object({ folder: z.string(), output: z.string(), opens: z.enum(['worker', 'both']) }),
  async plan({ output }, { arrays }) {
    const array = await arrays.create(output, { shape: [2], dtype: 'uint8', chunkShape: [2] })
    const block = { offset: [0], shape: [1] }
    // Blocks that conflict never run together, so they may share a chunk.
    const readRoi = { offset: [-1], shape: [3] }
    const totalRoi = { offset: [-1], shape: [4] }
    return { totalRoi, readRoi, writeRoi: block, readWriteConflict: true, writes: [array] }
  },
  async setup({ folder, output, opens }, { arrays }) {
    const file = (name: string) => join(folder, name)
    const [array, own] = [await arrays.open(output, { mode: 'r+' }), await openArray(output, { mode: 'r+' })]
    const fill = (target: typeof array, roi: typeof array.roi, value: number) =>
      target.write(roi, new Uint8Array(roi.shape[0] as number).fill(value))
    return async ({ index, writeRoi }, { signal }) => {
      if (!existsSync(file('begun'))) {
        writeFileSync(file('begun'), String(index))
        while (!existsSync(file('go'))) await wait(10)
        const threw = []
        for (const target of opens === 'both' ? [array, own] : [array]) {
          threw.push(
            await fill(target, array.roi, 1).then(
              () => 'nothing',
              (error: Error) => error.message,
            ),
          )
        }
        writeFileSync(file('late'), threw.includes('nothing') ? 'nothing' : threw.join('\n'))
        return
      }
      await fill(array, writeRoi, 10 * (index + 1))
      if (readFileSync(file('begun'), 'utf8') === String(index)) return
      writeFileSync(file('neighbour'), '')
      while (!existsSync(file('end'))) await wait(10, undefined, { signal })
    }
  },
})
