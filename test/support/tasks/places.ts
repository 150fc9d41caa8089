import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { definePipeline, defineTask, z } from 'bellis'
import { row } from './row.ts'

const config = z.object({ folder: z.string(), blocks: z.number().int().positive() })

/** Each block writes down the SLURM partition of its worker, or `here`. */
export const note = defineTask({
  name: 'note',
  module: import.meta.url,
  config,
  plan: ({ blocks }) => row(blocks),
  setup:
    ({ folder }) =>
    ({ index, taskId }) =>
      writeFileSync(join(folder, `at-${taskId}-${index}`), process.env.SLURM_JOB_PARTITION ?? 'here'),
})

/** Three tasks, one after the other. */
export default definePipeline({
  name: 'places',
  config,
  tasks(values) {
    const first = note(values, { id: 'prepare' })
    const second = note(values, { id: 'predict', after: [first] })
    return [first, second, note(values, { id: 'finish', after: [second] })]
  },
})
