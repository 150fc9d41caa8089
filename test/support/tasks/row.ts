import { roi } from 'bellis'

/** Blocks of one voxel in a row, which do not wait for each other. */
export const row = (blocks: number) => ({
  totalRoi: roi([0], [blocks]),
  readRoi: roi([0], [1]),
  writeRoi: roi([0], [1]),
  readWriteConflict: false,
})
