import { fileURLToPath } from 'node:url'
import { commandTask, z } from 'bellis'

const program = fileURLToPath(new URL('late-program.mjs', import.meta.url))

/** Fills a volume of two chunks with a value, by a program that writes the files of its chunks itself. With 1, a block waits for the file `go`. */
export default commandTask({
  name: 'late-program',
  config: z.object({
    folder: z.string(),
    output: z.string(),
    value: z.coerce.number(),
    // A shell waits for it: the system ends only the shell with the worker.
    by: z.enum(['itself', 'shell']).default('itself'),
  }),
  async plan({ output }, { arrays }) {
    const array = await arrays.create(output, { shape: [2], dtype: 'uint8', chunkShape: [1], codec: 'raw' })
    const block = { offset: [0], shape: [1] }
    return { totalRoi: array.roi, readRoi: block, writeRoi: block, readWriteConflict: false, writes: [array] }
  },
  command: ({ by }) =>
    by === 'shell' ? ['sh', '-c', `"${process.execPath}" "${program}"; exit`] : [process.execPath, program],
})
