import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PlacedAxis } from '../../../src/core/geometry/placement.ts'
import { overridePlacement, splitOverride, withOverride } from '../../../src/core/geometry/placement-override.ts'

const space = (name: string, more: Partial<PlacedAxis> = {}): PlacedAxis => ({ name, type: 'space', ...more })
const zyx = ['z', 'y', 'x'].map((name) => space(name, { unit: 'micrometer', scale: 2, translation: 8 }))

describe('a placement that the user gives', () => {
  it('is part of the path of a dataset, and is taken out of it again', () => {
    const override = { axes: ['z', 'y', 'x'], voxelSize: [40, 4, 4.5], offset: [-1, 0, 1e-3], unit: 'um' }
    const path = withOverride('a.h5/raw', override)
    assert.equal(path, 'a.h5/raw#axes=z,y,x&voxel-size=40,4,4.5&offset=-1,0,0.001&unit=um')
    assert.deepEqual(splitOverride(path), { path: 'a.h5/raw', override })
    assert.deepEqual(splitOverride('a#b.zarr/c#d'), { path: 'a#b.zarr/c#d' })
    assert.deepEqual(splitOverride('https://h/a.zarr?q=1#unit=um'), {
      path: 'https://h/a.zarr?q=1',
      override: { unit: 'um' },
    })
    assert.equal(withOverride('a.h5/raw', {}), 'a.h5/raw')
    for (const wrong of [
      'voxel-size=40,x',
      'unit=mm#voxel-size=9',
      'unit=mm&ofset=1',
      'unit=mm&unit=nm',
      'axes=z,z,z',
      'axes=z,,x',
    ])
      assert.throws(() => splitOverride(`a.h5/raw#${wrong}`), { code: 'INVALID_CONFIG' }, wrong)
  })

  it('replaces what it gives, and keeps the rest', () => {
    const sizes = (axes: readonly PlacedAxis[]) =>
      axes.map(({ scale, unit, translation }) => [scale, unit, translation])
    assert.deepEqual(sizes(overridePlacement('a', zyx, { voxelSize: [40, 4, 4] })), [
      [40, 'nanometer', 8],
      [4, 'nanometer', 8],
      [4, 'nanometer', 8],
    ])
    assert.deepEqual(sizes(overridePlacement('a', zyx, { unit: 'mm' })), Array(3).fill([2, 'mm', 8]))
    assert.deepEqual(sizes(overridePlacement('a', zyx, { offset: [0] })), Array(3).fill([2, 'micrometer', 0]))
    const channels = overridePlacement('a', [...zyx, space('d3')], { axes: ['z', 'y', 'x', 'c'], voxelSize: [3, 2, 1] })
    assert.deepEqual(
      channels.map(({ name, type, scale }) => [name, type, scale]),
      [
        ['z', 'space', 3],
        ['y', 'space', 2],
        ['x', 'space', 1],
        ['c', 'channel', undefined],
      ],
    )
  })

  it('has as many values as there are axes', () => {
    assert.throws(() => overridePlacement('a', zyx, { voxelSize: [1, 2] }), { code: 'RANK_MISMATCH' })
    assert.throws(() => overridePlacement('a', zyx, { axes: ['z', 'y'] }), { code: 'RANK_MISMATCH' })
  })
})
