import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { defineTask, z } from 'bellis'

/** Blocks that do nothing, keep the processor busy, or wait: the rest of the time is the cost of handing them out. */
export const noop = defineTask({
  name: 'noop',
  module: import.meta.url,
  config: z.object({
    blocks: z.number(),
    busyMs: z.number().default(0),
    waitMs: z.number().default(0),
    /** An empty folder through which `workers` workers wait for each other before the first block. */
    meeting: z.string().optional(),
    workers: z.number().default(1),
  }),
  plan: ({ blocks }) => ({
    totalRoi: { offset: [0], shape: [blocks] },
    readRoi: { offset: [0], shape: [1] },
    writeRoi: { offset: [0], shape: [1] },
    readWriteConflict: false,
  }),
  setup: async ({ busyMs, waitMs, meeting, workers }) => {
    if (meeting !== undefined) {
      writeFileSync(join(meeting, String(process.pid)), '')
      while (readdirSync(meeting).length < workers) await setTimeout(2)
    }
    return async () => {
      if (waitMs > 0) await setTimeout(waitMs)
      for (const end = performance.now() + busyMs; busyMs > 0 && performance.now() < end; ) {}
    }
  },
})
