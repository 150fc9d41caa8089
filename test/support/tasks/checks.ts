import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineTask, z } from 'bellis'
import { row } from './row.ts'

/** Blocks that each create a file; a block counts as done if its file exists. */
export default defineTask({
  name: 'checks',
  module: import.meta.url,
  config: z.object({ folder: z.string(), blocks: z.number().int().positive() }),
  plan: ({ blocks }) => row(blocks),
  setup:
    ({ folder }) =>
    ({ index }) => {
      writeFileSync(join(folder, `out-${index}`), '')
      appendFileSync(join(folder, 'ran'), `${index}\n`)
    },
  isDone: ({ index }, { folder }) => existsSync(join(folder, `out-${index}`)),
})
