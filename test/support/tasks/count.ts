import { appendFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { defineTask, z } from 'bellis'
import { row } from './row.ts'

/** Blocks that each add a line to the file `ran`: their index and process id. */
export default defineTask({
  name: 'count',
  module: import.meta.url,
  config: z.object({
    folder: z.string(),
    blocks: z.number().int().positive(),
    /** How long a block waits, in milliseconds. */
    ms: z.number().default(0),
    /** A block that reports its start in the file `begun`, and continues when the file `go` exists. */
    waits: z.number().int().optional(),
  }),
  plan: ({ blocks }) => row(blocks),
  setup:
    ({ folder, ms, waits }) =>
    async ({ index }) => {
      if (ms > 0) await delay(ms)
      if (index === waits) {
        appendFileSync(join(folder, 'begun'), `${process.pid}\n`)
        while (!existsSync(join(folder, 'go'))) await delay(5)
      }
      appendFileSync(join(folder, 'ran'), `${index} ${process.pid}\n`)
    },
})
