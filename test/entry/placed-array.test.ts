import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { arrayStore, createArray, openArray } from '../../src/entry/arrays.ts'
import { temporaryFolder } from '../support/zarr.ts'

describe('a dataset opened with another placement', () => {
  it('has it instead of what its file says, and the same voxels', async (t) => {
    const path = join(await temporaryFolder(t), 'a.zarr/raw')
    await using made = await createArray(path, { shape: [2, 3, 4], dtype: 'uint8', voxelSize: [10, 10, 10] })
    const voxels = Uint8Array.from({ length: 24 }, (_, i) => i)
    await made.write(made.roi, voxels)
    await using placed = await openArray(`${path}#voxel-size=40,4,4&offset=80,0,-4&unit=um`)
    assert.deepEqual(placed.voxelSize, [40_000, 4000, 4000])
    assert.deepEqual(placed.offset, [80_000, 0, -4000])
    assert.deepEqual((await placed.read(placed.roi)).data, voxels)
    await using last = await openArray(`${path}#axes=z,y,c`)
    assert.deepEqual([last.shape, last.channelAxes, last.voxelSize], [[4, 2, 3], 1, [10, 10]])
    const { data } = await last.read(last.roi)
    assert.deepEqual(
      [...data],
      [0, 1, 2, 3].flatMap((c) => [0, 1, 2, 3, 4, 5].map((place) => 4 * place + c)),
    )
  })

  it('is refused where the placement can not be meant', async (t) => {
    const path = join(await temporaryFolder(t), 'a.zarr/raw')
    await using _ = await createArray(path, { shape: [2, 3, 4], dtype: 'uint8', voxelSize: [10, 10, 10] })
    await assert.rejects(openArray(`${path}#unit=furlong`), { code: 'INVALID_UNIT' })
    await assert.rejects(openArray(`${path}#unit=__proto__`), { code: 'INVALID_UNIT' })
    const output = { shape: [2], chunkShape: [2], dtype: 'uint8', axes: [] } as never
    for (const make of [arrayStore.create, arrayStore.planCreate])
      await assert.rejects(make(`${path}#voxel-size=4`, output), { code: 'INVALID_CONFIG', message: /an output has/ })
    await assert.rejects(openArray(`${path}#voxel-size=0,1,1`), { code: 'INVALID_CONFIG' })
    await assert.rejects(openArray(`${path}#voxel-size=1,1`), { code: 'RANK_MISMATCH' })
  })
})
