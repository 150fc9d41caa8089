import { defineTask, z } from 'bellis'
import { planVolume } from './volume-plan.ts'

/** Blocks that do nothing. */
export const volumeTask = defineTask({
  name: 'volume',
  module: import.meta.url,
  config: z.object({ side: z.number() }),
  plan: planVolume,
  setup: async () => async () => {},
})
