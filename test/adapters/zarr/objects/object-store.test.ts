import assert from 'node:assert/strict'
import { after, beforeEach, describe, it } from 'node:test'
import { objectStore } from '../../../../src/adapters/zarr/objects/object-store.ts'
import { zarrFormat } from '../../../../src/adapters/zarr/zarr-format.ts'
import { roi } from '../../../../src/core/geometry/roi.ts'
import { s3OrSkip } from '../../../support/s3.ts'

const skipped: string[] = []
const server = await s3OrSkip({ skip: (reason = '') => void skipped.push(reason) })
server?.makeBucket('stores')
Object.assign(process.env, server?.env)
after(() => server?.[Symbol.asyncDispose]())
for (const reason of skipped) it('has containers in object stores', { skip: reason })

if (server !== undefined) {
  beforeEach(() => {
    server.fault = undefined
    server.seen.length = 0
  })
  const format = zarrFormat({ objects: { retryDelayMs: 1 } })
  const gets = (name: RegExp) => server.seen.filter(({ method, path }) => method === 'GET' && name.test(path))
  const whole = roi<'voxel'>([0, 0], [32, 32])
  const voxels = Uint8Array.from({ length: 1024 }, (_, i) => (i % 251) + 1)
  let made = 0
  const makeArray = async (options = {}) => {
    const path = `s3://stores/${made++}.zarr`
    await using array = await format.create(path, 'raw', {
      shape: [32, 32],
      dtype: 'uint8',
      chunkShape: [8, 8],
      ...options,
    })
    await array.writeVoxels(whole, voxels)
    return path
  }

  describe('a container in an object store', () => {
    it('lists folders and objects, but no locks', async () => {
      const store = objectStore('s3://stores/lists')
      assert.equal(await store.list(''), undefined)
      for (const key of ['b/c', 'a', '.tmp-groups-lock', 'b.d']) await store.put(key, [Buffer.from('x')])
      assert.deepEqual(await store.list(''), [
        { name: 'a', isFolder: false },
        { name: 'b', isFolder: true },
        { name: 'b.d', isFolder: false },
      ])
      assert.equal(await store.list('b/c'), undefined)
    })

    it('is read where objects may be read, but not listed, so that those that it lacks are forbidden', async () => {
      for (const zarrFormat of [2, 3] as const) {
        const path = await makeArray({ zarrFormat })
        // As if the groups above it had no metadata.
        const own = zarrFormat === 3 ? /raw\/zarr\.json$/ : /raw\/\.z(array|attrs)$/
        const isMissing = (path: string) => /zarr\.json$|\.z(array|group|attrs)$/.test(path) && !own.test(path)
        server.fault = ({ path }) =>
          isMissing(path) || /list-type/.test(path) ? { status: 403, code: 'AccessDenied' } : undefined
        const into = new Uint8Array(1024)
        await using array = await format.open(path, 'raw')
        await array.readVoxels(whole, into)
        assert.deepEqual(into, voxels)
        await assert.rejects(async () => array.countStoredChunks?.(), { code: 'UNAUTHORIZED' })
        await assert.rejects(format.open(path, 'other'), { code: 'UNAUTHORIZED' })
        server.fault = undefined
      }
    })

    it('V3: is not read without a permission for what it has', async () => {
      const path = await makeArray()
      server.fault = ({ path }) => (/zarr\.json$/.test(path) ? { status: 403, code: 'AccessDenied' } : undefined)
      await assert.rejects(format.open(path, 'raw'), { code: 'UNAUTHORIZED' })
    })

    it('W4: removes what makes an array one before its chunks, and nothing beside it', async () => {
      const path = await makeArray()
      const store = objectStore(path)
      await store.put('raw2/c/0', [Buffer.from('x')])
      server.seen.length = 0
      await store.remove('raw')
      const removals = server.seen.filter(({ method }) => method === 'DELETE' || method === 'POST')
      assert.match(removals[1]?.path ?? '', /raw\/zarr\.json/)
      assert.match(removals.at(-1)?.path ?? '', /\?delete/)
      assert.equal(removals.length, 3)
      assert.equal(await store.list('raw'), undefined)
      assert.notEqual(await store.list('raw2'), undefined)
      await assert.rejects(objectStore('s3://stores').remove(''), /whole bucket/)
    })

    it('does not get a chunk again that has not changed', async () => {
      const path = await makeArray()
      await using array = await format.open(path, 'raw')
      const part = roi<'voxel'>([2, 2], [3, 3])
      const into = new Uint8Array(9)
      await array.readVoxels(part, into)
      const first = Uint8Array.from(into)
      const answers: number[] = []
      const change = (body: Buffer) => {
        answers.push(body.length)
        return body
      }
      server.fault = () => ({ change })
      await array.readVoxels(part, into)
      assert.deepEqual(into, first)
      assert.deepEqual(answers, [0])
      await using writer = await format.open(path, 'raw', { mode: 'r+' })
      await writer.writeVoxels(whole, new Uint8Array(1024).fill(7))
      await array.readVoxels(part, into)
      assert.deepEqual(into, new Uint8Array(9).fill(7))
    })

    it('reads chunks of a shard that are close to each other with one request', async () => {
      const path = await makeArray({ shardShape: [32, 32], codec: 'raw' })
      await using array = await format.open(path, 'raw')
      server.seen.length = 0
      const into = new Uint8Array(8 * 24)
      await array.readVoxels(roi([8, 8], [8, 24]), into)
      assert.deepEqual(
        gets(/\/c\//).map(({ headers }) => headers.range),
        ['bytes=-260', 'bytes=320-511'],
      )
      assert.deepEqual(into.subarray(0, 24), voxels.subarray(8 * 32 + 8, 8 * 32 + 32))
    })

    it('reads the index of a shard and the chunks that are needed, by ranges of one version', async () => {
      const path = await makeArray({ shardShape: [32, 32], codec: 'raw' })
      await using array = await format.open(path, 'raw')
      server.seen.length = 0
      const into = new Uint8Array(64)
      await array.readVoxels(roi([8, 8], [8, 8]), into)
      const asked = gets(/\/c\//)
      assert.deepEqual(
        asked.map(({ headers }) => headers.range),
        ['bytes=-260', 'bytes=320-383'],
      )
      assert.equal(asked[0]?.headers['if-match'], undefined)
      assert.notEqual(asked[1]?.headers['if-match'], undefined)
      assert.deepEqual(
        [...into],
        Array.from({ length: 64 }, (_, i) => voxels[(8 + (i >> 3)) * 32 + 8 + (i % 8)]),
      )
    })

    it('reads a shard again that was replaced between its index and its chunks', async () => {
      const path = await makeArray({ shardShape: [32, 32], codec: 'raw' })
      await using reader = await format.open(path, 'raw')
      await using writer = await format.open(path, 'raw', { mode: 'r+' })
      let isReplaced = false
      server.fault = async ({ method, headers }) => {
        if (method !== 'GET' || isReplaced || headers['if-match'] === undefined) return undefined
        isReplaced = true
        await writer.writeVoxels(whole, new Uint8Array(1024).fill(9))
        return undefined
      }
      const into = new Uint8Array(64)
      await reader.readVoxels(roi([8, 8], [8, 8]), into)
      assert.ok(isReplaced)
      assert.deepEqual(into, new Uint8Array(64).fill(9))
    })

    it('makes one container of arrays that are created at once', async () => {
      const path = `s3://stores/many${made++}.zarr`
      const create = (name: string) =>
        format.create(path, name, { shape: [8, 8], dtype: 'uint8', chunkShape: [8, 8], axes: AXES, ifExists: 'reuse' })
      await Promise.all(['a', 'b', 'c', 'a'].map(create))
      const group = JSON.parse(new TextDecoder().decode(await objectStore(path).get('zarr.json')))
      const listed = group.attributes.ome.multiscales.map(
        (scale: { datasets: { path: string }[] }) => scale.datasets[0]?.path,
      )
      assert.deepEqual(listed.sort(), ['a', 'b', 'c'])
    })
  })
}

const AXES = ['y', 'x'].map((name) => ({ name, type: 'space', unit: 'nanometer', scale: 4, translation: 0 }) as const)
