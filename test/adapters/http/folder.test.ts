import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { folderTree } from '../../../src/adapters/http/folder.ts'
import { describeResourceTree } from '../../contracts/resource-tree.contract.ts'
import { temporaryFolder } from '../../support/zarr.ts'

describeResourceTree('a folder', async (t) => {
  const parent = await temporaryFolder(t)
  const root = join(parent, 'data.zarr')
  const bytes = Uint8Array.from({ length: 3_000_000 }, (_, index) => index % 251)
  mkdirSync(join(root, 'c/0'), { recursive: true })
  writeFileSync(join(root, 'zarr.json'), '{"zarr_format": 3}')
  writeFileSync(join(root, 'c/0/1'), bytes)
  writeFileSync(join(root, 'secret'), 'not allowed')
  writeFileSync(join(parent, 'outside'), 'outside the folder')
  symlinkSync(join(parent, 'outside'), join(root, 'c/0/2'))
  symlinkSync(join(root, 'c/0/1'), join(root, 'c/0/3'))
  return {
    tree: folderTree(root, { allows: (names) => names[0] !== 'secret' }),
    content: [
      { path: 'zarr.json', contentType: 'application/json', bytes: Buffer.from('{"zarr_format": 3}') },
      { path: 'c/0/1', contentType: 'application/octet-stream', bytes },
      { path: 'c/0/3', contentType: 'application/octet-stream', bytes },
    ],
    // A folder, a folder in it, a file without read permission, and a link to a file outside.
    nothing: ['c', 'c/0', 'secret', 'c/0/2'],
    change: () => writeFileSync(join(root, 'zarr.json'), '{"zarr_format": 3, "attributes": {}}'),
  }
})

describe('a folder', () => {
  it('says that too many files are open, instead of that there is nothing', {
    skip: process.platform === 'win32',
  }, async (t) => {
    const folder = await temporaryFolder(t)
    writeFileSync(join(folder, '0'), 'a chunk')
    const source = new URL('../../../src/adapters/http/folder.ts', import.meta.url).href
    const script = `
      const { openSync, closeSync } = await import('node:fs')
      const { folderTree } = await import('${source}')
      const tree = folderTree(${JSON.stringify(folder)}, { allows: () => true })
      const open = []
      try { for (;;) open.push(openSync('/dev/null')) } catch {}
      const answer = await tree.open(['0']).then((found) => String(found), (error) => error.constructor.name + ' ' + error.message)
      for (const file of open) closeSync(file)
      console.log(answer, (await tree.open(['0'])).size, await tree.open(['1']))`
    const call = `ulimit -n 128 && exec "${process.execPath}" --input-type=module -e "$0"`
    const { stdout, stderr } = spawnSync('bash', ['-c', call, script], { encoding: 'utf8' })
    assert.match(
      stdout,
      /^Unavailable This file can't be opened at the moment \(EMFILE\); try again soon\. 7 undefined\n$/,
      stderr,
    )
  })
})
