import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { type HttpServerOptions, serveHttp } from '../../../src/adapters/http/http-server.ts'
import type { EventFeed, FeedClient, LiveTree } from '../../../src/ports/resource.ts'
import { requestText, sendRaw } from '../../support/raw-request.ts'

/** A feed through which a test sends events. */
class TestFeed implements EventFeed {
  readonly kind = 'feed'
  readonly clients = new Set<FeedClient>()
  resumed = 0
  join(client: FeedClient) {
    this.clients.add(client)
    return { resume: () => void this.resumed++, leave: () => void this.clients.delete(client) }
  }
}

async function serve(feed: EventFeed, options: Partial<HttpServerOptions> = {}) {
  const nothing: LiveTree = { open: async () => undefined }
  const content: LiveTree = { open: async ([name]) => (name === 'events' ? feed : undefined) }
  const token = 'a'.repeat(24)
  return await serveHttp({ token, assets: nothing as never, content, onError: assert.ifError, ...options })
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await setImmediate()
}

describe('a stream of events', () => {
  it('delivers events as they are sent, and ends when there are no more', async () => {
    const feed = new TestFeed()
    await using server = await serve(feed)
    const response = await fetch(`${server.address}events`)
    assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
    assert.equal(response.headers.get('cache-control'), 'no-store')
    const [client] = feed.clients
    assert.ok(client?.send('states', '0:abc'))
    await client?.end()
    assert.equal(await response.text(), 'event: states\ndata: 0:abc\n\n')
    assert.equal(feed.clients.size, 0)
  })

  it('buffers little for a browser that does not read, and notices when it reads again', async () => {
    const feed = new TestFeed()
    await using server = await serve(feed)
    const socket = connect(server.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write(`GET ${new URL(server.address).pathname}events HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    await until(() => feed.clients.size === 1)
    socket.pause()
    const [client] = feed.clients as Iterable<FeedClient> as [FeedClient]
    const data = 'x'.repeat(100_000)
    let sent = 0
    // Yields in between, so that the system can take as much as possible.
    while (client.send('states', data)) {
      sent++
      await setImmediate()
    }
    assert.ok(sent < 500, `${sent} × 100 kB were buffered`)
    assert.equal(client.send('states', data), false)
    socket.resume()
    await until(() => feed.resumed === 1)
    assert.ok(client.send('states', 'y'))
    socket.destroy()
    await until(() => feed.clients.size === 0)
  })

  it('is refused to pages of other origins, and takes no place for them, unless their origin is configured', async () => {
    const feed = new TestFeed()
    const cors = ['https://viewer.example']
    await using server = await serve(feed, { cors })
    const { pathname } = new URL(server.address)
    const ask = (headers: readonly string[]) =>
      sendRaw(
        server.port,
        requestText(`HEAD ${pathname}events HTTP/1.1`, [`Host: localhost:${server.port}`, ...headers]),
      )
    for (const [headers, status] of [
      [['Origin: https://evil.example'], 403],
      [['Origin: null'], 403],
      [['Sec-Fetch-Site: cross-site'], 403],
      [['Sec-Fetch-Site: same-site'], 403],
      [['Origin: http://localhost:1'], 403],
      [[`Origin: http://localhost:${server.port}`], 200],
      [['Origin: https://viewer.example', 'Sec-Fetch-Site: cross-site'], 200],
      [['Sec-Fetch-Site: same-origin'], 200],
      [[], 200],
    ] as const) {
      assert.equal((await ask(headers)).status, status, headers.join())
    }
    const foreign = await fetch(`${server.address}events`, { headers: { 'sec-fetch-site': 'cross-site' } })
    assert.equal(foreign.status, 403)
    assert.equal(feed.clients.size, 0)
  })

  it('sends a snapshot of any size once, and the next events after it', async () => {
    const feed = new TestFeed()
    await using server = await serve(feed)
    const response = await fetch(`${server.address}events`)
    const [client] = feed.clients as Iterable<FeedClient> as [FeedClient]
    const states = 'x'.repeat(8 << 20)
    for (const [event, data] of [
      ['begin', '{}'],
      ['states', states],
      ['states', states],
      ['summary', '1'],
    ] as const) {
      assert.ok(client.send(event, data), event)
    }
    await setImmediate()
    // Before the browser has read the snapshot.
    assert.ok(client.send('summary', '2'))
    const text = response.text()
    await client.end()
    const events = (await text).split('\n\n').map((event) => event.split('\n', 1)[0])
    assert.deepEqual(events, ['event: begin', 'event: states', 'event: states', 'event: summary', 'event: summary', ''])
    assert.equal(feed.resumed, 0)
  })
})
