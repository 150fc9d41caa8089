import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { meetsRoi, roi, roiEnd } from '../../../src/core/geometry/roi.ts'
import { createBlockGrid } from '../../../src/core/grid/block-grid.ts'
import { findSharedChunk, largestDivisor } from '../../../src/core/grid/shared-chunks.ts'

const axis = fc.record({
  offset: fc.integer({ min: -20, max: 20 }),
  blocks: fc.integer({ min: 1, max: 5 }),
  rest: fc.integer({ min: 0, max: 3 }),
  width: fc.integer({ min: 1, max: 7 }),
  lower: fc.integer({ min: 0, max: 8 }),
  upper: fc.integer({ min: 0, max: 8 }),
  piece: fc.integer({ min: 1, max: 12 }),
  storage: fc.integer({ min: -15, max: 15 }),
})

describe('chunks that blocks share', () => {
  it('are found exactly where two blocks that may run at the same time write to one chunk', () =>
    fc.assert(
      fc.property(
        fc.array(axis, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        fc.constantFrom('valid', 'shrink'),
        (axes, conflict, fit) => {
          const pick = (value: (a: (typeof axes)[number]) => number) => axes.map(value)
          const grid = createBlockGrid({
            totalRoi: roi(
              pick((a) => a.offset),
              pick((a) => a.blocks * a.width + (a.rest % a.width) + a.lower + a.upper),
            ),
            readRoi: roi(
              pick(() => 0),
              pick((a) => a.lower + a.width + a.upper),
            ),
            writeRoi: roi(
              pick((a) => a.lower),
              pick((a) => a.width),
            ),
            fit,
            readWriteConflict: conflict,
          })
          const piecesOf = (index: number) => {
            const { writeRoi } = grid.block(index)
            const first = writeRoi.offset.map((value, i) =>
              Math.floor((value - (axes[i]?.storage ?? 0)) / (axes[i]?.piece ?? 1)),
            )
            const last = roiEnd(writeRoi).map((value, i) =>
              Math.floor((value - 1 - (axes[i]?.storage ?? 0)) / (axes[i]?.piece ?? 1)),
            )
            return roi(
              first,
              last.map((value, i) => value - (first[i] ?? 0) + 1),
            )
          }
          let shared = false
          for (let a = 0; a < grid.blockCount; a++) {
            for (let b = a + 1; b < grid.blockCount; b++) {
              const ordered =
                grid.readWriteConflict && (grid.dependencies(a).includes(b) || grid.dependencies(b).includes(a))
              if (!ordered && meetsRoi(piecesOf(a), piecesOf(b))) shared = true
            }
          }
          assert.equal(
            findSharedChunk(grid, { offset: pick((a) => a.storage), chunkShape: pick((a) => a.piece) }) !== undefined,
            shared,
          )
        },
      ),
      { numRuns: 500 },
    ))
})

it('largestDivisor finds the largest divisor up to a limit', () => {
  assert.equal(largestDivisor(180, 64), 60)
  assert.equal(largestDivisor(64, 64), 64)
  assert.equal(largestDivisor(61, 60), 1)
})
