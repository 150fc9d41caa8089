import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ViewAxis } from '../../src/core/view/view.ts'
import { firstPosition, layerNames } from '../../src/serving/first-view.ts'

const axis = (name: string, nm: number, lower: number, length: number): ViewAxis => ({
  name,
  scale: nm * 1e-9,
  unit: 'm',
  lower,
  upper: lower + length,
})
const axes = [axis('z', 50, 7, 20), axis('y', 4.6, 100, 256), axis('x', 4.6, 0.5, 3)]

describe('the first position', () => {
  it('is the centre of a voxel in the middle of the data', () => {
    assert.deepEqual(firstPosition(axes), [17.5, 228.5, 2])
  })

  it('is the centre of the voxel that contains a position in nm, including its low edge', () => {
    assert.deepEqual(firstPosition(axes, [350, 471.04, 2.3]), [7.5, 102.5, 1])
    // 460 is 100 voxels of 4.6, although not in binary fractions.
    assert.deepEqual(firstPosition(axes, [1349.9, 460, 6.9]), [26.5, 100.5, 2])
  })

  it('is refused outside the data, with their bounds, and with another number of axes', () => {
    assert.throws(() => firstPosition(axes, [350, 1700, 3]), /y extends from 460 to 1637\.6 nm/)
    assert.throws(() => firstPosition(axes, [1350, 460, 3]), { code: 'OUTSIDE_ARRAY' })
    assert.throws(() => firstPosition(axes, [350, 460]), { code: 'RANK_MISMATCH' })
  })
})

describe('the names of layers', () => {
  it('are the last part of the path, and more of it if two would be the same', () => {
    assert.deepEqual(layerNames(['a.zarr/volumes/raw', 'a.zarr/volumes/ids']), ['raw', 'ids'])
    assert.deepEqual(layerNames(['a.zarr/raw', 'b.zarr/raw/']), ['a.zarr/raw', 'b.zarr/raw'])
    assert.deepEqual(layerNames(['a.zarr', './a.zarr', 'a.zarr']), ['a.zarr', './a.zarr', 'a.zarr (2)'])
  })
})
