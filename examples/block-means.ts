// $ bellis run examples/block-means.ts --input sample.hdf/volumes/raw --folder means --workers 2
// A task whose results are not voxels but one small file per block, so it checks itself which blocks are done.
// `isDone` is called before a block, where true skips it, and after it, where false fails it.
// Delete a file, and the next run does that block again.
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineTask, roi, z } from 'bellis'

const fileOf = (folder: string, index: number) => join(folder, `${index}.json`)

export default defineTask({
  name: 'block-means',
  config: z.object({
    input: z.string().describe('dataset to measure'),
    folder: z.string().describe('folder for the results, one file per block'),
    side: z.number().int().positive().default(32).describe('voxels of a block along each axis'),
  }),
  async plan({ input, side }, { arrays }) {
    const raw = await arrays.open(input)
    const block = roi(
      raw.offset,
      raw.voxelSize.map((size) => side * size),
    )
    return { totalRoi: raw.roi, readRoi: block, writeRoi: block, fit: 'shrink', readWriteConflict: false }
  },
  async setup({ input, folder }, { arrays }) {
    const raw = await arrays.open(input)
    mkdirSync(folder, { recursive: true })
    return async ({ index, readRoi }, { signal }) => {
      const { data } = await raw.read(readRoi, { signal })
      let sum = 0
      for (const value of data) sum += Number(value)
      // Written under another name first, so that an existing file is always complete.
      const file = fileOf(folder, index)
      writeFileSync(`${file}.partial`, JSON.stringify({ ...readRoi, mean: sum / data.length }))
      renameSync(`${file}.partial`, file)
    }
  },
  isDone: ({ index }, { folder }) => existsSync(fileOf(folder, index)),
})
