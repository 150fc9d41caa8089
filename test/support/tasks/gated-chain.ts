import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { definePipeline, defineTask, roi, z } from 'bellis'

/** The number of blocks of a task that may continue, read from a file that a test updates. */
function open(folder: string, taskId: string): number {
  try {
    return Number(readFileSync(join(folder, `gate-${taskId}`), 'utf8'))
  } catch {
    return 0
  }
}

/** Adds 100 to every voxel. Each block waits at a gate; the blocks in `fail` throw. */
export const step = defineTask({
  name: 'step',
  module: import.meta.url,
  config: z.object({
    folder: z.string(),
    input: z.string(),
    output: z.string(),
    fail: z.array(z.number().int()).default([]),
  }),
  async plan({ input, output }, { arrays }) {
    const source = await arrays.open(input)
    const target = await arrays.create(output, { like: source, chunkShape: [4, 16, 16] })
    const block = roi([0, 0, 0], [160, 64, 64])
    return { totalRoi: source.roi, readRoi: block, writeRoi: block, writes: [target] }
  },
  async setup({ folder, input, output, fail }, { arrays }) {
    const [source, target] = [await arrays.open(input), await arrays.open(output, { mode: 'r+' })]
    return async ({ index, taskId, readRoi, writeRoi }) => {
      // Blocks shorter than this would be leased several at a time.
      do await wait(60)
      while (open(folder, taskId) <= index)
      console.log(`${taskId} looks at ${index}`)
      if (fail.includes(index)) throw new Error(`no such neuron in ${index}`)
      const { data } = await source.read(readRoi)
      await target.write(
        writeRoi,
        (data as Uint8Array).map((value) => value + 100),
      )
    }
  },
})

export default definePipeline({
  name: 'gated',
  config: z.object({
    folder: z.string(),
    input: z.string(),
    output: z.string(),
    fail: z.array(z.number().int()).default([]),
  }),
  tasks({ folder, input, output, fail }) {
    const [once, twice] = [`${output}/once`, `${output}/twice`]
    const first = step({ folder, input, output: once, fail }, { id: 'Gaussian1' })
    return [first, step({ folder, input: once, output: twice }, { id: 'Gaussian2', after: [first] })]
  },
})
