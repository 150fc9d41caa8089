import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fewBoxes, meetsBox } from '../../../../src/viewer/dashboard/volumes/changed-chunks.ts'

describe('the chunks that have changed', () => {
  it('are those that meet a box of voxels, and all of them along further axes', () => {
    const box = { lower: [0, 64, 32], upper: [64, 128, 64] }
    const meets = (...chunk: number[]) => meetsBox(chunk, [64, 64, 32], box)
    assert.deepEqual(
      [meets(0, 1, 1), meets(1, 1, 1), meets(0, 0, 1), meets(0, 1, 2), meets(0, 1, 0)],
      [true, false, false, false, false],
    )
    assert.equal(meetsBox([0, 1, 1, 7], [64, 64, 32, 1], box), true)
    // Chunks that are larger and smaller than the written box.
    assert.equal(meetsBox([0, 0, 0], [512, 512, 512], box), true)
    assert.equal(meetsBox([63, 64, 63], [1, 1, 1], box), true)
  })

  it('are reported as a few boxes around all of them if there are many', () => {
    const boxes = Array.from({ length: 300 }, (_, i) => ({ lower: [i, 10], upper: [i + 1, 12] }))
    assert.deepEqual(fewBoxes(boxes), [{ lower: [0, 10], upper: [300, 12] }])
    assert.equal(fewBoxes(boxes.slice(0, 9)).length, 9)
    assert.deepEqual(fewBoxes([]), [])
  })
})
