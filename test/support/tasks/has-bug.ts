import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineTask, z } from 'bellis'
import { row } from './row.ts'

/** Blocks that each add their index to the file `ran`, except those listed in the file `bug`, which fail. */
export default defineTask({
  name: 'has-bug',
  module: import.meta.url,
  config: z.object({ folder: z.string(), blocks: z.number().int().positive() }),
  plan: ({ blocks }) => row(blocks),
  setup:
    ({ folder }) =>
    ({ index }) => {
      const bug = join(folder, 'bug')
      const bad = existsSync(bug) ? readFileSync(bug, 'utf8').split(' ').map(Number) : []
      if (bad.includes(index)) throw new Error(`block ${index} meets the bug`)
      appendFileSync(join(folder, 'ran'), `${index}\n`)
    },
})
