import { setTimeout as delay } from 'node:timers/promises'
import { defineTask, z } from 'bellis'
import { row } from './row.ts'

/** Blocks that all take the same time. */
export default defineTask({
  name: 'steady',
  config: z.object({ folder: z.string(), blocks: z.number().int().positive(), ms: z.number() }),
  plan: ({ blocks }) => row(blocks),
  setup:
    ({ ms }) =>
    () =>
      delay(ms),
})
