import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pythonOrSkip, runPython } from '../../support/python.ts'
import { compareWithReference } from '../../support/reference-files.ts'
import { temporaryFolder } from '../../support/zarr.ts'

describe('files of mrcfile, nibabel and pynrrd', () => {
  it('have the voxels and the placement that these libraries read', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    await runPython(python, new URL('make-files.py', import.meta.url), [folder])
    assert.ok((await compareWithReference(folder)) > 50)
  })
})
