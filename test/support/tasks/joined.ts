import { commandTask, roi, z } from 'bellis'

/** Blocks done by `join.mjs`, which misbehaves as given by `how`. Each worker starts it, or a test does. */
export default commandTask({
  name: 'joined',
  config: z.object({ folder: z.string(), blocks: z.number().int().positive(), how: z.string() }),
  plan: ({ blocks }) => ({
    totalRoi: roi([0], [10 * blocks]),
    readRoi: roi([0], [10]),
    writeRoi: roi([2], [6]),
    fit: 'shrink',
    readWriteConflict: false,
  }),
  command: () => [process.execPath, new URL('join.mjs', import.meta.url).pathname],
})
