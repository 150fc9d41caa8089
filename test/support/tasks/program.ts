import { commandTask, roi, z } from 'bellis'

/** Eight blocks done by a Python program. */
export default commandTask({
  name: 'program',
  config: z.object({ python: z.string(), program: z.string(), folder: z.string() }),
  plan: () => ({ totalRoi: roi([0], [8]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false }),
  command: ({ python, program }) => [python, program],
})
