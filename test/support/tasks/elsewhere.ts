import { defineTask, roi, z } from 'bellis'

/** A task whose module is named by the variable `TASK_MODULE`. */
export default defineTask({
  name: 'elsewhere',
  module: process.env.TASK_MODULE ?? '',
  config: z.object({ folder: z.string() }),
  plan: () => ({
    totalRoi: roi([0], [8]),
    readRoi: roi([0], [1]),
    writeRoi: roi([0], [1]),
    readWriteConflict: false,
  }),
  setup: () => () => {},
})
