import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { type HttpServer, type HttpServerOptions, serveHttp } from '../../../src/adapters/http/http-server.ts'
import { Unavailable } from '../../../src/core/unavailable.ts'
import type { LiveTree, Resource } from '../../../src/ports/resource.ts'
import { requestText, sendRaw } from '../../support/raw-request.ts'

const TOKEN = 'a'.repeat(24)
const TEXT = Buffer.from('0123456789')

const digits: Resource = {
  contentType: 'text/plain',
  size: TEXT.length,
  version: 'v1',
  async *read(start, end) {
    yield TEXT.subarray(start, end)
  },
  async [Symbol.asyncDispose]() {},
}

/** All paths that the server has, with their content. */
function recordedTree(): LiveTree & { readonly asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    async open(names) {
      asked.push(names.join('/'))
      if (names[0] === 'broken') throw new Error('damaged')
      if (names[0] === 'busy') throw new Unavailable('Too many requests at the moment.')
      return names[0] === 'digits' ? digits : undefined
    },
  }
}

async function serve(options: Partial<HttpServerOptions> = {}) {
  const content = recordedTree()
  const errors: unknown[] = []
  const assets = { open: async ([name]: readonly string[]) => (name === 'page.js' ? digits : undefined) }
  const onError = (error: unknown) => void errors.push(error)
  const server = await serveHttp({ token: TOKEN, assets, content, onError, ...options })
  return { server, content, errors, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

const request = (server: HttpServer, target: string, headers: readonly string[] = [], method = 'GET') =>
  sendRaw(server.port, requestText(`${method} ${target} HTTP/1.1`, [`Host: 127.0.0.1:${server.port}`, ...headers]))

const statusOf = async (server: HttpServer, target: string, headers: readonly string[] = [], method = 'GET') =>
  (await request(server, target, headers, method)).status

describe('the server of pages refuses', () => {
  it('what it can’t serve at the moment, and says why and that the request may be repeated', async () => {
    await using place = await serve()
    const { status, headers, body } = await request(place.server, `/${TOKEN}/busy`)
    assert.deepEqual([status, headers.get('retry-after')], [503, '1'])
    assert.match(body, /Too many requests at the moment\./)
    assert.deepEqual(place.errors, [])
  })

  it('methods other than GET and HEAD, and names the allowed ones', async () => {
    await using place = await serve()
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
      const answer = await request(place.server, `/${TOKEN}/digits`, [], method)
      assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'GET, HEAD'], method)
    }
    assert.deepEqual(place.content.asked, [])
  })

  it('paths without the token, and reveals nothing about them', async () => {
    await using place = await serve()
    for (const token of ['', 'b'.repeat(24), TOKEN.slice(1), `${TOKEN}a`, TOKEN.toUpperCase()]) {
      const status = await statusOf(place.server, `/${token}/digits`)
      assert.equal(status, token === '' ? 404 : 403, token)
    }
    assert.equal(await statusOf(place.server, '/'), 404)
    assert.deepEqual(place.content.asked, [])
  })

  it('host names that are not its own, and requests with two host names or none', async () => {
    await using place = await serve()
    const { port } = place.server
    const withHosts = async (...hosts: readonly string[]) =>
      (
        await sendRaw(
          port,
          requestText(
            `GET /${TOKEN}/digits HTTP/1.1`,
            hosts.map((host) => `Host: ${host}`),
          ),
        )
      ).status
    for (const host of ['localhost', `LOCALHOST:${port}`, '127.0.0.1:1', '[::1]:80']) {
      assert.equal(await withHosts(host), 200, host)
    }
    for (const host of ['evil.example', '127.0.0.1.evil.example', '0.0.0.0', 'localhost:123456', 'a b']) {
      assert.equal(await withHosts(host), 421, host)
    }
    assert.equal(await withHosts('localhost', 'evil.example'), 421)
    assert.equal(await withHosts(), 400)
  })

  it('paths that could mean anything but a place below the root', async () => {
    await using place = await serve()
    for (const path of [
      '../digits',
      'a/../digits',
      '%2e%2e/digits',
      'a%2Fdigits',
      'a%5Cdigits',
      '/digits',
      '%00',
      '%zz',
    ]) {
      assert.equal(await statusOf(place.server, `/${TOKEN}/${path}`), 404, path)
    }
    assert.equal(await statusOf(place.server, `/${TOKEN}/digits/`), 404)
    assert.equal(await statusOf(place.server, `/${TOKEN}/${'a'.repeat(2100)}`), 404)
    assert.deepEqual(place.content.asked, [])
  })

  it('ranges beyond the end, and several ranges at once', async () => {
    await using place = await serve()
    for (const range of ['bytes=10-', 'bytes=5-3', 'bytes=-0', 'bytes=0-1,3-4', 'bytes=x']) {
      const { status, headers } = await request(place.server, `/${TOKEN}/digits`, [`Range: ${range}`])
      assert.deepEqual([status, headers.get('content-range')], [416, 'bytes */10'], range)
    }
    const part = await request(place.server, `/${TOKEN}/digits`, ['Range: bytes=8-99'])
    assert.deepEqual([part.status, part.body, part.headers.get('content-range')], [206, '89', 'bytes 8-9/10'])
    const changed = await request(place.server, `/${TOKEN}/digits`, ['Range: bytes=8-', 'If-Range: "v0"'])
    assert.deepEqual([changed.status, changed.body], [200, '0123456789'])
  })

  it('request headers that are too large', async () => {
    await using place = await serve()
    const status = await statusOf(place.server, `/${TOKEN}/digits`, [`X-Large: ${'a'.repeat(20_000)}`])
    assert.ok(status === 0 || status >= 400, `${status}`)
  })

  it('other origins, unless they are configured', async () => {
    await using closed = await serve()
    const origin = ['Origin: https://viewer.example']
    const alone = await request(closed.server, `/${TOKEN}/digits`, origin)
    assert.equal(alone.headers.get('access-control-allow-origin'), undefined)
    await using open = await serve({ cors: ['https://viewer.example'] })
    const known = await request(open.server, `/${TOKEN}/digits`, origin)
    assert.equal(known.headers.get('access-control-allow-origin'), 'https://viewer.example')
    assert.equal(await statusOf(open.server, `/${TOKEN}/digits`, origin, 'OPTIONS'), 204)
    assert.equal(await statusOf(open.server, `/${TOKEN}/digits`, ['Origin: https://evil.example'], 'OPTIONS'), 405)
  })

  it('content that cannot be read, and reports the reason only to its caller', async () => {
    await using place = await serve()
    const { status, body } = await request(place.server, `/${TOKEN}/broken`)
    assert.deepEqual([status, body.includes('damaged')], [500, false])
    assert.match(String(place.errors), /damaged/)
  })

  it('a port that does not exist or is in use', async () => {
    await using place = await serve()
    const refused = { name: 'ConfigError', code: 'INVALID_CONFIG' }
    await assert.rejects(serve({ port: 65_536 }), refused)
    await assert.rejects(serve({ port: place.server.port }), { ...refused, message: /is in use; choose another/ })
  })
})

describe('the server of pages', () => {
  it('serves assets without the token, and content with it', async () => {
    await using place = await serve()
    const asset = await request(place.server, '/assets/page.js')
    assert.deepEqual([asset.status, asset.body], [200, '0123456789'])
    assert.match(asset.headers.get('cache-control') ?? '', /immutable/)
    const head = await request(place.server, `/${TOKEN}/digits`, [], 'HEAD')
    assert.deepEqual([head.status, head.body, head.headers.get('content-length')], [200, '', '10'])
    const folder = await request(place.server, `/${TOKEN}`)
    assert.deepEqual([folder.status, folder.headers.get('location')], [308, `/${TOKEN}/`])
  })

  it('closes the oldest connection that has not shown the token for a new one, and none that has', async () => {
    await using place = await serve({ maxUnproved: 3 })
    const { port } = place.server
    const browser = keptConnection(port)
    await browser.get(`/${TOKEN}/digits`)
    const strangers: ReturnType<typeof keptConnection>[] = []
    for (const target of ['/', '/assets/page.js', `/${'b'.repeat(24)}/digits`, '/', '/assets/page.js']) {
      const stranger = keptConnection(port)
      await stranger.get(target)
      strangers.push(stranger)
    }
    await strangers[0]?.closed
    await strangers[1]?.closed
    for (const open of [browser, ...strangers.slice(2)]) await open.get('/assets/page.js')
    for (const open of [browser, ...strangers]) open.socket.destroy()
  })
})

describe('the server of pages and slow clients:', () => {
  it('closes connections whose requests arrive byte by byte, with the token or without, and answers others', async () => {
    await using place = await serve({ requestMs: 4000 })
    const { port } = place.server
    const slow = ['/', `/${TOKEN}/digits`].map((target) => {
      // It goes on sending whatever it is told.
      const connection = keptConnection(port, true)
      const bytes = `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ${'a'.repeat(10_000)}`
      let sent = 0
      const timer = setInterval(() => connection.socket.write(bytes.charAt(sent++)), 20)
      connection.socket.resume().once('close', () => clearInterval(timer))
      return connection
    })
    const proved = keptConnection(port)
    await proved.get(`/${TOKEN}/digits`)
    proved.socket.write(`GET /${TOKEN}/digits HTTP/1.1\r\nHost: `)
    for (const { closed } of [...slow, proved]) {
      await closed
      assert.equal(await statusOf(place.server, `/${TOKEN}/digits`), 200)
    }
  })

  it('closes connections that take nothing of an answer, and what was opened for them', async () => {
    const ended = Promise.withResolvers<void>()
    const endless: Resource = {
      ...digits,
      size: 2 ** 40,
      async *read() {
        for (;;) yield Buffer.alloc(2 ** 20)
      },
      [Symbol.asyncDispose]: async () => ended.resolve(),
    }
    await using place = await serve({ stuckMs: 3000, content: { open: async () => endless } })
    const stuck = keptConnection(place.server.port)
    stuck.socket.write(`GET /${TOKEN}/digits HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    stuck.socket.pause()
    await ended.promise
    stuck.socket.destroy()
  })

  it('has a bounded number of connections, also with the token', async () => {
    await using place = await serve({ maxConnections: 4 })
    const open = Array.from({ length: 4 }, () => keptConnection(place.server.port))
    for (const each of open) await each.get(`/${TOKEN}/digits`)
    await keptConnection(place.server.port).closed
    open[0]?.socket.destroy()
    await open[0]?.closed
    let status = 0
    while (status !== 200) status = await statusOf(place.server, `/${TOKEN}/digits`).catch(() => 0)
    for (const each of open) each.socket.destroy()
  })
})

/** A connection that is used again, as browsers do. */
function keptConnection(port: number, allowHalfOpen = false) {
  const socket: Socket = connect({ port, host: '127.0.0.1', allowHalfOpen })
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve())
    socket.on('error', () => {})
  })
  return {
    socket,
    closed,
    /** Sends a request, and waits for its answer. */
    async get(target: string): Promise<void> {
      socket.write(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
      const answered = new Promise((resolve) => socket.once('data', resolve))
      assert.notEqual(await Promise.race([answered, closed]), undefined, target)
    },
  }
}
