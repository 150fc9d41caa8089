import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { axesOfPlacement, placeAxes } from '../../../src/core/geometry/placement.ts'
import { roi } from '../../../src/core/geometry/roi.ts'
import { parseRoi, showRoiInNm } from '../../../src/core/geometry/roi-text.ts'
import { toNanometers, unitFactor } from '../../../src/core/geometry/world-unit.ts'

const space = (name: string, scale: number, more: object = {}) => ({
  name,
  type: 'space' as const,
  unit: 'nanometer',
  scale,
  ...more,
})

describe('the placement of an array', () => {
  it('uses nm if the voxel size is a whole number of nm', () => {
    assert.deepEqual(placeAxes([space('z', 40), space('y', 4), space('x', 4)]), {
      channelAxes: 0,
      voxelSize: [40, 4, 4],
      offset: [0, 0, 0],
      unit: 'nm',
    })
  })

  it('uses pm if the voxel size is 4.6 nm', () => {
    const placed = placeAxes([space('z', 50), space('y', 4.6), space('x', 4.6)])
    assert.deepEqual([placed.voxelSize, placed.unit], [[50000, 4600, 4600], 'pm'])
  })

  it('reads 4.6 that was stored as float32, or has rounding errors, as 4.6', () => {
    assert.deepEqual(placeAxes([space('x', Math.fround(4.6))]).voxelSize, [4600])
    assert.deepEqual(placeAxes([space('x', 0.1 + 0.2)]).voxelSize, [300])
  })

  it('computes the low edge from the centre of the first voxel, also for odd sizes', () => {
    const placed = placeAxes([
      space('y', 5, { translation: 102.5, translationOf: 'center' }),
      space('x', 4.605, { translation: 2.3025, translationOf: 'center' }),
    ])
    assert.deepEqual([placed.offset, placed.unit], [[100000, 0], 'pm'])
  })

  it('converts micrometres', () => {
    assert.deepEqual(placeAxes([space('x', 0.0046, { unit: 'micrometer' })]).voxelSize, [4600])
  })

  it('keeps a voxel size that is no short decimal to a femtometre', () => {
    assert.deepEqual(placeAxes([space('x', 10 / 3)]), { channelAxes: 0, voxelSize: [3333333], offset: [0], unit: 'fm' })
  })

  it('does not tile leading channels, and tiles a time axis that has a step', () => {
    assert.equal(placeAxes([{ name: 'c', type: 'channel', scale: 1 }, space('x', 4)]).channelAxes, 1)
    assert.deepEqual(
      placeAxes([{ name: 't', type: 'time', unit: 'second', scale: 0.5 }, space('x', 4)]).voxelSize,
      [500, 4000],
    )
  })

  it('is unchanged after being written and read', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e9 }),
        fc.integer({ min: -1e12, max: 1e12 }),
        fc.constantFrom('nm', 'pm', 'fm'),
        (size, offset, unit) => {
          const placement = { channelAxes: 0, voxelSize: [size], offset: [offset], unit }
          assert.deepEqual(placeAxes(axesOfPlacement(placement, ['x']), unit), placement)
        },
      ),
    ))

  it('keeps time in its own unit', () => {
    const axes = [
      { name: 't', type: 'time', unit: 'second', scale: 0.5, translation: 1, translationOf: 'edge' },
      space('x', 4, { translation: 8, translationOf: 'edge' }),
    ] as const
    assert.deepEqual(axesOfPlacement(placeAxes(axes), ['t', 'x'], axes), axes)
  })

  it('knows how many of a finer unit make one unit', () => {
    assert.equal(unitFactor('nm', 'pm'), 1000)
    assert.throws(() => unitFactor('pm', 'nm'), { code: 'INVALID_UNIT' })
  })

  it('refuses a scale that is 0, negative or NaN, and an unknown unit', () => {
    for (const scale of [0, -4, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => placeAxes([space('x', scale)]), { code: 'INVALID_METADATA' })
    }
    assert.throws(() => placeAxes([space('x', 4, { unit: 'furlong' })]), { code: 'INVALID_UNIT' })
  })
})

describe('a Roi as people write it', () => {
  const grid = { voxelSize: [50000, 4600, 4600], offset: [0, 0, 0] }

  it('is read in nm with decimals', () => {
    const read = parseRoi('0,0,0:1000,471.04,471.04', 'pm', { voxelSize: [50000, 10, 10], offset: [0, 0, 0] })
    assert.deepEqual(read, { offset: [0, 0, 0], shape: [1000000, 471040, 471040] })
    assert.equal(showRoiInNm(read, 'pm'), '0,0,0:1000,471.04,471.04')
  })

  it('is refused if it is not a whole number of voxels, with the nearest Roi that is', () => {
    assert.throws(
      () => parseRoi('0,0,0:1000,471.04,471.04', 'pm', grid),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'NOT_VOXEL_ALIGNED')
        assert.match(error.message, /0,0,0:1000,469\.2,469\.2/)
        return true
      },
    )
  })

  it('is converted to voxels relative to the offset of the array', () => {
    const read = parseRoi('100,2.3,2.3:50,4.6,4.6', 'pm', { voxelSize: [50000, 4600, 4600], offset: [0, 2300, 2300] })
    assert.deepEqual(read.offset, [100000, 2300, 2300])
  })

  it('is read in voxels of the array as a slice of NumPy', () => {
    const volume = {
      ...grid,
      offset: [100_000, 0, -4600],
      roi: roi([100_000, 0, -4600], [20 * 50_000, 460_000, 460_000]),
    }
    const voxels = (text: string) => {
      const { offset, shape } = parseRoi(text, 'pm', volume)
      const at = offset.map(
        (value, axis) => (value - (volume.offset[axis] as number)) / (grid.voxelSize[axis] as number),
      )
      return at.map((first, axis) => [first, first + (shape[axis] as number) / (grid.voxelSize[axis] as number)])
    }
    assert.deepEqual(voxels('0:20,10:30,5:6'), [
      [0, 20],
      [10, 30],
      [5, 6],
    ])
    assert.deepEqual(voxels(':, 10:, -30:-10'), [
      [0, 20],
      [10, 100],
      [70, 90],
    ])
    // An end beyond the array is not cut, so that it can be refused.
    assert.deepEqual(voxels('0:25,:,:')[0], [0, 25])
    for (const text of ['5:5,:,:', '7:3,:,:', '0:20,0:20', '0:20,0:20,0:20,0:20', '0:20:2,:,:', ':,:,1']) {
      assert.throws(() => parseRoi(text, 'pm', volume), { code: 'INVALID_ROI' }, text)
    }
    assert.throws(() => parseRoi(':,:,:', 'pm', grid), { code: 'INVALID_ROI' })
    // With one axis it is an offset and a shape, as it has always been.
    const line = { voxelSize: [10], offset: [0], roi: roi([0], [1000]) }
    assert.deepEqual(parseRoi('100:200', 'nm', line), { offset: [100], shape: [200] })
  })

  it('is refused if it has another rank or is not made of numbers', () => {
    for (const text of ['0,0:1,1', '0,0,0', 'a,0,0:1,1,1', '0,0,0:1,1,1:2']) {
      assert.throws(() => parseRoi(text, 'pm', grid), { code: 'INVALID_ROI' })
    }
  })
})

it('4600 pm are 4.6 nm, exactly as JavaScript writes 4.6', () => {
  assert.equal(toNanometers(4600, 'pm'), 4.6)
  assert.equal(toNanometers(46001, 'fm'), 0.046001)
})
