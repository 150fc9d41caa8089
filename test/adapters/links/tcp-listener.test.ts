import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { connectTo } from '../../../src/adapters/links/connect.ts'
import { parseContext, showContext } from '../../../src/adapters/links/context.ts'
import { listenTcp, type TcpListener } from '../../../src/adapters/links/tcp-listener.ts'
import { MAX_HELLO_BYTES, MAX_LINE_BYTES } from '../../../src/core/protocol/messages.ts'
import { describeListener } from '../../contracts/listener.contract.ts'
import { helloTo, tcpPair, testTls } from '../../support/links.ts'

/** A test fails if the listener takes longer to close a connection. */
const CLOSE_MS = 10_000

/** Sends raw bytes and returns everything that is received. @throws if the listener does not close the connection */
async function converse(listener: TcpListener, ...pieces: readonly (string | Buffer)[]): Promise<string> {
  const socket = connect(listener.port, '127.0.0.1')
  const answer = readAll(socket)
  for (const piece of pieces) {
    if (socket.destroyed) break
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {})
  }
  return await answer
}

function readAll(socket: Socket): Promise<string> {
  let text = ''
  socket.setEncoding('utf8')
  socket.on('data', (piece) => {
    text += piece
  })
  socket.on('error', () => {})
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`the connection was not closed within ${CLOSE_MS / 1000} s; it was sent: ${text}`))
      socket.destroy()
    }, CLOSE_MS)
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(text)
    })
  })
}

/** @throws if the promise takes longer than the listener may take to close a connection */
async function inTime<T>(promise: Promise<T>): Promise<T> {
  const limit = new AbortController()
  const late = delay(CLOSE_MS, undefined, { signal: limit.signal, ref: true }).then(() => {
    throw new Error(`waited ${CLOSE_MS / 1000} s in vain`)
  })
  late.catch(() => {})
  try {
    return await Promise.race([promise, late])
  } finally {
    limit.abort()
  }
}

const line = (value: unknown) => `${JSON.stringify(value)}\n`

function refusalOf(text: string): { code: string; message: string } {
  const message = JSON.parse(text.trim().split('\n').at(-1) ?? '')
  assert.equal(message.type, 'refused', text)
  return message
}

/** Accepts every worker and closes the connection, so that there is no refusal. */
function letNoOneIn(listener: TcpListener): void {
  listener.onArrival((channel) => {
    channel.send({ type: 'drain' })
    channel.close()
  })
}

describe('the listener', () => {
  it('accepts a worker that sends the token, and passes on its hello', async () => {
    await using listener = await listenTcp()
    const arrived = new Promise((resolve) => listener.onArrival((_channel, hello) => resolve(hello)))
    const hello = helloTo(listener, { worker: 'w3', session: 's', leases: [1, 2], rois: true })
    const socket = connect(listener.port, '127.0.0.1')
    // In pieces, as a network may deliver it.
    for (const byte of line(hello)) socket.write(byte)
    assert.deepEqual(await arrived, hello)
    socket.destroy()
  })

  it('refuses a worker with a wrong token, or none, and says so', async () => {
    await using listener = await listenTcp()
    letNoOneIn(listener)
    const { token: _, ...without } = helloTo(listener)
    for (const hello of [
      without,
      helloTo(listener, { token: '' }),
      helloTo(listener, { token: `${listener.token}0` }),
    ]) {
      const { code, message } = refusalOf(await converse(listener, line(hello)))
      assert.equal(code, 'UNAUTHORIZED')
      assert.ok(!message.includes(listener.token))
    }
  })

  it('refuses a worker that speaks another version, naming both', async () => {
    await using listener = await listenTcp()
    letNoOneIn(listener)
    const { code, message } = refusalOf(await converse(listener, line(helloTo(listener, { protocol: 99 }))))
    assert.equal(code, 'PROTOCOL_ERROR')
    assert.match(message, /version 99; this run speaks version 1/)
  })

  it('refuses a connection that starts with anything else, and keeps listening', async () => {
    await using listener = await listenTcp()
    for (const garbage of [
      '\n',
      'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
      '\u0000\u0001\u0002\n',
      Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x0a]),
      line({ type: 'goodbye' }),
      line([]),
      line(null),
      line({ ...helloTo(listener), leases: ['a'] }),
      `${'['.repeat(60_000)}\n`,
    ]) {
      assert.equal(refusalOf(await converse(listener, garbage)).code, 'PROTOCOL_ERROR')
    }
    const arrived = new Promise<void>((resolve) => listener.onArrival(() => resolve()))
    const socket = connect(listener.port, '127.0.0.1', () => socket.write(line(helloTo(listener))))
    await arrived
    socket.destroy()
  })

  it('reads at most one line of the limited length before the token, then closes', async () => {
    await using listener = await listenTcp()
    letNoOneIn(listener)
    // This would be a gigabyte; the sender is cut off after a fraction of it.
    const chunk = Buffer.alloc(1 << 20, 'x')
    const most = 128 << 20
    let sent = 0
    const socket = connect(listener.port, '127.0.0.1')
    const answer = readAll(socket)
    while (!socket.destroyed && sent < most) {
      sent += chunk.length
      if (!socket.write(chunk)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {})
    }
    socket.destroy()
    await answer
    assert.ok(sent < most, `${sent} bytes were taken`)
    assert.match(refusalOf(await converse(listener, 'x'.repeat(MAX_HELLO_BYTES + 1))).message, /expected at most 65536/)
  })

  it('accepts longer lines after the token, up to their limit', async () => {
    const { listener, worker, server } = await tcpPair()
    await using _ = listener
    let longest = 0
    server.onMessage((message) => {
      longest = (message as { pad: string }).pad.length
    })
    const refused = new Promise<unknown>((resolve) => worker.onMessage(resolve))
    const long = (bytes: number) => ({ type: 'goodbye', pad: 'x'.repeat(bytes) }) as { type: 'goodbye' }
    worker.send(long(MAX_LINE_BYTES - 1000))
    worker.send(long(MAX_LINE_BYTES))
    assert.equal(((await inTime(refused)) as { code: string }).code, 'PROTOCOL_ERROR')
    await inTime(server.closed)
    assert.equal(longest, MAX_LINE_BYTES - 1000)
  })

  it('closes a connection that sends nothing in time, or only half a line', async () => {
    await using listener = await listenTcp({ helloMs: 50 })
    letNoOneIn(listener)
    for (const piece of ['', '{"type":"hel']) {
      assert.match(refusalOf(await converse(listener, piece)).message, /No hello was received within 0\.05 s/)
    }
  })

  it('limits the number of connections before their hello; accepted workers do not count', async () => {
    await using listener = await listenTcp({ maxWaiting: 3 })
    let arrived = 0
    listener.onArrival(() => arrived++)
    const silent = Array.from({ length: 3 }, () => connect(listener.port, '127.0.0.1'))
    await Promise.all(silent.map((socket) => once(socket, 'connect')))
    assert.equal(refusalOf(await converse(listener, '')).code, 'TOO_MANY_CONNECTIONS')
    for (const socket of silent) {
      socket.write(line(helloTo(listener)))
      socket.resume()
    }
    const socket = connect(listener.port, '127.0.0.1')
    while (arrived < 3) await new Promise(setImmediate)
    socket.write(line(helloTo(listener)))
    while (arrived < 4) await new Promise(setImmediate)
    for (const each of [...silent, socket]) each.destroy()
  })

  it('accepts five hundred workers at once', async () => {
    await using listener = await listenTcp()
    let arrived = 0
    listener.onArrival((channel) => {
      arrived++
      channel.send({ type: 'drain' })
    })
    const { port, token } = listener
    const links = await Promise.all(
      Array.from({ length: 500 }, async () => {
        const channel = await connectTo({ host: '127.0.0.1', port, token })
        const answer = new Promise<unknown>((resolve) => channel.onMessage(resolve))
        channel.send(helloTo(listener))
        await answer
        return channel
      }),
    )
    assert.equal(arrived, 500)
    for (const link of links) link.close()
    await Promise.all(links.map((link) => link.closed))
  })

  it('refuses an address that is in use, and an invalid certificate', async () => {
    await using listener = await listenTcp()
    await assert.rejects(listenTcp({ port: listener.port }), {
      code: 'INVALID_CONFIG',
      message: /listen on 127\.0\.0\.1/,
    })
    await assert.rejects(listenTcp({ tls: { cert: 'no', key: 'no' } }), { code: 'INVALID_CONFIG', message: /PEM/ })
  })
})

describe('a TLS connection', () => {
  it('is only made to the coordinator with the certificate of the context; nothing is sent to any other', async () => {
    await using listener = await listenTcp({ tls: testTls })
    letNoOneIn(listener)
    const { port, token, fingerprint } = listener
    assert.match(fingerprint ?? '', /^[0-9a-f]{64}$/)
    const other = 'ab'.repeat(32)
    await assert.rejects(connectTo({ host: '127.0.0.1', port, token, fingerprint: other }), { code: 'UNAUTHORIZED' })
  })

  it('is closed when the other side does not speak TLS', async () => {
    await using listener = await listenTcp({ tls: testTls })
    letNoOneIn(listener)
    const answer = await converse(listener, line(helloTo(listener)))
    assert.ok(!answer.includes('welcome'))
  })
})

describe('the context', () => {
  it('is one line that is read back unchanged', () => {
    for (const context of [
      { host: '127.0.0.1', port: 4000, token: 'ab'.repeat(16) },
      { host: 'node17.cluster', port: 65_535, token: '01'.repeat(16), fingerprint: 'cd'.repeat(32) },
      { host: 'fe80::1', port: 1, token: '00'.repeat(16) },
    ]) {
      assert.deepEqual(parseContext(`${showContext(context)}\n`), context)
    }
  })

  it('is refused without being shown if it is invalid', () => {
    const token = 'ab'.repeat(16)
    for (const text of ['', 'hello', `http://${token}@host:1`, `bellis://${token}@host`, `bellis://short@host:1`]) {
      assert.throws(
        () => parseContext(text),
        (error: Error) => !error.message.includes(token) && /bellis:\/\/TOKEN@HOST:PORT/.test(error.message),
      )
    }
  })
})

for (const [name, options] of [
  ['TCP', {}],
  ['TLS', { tls: testTls }],
] as const) {
  describeListener(name, async () => {
    const listener = await listenTcp(options)
    const { port, token, fingerprint } = listener
    const context = { host: '127.0.0.1', port, token, ...(fingerprint === undefined ? {} : { fingerprint }) }
    return {
      listener,
      connect: () => connectTo(context),
      hello: (more) => helloTo(listener, more),
      [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
    }
  })
}
