import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { zarrFormat } from '../../../src/adapters/zarr/zarr-format.ts'
import { bytesOf } from '../../../src/core/array/dtype.ts'
import { noise, temporaryFolder } from '../../support/zarr.ts'

const http = { retries: 2, retryDelayMs: 1 }
const format = zarrFormat({ http })

type Handler = (request: IncomingMessage, response: ServerResponse) => boolean

/** A server of the files of a folder, with ranges. `first` may answer instead. */
async function serve(t: TestContext, folder: string, first: Handler = () => false, ranges = true) {
  const requests: string[] = []
  const server = createServer(async (request, response) => {
    requests.push(`${request.url}${request.headers.range === undefined ? '' : ` ${request.headers.range}`}`)
    if (first(request, response)) return
    const bytes = await readFile(
      join(folder, decodeURIComponent((request.url as string).split('?')[0] as string)),
    ).catch(() => undefined)
    const range = /bytes=(\d*)-(\d*)/.exec((ranges && request.headers.range) || '')
    if (bytes === undefined) {
      response.writeHead(404).end()
      return
    }
    if (range === null) {
      response.writeHead(200).end(bytes)
      return
    }
    const [, start, end] = range as unknown as [string, string, string]
    const part = start === '' ? bytes.subarray(-Number(end)) : bytes.subarray(Number(start), Number(end) + 1)
    response.writeHead(206).end(part)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

const shape = [8, 16, 16]
const box = { offset: [0, 0, 0], shape }
const data = noise('uint16', 2048, 1)

describe('a container behind http', () => {
  it('reads like the folder, and takes missing chunks for the fill value', async (t) => {
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

  it('requests only the index and the wanted chunks of a shard, and works without support for ranges, too', async (t) => {
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
      assert.deepEqual(requests, ['/a.zarr/raw/c/0/0/0 bytes=-516', '/a.zarr/raw/c/0/0/0 bytes=2688-2815'])
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
})
