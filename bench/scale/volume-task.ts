import { defineTask, z } from 'bellis'

/** Blocks of a volume that read some of their neighbours' output, so that neighbours may not run together. They do nothing. */
export const volumeTask = defineTask({
  name: 'volume',
  module: import.meta.url,
  config: z.object({ side: z.number() }),
  plan: ({ side }) => ({
    totalRoi: { offset: [0, 0, 0], shape: [side * 64, side * 64, side * 64] },
    readRoi: { offset: [-8, -8, -8], shape: [80, 80, 80] },
    writeRoi: { offset: [0, 0, 0], shape: [64, 64, 64] },
    fit: 'shrink',
  }),
  setup: async () => async () => {},
})
