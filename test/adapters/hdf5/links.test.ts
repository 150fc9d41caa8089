import assert from 'node:assert/strict'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, describe, it } from 'node:test'
import { hdf5Format } from '../../../src/adapters/hdf5/hdf5-format.ts'
import { BlockwiseError } from '../../../src/core/errors.ts'
import { roi } from '../../../src/core/geometry/roi.ts'
import { pythonOrSkip, runPython } from '../../support/python.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'bellis-links-')))
const home = process.cwd()
after(() => {
  process.chdir(home)
  rmSync(folder, { recursive: true })
})
const format = hdf5Format()

/** What h5py reads from a working folder: the value of all voxels, or null for nothing. */
interface Answer {
  readonly cwd: string
  readonly file: string
  readonly name: string
  readonly value: number | null
}

async function voxelsOf(path: string, name: string, allowExternal: boolean): Promise<number> {
  await using array = await format.open(path, name, { allowExternal })
  const voxels = new Uint8Array(16).fill(0xa5)
  await array.readVoxels(roi([0, 0], [4, 4]), voxels)
  assert.ok(voxels.every((value) => value === voxels[0]))
  return voxels[0] as number
}

describe('HDF5 files that name others', () => {
  it('are read through every link and source as h5py reads them, from any working folder', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const answers = JSON.parse(await runPython(python, new URL('make-links.py', import.meta.url), [folder])) as Answer[]
    assert.ok(answers.length > 400)
    let refused = 0
    for (const { cwd, file, name, value } of answers) {
      process.chdir(join(folder, cwd))
      const where = `${file}/${name} from "${cwd}"`
      const path = cwd === 'cwd' ? join(folder, file) : relative('.', join(folder, file))
      if (value === null) {
        await assert.rejects(voxelsOf(path, name, true), BlockwiseError, where)
        continue
      }
      assert.equal(await voxelsOf(path, name, true), value, where)
      try {
        assert.equal(await voxelsOf(path, name, false), value, where)
      } catch (error) {
        if (!(error instanceof BlockwiseError)) throw error
        assert.match(error.message, /--allow-external/, where)
        refused++
      }
    }
    // V7: only what lies outside the folder of the file is refused, and never something else read in its place.
    assert.ok(refused > 0 && refused < answers.length / 4, `${refused} of ${answers.length}`)
  })
})
