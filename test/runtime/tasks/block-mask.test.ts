import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { roi } from '../../../src/core/geometry/roi.ts'
import { createBlockGrid } from '../../../src/core/grid/block-grid.ts'
import { isBitSet } from '../../../src/core/scheduling/bitmap.ts'
import { findMaskedBlocks, maskedBlocks } from '../../../src/runtime/tasks/block-mask.ts'
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

  it('is united with the blocks that a plan names, one bit for each', async () => {
    const size = roi([0], [5])
    const grid = createBlockGrid({ totalRoi: roi([15], [30]), readRoi: size, writeRoi: size, readWriteConflict: false })
    const mask = await shiftedMask()
    // Blocks 2 to 4 are inside the mask; block 0 and block 3 are named.
    const masked = Uint8Array.of(0b1001)
    assert.deepEqual(await maskedBlocks('copy', grid, { mask, masked }), Uint8Array.of(0b101011))
    assert.deepEqual(await maskedBlocks('copy', grid, { mask: undefined, masked }), masked)
    assert.deepEqual(await maskedBlocks('copy', grid, { mask, masked: undefined }), Uint8Array.of(0b100011))
    assert.equal(await maskedBlocks('copy', grid, { mask: undefined, masked: undefined }), undefined)
    await assert.rejects(maskedBlocks('copy', grid, { mask: undefined, masked: new Uint8Array(2) }), {
      code: 'INVALID_TASK',
      message: 'Task "copy": masked has 2 bytes; expected 1, one bit for each of its 6 blocks.',
    })
  })
})
