import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { roi } from '../../../src/core/geometry/roi.ts'
import { createOptionsOf } from '../../../src/runtime/volumes/create-volume.ts'
import { cropTo, pasteInto } from '../../../src/runtime/volumes/crop.ts'
import { describeVolume, volumeArray } from '../../../src/runtime/volumes/volume-array.ts'
import { memoryArray } from '../../support/memory-array.ts'

const space = (name: string, scale: number, translation = 0) =>
  ({ name, type: 'space', unit: 'nanometer', scale, translation, translationOf: 'edge' }) as const

/** 2 channels of 3 × 4 voxels of 5 × 4.6 nm , from (10, 46) nm on, with a different value in each voxel. */
const stored = () =>
  memoryArray({
    shape: [2, 3, 4],
    dtype: 'uint16',
    fillValue: 9,
    axes: [{ name: 'c', type: 'channel' }, space('y', 5, 10), space('x', 4.6, 46)],
    data: Uint16Array.from({ length: 24 }, (_, i) => 100 + i),
  })

describe('a volume', () => {
  it('has a Roi in world units, without its channel axis', () => {
    const volume = volumeArray(stored())
    assert.deepEqual(
      [volume.voxelSize, volume.offset, volume.unit, volume.channelAxes],
      [[5000, 4600], [10000, 46000], 'pm', 1],
    )
    assert.deepEqual(volume.roi, roi([10000, 46000], [15000, 18400]))
  })

  it('reads a region with all channels, and the fill value outside the array', async () => {
    const volume = volumeArray(stored())
    const { data, shape } = await volume.read(roi([20000, 59800], [10000, 9200]))
    assert.deepEqual(shape, [2, 2, 2])
    assert.deepEqual([...data], [111, 9, 9, 9, 123, 9, 9, 9])
  })

  it('refuses an unknown element type', () => {
    const options = { shape: [4], dtype: 'uint9' as 'uint8' }
    assert.throws(() => createOptionsOf('a', options), { code: 'UNSUPPORTED', message: /"uint9" .*use one of bool, / })
  })

  it('reads into a given buffer', async () => {
    const into = new Uint16Array(24)
    const voxels = await volumeArray(stored()).read(volumeArray(stored()).roi, { into })
    assert.equal(voxels.data, into)
    assert.equal(into[23], 123)
  })

  it('writes a region and reads it back', async () => {
    const volume = volumeArray(stored())
    const region = roi([15000, 50600], [5000, 9200])
    await volume.write(region, Uint16Array.of(1, 2, 3, 4))
    assert.deepEqual([...(await volume.read(region)).data], [1, 2, 3, 4])
  })

  it('refuses a region that is not a whole number of voxels, with the voxel size in nm', async () => {
    await assert.rejects(
      volumeArray(stored()).read(roi([10000, 46000], [5000, 4000])),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'NOT_VOXEL_ALIGNED')
        assert.match(error.message, /10,46:5,4 nm.*5 × 4\.6 nm.*10, 46 nm/)
        return true
      },
    )
  })

  it('refuses data of another dtype, another number of voxels, or another shape', async () => {
    const volume = volumeArray(stored())
    const region = roi([10000, 46000], [5000, 9200])
    await assert.rejects(volume.write(region, new Uint8Array(4)), { code: 'DTYPE_MISMATCH' })
    await assert.rejects(volume.write(region, new Uint16Array(5)), { code: 'SHAPE_MISMATCH' })
    await assert.rejects(volume.write(region, { data: new Uint16Array(4), shape: [2, 2, 1] }), {
      code: 'SHAPE_MISMATCH',
    })
    await assert.rejects(volume.write(roi([0, 46000], [5000, 9200]), new Uint16Array(4)), { code: 'OUTSIDE_ARRAY' })
    await assert.rejects(volume.read(roi([10000], [5000])), { code: 'RANK_MISMATCH' })
  })

  it('can be described in a finer unit', () => {
    const volume = describeVolume(memoryArray({ shape: [2], dtype: 'uint8', axes: [space('x', 4)] }), 'pm')
    assert.deepEqual([volume.voxelSize, volume.unit], [[4000], 'pm'])
  })

  it('created like another volume has the same placement, axes and attributes', () => {
    const options = createOptionsOf('out.zarr/a', { like: volumeArray(stored()), dtype: 'float32' })
    assert.deepEqual(
      options.axes?.map(({ name, scale, translation }) => [name, scale, translation]),
      [
        ['c', undefined, undefined],
        ['y', 5, 10],
        ['x', 4.6, 46],
      ],
    )
    assert.deepEqual([options.shape, options.dtype, options.likeFill], [[2, 3, 4], 'float32', 0])
  })

  it('created like another volume does not say that the same run made it', () => {
    const like = { ...describeVolume(stored(), 'nm'), attributes: { bellis: { task: 'smooth' }, stain: 'osmium' } }
    assert.deepEqual(createOptionsOf('out.zarr/a', { like }).attributes, { stain: 'osmium' })
  })

  it('refuses a missing shape, a voxel size of 0, and a voxel size of more axes than the shape', () => {
    assert.throws(() => createOptionsOf('a', { dtype: 'uint8' }), { code: 'INVALID_CONFIG' })
    assert.throws(() => createOptionsOf('a', { dtype: 'uint8', shape: [4], voxelSize: [0] }), {
      code: 'INVALID_CONFIG',
    })
    assert.throws(() => createOptionsOf('a', { dtype: 'uint8', shape: [4], voxelSize: [1, 1] }), {
      code: 'RANK_MISMATCH',
    })
  })
})

describe('voxels in memory', () => {
  it('are cropped to a region and pasted back, with all channels', async () => {
    const volume = volumeArray(stored())
    const all = await volume.read(volume.roi)
    const region = roi([15000, 50600], [10000, 4600])
    const part = cropTo(all, region)
    assert.deepEqual(
      [part.shape, [...part.data]],
      [
        [2, 2, 1],
        [105, 109, 117, 121],
      ],
    )
    const target = { ...all, data: new Uint16Array(24) }
    pasteInto(target, part)
    assert.deepEqual([...cropTo(target, region).data], [...part.data])
    assert.equal(
      target.data.reduce((sum, value) => sum + value, 0),
      105 + 109 + 117 + 121,
    )
  })

  it('are cropped into given memory of the right type and size', async () => {
    const volume = volumeArray(stored())
    const all = await volume.read(volume.roi)
    const region = roi([15000, 50600], [10000, 4600])
    const into = new Uint16Array(4)
    assert.equal(cropTo(all, region, into).data, into)
    assert.deepEqual([...into], [105, 109, 117, 121])
    assert.throws(() => cropTo(all, region, new Uint16Array(5)), { code: 'SHAPE_MISMATCH' })
    assert.throws(() => cropTo(all, region, new Int16Array(4)), { code: 'DTYPE_MISMATCH' })
  })

  it('cannot be cropped beyond their bounds or within a voxel', async () => {
    const volume = volumeArray(stored())
    const all = await volume.read(volume.roi)
    assert.throws(() => cropTo(all, roi([0, 46000], [5000, 4600])), { code: 'OUTSIDE_ARRAY' })
    assert.throws(() => cropTo(all, roi([10000, 46000], [5000, 460])), { code: 'NOT_VOXEL_ALIGNED' })
  })
})
