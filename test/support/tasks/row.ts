import { roi } from 'bellis'

/** A row of independent blocks of one voxel. */
export const row = (blocks: number) => ({
  totalRoi: roi([0], [blocks]),
  readRoi: roi([0], [1]),
  writeRoi: roi([0], [1]),
  readWriteConflict: false,
})
