import { roi } from 'bellis'

/** Independent blocks of one voxel in a row. */
export const row = (blocks: number) => ({
  totalRoi: roi([0], [blocks]),
  readRoi: roi([0], [1]),
  writeRoi: roi([0], [1]),
  readWriteConflict: false,
})
