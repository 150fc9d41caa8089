import { defineTask, roi, z } from 'bellis'

const line = defineTask({
  name: 'line',
  module: import.meta.url,
  config: z.object({ blocks: z.number().int().positive(), context: z.number().int() }),
  plan: ({ blocks, context }) => ({
    totalRoi: roi([-context], [blocks + 2 * context]),
    readRoi: roi([-context], [1 + 2 * context]),
    writeRoi: roi([0], [1]),
    readWriteConflict: false,
  }),
  setup: () => () => {},
})

export { line }

/** Two lines of blocks. Each block of the second reads its counterpart in the first and one block to each side. */
export default ({ blocks }: { blocks: number }) => {
  const first = line({ blocks, context: 0 }, { id: 'first' })
  return line({ blocks, context: 1 }, { id: 'second', after: [first] })
}
