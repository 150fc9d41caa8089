import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pythonOrSkip, runPython } from '../../support/python.ts'
import { compareWithReference } from '../../support/reference-files.ts'
import { temporaryFolder } from '../../support/zarr.ts'

describe('files of tifffile', () => {
  it('have the voxels and the placement that were written', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    await runPython(python, new URL('make-files.py', import.meta.url), [folder])
    assert.ok((await compareWithReference(folder)) > 80)
  })
})
