import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { defineTask, openArray, z } from 'bellis'

/** Fills a volume of two chunks with a value. With 1, a block waits for the file `go`, and leaves what its write threw in `late`. With 3, it waits after it has written. */
export default defineTask({
  name: 'late-fill',
  module: import.meta.url,
  config: z.object({
    folder: z.string(),
    output: z.string(),
    value: z.coerce.number(),
    opens: z.enum(['worker', 'task']).default('worker'),
  }),
  async plan({ output }, { arrays }) {
    const array = await arrays.create(output, { shape: [2], dtype: 'uint8', chunkShape: [1] })
    const block = { offset: [0], shape: [1] }
    return { totalRoi: array.roi, readRoi: block, writeRoi: block, readWriteConflict: false, writes: [array] }
  },
  async setup({ folder, output, value, opens }, { arrays }) {
    const array = await (opens === 'worker' ? arrays : { open: openArray }).open(output, { mode: 'r+' })
    const file = (name: string) => join(folder, name)
    const go = async () => {
      writeFileSync(file('begun'), '')
      while (!existsSync(file('go'))) await wait(10)
    }
    return async ({ writeRoi }) => {
      if (value === 1) await go()
      const threw = await array.write(writeRoi, Uint8Array.of(value)).then(
        () => 'nothing',
        (error: Error) => error.message,
      )
      if (value === 1) writeFileSync(file('late'), threw)
      if (value === 3) await go()
      if (threw !== 'nothing') throw new Error(threw)
    }
  },
})
