import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openArray } from '../../../src/entry/arrays.ts'
import { pythonOrSkip, runPython } from '../../support/python.ts'
import { compareWithReference } from '../../support/reference-files.ts'
import { temporaryFolder } from '../../support/zarr.ts'

describe('PNG images of libpng, and stacks of images', () => {
  it('have the voxels that were written, slices by the numbers in their names', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    await runPython(python, new URL('make-files.py', import.meta.url), [folder])
    assert.equal(await compareWithReference(folder), 19)
    await using array = await openArray(join(folder, 'stack-png/slice?.png'))
    await using reference = await openArray(join(folder, 'pattern.npy'))
    assert.deepEqual([array.format, array.shape], ['stack', [10, 20, 30]])
    assert.deepEqual((await array.read(array.roi)).data, (await reference.read(reference.roi)).data)
  })
})
