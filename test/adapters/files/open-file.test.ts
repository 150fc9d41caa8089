import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openArray } from '../../../src/entry/arrays.ts'
import { temporaryFolder } from '../../support/zarr.ts'

/** A name of each kind of file that is opened by its name. */
const NAMES = [
  ...['a.tif', 'a.btf', 'a.lsm', 'a.png', 'a.nii', 'a.nii.gz', 'a.mrc', 'a.nrrd', 'a.nhdr', 'a.mha', 'a.mhd', 'a.npy'],
  ...['a.h5', 'a.hdf', 'a.hdf5/volumes/raw'],
]

describe('a path that is no file', () => {
  const refused = async (path: string, message: RegExp) => {
    await assert.rejects(async () => (await openArray(path)).close(), { message })
  }

  it('V9: is refused if it is a pipe, of whatever format by its name, and its writer is not waited for', {
    skip: process.platform === 'win32' && 'no pipes',
    timeout: 20_000,
  }, async (t) => {
    const folder = await temporaryFolder(t)
    for (const name of NAMES) {
      const [file = ''] = name.split('/')
      execFileSync('mkfifo', [join(folder, file)])
      await refused(join(folder, name), /is a pipe or a device, not a file; check the path/)
    }
    execFileSync('mkfifo', [join(folder, 'scan')])
    await refused(join(folder, 'scan'), /expected a file or folder/)
  })

  it('is refused if it is a folder', async (t) => {
    const folder = await temporaryFolder(t)
    for (const name of NAMES) {
      const [file = ''] = name.split('/')
      mkdirSync(join(folder, file))
      await refused(join(folder, name), /is a folder, not/)
    }
  })
})
