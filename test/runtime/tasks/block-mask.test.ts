import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { roi } from '../../../src/core/geometry/roi.ts'
import { createBlockGrid } from '../../../src/core/grid/block-grid.ts'
import { isBitSet } from '../../../src/core/scheduling/bitmap.ts'
import { findMaskedBlocks } from '../../../src/runtime/tasks/block-mask.ts'
import { volumeArray } from '../../../src/runtime/volumes/volume-array.ts'
import { memoryArray } from '../../support/memory-array.ts'

/** Along x, voxels of 8 nm whose first one starts at 12 nm, of which only the third is set: from 28 nm to 36 nm. */
async function shiftedMask() {
  const axes = [{ name: 'x', type: 'space', unit: 'nanometer', scale: 8, translation: 12 }] as const
  const mask = volumeArray(memoryArray({ shape: [6], dtype: 'uint8', axes, chunkShape: [4] }))
  await mask.write(roi([28], [8]), Uint8Array.of(1))
  return mask
}

describe('a mask', () => {
  it('may have voxels that start at no multiple of their size, and none that blocks do', async () => {
    const size = roi([0], [5])
    const grid = createBlockGrid({ totalRoi: roi([15], [30]), readRoi: size, writeRoi: size, readWriteConflict: false })
    const masked = await findMaskedBlocks('copy', grid, await shiftedMask())
    const inside = [...grid.blocks()].filter(({ index }) => !isBitSet(masked, index))
    assert.deepEqual(
      inside.map(({ writeRoi }) => writeRoi.offset[0]),
      [25, 30, 35],
    )
  })
})
