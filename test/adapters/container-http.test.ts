import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import { n5Format } from '../../src/adapters/n5/n5-format.ts'
import { precomputedFormat } from '../../src/adapters/precomputed/precomputed-format.ts'
import { serveFolder } from '../support/folder-server.ts'
import { makeShardedVolume } from '../support/sharded-volume.ts'
import { noise, temporaryFolder } from '../support/zarr.ts'

const shape = [4, 8, 8]
const box = { offset: [0, 0, 0], shape }
const voxels = noise('uint8', 256, 1) as Uint8Array
const http = { retries: 1, retryDelayMs: 1 }
const sharded = precomputedFormat({ http })
const create = { shape, dtype: 'uint8', chunkShape: [2, 8, 8], codec: 'raw' } as const

const containers = [
  {
    name: 'N5',
    format: n5Format({ http }),
    metadata: 'attributes.json',
    async make(root: string) {
      await using array = await n5Format().create(root, 'raw', create)
      await array.writeVoxels(box, voxels)
      return { chunk: 'raw/0/0/0', lost: 128 }
    },
  },
  {
    name: 'a precomputed volume',
    format: precomputedFormat({ http }),
    metadata: 'info',
    async make(root: string) {
      await using array = await precomputedFormat().create(root, 'raw', create)
      await array.writeVoxels(box, voxels)
      return { chunk: 'raw/0-8_0-8_0-2', lost: 128 }
    },
  },
  {
    name: 'a precomputed volume with shards',
    format: precomputedFormat({ http }),
    metadata: 'info',
    async make(root: string) {
      makeShardedVolume(root, 'raw', { shape, chunkShape: [2, 8, 8] }, voxels)
      return { chunk: 'raw/0.shard', lost: 256 }
    },
  },
]

// The guarantees of docs/DATA-PATH.md for arrays of other formats than Zarr, behind http.
for (const { name, format, metadata, make } of containers) {
  describe(`chunks of ${name} behind http`, () => {
    const made = async (t: TestContext) => {
      const folder = await temporaryFolder(t)
      const root = join(folder, 'a')
      return { folder, file: (key: string) => join(root, key), ...(await make(root)) }
    }
    const isMetadata = (url = '') => url.split('?')[0]?.endsWith(`/${metadata}`) ?? false
    const read = async (address: string) => {
      await using array = await format.open(`${address}/a?signature=x`, 'raw')
      const into = new Uint8Array(256).fill(0xa5)
      return { into, again: () => array.readVoxels(box, into.fill(0xa5)) }
    }

    it('V1: are 0 only where the server says that their file is missing', async (t) => {
      const { folder, file, chunk, lost } = await made(t)
      const { address } = await serveFolder(t, folder)
      const { into, again } = await read(address)
      await again()
      assert.deepEqual(into, voxels)
      rmSync(file(chunk))
      await again()
      assert.deepEqual(
        into,
        voxels.map((value, at) => (at < lost ? 0 : value)),
      )
    })

    for (const status of [403, 404, 410]) {
      it(`V2: are not made up once their address has expired with status ${status}`, async (t) => {
        const { folder } = await made(t)
        let left = Number.POSITIVE_INFINITY
        const { address } = await serveFolder(t, folder, (_, response) => {
          if (left-- > 0) return false
          response.writeHead(status).end()
          return true
        })
        const { into, again } = await read(address)
        // The address expires: before all requests, and between two of them.
        for (const more of [0, 1]) {
          left = more
          await assert.rejects(again(), { name: /InfrastructureError|MissingObject/, code: 'IO_ERROR' })
        }
        left = Number.POSITIVE_INFINITY
        await again()
        assert.deepEqual(into, voxels)
      })
    }

    it('V2: are asked for again if they were forbidden until the array itself was asked for', async (t) => {
      const { folder } = await made(t)
      let isForbidden = false
      const { address } = await serveFolder(t, folder, ({ url }, response) => {
        if (isMetadata(url)) isForbidden = false
        if (isForbidden) response.writeHead(403).end()
        return isForbidden
      })
      const { into, again } = await read(address)
      isForbidden = true
      await again()
      assert.deepEqual(into, voxels)
    })

    it('V2: are not made up once the server answers everything with a page', async (t) => {
      const { folder } = await made(t)
      let isPage = false
      const { address } = await serveFolder(t, folder, ({ url }, response) => {
        if (!isPage) return false
        if (isMetadata(url)) response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in</html>')
        else response.writeHead(404).end()
        return true
      })
      const { again } = await read(address)
      isPage = true
      await assert.rejects(again(), { code: 'INVALID_METADATA' })
    })

    it('V2: are not made up once another array has taken the place of theirs, or the server answers JSON for everything', async (t) => {
      const { folder, chunk, file } = await made(t)
      let isJson = false
      const { address } = await serveFolder(t, folder, ({ url }, response) => {
        if (!isJson) return false
        if (isMetadata(url)) response.writeHead(200, { 'content-type': 'application/json' }).end('{"code":404}')
        else response.writeHead(404).end()
        return true
      })
      const { into, again } = await read(address)
      const replaced = { code: 'IO_ERROR', message: /was replaced while its array was being read/ }
      isJson = true
      await assert.rejects(again(), replaced)
      isJson = false
      await again()
      assert.deepEqual(into, voxels)
      const metadataFile = ['raw/attributes.json', 'info'].map(file).find((path) => path.endsWith(metadata)) as string
      rmSync(file(chunk))
      await again()
      writeFileSync(metadataFile, readFileSync(metadataFile, 'utf8').replace('uint8', 'int8'))
      await assert.rejects(again(), replaced)
    })

    it('V5: are refused if they are too large, before memory is made for them, and so are metadata', async (t) => {
      const { folder, file, chunk } = await made(t)
      const bomb = gzipSync(Buffer.alloc(2 ** 28))
      let isBomb = (_: string | undefined) => false
      const { address } = await serveFolder(t, folder, ({ url }, response) => {
        if (!isBomb(url)) return false
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)
        return true
      })
      const { again } = await read(address)
      isBomb = (url) => url?.includes(chunk.split('/').slice(1).join('/')) ?? false
      await assert.rejects(again(), { code: 'IO_ERROR', message: /more than \d+ bytes/ })
      isBomb = isMetadata
      await assert.rejects(read(address), { code: 'IO_ERROR', message: /more than 100000000 bytes/ })
      writeFileSync(file(metadata), Buffer.alloc(2 ** 27, ' '))
      isBomb = () => false
      await assert.rejects(read(address), { code: 'IO_ERROR', message: /more than 100000000 bytes/ })
    })
  })
}

describe('a shard of a precomputed volume behind http', () => {
  const made = async (t: TestContext) => {
    const folder = await temporaryFolder(t)
    const put = (data: Uint8Array) =>
      makeShardedVolume(join(folder, 'a'), 'raw', { shape, chunkShape: [2, 8, 8] }, data)
    put(voxels)
    return { folder, put }
  }

  for (const [replaced, isRead] of [
    [1, true],
    [2, false],
  ] as const) {
    it(`V3: is read again, once, if it was replaced between two of its parts (${replaced} times)`, async (t) => {
      const { folder, put } = await made(t)
      let version = 0
      let left = 0
      const { address } = await serveFolder(t, folder, ({ url, headers }, response) => {
        if (!url?.includes('.shard')) return false
        if (left > 0 && headers['if-match'] !== undefined) {
          left--
          version++
          put(new Uint8Array(256).fill(version))
        }
        const etag = `"${version}"`
        if (headers['if-match'] !== undefined && headers['if-match'] !== etag) {
          response.writeHead(412).end()
          return true
        }
        response.setHeader('etag', etag)
        return false
      })
      await using array = await sharded.open(`${address}/a`, 'raw')
      const chunk = { offset: [0, 0, 0], shape: [2, 8, 8] }
      const into = new Uint8Array(128)
      left = replaced
      if (!isRead) return assert.rejects(array.readVoxels(chunk, into), { message: /replaced while it was being read/ })
      await array.readVoxels(chunk, into)
      assert.deepEqual(into, new Uint8Array(128).fill(1))
    })
  }

  for (const [what, headers, length, message] of [
    ['another part', { 'content-range': 'bytes 1-16/400' }, 16, /"bytes 1-16\/400" for the range/],
    ['a part that is too long', {}, 17, /17 bytes for the range/],
    ['an encoded part', { 'content-encoding': 'gzip' }, 0, /encoded/],
  ] as const) {
    it(`V3: is not read from ${what}`, async (t) => {
      const { folder } = await made(t)
      const { address } = await serveFolder(t, folder, ({ url }, response) => {
        if (!url?.includes('.shard')) return false
        response.writeHead(206, headers).end(Buffer.alloc(length))
        return true
      })
      await using array = await sharded.open(`${address}/a`, 'raw')
      await assert.rejects(array.readVoxels(box, new Uint8Array(256)), { code: 'IO_ERROR', message })
    })
  }
})
