import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { chunksMeeting, indicesOf, splitBox } from '../../../src/adapters/hdf5/chunk-boxes.ts'
import { type Roi, roi } from '../../../src/core/geometry/roi.ts'

const indices = (box: Roi<'voxel'> | Roi<'block'>) => [...indicesOf(box)].map((index) => index.join())

describe('pieces of a read', () => {
  it('tile the box, never share a chunk, and stay within the limit if they have more than one chunk', () => {
    const axis = fc.record({
      offset: fc.integer({ min: 0, max: 20 }),
      length: fc.integer({ min: 1, max: 12 }),
      chunk: fc.integer({ min: 1, max: 5 }),
    })
    fc.assert(
      fc.property(fc.array(axis, { minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 200 }), (axes, limit) => {
        const box = roi<'voxel'>(
          axes.map(({ offset }) => offset),
          axes.map(({ length }) => length),
        )
        const chunkShape = axes.map(({ chunk }) => chunk)
        const pieces = [...splitBox(box, chunkShape, limit)]
        assert.deepEqual(pieces.flatMap(indices).sort(), indices(box).sort())
        const chunks = pieces.flatMap((piece) => indices(chunksMeeting(piece, chunkShape)))
        assert.equal(new Set(chunks).size, chunks.length)
        for (const piece of pieces) {
          const one = indices(chunksMeeting(piece, chunkShape)).length === 1
          assert.ok(one || indices(piece).length <= limit)
        }
      }),
    )
  })

  it('are slabs along the slow axes, so that rows stay contiguous', () => {
    const pieces = [...splitBox(roi([0, 0, 0], [8, 4, 100]), [1, 4, 10], 900)]
    assert.deepEqual(
      pieces.map(({ offset, shape }) => [offset, shape]),
      [0, 2, 4, 6].map((z) => [
        [z, 0, 0],
        [2, 4, 100],
      ]),
    )
  })
})
