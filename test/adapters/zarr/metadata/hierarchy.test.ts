import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileStore } from '../../../../src/adapters/zarr/files/file-store.ts'
import { readNode } from '../../../../src/adapters/zarr/metadata/hierarchy.ts'
import type { Store } from '../../../../src/adapters/zarr/store.ts'
import { zarrFormat } from '../../../../src/adapters/zarr/zarr-format.ts'
import { temporaryFolder } from '../../../support/zarr.ts'

describe('the metadata of an array or group', () => {
  it('are one file of version 3 on a fast disk, and asked for together where answers take their time', async (t) => {
    const folder = await temporaryFolder(t)
    const options = { shape: [4, 4], dtype: 'uint8', chunkShape: [2, 2], codec: 'raw' } as const
    await zarrFormat().create(`${folder}/3.zarr`, 'raw', { ...options, zarrFormat: 3 })
    await zarrFormat().create(`${folder}/2.zarr`, 'raw', { ...options, zarrFormat: 2 })
    const askedFor = async (version: 2 | 3, isFast: boolean) => {
      const store = fileStore(`${folder}/${version}.zarr`)
      const asked: string[] = []
      const noting: Store = {
        ...store,
        isFast: () => isFast,
        get: (key, how) => {
          asked.push(key)
          return store.get(key, how)
        },
      }
      const reading = readNode(noting, 'raw')
      const atOnce = asked.length
      const node = await reading
      assert.equal(node?.kind === 'array' && node.metadata.zarrFormat, version)
      assert.equal((await readNode(noting, 'none')) === undefined, true)
      return { atOnce, asked: asked.filter((key) => key.startsWith('raw/')).map((key) => key.slice(4)) }
    }
    const all = ['zarr.json', '.zarray', '.zgroup', '.zattrs']
    assert.deepEqual(await askedFor(3, true), { atOnce: 1, asked: ['zarr.json'] })
    assert.deepEqual(await askedFor(2, true), { atOnce: 1, asked: all })
    assert.deepEqual(await askedFor(3, false), { atOnce: 4, asked: all })
    assert.deepEqual(await askedFor(2, false), { atOnce: 4, asked: all })
  })
})
