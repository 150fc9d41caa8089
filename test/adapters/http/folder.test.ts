import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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
