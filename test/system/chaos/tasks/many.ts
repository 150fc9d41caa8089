import { defineTask, roi, z } from 'bellis'

/** Many blocks that do nothing but wait for a turn of the event loop. */
export default defineTask({
  name: 'many',
  config: z.object({ blocks: z.coerce.number().int().positive() }),
  plan: ({ blocks }) => ({
    totalRoi: roi([0], [blocks]),
    readRoi: roi([0], [1]),
    writeRoi: roi([0], [1]),
    readWriteConflict: false,
  }),
  setup: () => () => new Promise<void>((resolve) => setImmediate(resolve)),
})
