import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type DownloadOptions, download } from '../../../src/adapters/http/download.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { type FileAnswer, serveFile } from '../../support/file-server.ts'

const body = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31) % 253))
const other = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, i) => (i * 17) % 251))

/** After how many bytes the connection is cut. */
const CUTS = [9000, 70_000, 140_000, 210_000, 250_000]

describe('a download', () => {
  async function attempt(answer: (request: number) => FileAnswer, options: DownloadOptions = {}) {
    using folder = temporaryFolder()
    await using server = await serveFile(answer)
    const file = join(folder.path, 'out.hdf')
    const onProgress = (done: number) => {
      if (CUTS.includes(done)) server.cut()
    }
    const start = () => download(server.address, file, { retryDelayMs: 1, onProgress, ...options })
    const error = await start().then(
      () => undefined,
      (error: Error) => error,
    )
    const left = readdirSync(folder.path).sort()
    const again = error === undefined ? undefined : await start().catch((second: Error) => second)
    const bytes = existsSync(file) ? readFileSync(file) : undefined
    return { error, asked: server.asked, left, again, bytes }
  }

  it('continues after a broken connection, in the same call, and leaves nothing but the file', async () => {
    const { error, asked, bytes, left } = await attempt((request) =>
      request < 3 ? { body, etag: '"a"', stallAfter: 70_000 } : { body, etag: '"a"' },
    )
    assert.equal(error, undefined)
    assert.deepEqual(asked, ['all', 'bytes=70000-', 'bytes=140000-', 'bytes=210000-'])
    assert.deepEqual(bytes, body)
    assert.deepEqual(left, ['out.hdf'])
  })

  it('keeps and reports what it has received if it fails for good, and a later call fetches only the rest', async () => {
    const { error, asked, left, again, bytes } = await attempt(
      (request) => ({
        body,
        etag: '"a"',
        ...(request === 0 ? { stallAfter: 70_000 } : request < 4 ? { status: 503 } : {}),
      }),
      { retries: 3 },
    )
    assert.match(
      String(error),
      /stopped sending after 70000 bytes \(it returned HTTP 503\); the same command continues/,
    )
    assert.deepEqual(left, ['out.hdf.part', 'out.hdf.part.json'])
    assert.equal(again, 300_000)
    assert.equal(asked.at(-1), 'bytes=70000-')
    assert.deepEqual(bytes, body)
  })

  it('starts from scratch if the server has another file now, or does not support ranges', async () => {
    const changed = await attempt((request) =>
      request === 0 ? { body, etag: '"a"', stallAfter: 70_000 } : { body: other, etag: '"b"' },
    )
    assert.deepEqual([changed.error, changed.bytes], [undefined, other])
    const shorter = await attempt((request) => (request === 0 ? { body, stallAfter: 250_000 } : { body: other }))
    assert.deepEqual([shorter.error, shorter.bytes], [undefined, other])
    const plain = await attempt((request) => ({
      body,
      knowsRanges: false,
      ...(request === 0 ? { stallAfter: 9000 } : {}),
    }))
    assert.deepEqual([plain.error, plain.bytes], [undefined, body])
  })

  it('does not continue a partial file of another address', async () => {
    using folder = temporaryFolder()
    await using server = await serveFile(() => ({ body, etag: '"a"' }))
    const file = join(folder.path, 'out.hdf')
    writeFileSync(`${file}.part`, other)
    const origin = { address: 'http://elsewhere/sample.hdf', total: body.length, validator: '"a"' }
    writeFileSync(`${file}.part.json`, JSON.stringify(origin))
    await download(server.address, file)
    assert.deepEqual([server.asked, readFileSync(file)], [['all'], body])
  })

  it('fails when the server falls silent', async () => {
    const { error, bytes } = await attempt(
      (request) => ({ body, etag: '"a"', ...(request === 0 ? { stallAfter: 50_000 } : {}) }),
      { silenceMs: 100 },
    )
    assert.deepEqual([error, bytes], [undefined, body])
  })

  it('fails at once and leaves nothing if the file is missing, has no known size, or fails its check', async () => {
    const missing = await attempt(() => ({ body, status: 404 }))
    assert.match(String(missing.error), /returned HTTP 404; check the address/)
    const unsized = await attempt(() => ({ body, saysLength: false }))
    assert.match(String(unsized.error), /sends no Content-Length/)
    const wrong = await attempt(() => ({ body }), {
      check: () => {
        throw new Error('not what was wanted')
      },
    })
    assert.match(String(wrong.error), /not what was wanted/)
    for (const { left, asked } of [missing, unsized, wrong]) assert.deepEqual([left, asked.length], [[], 2])
  })

  it('follows redirects on the same server, and none to another', async () => {
    using folder = temporaryFolder()
    await using other = await serveFile(() => ({ body }))
    const server = createServer((request, response) => {
      if (request.url === '/file') return response.end(body)
      response.writeHead(302, { location: request.url === '/here' ? '/file' : other.address }).end()
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const file = join(folder.path, 'out.hdf')
    assert.equal(await download(`${address}/here`, file), body.length)
    assert.deepEqual(new Uint8Array(readFileSync(file)), new Uint8Array(body))
    await assert.rejects(download(`${address}/there`, file), { code: 'NO_SUCH_FILE', message: /another server/ })
    assert.deepEqual(other.asked, [])
    server.close()
  })

  it('reports a missing target folder', async () => {
    await using server = await serveFile(() => ({ body }))
    await assert.rejects(download(server.address, '/none/of/these/out.hdf'), /out\.hdf\.part can't be written: ENOENT/)
    assert.equal(server.asked.length, 1)
  })
})
