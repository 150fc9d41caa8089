import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type HttpServerOptions, serveHttp } from '../../../src/adapters/http/http-server.ts'
import type { ActionTree } from '../../../src/ports/resource.ts'
import { sendRaw } from '../../support/raw-request.ts'

const TOKEN = 'a'.repeat(24)
const nothing = { open: async () => undefined }

/** A server whose actions record what they were asked to do. */
async function serve(options: Partial<HttpServerOptions> = {}) {
  const asked: unknown[] = []
  const errors: unknown[] = []
  const actions: ActionTree = {
    async act(names, body) {
      asked.push([names.join('/'), body])
      if (names[0] === 'broken') throw new Error('damaged')
      return names[0] === 'do' ? { status: 200, body: { text: 'done' } } : undefined
    },
  }
  const onError = (error: unknown) => void errors.push(error)
  const server = await serveHttp({ token: TOKEN, assets: nothing, content: nothing, actions, onError, ...options })
  const own = {
    Host: `127.0.0.1:${server.port}`,
    Origin: `http://127.0.0.1:${server.port}`,
    'X-Bellis-Token': TOKEN,
    'Content-Type': 'application/json',
  }
  /** Sends a POST as the page does, except for these headers; undefined leaves one out. */
  const post = async (
    path: string,
    changed: Record<string, string | undefined> = {},
    body = '{"a":1}',
    method = 'POST',
  ) => {
    const headers = Object.entries({ ...own, 'Content-Length': String(body.length), Connection: 'close', ...changed })
    const lines = headers.flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
    const answer = await sendRaw(server.port, `${[`${method} ${path} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n${body}`)
    return { status: answer.status, headers: answer.headers, body: answer.body }
  }
  return { server, asked, errors, post, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

describe('a request that changes something', () => {
  it('is carried out if it comes from the page itself, and answered with JSON that is not kept', async () => {
    await using place = await serve()
    const answer = await place.post(`/${TOKEN}/do/it`)
    assert.deepEqual([answer.status, JSON.parse(answer.body)], [200, { text: 'done' }])
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    assert.equal((await place.post(`/${TOKEN}/do`, { 'Sec-Fetch-Site': 'same-origin' })).status, 200)
    const port = place.server.port
    const tunnel = { Host: 'localhost:9999', Origin: 'http://localhost:9999' }
    assert.equal((await place.post(`/${TOKEN}/do`, tunnel)).status, 200, `a tunnel to ${port}`)
    assert.deepEqual(place.asked[0], ['do/it', { a: 1 }])
    assert.equal(place.asked.length, 3)
  })

  it('is refused, and changes nothing, from anywhere else', async () => {
    await using place = await serve()
    const cases: readonly (readonly [number, Record<string, string | undefined>])[] = [
      [403, { 'X-Bellis-Token': undefined }],
      [403, { 'X-Bellis-Token': '' }],
      [403, { 'X-Bellis-Token': 'b'.repeat(24) }],
      [403, { Origin: undefined }],
      [403, { Origin: 'null' }],
      [403, { Origin: 'http://example.org' }],
      [403, { Origin: `http://127.0.0.1:${place.server.port + 1}` }],
      [403, { 'Sec-Fetch-Site': 'cross-site' }],
      [403, { 'Sec-Fetch-Site': 'same-site' }],
      [415, { 'Content-Type': undefined }],
      [415, { 'Content-Type': 'text/plain' }],
      [415, { 'Content-Type': 'application/x-www-form-urlencoded' }],
      [421, { Host: 'example.org', Origin: 'http://example.org' }],
    ]
    for (const [status, headers] of cases) {
      assert.equal((await place.post(`/${TOKEN}/do`, headers)).status, status, JSON.stringify(headers))
    }
    assert.equal((await place.post(`/${'b'.repeat(24)}/do`)).status, 403)
    assert.deepEqual(place.asked, [])
  })

  it('is refused by GET and every other method', async () => {
    await using place = await serve()
    assert.equal((await place.post(`/${TOKEN}/do`, {}, '{}', 'GET')).status, 404)
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const answer = await place.post(`/${TOKEN}/do`, {}, '{}', method)
      assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'GET, HEAD, POST'], method)
    }
    assert.deepEqual(place.asked, [])
  })

  it('is refused by a server without actions', async () => {
    await using place = await serve({ actions: undefined as never })
    const answer = await place.post(`/${TOKEN}/do`)
    assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'GET, HEAD'])
  })

  it('is refused if it is not JSON, too long, or for something that does not exist; a failure is reported', async () => {
    await using place = await serve()
    assert.equal((await place.post(`/${TOKEN}/do`, {}, '{')).status, 400)
    assert.equal((await place.post(`/${TOKEN}/do`, {}, '')).status, 400)
    assert.equal((await place.post(`/${TOKEN}/do`, {}, `"${'x'.repeat(70_000)}"`)).status, 413)
    assert.deepEqual(place.asked, [])
    assert.equal((await place.post(`/${TOKEN}/other`)).status, 404)
    assert.equal((await place.post('/assets/do')).status, 404)
    assert.deepEqual(place.errors, [])
    const broken = await place.post(`/${TOKEN}/broken`)
    assert.deepEqual([broken.status, place.errors.length], [500, 1])
    assert.doesNotMatch(broken.body, /damaged/)
  })
})
