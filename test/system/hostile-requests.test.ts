import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createArray } from '../../src/entry/arrays.ts'
import { startViewer, type ViewerServer } from '../../src/entry/pages/viewer-server.ts'
import { temporaryFolder } from '../support/command-line.ts'
import { type RawAnswer, requestText, sendRaw } from '../support/raw-request.ts'

const SECRET = 'TOP-SECRET-7f3a'

/**
 * A dataset that is served unchanged, with secrets in and around it: beside it, behind links out of it, in files that do not belong to
 * it. No request may reveal one of them.
 */
describe('the viewer’s server', () => {
  const folder = temporaryFolder()
  const root = folder.path
  const container = join(root, 'open.zarr')
  let viewer: ViewerServer
  let token = ''

  before(async () => {
    for (const name of ['raw', 'other']) {
      const array = await createArray(join(container, name), {
        shape: [4, 8, 8],
        dtype: 'uint8',
        chunkShape: [2, 8, 8],
        codec: 'raw',
      })
      await array.write(array.roi, new Uint8Array(256).fill(name === 'raw' ? 1 : 2))
      await array.close()
    }
    const raw = join(container, 'raw')
    writeFileSync(join(root, 'secret.txt'), SECRET)
    writeFileSync(join(container, 'secret.txt'), SECRET)
    writeFileSync(join(raw, 'secret.txt'), SECRET)
    writeFileSync(join(raw, '.env'), SECRET)
    writeFileSync(join(raw, 'c', '0', 'notes'), SECRET)
    mkdirSync(join(root, 'elsewhere', '0'), { recursive: true })
    writeFileSync(join(root, 'elsewhere', '0', '0'), SECRET)
    // Links with names of chunks that lead out of the dataset.
    symlinkSync(join(root, 'secret.txt'), join(raw, 'c', '1', '0', '7'))
    symlinkSync(join(root, 'elsewhere'), join(raw, 'c', '7'))
    symlinkSync('../../../../secret.txt', join(raw, 'c', '0', '0', '7'))
    viewer = await startViewer([{ path: join(container, 'raw') }])
    token = new URL(viewer.address).pathname.slice(1, -1)
  })
  after(async () => {
    await viewer[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })

  const host = () => `Host: 127.0.0.1:${viewer.port}`
  const get = (target: string, headers: readonly string[] = [host()], method = 'GET') =>
    sendRaw(viewer.port, requestText(`${method} ${target} HTTP/1.1`, headers))
  const data = (path: string) => `/${token}/data/0/0/${path}`

  function assertNothing(answer: RawAnswer, what: string): void {
    assert.ok(answer.status === 0 || answer.status >= 400, `${what}: ${answer.status}`)
    assert.equal(answer.body.includes(SECRET), false, what)
    assert.equal(answer.body.includes('open.zarr'), false, what)
    if (answer.status >= 400 && answer.headers.has('content-type')) {
      assert.equal(answer.headers.get('cache-control'), 'no-store', what)
    }
  }

  it("the viewer's server serves chunks, byte ranges and metadata of the dataset, with caching headers", async () => {
    const chunk = await get(data('c/0/0/0'))
    assert.equal(chunk.status, 200)
    assert.equal(chunk.body, '\u0001'.repeat(128))
    assert.equal(chunk.headers.get('cache-control'), 'private, no-cache')
    const etag = chunk.headers.get('etag') ?? ''
    assert.match(etag, /^"[\w-]+"$/)
    const head = await get(data('c/0/0/0'), [host()], 'HEAD')
    assert.deepEqual([head.status, head.body, head.headers.get('content-length')], [200, '', '128'])
    const part = await get(data('c/0/0/0'), [host(), 'Range: bytes=100-'])
    assert.deepEqual([part.status, part.body.length], [206, 28])
    assert.equal(part.headers.get('content-range'), 'bytes 100-127/128')
    assert.equal((await get(data('c/0/0/0'), [host(), `If-None-Match: ${etag}`])).status, 304)
    assert.equal((await get(data('c/0/0/0'), [host(), 'Range: bytes=0-1', 'If-Range: "other"'])).status, 200)
    assert.equal((await get(data('c/0/0/0'), [host(), 'Range: bytes=128-'])).status, 416)
    assert.equal((await get(data('c/0/0/0'), [host(), `Range: bytes=${'0-127,'.repeat(500)}0-1`])).status, 416)
    assert.match((await get(data('zarr.json'))).body, /"node_type": ?"array"/)
    const missing = await get(data('c/1/1/1'))
    assert.deepEqual([missing.status, missing.headers.get('cache-control')], [404, 'no-store'])
  })

  it("the viewer's server gives access to nothing but the dataset, however the path is written", async () => {
    const ups = [
      '..',
      '%2e%2e',
      '.%2e',
      '%2E.',
      '..%00',
      '%252e%252e',
      '..;',
      '...',
      '%c0%ae%c0%ae',
      '．．',
      '..\\',
      '%2e%2e%5c',
    ]
    const slashes = ['/', '//', '%2f', '%5c', '\\', '/./', '%252f', '%c0%af']
    const targets = ['secret.txt', 'open.zarr/secret.txt', 'open.zarr/other/zarr.json', 'etc/passwd']
    const hostile = ups.flatMap((up) =>
      slashes.flatMap((slash) =>
        targets.map((target, i) => data(`${`${up}${slash}`.repeat((i % 4) + 1)}${target.replaceAll('/', slash)}`)),
      ),
    )
    hostile.push(
      ...[
        'secret.txt',
        '.env',
        'c/0/notes',
        'c/1/0/7',
        'c/7/0/0',
        'c/0/0/7',
        'c/0',
        'c',
        '',
        '.',
        'c/0/0/0/',
        'c/0/0/0/..',
      ].map(data),
      ...[
        'zarr.json/../secret.txt',
        'c/00/0/0/0',
        'c/0/0/0/0',
        'c/-1/0/0',
        'c/0/0/0%00',
        'c/0/0/0.txt',
        '.tmp-1',
        '.zattrs',
      ].map(data),
      ...[
        '',
        '1/',
        '1/0/zarr.json',
        '-1/zarr.json',
        '0x0/zarr.json',
        '0/1/zarr.json',
        '0/secret.txt',
        '0/../../secret.txt',
      ].map((path) => `/${token}/data/${path}`),
      ...['secret.txt', 'view.json/x', 'assets/index.html', 'index.html', '__proto__', 'constructor'].map(
        (path) => `/${token}/${path}`,
      ),
      ...['/assets/', '/assets', '/assets/../index.html', '/assets/%2e%2e/index.html', '/assets/../../package.json'],
      ...[
        `file:///${root}/secret.txt`,
        `${root}/secret.txt`,
        `/${token}${root}/secret.txt`,
        `/assets${root}/secret.txt`,
      ],
    )
    assert.ok(hostile.length > 300, String(hostile.length))
    for (const target of hostile) assertNothing(await get(target), target)
  })

  it("the viewer's server lists no folder", async () => {
    for (const path of [
      'data',
      'data/',
      'data/0',
      'data/0/',
      'data/0/0',
      'data/0/0/',
      'data/0/0/c/',
      'data/0/0/c/0/',
    ]) {
      assert.equal((await get(`/${token}/${path}`)).status, 404, path)
    }
  })

  it("the viewer's server refuses requests without its token, except for its static assets", async () => {
    const wrong = [
      ...['x', token.slice(1), `${token}x`, token.toUpperCase(), [...token].reverse().join(''), '%00', 'undefined', ''],
      ...[`${token}%00`, encodeURIComponent(` ${token}`), `${token};`, '*', 'null'],
    ]
    for (const guess of wrong) {
      for (const path of ['', 'view.json', 'status.json', 'data/0/0/c/0/0/0']) {
        const target = `/${guess}/${path}`
        const answer = await get(target)
        assertNothing(answer, target)
        assert.equal(answer.body.includes(token), false, target)
      }
    }
    assertNothing(await get(`/?token=${token}`), 'token elsewhere')
    assertNothing(
      await get('/view.json', [host(), `Authorization: Bearer ${token}`, `Cookie: token=${token}`]),
      'header',
    )
    const page = await get(`/${token}/`)
    assert.equal(page.status, 200)
    const script = /src="(\/assets\/[\w/.]+)"/.exec(page.body)?.[1] ?? ''
    const asset = await get(script)
    assert.deepEqual([asset.status, asset.headers.get('cache-control')], [200, 'public, max-age=31536000, immutable'])
  })

  it("the viewer's server answers only to its own host names, so a DNS rebinding page learns nothing", async () => {
    const port = viewer.port
    for (const name of ['127.0.0.1', 'localhost', 'LOCALHOST', '[::1]']) {
      assert.equal((await get(`/${token}/view.json`, [`Host: ${name}:${port}`])).status, 200, name)
      // A tunnel has another port.
      assert.equal((await get(`/${token}/view.json`, [`Host: ${name}:9999`])).status, 200, name)
    }
    const others = [
      ...[
        'evil.example',
        `evil.example:${port}`,
        '127.0.0.1.evil.example',
        'localhost.evil.example',
        'evil.example@127.0.0.1',
      ],
      ...[
        '127.0.0.1 evil.example',
        '127.0.0.1, evil.example',
        '127.0.0.2',
        '0.0.0.0',
        '10.0.0.1',
        '[::2]',
        '::1',
        '2130706433',
      ],
      ...[
        '0x7f.0.0.1',
        '127.1',
        'localhost.',
        '127.0.0.1:port',
        '127.0.0.1:',
        '',
        '/',
        'localhost/',
        'localhost#',
        'localhost%00',
      ],
    ]
    for (const name of others) {
      for (const path of ['', 'view.json', 'data/0/0/c/0/0/0']) {
        assertNothing(await get(`/${token}/${path}`, [`Host: ${name}`]), `${name} ${path}`)
      }
      assertNothing(await get('/assets/x', [`Host: ${name}`]), name)
    }
    assertNothing(await get(`/${token}/view.json`, []), 'no host')
    assertNothing(await get(`/${token}/view.json`, [host(), 'Host: evil.example']), 'two hosts')
    assertNothing(await get(`/${token}/view.json`, ['Host: evil.example', host()]), 'two hosts')
    assertNothing(
      await get(`/${token}/view.json`, ['Host: evil.example', `X-Forwarded-Host: 127.0.0.1:${port}`]),
      'forwarded',
    )
    assertNothing(await sendRaw(port, `GET /${token}/view.json HTTP/1.0\r\n\r\n`), 'no host, 1.0')
    assertNothing(await get(`http://evil.example/${token}/view.json`), 'absolute')
  })

  it("the viewer's server accepts GET and HEAD only", async () => {
    for (const method of [
      'POST',
      'PUT',
      'DELETE',
      'PATCH',
      'OPTIONS',
      'TRACE',
      'PROPFIND',
      'MKCOL',
      'LOCK',
      'QUERY',
      'get',
      'FOO',
    ]) {
      for (const target of [data('c/0/0/0'), `/${token}/view.json`, '*']) {
        const answer = await get(target, [host(), 'Content-Length: 0'], method)
        assertNothing(answer, `${method} ${target}`)
      }
    }
    assertNothing(await get('127.0.0.1:22', [host()], 'CONNECT'), 'CONNECT')
    const upgrade = await get(`/${token}/view.json`, [host(), 'Connection: Upgrade', 'Upgrade: websocket'])
    assert.notEqual(upgrade.status, 101)
  })

  it("the viewer's server refuses malformed requests", async () => {
    const whole = requestText(`GET ${data('c/0/0/0')} HTTP/1.1`, [host()])
    for (const broken of [
      ...['GET\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', `GET ${data('c/0/0/0')}\r\n\r\n`, '\u0000\u0001\u0002\r\n\r\n'],
      whole.replace('Host:', 'Host :'),
      whole.replace('Host:', ' Host:'),
      whole.replace('\r\nConnection', '\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\nConnection'),
      whole.replace('\r\nConnection', `\r\nX: ${'x'.repeat(40_000)}\r\nConnection`),
      whole.replace('\r\nConnection', '\r\nX: a\u0000b\r\nConnection'),
      `GET /${'a/'.repeat(20_000)} HTTP/1.1\r\n${host()}\r\n\r\n`,
    ]) {
      assertNothing(await sendRaw(viewer.port, broken), JSON.stringify(broken.slice(0, 60)))
    }
    assert.equal((await sendRaw(viewer.port, whole)).status, 200)
  })

  it("the viewer's server explains a refusal on a page for people and in one line for programs, and never echoes the request", async () => {
    const target = '/<script>alert(1)</script>/'
    const page = await get(target, [host(), 'Accept: text/html,*/*;q=0.8'])
    assert.deepEqual([page.status, page.headers.get('content-type')], [403, 'text/html; charset=utf-8'])
    assert.match(page.body, /<p>This address is not, or no longer, valid: open the one that bellis printed\.<\/p>/)
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/)
    const line = await get(target)
    assert.deepEqual([line.status, line.headers.get('content-type')], [403, 'text/plain; charset=utf-8'])
    for (const { body } of [page, line]) assert.doesNotMatch(body, /alert/)
  })

  it("the viewer's server tells browsers that other pages may not frame, sniff or read it", async () => {
    const { headers } = await get(`/${token}/view.json`, [host(), 'Origin: https://evil.example'])
    assert.match(
      headers.get('content-security-policy') ?? '',
      /default-src 'none'.*connect-src 'self'.*frame-ancestors 'none'/,
    )
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('referrer-policy'), 'no-referrer')
    assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin')
    assert.equal(headers.has('access-control-allow-origin'), false)
  })

  it("the viewer's server lets only the origins that the user names read it", async () => {
    await using open = await startViewer([{ path: join(container, 'raw') }], { cors: ['https://viewer.example'] })
    const target = `${new URL(open.address).pathname}view.json`
    const ask = async (origin: string) =>
      (await sendRaw(open.port, requestText(`GET ${target} HTTP/1.1`, ['Host: localhost', `Origin: ${origin}`])))
        .headers
    const named = await ask('https://viewer.example')
    assert.equal(named.get('access-control-allow-origin'), 'https://viewer.example')
    assert.equal(named.get('vary'), 'Origin')
    for (const origin of ['https://viewer.example.evil', 'http://viewer.example', 'null', 'https://evil.example']) {
      assert.equal((await ask(origin)).has('access-control-allow-origin'), false, origin)
    }
    const preflight = (origin: string, host = 'localhost') =>
      sendRaw(open.port, requestText(`OPTIONS ${target} HTTP/1.1`, [`Host: ${host}`, `Origin: ${origin}`]))
    const allowed = await preflight('https://viewer.example')
    assert.deepEqual([allowed.status, allowed.headers.get('access-control-allow-methods')], [204, 'GET, HEAD'])
    assert.equal((await preflight('https://evil.example')).status, 405)
    assert.equal((await preflight('https://viewer.example', 'evil.example')).status, 421)
  })
})
