import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { bytesOf } from '../../../src/core/array/dtype.ts'
import { toNanometers } from '../../../src/core/geometry/world-unit.ts'
import { openArray } from '../../../src/entry/arrays.ts'
import { pythonOrSkip, runPython } from '../../support/python.ts'

const folder = mkdtempSync(join(tmpdir(), 'bellis flat files '))
after(() => rmSync(folder, { recursive: true }))

interface Facts {
  /** nm, as the other keys */
  readonly voxelSize?: readonly number[]
  readonly offset?: readonly number[]
}

describe('files of mrcfile, nibabel and pynrrd', () => {
  it('have the voxels and the placement that these libraries read', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    await runPython(python, new URL('make-files.py', import.meta.url), [folder])
    const all = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Record<string, Facts>
    assert.ok(Object.keys(all).length > 50)
    for (const [name, facts] of Object.entries(all)) {
      await using array = await openArray(join(folder, name))
      await using reference = await openArray(join(folder, `${name}.npy`))
      assert.deepEqual([array.dtype, array.shape], [reference.dtype, reference.shape], name)
      const [found, expected] = [await array.read(array.roi), await reference.read(reference.roi)]
      assert.deepEqual(bytesOf(found.data), bytesOf(expected.data), name)
      const nm = (values: readonly number[]) => values.map((value) => Number(toNanometers(value, array.unit)) + 0)
      if (facts.voxelSize !== undefined) assert.deepEqual(nm(array.voxelSize), facts.voxelSize, name)
      if (facts.offset !== undefined) assert.deepEqual(nm(array.offset), facts.offset, name)
    }
  })
})
