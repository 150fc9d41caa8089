import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineTask, roi, z } from 'bellis'

/** Blocks that each add their index to the file `ran`, but for those that the file `bug` names: they fail. */
export default defineTask({
  name: 'has-bug',
  module: import.meta.url,
  config: z.object({ folder: z.string(), blocks: z.number().int().positive() }),
  plan: ({ blocks }) => ({
    totalRoi: roi([0], [blocks]),
    readRoi: roi([0], [1]),
    writeRoi: roi([0], [1]),
    readWriteConflict: false,
  }),
  setup:
    ({ folder }) =>
    ({ index }) => {
      const bug = join(folder, 'bug')
      const bad = existsSync(bug) ? readFileSync(bug, 'utf8').split(' ').map(Number) : []
      if (bad.includes(index)) throw new Error(`block ${index} meets the bug`)
      appendFileSync(join(folder, 'ran'), `${index}\n`)
    },
})
