import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { meetsRoi, roi } from '../../../src/core/geometry/roi.ts'
import { createBlockGrid } from '../../../src/core/grid/block-grid.ts'
import { boxIndices } from '../../../src/core/grid/index-box.ts'
import { MaskedBlocks } from '../../../src/core/grid/masked-blocks.ts'
import { isBitSet } from '../../../src/core/scheduling/bitmap.ts'

const axis = fc.record({
  offset: fc.integer({ min: -20, max: 20 }),
  length: fc.integer({ min: 8, max: 30 }),
  width: fc.integer({ min: 1, max: 7 }),
  context: fc.integer({ min: 0, max: 3 }),
  start: fc.integer({ min: -30, max: 40 }),
  voxels: fc.integer({ min: 1, max: 6 }),
  size: fc.integer({ min: 1, max: 9 }),
})

describe('the blocks outside a mask', () => {
  it('are those that write nothing in a voxel that is not 0, whatever the voxel size of the mask', () =>
    fc.assert(
      fc.property(
        fc.array(axis, { minLength: 1, maxLength: 3 }),
        fc.constantFrom('valid', 'shrink', 'overhang'),
        fc.infiniteStream(fc.boolean()),
        (axes, fit, values) => {
          const pick = (value: (a: (typeof axes)[number]) => number) => axes.map(value)
          const grid = createBlockGrid({
            totalRoi: roi(
              pick((a) => a.offset),
              pick((a) => Math.max(a.length, a.width + 2 * a.context)),
            ),
            readRoi: roi(
              pick((a) => -a.context),
              pick((a) => a.width + 2 * a.context),
            ),
            writeRoi: roi(
              pick(() => 0),
              pick((a) => a.width),
            ),
            fit,
            readWriteConflict: false,
          })
          const shape = pick((a) => a.voxels)
          const count = shape.reduce((product, length) => product * length, 1)
          const data = Array.from({ length: count }, () => (values.next().value ? 3 : 0))
          const inside = [...boxIndices({ start: shape.map(() => 0), end: shape }, shape)].flatMap((_, voxel) => {
            if (data[voxel] === 0) return []
            let rest = voxel
            const at = shape.map(() => 0)
            for (let a = shape.length - 1; a >= 0; a--) {
              at[a] = rest % (shape[a] as number)
              rest = Math.floor(rest / (shape[a] as number))
            }
            const offset = axes.map(({ start, size }, a) => start + (at[a] as number) * size)
            return [
              roi(
                offset,
                pick((a) => a.size),
              ),
            ]
          })
          const found = new MaskedBlocks(grid)
          const region = roi(
            pick((a) => a.start),
            pick((a) => a.voxels * a.size),
          )
          found.add({ data, roi: region, voxelSize: pick((a) => a.size) })
          for (const { index, writeRoi } of grid.blocks()) {
            assert.equal(
              isBitSet(found.bits, index),
              !inside.some((voxel) => meetsRoi(voxel, writeRoi)),
              `block ${index}`,
            )
          }
          assert.equal(found.bits.length, Math.ceil(grid.blockCount / 8))
          const isOpen = [...grid.blocks()].some(
            ({ index, writeRoi }) => isBitSet(found.bits, index) && meetsRoi(region, writeRoi),
          )
          assert.equal(found.isOpen(region), isOpen)
        },
      ),
    ))
})
