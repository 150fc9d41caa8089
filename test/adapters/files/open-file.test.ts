import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readNamedText } from '../../../src/adapters/files/open-file.ts'
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

describe('a text that a command names', () => {
  it('is a file, or what another command writes to a pipe', async (t) => {
    const folder = await temporaryFolder(t)
    const file = join(folder, 'list')
    writeFileSync(file, 'smooth/1\né')
    assert.equal(readNamedText(file), 'smooth/1\né')
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const writer = spawn('sh', ['-c', 'cat "$0" > "$1"', file, pipe])
    assert.equal(readNamedText(pipe), 'smooth/1\né')
    await once(writer, 'close')
  })

  it('has an end: a device that has none is refused', async (t) => {
    const refusal = {
      code: 'UNSUPPORTED',
      message: /^\/dev\/zero has more than \d+ bytes; expected a text: check the path\.$/,
    }
    assert.throws(() => readNamedText('/dev/zero'), refusal)
    const folder = await temporaryFolder(t)
    writeFileSync(join(folder, 'list'), '12345678')
    assert.equal(readNamedText(join(folder, 'list'), 8), '12345678')
    assert.throws(() => readNamedText(join(folder, 'list'), 7), { code: 'UNSUPPORTED' })
  })
})
