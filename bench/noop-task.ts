import { setTimeout } from 'node:timers/promises'
import { defineTask, z } from 'bellis'

/** Blocks that do nothing, or keep the processor busy, or wait: what is left is the cost of handing them out. */
export const noop = defineTask({
  name: 'noop',
  module: import.meta.url,
  config: z.object({ blocks: z.number(), busyMs: z.number().default(0), waitMs: z.number().default(0) }),
  plan: ({ blocks }) => ({
    totalRoi: { offset: [0], shape: [blocks] },
    readRoi: { offset: [0], shape: [1] },
    writeRoi: { offset: [0], shape: [1] },
    readWriteConflict: false,
  }),
  setup:
    ({ busyMs, waitMs }) =>
    async () => {
      if (waitMs > 0) await setTimeout(waitMs)
      for (const end = performance.now() + busyMs; busyMs > 0 && performance.now() < end; ) {}
    },
})
