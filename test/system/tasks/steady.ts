import { setTimeout as delay } from 'node:timers/promises'
import { defineTask, roi, z } from 'bellis'

/** Blocks that take the same time each. */
export default defineTask({
  name: 'steady',
  config: z.object({ folder: z.string(), blocks: z.number().int().positive(), ms: z.number() }),
  plan: ({ blocks }) => ({
    totalRoi: roi([0], [blocks]),
    readRoi: roi([0], [1]),
    writeRoi: roi([0], [1]),
    readWriteConflict: false,
  }),
  setup:
    ({ ms }) =>
    () =>
      delay(ms),
})
