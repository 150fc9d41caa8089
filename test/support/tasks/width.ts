import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineTask, roi, z } from 'bellis'

/** Blocks whose width is read from a file, so the grid depends on data that is not in the configuration. */
export default defineTask({
  name: 'width',
  module: import.meta.url,
  config: z.object({ folder: z.string(), blocks: z.number().int().positive() }),
  plan({ folder, blocks }) {
    const width = Number(readFileSync(join(folder, 'width'), 'utf8'))
    return {
      totalRoi: roi([0], [blocks]),
      readRoi: roi([0], [width]),
      writeRoi: roi([0], [width]),
      readWriteConflict: false,
    }
  },
  setup: () => () => {},
})
