import assert from 'node:assert/strict'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { n5Format } from '../../../src/adapters/n5/n5-format.ts'
import { precomputedFormat } from '../../../src/adapters/precomputed/precomputed-format.ts'
import { pyramidKeys } from '../../../src/adapters/zarr/stored-arrays.ts'
import { zarrFormat } from '../../../src/adapters/zarr/zarr-format.ts'
import { noise, temporaryFolder } from '../../support/zarr.ts'

const shape = [4, 8, 8]
const box = { offset: [0, 0, 0], shape }
const firstChunk = { offset: [0, 0, 0], shape: [2, 8, 8] }
const options = { shape, dtype: 'uint8', chunkShape: [2, 8, 8], codec: 'raw' } as const
const replaced = { code: 'IO_ERROR', message: /was replaced while its array was being read/ }
const removed = { code: 'IO_ERROR', message: /was removed or moved while its array was being read/ }

/** What a run says of itself in its outputs. @param record its id */
const provenance = (record: string) => ({
  ...{ version: '1.0.0', task: 'copy', config: {}, inputs: [], run: 'copy-1a2b3c4d', record },
  started: '2026-01-01T00:00:00.000Z',
})

for (const { name, format, more } of [
  { name: 'Zarr', format: zarrFormat(), more: {} },
  { name: 'Zarr 2', format: zarrFormat(), more: { zarrFormat: 2 } },
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

    for (const [what, other] of [
      ['other chunks', { chunkShape: [4, 4, 4] }],
      ['another type', { dtype: 'uint16' }],
      ['a smaller shape', { shape: [2, 8, 8] }],
      ['the same layout, made by another run', { attributes: { bellis: provenance('b') } }],
    ] as const) {
      it(`V1: are an error once an array with ${what} has taken its place, also where chunks are copied`, async (t) => {
        const folder = await temporaryFolder(t)
        const root = join(folder, 'a')
        const attributes = { bellis: provenance('a') }
        {
          await using array = await format.create(root, 'raw', { ...options, ...more, attributes })
          await array.writeVoxels(box, noise('uint8', 256, 1))
        }
        await using array = await format.open(root, 'raw')
        await using copy = await format.create(join(folder, 'b'), 'raw', options)
        const shards = 'shardShape' in more && 'chunkShape' in other ? { shardShape: [4, 4, 8] } : more
        await (await format.create(root, 'raw', { ...options, ...shards, attributes, ...other, ifExists: 'replace' }))[
          Symbol.asyncDispose
        ]()
        await assert.rejects(array.readVoxels(box, new Uint8Array(256)), replaced)
        await assert.rejects(async () => {
          if (!(await copy.copyChunks?.(box, array, [0, 0, 0]))) await array.readVoxels(box, new Uint8Array(256))
        }, replaced)
      })
    }

    it('V1: are the fill value in an array whose attributes change while it is read, and which a run marks as its own', async (t) => {
      const root = join(await temporaryFolder(t), 'a')
      await using written = await format.create(root, 'raw', { ...options, ...more, attributes: { from: 'a' } })
      await using array = await format.open(root, 'raw')
      for (const attributes of [{ from: 'b' }, { bellis: provenance('a') }]) {
        await written.setAttributes?.(attributes)
        const into = new Uint8Array(256).fill(0xa5)
        await array.readVoxels(box, into)
        assert.deepEqual(into, new Uint8Array(256))
      }
      await using marked = await format.open(root, 'raw')
      await written.setAttributes?.({ bellis: { ...provenance('a'), ended: '2026-01-02T00:00:00.000Z' } })
      await marked.readVoxels(box, new Uint8Array(256))
    })
  })
}

for (const { name, format, more } of [
  { name: 'Zarr', format: zarrFormat(), more: {} },
  { name: 'Zarr 2', format: zarrFormat(), more: { zarrFormat: 2 } },
  { name: 'N5', format: n5Format(), more: {} },
  { name: 'a precomputed volume', format: precomputedFormat(), more: {} },
] as const) {
  for (const [what, other] of [
    ['as large', { chunkShape: [4, 4, 8] }],
    ['of another type', { dtype: 'int8' }],
    ['of another run', { attributes: { bellis: provenance('b') } }],
  ] as const) {
    it(`V1: chunks of ${name} that are there are an error once they are those of another array: ${what}`, async (t) => {
      const root = join(await temporaryFolder(t), 'a')
      const attributes = { bellis: provenance('a') }
      const write = async (how: object) => {
        await using array = await format.create(root, 'raw', { ...options, ...more, attributes, ...how })
        await array.writeVoxels(box, array.dtype === 'int8' ? noise('int8', 256, 2) : noise('uint8', 256, 2))
      }
      await write({})
      await using array = await format.open(root, 'raw')
      await using copy = await format.create(join(root, '../b'), 'raw', options)
      const into = new Uint8Array(128)
      await array.readVoxels(firstChunk, into)
      await write({ ...other, ifExists: 'replace' })
      await assert.rejects(array.readVoxels(firstChunk, into), replaced)
      await assert.rejects(async () => {
        if (!(await copy.copyChunks?.(firstChunk, array, [0, 0, 0]))) await array.readVoxels(firstChunk, into)
      }, replaced)
    })
  }
}

it('V1: chunks that are missing in an array that grows while it is read are the fill value', async (t) => {
  for (const format of [zarrFormat(), n5Format()]) {
    const root = join(await temporaryFolder(t), 'a')
    await (await format.create(root, 'raw', options))[Symbol.asyncDispose]()
    await using array = await format.open(root, 'raw')
    const larger = { ...options, shape: [8, 8, 8], ifExists: 'grow' } as const
    await (await format.create(root, 'raw', larger))[Symbol.asyncDispose]()
    const into = new Uint8Array(256).fill(0xa5)
    await array.readVoxels(box, into)
    assert.deepEqual(into, new Uint8Array(256))
  }
})

describe('a pyramid that describes levels that are not there', () => {
  it('has those that are, and none without its finest', async (t) => {
    const root = await temporaryFolder(t)
    const format = zarrFormat()
    for (const name of ['s0', 's2']) await (await format.create(root, name, options))[Symbol.asyncDispose]()
    const keysOf = async (key: string, ...paths: string[]) => {
      const ome = { version: '0.5', multiscales: [{ datasets: paths.map((path) => ({ path })) }] }
      const group = { zarr_format: 3, node_type: 'group', attributes: { ome } }
      writeFileSync(join(root, 'zarr.json'), JSON.stringify(group))
      return pyramidKeys(root, key)
    }
    assert.deepEqual(await keysOf('', 's0', 's1', 's2', 's3'), ['s0', 's2'])
    assert.deepEqual(await keysOf('s0', 's0', 's1', 's2', 's3'), ['s0', 's2'])
    assert.deepEqual(await keysOf('s2', 's0', 's1', 's2', 's3'), ['s2'])
    assert.equal(await keysOf('', 's1', 's2'), undefined)
    assert.equal(await keysOf(''), undefined)
  })
})
