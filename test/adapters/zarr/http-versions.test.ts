import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { zarrFormat } from '../../../src/adapters/zarr/zarr-format.ts'
import { bytesOf } from '../../../src/core/array/dtype.ts'
import { noise, temporaryFolder } from '../../support/zarr.ts'

const shape = [8, 16, 16]
const box = { offset: [0, 0, 0], shape }
/** A quarter of the chunks, so that a shard is read by its parts. */
const part = { offset: [0, 0, 0], shape: [8, 16, 4] }
const VERSIONS = [1, 2].map((seed) => noise('uint16', 2048, seed))

interface Behaviour {
  /** How a file's version is said. */
  readonly tag?: 'etag' | 'weak' | 'last-modified' | 'none'
  /** Whether requests on a condition are refused if it is not met. @default true */
  readonly knowsConditions?: boolean
  /** The folder from which the n-th request of the shard is answered, counted from 0. */
  readonly folderOf: (request: number) => string
  /** Sends a body. @default at once */
  readonly send?: (response: ServerResponse, body: Uint8Array) => void
}

const tagOf = (tag: string, version: string): readonly [string, string] | undefined =>
  tag === 'etag'
    ? ['ETag', `"${version}"`]
    : tag === 'weak'
      ? ['ETag', `W/"${version}"`]
      : tag === 'last-modified'
        ? ['Last-Modified', new Date(1_700_000_000_000 + 1000 * version.length).toUTCString()]
        : undefined

async function serve(t: TestContext, behaviour: Behaviour) {
  const { tag = 'etag', knowsConditions = true, folderOf, send } = behaviour
  const shard: string[] = []
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const isShard = request.url?.includes('/c/') === true
    const folder = folderOf(isShard ? shard.length : 0)
    if (isShard) shard.push(JSON.stringify(request.headers))
    const path = join(folder, request.url ?? '')
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return void response.writeHead(404).end()
    const bytes = readFileSync(path)
    const version = tagOf(tag, folder)
    if (version !== undefined) response.setHeader(...version)
    const { 'if-match': match, 'if-unmodified-since': since, range } = request.headers
    const wanted = match ?? since
    if (knowsConditions && wanted !== undefined && wanted !== version?.[1]) return void response.writeHead(412).end()
    const [, start, end] = /bytes=(\d*)-(\d*)/.exec(range ?? '') ?? []
    const body =
      start === undefined
        ? bytes
        : start === ''
          ? bytes.subarray(-Number(end))
          : bytes.subarray(Number(start), Number(end) + 1)
    response.writeHead(start === undefined ? 200 : 206)
    if (isShard && send !== undefined) send(response, body)
    else response.end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.zarr`,
    shard,
  }
}

/** Two folders with other voxels in the same array, and chunks of other lengths. */
async function twoVersions(t: TestContext): Promise<[string, string]> {
  const folders = [await temporaryFolder(t), join(await temporaryFolder(t), 'longer')] as [string, string]
  for (const [number, folder] of folders.entries()) {
    await using array = await zarrFormat().create(join(folder, 'a.zarr'), 'raw', {
      ...{ shape, dtype: 'uint16', chunkShape: [8, 4, 4], shardShape: [8, 16, 16], codec: 'raw', zarrFormat: 3 },
    })
    await array.writeVoxels(box, VERSIONS[number]!)
  }
  return folders
}

const partOf = (data: Uint16Array): Uint16Array => data.filter((_, at) => at % 16 < 4)

async function readPart(address: string, http: object = {}): Promise<Uint16Array> {
  await using array = await zarrFormat({ http: { retries: 1, retryDelayMs: 1, ...http } }).open(address, 'raw')
  const into = new Uint16Array(512)
  await array.readVoxels(part, into)
  return into
}

describe('a shard behind http', () => {
  for (const tag of ['etag', 'weak', 'last-modified'] as const) {
    for (const knowsConditions of [true, false]) {
      const server = knowsConditions ? 'that checks conditions' : 'that ignores them'
      it(`is read again if it is replaced after its index was read (${tag}, a server ${server})`, async (t) => {
        const [first, second] = await twoVersions(t)
        const { address } = await serve(t, {
          tag,
          knowsConditions,
          folderOf: (request) => (request < 1 ? first : second),
        })
        const found = await readPart(address)
        assert.deepEqual(bytesOf(found), bytesOf(partOf(VERSIONS[1] as Uint16Array)))
      })
    }
  }

  it('is refused if it is replaced again and again', async (t) => {
    const [first, second] = await twoVersions(t)
    const { address } = await serve(t, { folderOf: (request) => (request % 2 === 0 ? first : second) })
    await assert.rejects(readPart(address), {
      code: 'IO_ERROR',
      message: /raw\/c\/0\/0\/0: it was replaced while it was being read; run again once nobody writes it\.$/,
    })
  })

  it('may take any time, as long as something arrives', async (t) => {
    const [folder] = await twoVersions(t)
    const inPieces = async (response: ServerResponse, body: Uint8Array) => {
      for (let at = 0; at < body.length; at += Math.ceil(body.length / 8)) {
        response.write(body.subarray(at, at + Math.ceil(body.length / 8)))
        await wait(100)
      }
      response.end()
    }
    const { address } = await serve(t, {
      folderOf: () => folder,
      send: (response, body) => void inPieces(response, body),
    })
    const found = await readPart(address, { timeoutMs: 600 })
    assert.deepEqual(bytesOf(found), bytesOf(partOf(VERSIONS[0] as Uint16Array)))
    const stalled = await serve(t, {
      folderOf: () => folder,
      send: (response, body) => void response.write(body.subarray(0, 9)),
    })
    await assert.rejects(readPart(stalled.address, { timeoutMs: 100 }), {
      code: 'IO_ERROR',
      message: /nothing was received for 0\.1 s/,
    })
  })
})
