import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { zarrFormat } from '../../../src/adapters/zarr/zarr-format.ts'
import { bytesOf } from '../../../src/core/array/dtype.ts'
import { type Handler, serveFolder as serve } from '../../support/folder-server.ts'
import { testTls } from '../../support/links.ts'
import { noise, temporaryFolder } from '../../support/zarr.ts'

const http = { retries: 2, retryDelayMs: 1 }
const format = zarrFormat({ http })

const shape = [8, 16, 16]
const box = { offset: [0, 0, 0], shape }
const data = noise('uint16', 2048, 1)

describe('a container behind http', () => {
  it('V1: reads like the folder, and takes missing chunks for the fill value', async (t) => {
    const folder = await temporaryFolder(t)
    const { address } = await serve(t, folder)
    for (const [inner, options] of [
      ['v2', { zarrFormat: 2 }],
      ['name with space', { zarrFormat: 3 }],
      ['sharded', { zarrFormat: 3, shardShape: [8, 16, 8] }],
    ] as const) {
      const container = `a${options.zarrFormat}.zarr`
      const array = await zarrFormat().create(join(folder, container), inner, {
        shape,
        dtype: 'uint16',
        chunkShape: [4, 8, 8],
        fillValue: 3,
        ...options,
      })
      await array.writeVoxels({ offset: [0, 0, 0], shape: [8, 16, 8] }, noise('uint16', 1024, 2))
      const expected = new Uint16Array(2048)
      await array.readVoxels(box, expected)
      const into = new Uint16Array(2048)
      const remote = await format.open(`${address}/${container}/`, inner)
      await remote.readVoxels(box, into)
      assert.deepEqual(into, expected)
      const part = { offset: [1, 2, 6], shape: [2, 3, 5] }
      const [local, far] = [new Uint16Array(30), new Uint16Array(30)]
      await array.readVoxels(part, local)
      await remote.readVoxels(part, far)
      assert.deepEqual(far, local)
      assert.equal(remote.writable, false)
      await assert.rejects(remote.writeVoxels(box, data), { code: 'READ_ONLY' })
    }
  })

  it('V3: requests only the index and the wanted chunks of a shard, and all of it once from a server without ranges', async (t) => {
    const folder = await temporaryFolder(t)
    const array = await zarrFormat().create(join(folder, 'a.zarr'), 'raw', {
      shape,
      dtype: 'uint16',
      chunkShape: [4, 4, 4],
      shardShape: shape,
      codec: 'raw',
    })
    await array.writeVoxels(box, data)
    const expected = new Uint16Array(8)
    const small = { offset: [5, 5, 5], shape: [2, 2, 2] }
    await array.readVoxels(small, expected)
    for (const ranges of [true, false]) {
      const { address, requests } = await serve(t, folder, undefined, ranges)
      const remote = await format.open(`${address}/a.zarr`, 'raw')
      requests.length = 0
      const into = new Uint16Array(8)
      await remote.readVoxels(small, into)
      assert.deepEqual(into, expected)
      // 32 chunks of 128 bytes. The wanted one has number 16 + 4 + 1. The index has 16 bytes per chunk, and a checksum.
      const asked = ['/a.zarr/raw/c/0/0/0 bytes=-516', '/a.zarr/raw/c/0/0/0 bytes=2688-2815']
      assert.deepEqual(requests, ranges ? asked : asked.slice(0, 1))
    }
  })

  it('requests a shard once for all reads of its chunks from a server without ranges, one after the other or at once', async (t) => {
    const folder = await temporaryFolder(t)
    const options = {
      shape: [8, 16, 48],
      dtype: 'uint16',
      chunkShape: [4, 4, 4],
      shardShape: shape,
      codec: 'raw',
    } as const
    const array = await zarrFormat().create(join(folder, 'a.zarr'), 'raw', options)
    const all = noise('uint16', 3 * 2048, 5)
    await array.writeVoxels({ offset: [0, 0, 0], shape: options.shape }, all)
    const { address, requests } = await serve(t, folder, undefined, false)
    const remote = await format.open(`${address}/a.zarr`, 'raw')
    requests.length = 0
    const readAt = async (x: number) => {
      const into = new Uint16Array(1)
      await remote.readVoxels({ offset: [0, 0, x], shape: [1, 1, 1] }, into)
      assert.equal(into[0], all[x])
    }
    await Promise.all([0, 4, 8, 12].map(readAt))
    for (const x of [1, 5, 9, 13]) await readAt(x)
    assert.deepEqual(requests.length, 1)
    await Promise.all([16, 20, 32, 36, 24, 40].map(readAt))
    assert.deepEqual(requests.slice(1).sort(), ['/a.zarr/raw/c/0/0/1', '/a.zarr/raw/c/0/0/2'])
  })

  it('asks again for a shard if the read that asked for it gave up or failed', async (t) => {
    const folder = await temporaryFolder(t)
    const options = {
      shape: [8, 16, 32],
      dtype: 'uint16',
      chunkShape: [4, 4, 4],
      shardShape: shape,
      codec: 'raw',
    } as const
    const array = await zarrFormat().create(join(folder, 'a.zarr'), 'raw', options)
    const all = noise('uint16', 2 * 2048, 5)
    await array.writeVoxels({ offset: [0, 0, 0], shape: options.shape }, all)
    const held: ServerResponse[] = []
    let holds = true
    const hold: Handler = (request, response) => {
      if (!holds || !request.url?.includes('/c/')) return false
      held.push(response)
      return true
    }
    const { address } = await serve(t, folder, hold, false)
    const remote = await format.open(`${address}/a.zarr`, 'raw')
    for (const x of [0, 16]) {
      holds = true
      held.length = 0
      const stop = new AbortController()
      const into = [new Uint16Array(1), new Uint16Array(1)] as const
      const box = { offset: [0, 0, x], shape: [1, 1, 1] }
      const first = remote.readVoxels(box, into[0], { signal: stop.signal })
      const second = remote.readVoxels(box, into[1])
      while (held.length === 0) await new Promise((resolve) => setImmediate(resolve))
      holds = false
      stop.abort()
      await assert.rejects(first, { name: 'AbortError' })
      await second
      assert.equal(into[1][0], all[x])
    }
  })

  it('keeps the query of a signed address, and treats a forbidden chunk as missing', async (t) => {
    const folder = await temporaryFolder(t)
    await zarrFormat().create(join(folder, 'a.zarr'), 'raw', { shape, dtype: 'uint16', fillValue: 7 })
    const { address, requests } = await serve(t, folder, (request, response) => {
      if (!request.url?.includes('/c/')) return false
      response.writeHead(403).end()
      return true
    })
    const remote = await format.open(`${address}/a.zarr?sig=a%2Bb`, 'raw')
    const into = new Uint16Array(2048)
    await remote.readVoxels(box, into)
    assert.ok(into.every((value) => value === 7))
    assert.ok(
      requests.every((request) => request.includes('?sig=a%2Bb')),
      requests.join(' '),
    )
  })

  it('retries after a server error or a broken connection, a limited number of times', async (t) => {
    const folder = await temporaryFolder(t)
    const array = await zarrFormat().create(join(folder, 'a.zarr'), 'raw', {
      shape,
      dtype: 'uint16',
      chunkShape: shape,
      codec: 'raw',
    })
    await array.writeVoxels(box, data)
    let failures = 0
    const { address } = await serve(t, folder, (request, response) => {
      if (!request.url?.includes('/c/') || failures <= 0) return false
      failures--
      if (failures % 2 === 0) response.writeHead(503).end()
      else response.destroy()
      return true
    })
    const remote = await format.open(`${address}/a.zarr`, 'raw')
    const into = new Uint16Array(2048)
    failures = 2
    await remote.readVoxels(box, into)
    assert.deepEqual(bytesOf(into), bytesOf(data))
    failures = 3
    await assert.rejects(remote.readVoxels(box, into), {
      name: 'InfrastructureError',
      code: 'IO_ERROR',
      message: /raw\/c\/0\/0\/0.*503/,
    })
    assert.equal(failures, 0)
  })

  it('does not retry after a status that will not change', async (t) => {
    const folder = await temporaryFolder(t)
    const { address, requests } = await serve(t, folder, (_, response) => {
      response.writeHead(401).end()
      return true
    })
    await assert.rejects(format.open(`${address}/a.zarr`, 'raw'), { code: 'IO_ERROR', message: /401/ })
    assert.equal(new Set(requests).size, requests.length)
  })

  it('lists the existing arrays if there are consolidated metadata, and otherwise reports only that the array is missing', async (t) => {
    const folder = await temporaryFolder(t)
    const { address } = await serve(t, folder)
    await assert.rejects(format.open(`${address}/a.zarr`, 'raw'), { code: 'NO_SUCH_FILE', message: /a\.zarr\/raw/ })
    await assert.rejects(format.open(`${address}/a.zarr`, 'raw', { mode: 'r+' }), { code: 'READ_ONLY' })
    await assert.rejects(format.create(`${address}/a.zarr`, 'raw', { shape, dtype: 'uint8' }), { code: 'UNSUPPORTED' })
    await zarrFormat().create(join(folder, 'a.zarr'), 'volumes/raw', { shape, dtype: 'uint16' })
    await assert.rejects(format.open(`${address}/a.zarr`, 'volumes/rew'), { code: 'NO_SUCH_DATASET' })
    const root = JSON.parse(await readFile(join(folder, 'a.zarr', 'zarr.json'), 'utf8'))
    const metadata = { 'volumes/raw': { node_type: 'array' }, volumes: { node_type: 'group' } }
    await writeFile(
      join(folder, 'a.zarr', 'zarr.json'),
      JSON.stringify({ ...root, consolidated_metadata: { kind: 'inline', metadata } }),
    )
    await assert.rejects(format.open(`${address}/a.zarr`, 'volumes/rew'), {
      code: 'NO_SUCH_DATASET',
      message: /it has volumes\/raw/,
    })
  })

  it('stops waiting for chunks when it is aborted', async (t) => {
    const folder = await temporaryFolder(t)
    await zarrFormat().create(join(folder, 'a.zarr'), 'raw', { shape, dtype: 'uint16' })
    const controller = new AbortController()
    const { address } = await serve(t, folder, (request, response) => {
      if (!request.url?.includes('/c/')) return false
      controller.abort()
      t.after(() => response.destroy())
      return true
    })
    const remote = await format.open(`${address}/a.zarr`, 'raw')
    await assert.rejects(remote.readVoxels(box, new Uint16Array(2048), { signal: controller.signal }), {
      name: 'AbortError',
    })
  })

  for (const status of [403, 404, 410]) {
    for (const options of [{ zarrFormat: 2 }, { zarrFormat: 3 }, { shardShape: shape }] as const) {
      it(`V2: makes no voxels of chunks that expired with status ${status} (${JSON.stringify(options)})`, async (t) => {
        const folder = await temporaryFolder(t)
        const array = await zarrFormat().create(join(folder, 'a.zarr'), 'raw', {
          shape,
          dtype: 'uint16',
          chunkShape: [4, 8, 8],
          ...options,
        })
        await array.writeVoxels(box, data)
        let left = Number.POSITIVE_INFINITY
        const { address } = await serve(t, folder, (_, response) => {
          if (left-- > 0) return false
          response.writeHead(status).end()
          return true
        })
        const remote = await format.open(`${address}/a.zarr?signature=x`, 'raw')
        const part = { offset: [0, 0, 0], shape: [4, 8, 8] }
        const into = new Uint16Array(2048)
        await remote.readVoxels(part, into.subarray(0, 256))
        // The address expires: before all chunks, and between two of them.
        for (const more of [0, 1]) {
          left = more
          await assert.rejects(remote.readVoxels(box, into), {
            name: /InfrastructureError|MissingObject/,
            code: 'IO_ERROR',
          })
        }
        left = Number.POSITIVE_INFINITY
        await remote.readVoxels(box, into)
        assert.deepEqual(into, data)
      })
    }
  }

  it('V2: makes no voxels of missing chunks once the server answers everything with a page', async (t) => {
    const folder = await temporaryFolder(t)
    await zarrFormat().create(join(folder, 'a.zarr'), 'raw', { shape, dtype: 'uint16' })
    let isPage = false
    const { address } = await serve(t, folder, (request, response) => {
      if (!isPage) return false
      if (request.url?.includes('/c/')) response.writeHead(404).end()
      else response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Please sign in</html>')
      return true
    })
    const remote = await format.open(`${address}/a.zarr`, 'raw')
    isPage = true
    await assert.rejects(remote.readVoxels(box, new Uint16Array(2048)), { code: 'INVALID_METADATA' })
  })

  for (const how of [{ zarrFormat: 2 }, { zarrFormat: 3 }, { shardShape: shape }] as const) {
    it(`V2: makes no voxels of an array that another one replaced (${JSON.stringify(how)})`, async (t) => {
      const folder = await temporaryFolder(t)
      const container = join(folder, 'a.zarr')
      const create = { shape, dtype: 'uint16', chunkShape: [4, 8, 8], ...how } as const
      const array = await zarrFormat().create(container, 'raw', create)
      await array.writeVoxels(box, data)
      let isJson = false
      const { address } = await serve(t, folder, ({ url }, response) => {
        if (!isJson) return false
        if (/\.zarray$|zarr\.json$/.test(url ?? '')) response.writeHead(200).end('{"code":404}')
        else response.writeHead(404).end()
        return true
      })
      const remote = await format.open(`${address}/a.zarr`, 'raw')
      const replaced = { code: 'IO_ERROR', message: /was replaced while its array was being read/ }
      isJson = true
      await assert.rejects(remote.readVoxels(box, new Uint16Array(2048)), replaced)
      isJson = false
      const other = { ...create, chunkShape: [2, 16, 16], ifExists: 'replace' } as const
      await zarrFormat().create(container, 'raw', other)
      await assert.rejects(remote.readVoxels(box, new Uint16Array(2048)), replaced)
      await using complete = await zarrFormat().create(container, 'raw', { ...other, chunkShape: [4, 16, 16] })
      await complete.writeVoxels(box, data)
      // Its chunks look corrupt, which is no reason to delete them.
      await assert.rejects(remote.readVoxels({ offset: [0, 0, 0], shape: [4, 8, 8] }, new Uint16Array(256)), replaced)
    })
  }

  for (const options of [{ zarrFormat: 2 }, { zarrFormat: 3 }, { shardShape: shape }] as const) {
    it(`makes no voxels of chunks that were forbidden for a moment (${JSON.stringify(options)})`, async (t) => {
      const folder = await temporaryFolder(t)
      const how = { shape, dtype: 'uint16', chunkShape: [4, 8, 8], ...options } as const
      const array = await zarrFormat().create(join(folder, 'a.zarr'), 'raw', how)
      await array.writeVoxels(box, data)
      let forbidden = 0
      const { address } = await serve(t, folder, (request, response) => {
        if (forbidden === 0) return false
        // The address is valid again as soon as the array itself is asked for.
        if (/\.z|zarr\.json/.test(request.url?.split('/').at(-1) ?? '')) forbidden = 0
        if (forbidden-- <= 0) return false
        response.writeHead(403).end()
        return true
      })
      const remote = await format.open(`${address}/a.zarr`, 'raw')
      const into = new Uint16Array(2048)
      for (const chunks of [1, 2, 100]) {
        forbidden = chunks
        await remote.readVoxels(box, into.fill(0))
        forbidden = 0
        assert.deepEqual(into, data)
      }
    })
  }

  it('V2: asks twice whether the array is still there, however many chunks are missing', async (t) => {
    const folder = await temporaryFolder(t)
    await zarrFormat().create(join(folder, 'a.zarr'), 'raw', { shape, dtype: 'uint16', chunkShape: [1, 4, 4] })
    const { address, requests } = await serve(t, folder)
    const remote = await format.open(`${address}/a.zarr`, 'raw')
    requests.length = 0
    await remote.readVoxels(box, new Uint16Array(2048))
    assert.equal(requests.filter((url) => !url.includes('/c/')).length, 2)
    assert.equal(requests.length, 2 * (8 * 4 * 4) + 2)
  })

  for (const [what, headers, body, message] of [
    ['another part', { 'content-range': 'bytes 0-515/4612' }, 516, /"bytes 0-515\/4612" for the range bytes=-516/],
    ['a part that is too long', {}, 517, /517 bytes for the range/],
    ['several parts', { 'content-type': 'multipart/byteranges; boundary=x' }, 516, /several ranges/],
    ['an encoded part', { 'content-encoding': 'gzip' }, 0, /encoded/],
    ['an empty part', {}, 0, /has 0 bytes/],
  ] as const) {
    it(`V3: refuses ${what} of a shard`, async (t) => {
      const folder = await temporaryFolder(t)
      const array = await zarrFormat().create(join(folder, 'a.zarr'), 'raw', {
        shape,
        dtype: 'uint16',
        chunkShape: [4, 4, 4],
        shardShape: shape,
        codec: 'raw',
      })
      await array.writeVoxels(box, data)
      const { address } = await serve(t, folder, (request, response) => {
        if (!request.url?.includes('/c/')) return false
        response.writeHead(206, headers).end(Buffer.alloc(body))
        return true
      })
      const remote = await format.open(`${address}/a.zarr`, 'raw')
      const small = { offset: [5, 5, 5], shape: [2, 2, 2] }
      await assert.rejects(remote.readVoxels(small, new Uint16Array(8)), { name: 'InfrastructureError', message })
    })
  }

  it('refuses chunks of a wrong length, empty ones and pages in their place', async (t) => {
    const folder = await temporaryFolder(t)
    const chunked = { shape, dtype: 'uint16', chunkShape: shape } as const
    for (const codec of ['raw', 'zstd']) await zarrFormat().create(join(folder, 'a.zarr'), codec, { ...chunked, codec })
    for (const body of ['', '<html>Please sign in</html>', 'x'.repeat(4097)]) {
      const { address } = await serve(t, folder, (request, response) => {
        if (!request.url?.includes('/c/')) return false
        response.writeHead(200).end(body)
        return true
      })
      for (const codec of ['raw', 'zstd']) {
        const remote = await format.open(`${address}/a.zarr`, codec)
        await assert.rejects(remote.readVoxels(box, new Uint16Array(2048)), { code: 'CORRUPT_DATA' })
      }
    }
  })

  it('V4: follows redirects on the same server, and none to another', async (t) => {
    const folder = await temporaryFolder(t)
    const array = await zarrFormat().create(join(folder, 'a.zarr'), 'raw', { shape, dtype: 'uint16' })
    await array.writeVoxels(box, data)
    const other = await serve(t, folder)
    const { address } = await serve(t, folder, (request, response) => {
      const elsewhere = /^\/(here|there|loop)\/(.*)/.exec(request.url as string)
      if (elsewhere === null) return false
      const target = elsewhere[1] === 'loop' ? '/loop' : elsewhere[1] === 'here' ? '' : other.address
      response.writeHead(302, { location: `${target}/${elsewhere[2]}` }).end()
      return true
    })
    const into = new Uint16Array(2048)
    await (await format.open(`${address}/here/a.zarr`, 'raw')).readVoxels(box, into)
    assert.deepEqual(into, data)
    await assert.rejects(format.open(`${address}/there/a.zarr`, 'raw'), { code: 'IO_ERROR', message: /another server/ })
    await assert.rejects(format.open(`${address}/loop/a.zarr`, 'raw'), { code: 'IO_ERROR', message: /redirected more/ })
    assert.deepEqual(other.requests, [])
  })

  it('V4: says which redirects lead to no web address', async (t) => {
    const folder = await temporaryFolder(t)
    let location = ''
    const { address } = await serve(t, folder, (_, response) => {
      response.writeHead(302, { location }).end()
      return true
    })
    for (const [to, message] of [
      ['file:///etc/passwd', /is redirected to an address of the kind "file:", and only http and https are followed/],
      ['data:text/plain,a', /of the kind "data:"/],
      ['ftp://127.0.0.1/a', /of the kind "ftp:"/],
      ['http://', /is redirected to something that is not an address/],
    ] as const) {
      location = to
      await assert.rejects(format.open(`${address}/a.zarr`, 'raw'), { code: 'IO_ERROR', message })
    }
  })

  it('V4: follows no redirect from https to http, also on the same host', async (t) => {
    const folder = await temporaryFolder(t)
    await zarrFormat().create(join(folder, 'a.zarr'), 'raw', { shape, dtype: 'uint16' })
    const plain = await serve(t, folder)
    // The certificate is not what is tested.
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    t.after(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED)
    const secure = createSecureServer(testTls, (request, response) => {
      response.writeHead(302, { location: `${plain.address}${request.url}` }).end()
    })
    await once(secure.listen(0, '127.0.0.1'), 'listening')
    t.after(() => secure.close())
    const { port } = secure.address() as AddressInfo
    await assert.rejects(format.open(`https://127.0.0.1:${port}/a.zarr`, 'raw'), {
      code: 'IO_ERROR',
      message: /redirected to http:\/\/127\.0\.0\.1:\d+, another server/,
    })
    assert.deepEqual(plain.requests, [])
  })

  it('reads no more metadata than it can have, however well they are compressed', async (t) => {
    const folder = await temporaryFolder(t)
    const bomb = gzipSync(Buffer.alloc(150_000_000, ' '))
    const { address } = await serve(t, folder, (_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)
      return true
    })
    await assert.rejects(format.open(`${address}/a.zarr`, 'raw'), {
      code: 'IO_ERROR',
      message: /more than 100000000 bytes/,
    })
  })
})
