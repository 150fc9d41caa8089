import assert from 'node:assert/strict'
import { renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { hdf5Format } from '../../../src/adapters/hdf5/hdf5-format.ts'
import { voxelSizeIn } from '../../../src/adapters/hdf5/layouts/big-data-viewer-xml.ts'
import { placeAxes } from '../../../src/core/geometry/placement.ts'
import { openArray } from '../../../src/entry/arrays.ts'
import { pythonOrSkip, runPython } from '../../support/python.ts'
import { countOf, temporaryFolder } from '../../support/zarr.ts'

const format = hdf5Format()

describe('HDF5 as programs for microscopes lay it out', () => {
  it('has the voxel size, offset and extent of Imaris', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    await runPython(python, new URL('make-layouts.py', import.meta.url), [folder])
    const path = join(folder, 'image.ims')
    await using array = await openArray(`${path}/DataSet/ResolutionLevel 0/TimePoint 0/Channel 0/Data`)
    assert.deepEqual(
      [array.shape, array.voxelSize, array.offset],
      [
        [5, 6, 7],
        [500, 500, 500],
        [1500, 10_000, -3500],
      ],
    )
    assert.deepEqual(
      [...((await array.read(array.roi)).data as Uint16Array)],
      Array.from({ length: 210 }, (_, i) => i),
    )
    // What fills up the chunks of the file is no part of the image.
    const stored = await format.open(path, 'DataSet/ResolutionLevel 0/TimePoint 0/Channel 0/Data')
    const beyond = new Uint16Array(3 * 3 * 3).fill(0xa5a5)
    await stored.readVoxels({ offset: [4, 5, 6], shape: [3, 3, 3] }, beyond)
    assert.deepEqual([...beyond], [209, ...Array(26).fill(0)])
    await stored.readVoxels({ offset: [5, 0, 0], shape: [3, 3, 3] }, beyond)
    assert.deepEqual([...beyond], Array(27).fill(0))
    await using coarse = await openArray(`${path}/DataSet/ResolutionLevel 1/TimePoint 0/Channel 0/Data`)
    assert.deepEqual([coarse.shape, coarse.unit, coarse.voxelSize[2]], [[3, 3, 4], 'fm', 875_000_000])
  })

  it('has the voxel size and the unsigned voxels of BigDataViewer', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    await runPython(python, new URL('make-layouts.py', import.meta.url), [folder])
    const read = async (inner: string) => {
      await using array = await format.open(join(folder, 'data.h5'), inner)
      const into = new Uint16Array(countOf(array.shape))
      assert.equal(array.dtype, 'uint16')
      await array.readVoxels({ offset: [0, 0, 0], shape: array.shape }, into)
      return { into, ...placeAxes(array.axes), warnings: array.warnings }
    }
    const fine = await read('t00000/s00/0/cells')
    assert.deepEqual(
      [fine.voxelSize, fine.into[0], fine.into[209], fine.warnings],
      [[500, 200, 100], 40_000, 40_209, []],
    )
    assert.deepEqual((await read('t00000/s00/1/cells')).voxelSize, [500, 400, 200])
    const pixels = await read('t00000/s01/0/cells')
    assert.deepEqual(pixels.voxelSize, [3, 1, 1])
    assert.match(pixels.warnings?.join() ?? '', /"pixel" is not a unit of length/)
    renameSync(join(folder, 'data.xml'), join(folder, 'elsewhere.xml'))
    assert.deepEqual((await read('t00000/s00/1/cells')).voxelSize, [1, 2, 2])
    symlinkSync('elsewhere.xml', join(folder, 'data.xml'))
    assert.deepEqual((await read('t00000/s00/1/cells')).voxelSize, [500, 400, 200])
  })

  it('V7: reads no XML file of BigDataViewer that a link puts elsewhere', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const [folder, other] = [await temporaryFolder(t), await temporaryFolder(t)]
    await runPython(python, new URL('make-layouts.py', import.meta.url), [folder])
    renameSync(join(folder, 'data.xml'), join(other, 'data.xml'))
    symlinkSync(join(other, 'data.xml'), join(folder, 'data.xml'))
    await assert.rejects(format.open(join(folder, 'data.h5'), 't00000/s00/0/cells'), {
      code: 'UNSUPPORTED',
      message: /voxel size leads to .*data\.xml", outside the folder of the file.*--allow-external/,
    })
    await using array = await format.open(join(folder, 'data.h5'), 't00000/s00/0/cells', { allowExternal: true })
    assert.deepEqual(placeAxes(array.axes).voxelSize, [500, 200, 100])
  })
})

describe('the XML file of BigDataViewer', () => {
  const view = (id: string, size: string, unit = 'um') =>
    `<ViewSetup><id>${id}</id><size>9 9 9</size><voxelSize><unit>${unit}</unit><size>${size}</size></voxelSize></ViewSetup>`
  const xml = (...views: string[]) => `<?xml version="1.0"?><SpimData><!-- <id>1</id> -->${views.join('\n')}</SpimData>`

  it('has a voxel size for each view', () => {
    const both = xml(view('0', ' 1 2\n 3.5 '), view('1', '4 5 6', 'pixel'))
    assert.deepEqual(voxelSizeIn(both, 0), { size: [1, 2, 3.5], unit: 'um' })
    assert.deepEqual(voxelSizeIn(both, 1), { size: [4, 5, 6], unit: 'pixel' })
    assert.equal(voxelSizeIn(both, 2), undefined)
    for (const wrong of ['', '1 2', '1 2 0', '1 2 x', '1 2 3 4']) {
      assert.equal(voxelSizeIn(xml(view('0', wrong)), 0), undefined)
    }
    assert.equal(voxelSizeIn(xml(view('', '1 2 3')), 0), undefined)
  })

  // Work that grows with the square of the length would not end: these texts are 8 million characters long.
  for (const part of ['<ViewSetup>', '<ViewSetup><voxelSize><size>', '<voxelSize>', '<id>0', '<size>1 ', ' ', '<!--']) {
    it(`V5: is read in one pass over ${JSON.stringify(part)} again and again`, { timeout: 120_000 }, () => {
      const start = '<ViewSetup><id>0</id><voxelSize><size>'
      assert.equal(voxelSizeIn(start + part.repeat(Math.ceil(8e6 / part.length)), 0), undefined)
    })
  }
})
