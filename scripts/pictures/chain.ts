// The run that docs/dashboard.png shows: a chain whose second task takes so long that its page can be opened meanwhile.
import { setTimeout as wait } from 'node:timers/promises'
import { definePipeline, defineTask, roi, z } from 'bellis'
import { smooth } from 'bellis/tasks'

const BLOCK = [16, 64, 64]

export const membranes = defineTask({
  name: 'membranes',
  config: z.object({
    input: z.string().describe('uint8 dataset'),
    output: z.string().describe('Zarr array to write: how much darker than its surroundings a voxel is'),
    pauseMs: z.number().int().min(0).default(300).describe('how long each block waits, ms'),
    failing: z.boolean().default(false).describe('whether blocks in one corner fail'),
  }),
  async plan({ input, output }, { arrays }) {
    const raw = await arrays.open(input)
    const made = await arrays.create(output, { like: raw, chunkShape: BLOCK })
    const block = roi(
      raw.offset,
      BLOCK.map((length, axis) => length * (raw.voxelSize[axis] ?? 1)),
    )
    const blocks = { totalRoi: raw.roi, readRoi: block, writeRoi: block, fit: 'shrink' } as const
    return { ...blocks, readWriteConflict: false, writes: [made] }
  },
  async setup({ input, output, pauseMs, failing }, { arrays }) {
    const raw = await arrays.open(input)
    const made = await arrays.open(output, { mode: 'r+' })
    return async ({ index, readRoi, writeRoi }, { signal }) => {
      await wait(pauseMs, undefined, { signal })
      if (failing && index % 16 < 2) throw new RangeError(`no membrane between ${readRoi.offset} and its neighbour`)
      const { data } = await raw.read(readRoi, { signal })
      await made.write(
        writeRoi,
        (data as Uint8Array).map((value) => Math.min(255, Math.max(0, 130 - value) * 4)),
      )
    }
  },
})

export default definePipeline({
  name: 'membranes',
  config: z.object({
    input: z.string().describe('dataset to start from'),
    output: z.string().describe('group for the outputs, soft and membranes'),
    pauseMs: z.number().int().min(0).default(300).describe('how long each block of the second task waits, ms'),
    failing: z.boolean().default(false).describe('whether blocks of the second task fail'),
  }),
  tasks({ input, output, pauseMs, failing }) {
    const [soft, made] = [`${output}/soft`, `${output}/membranes`]
    const soften = smooth({ input, output: soft, sigma: [0.5, 1.5, 1.5], blockWrite: BLOCK }, { id: 'soften' })
    return [soften, membranes({ input: soft, output: made, pauseMs, failing }, { id: 'membranes', after: [soften] })]
  },
})
