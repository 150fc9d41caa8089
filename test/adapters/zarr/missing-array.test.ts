import assert from 'node:assert/strict'
import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { n5Format } from '../../../src/adapters/n5/n5-format.ts'
import { precomputedFormat } from '../../../src/adapters/precomputed/precomputed-format.ts'
import { zarrFormat } from '../../../src/adapters/zarr/zarr-format.ts'
import { noise, temporaryFolder } from '../../support/zarr.ts'

const shape = [4, 8, 8]
const box = { offset: [0, 0, 0], shape }
const firstChunk = { offset: [0, 0, 0], shape: [2, 8, 8] }
const options = { shape, dtype: 'uint8', chunkShape: [2, 8, 8], codec: 'raw' } as const
const removed = { code: 'IO_ERROR', message: /was removed or moved while its array was being read/ }

for (const { name, format, more } of [
  { name: 'Zarr', format: zarrFormat(), more: {} },
  { name: 'Zarr with shards', format: zarrFormat(), more: { shardShape: [4, 8, 8] } },
  { name: 'N5', format: n5Format(), more: {} },
  { name: 'a precomputed volume', format: precomputedFormat(), more: {} },
] as const) {
  describe(`chunks that are missing in ${name}`, () => {
    it('V1: are the fill value in an array that is there', async (t) => {
      const root = join(await temporaryFolder(t), 'a')
      await using array = await format.create(root, 'raw', { ...options, ...more })
      const into = new Uint8Array(256).fill(0xa5)
      await array.readVoxels(box, into)
      assert.deepEqual(into, new Uint8Array(256))
    })

    it('V1: are an error once the array was moved away or removed, also where chunks are copied', async (t) => {
      const folder = await temporaryFolder(t)
      const root = join(folder, 'a')
      {
        await using array = await format.create(root, 'raw', { ...options, ...more })
        await array.writeVoxels(box, noise('uint8', 256, 1))
      }
      await using array = await format.open(root, 'raw')
      await using copy = await format.create(join(folder, 'b'), 'raw', options)
      await array.readVoxels(firstChunk, new Uint8Array(128))
      renameSync(root, join(folder, 'moved'))
      await assert.rejects(array.readVoxels(box, new Uint8Array(256)), removed)
      await assert.rejects(async () => {
        if (!(await copy.copyChunks?.(box, array, [0, 0, 0]))) await array.readVoxels(box, new Uint8Array(256))
      }, removed)
      renameSync(join(folder, 'moved'), root)
      await array.readVoxels(box, new Uint8Array(256))
      rmSync(root, { recursive: true })
      await assert.rejects(array.readVoxels(box, new Uint8Array(256)), removed)
    })
  })
}
