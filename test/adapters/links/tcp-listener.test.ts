import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { connectTo } from '../../../src/adapters/links/connect.ts'
import { parseContext, showContext } from '../../../src/adapters/links/context.ts'
import { ownCertificate } from '../../../src/adapters/links/own-certificate.ts'
import { listenTcp, type TcpListener } from '../../../src/adapters/links/tcp-listener.ts'
import { MAX_LINE_BYTES, MAX_UNPROVED_BYTES } from '../../../src/core/protocol/messages.ts'
import { describeListener } from '../../contracts/listener.contract.ts'
import { joining, tcpPair, testTls } from '../../support/links.ts'
import { answerTo, HELLO, NONCE, proofFor } from '../../support/raw-proof.ts'

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

/** A raw connection that has sent its hello, and the challenge that answered it. */
async function challenged(listener: TcpListener, hello: unknown = HELLO) {
  const { port, fingerprint } = listener
  const socket =
    fingerprint === undefined
      ? connect(port, '127.0.0.1')
      : connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
  socket.on('error', () => {})
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => (await inTime(lines.next())).value ?? ''
  const say = (message: unknown) => socket.write(line(message))
  say(hello)
  return { socket, say, next, challenge: await next() }
}

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
  it('accepts a worker that proves that it knows the token, and passes on its message join', async () => {
    await using listener = await listenTcp()
    const arrived = new Promise((resolve) => listener.onArrival((_channel, join) => resolve(join)))
    const join = joining({ worker: 'w3', session: 's', leases: [1, 2], rois: true })
    const { socket, challenge } = await challenged(listener)
    // In pieces, as a network may deliver it.
    for (const byte of `${line(answerTo(challenge, listener.token))}${line(join)}`) socket.write(byte)
    assert.deepEqual(await arrived, join)
    socket.destroy()
  })

  it('proves to every worker that it knows the token, and never sends it', async () => {
    for (const options of [{}, { tls: testTls }]) {
      await using listener = await listenTcp(options)
      const { token, fingerprint } = listener
      const { socket, challenge } = await challenged(listener)
      const { nonce, proof } = JSON.parse(challenge)
      assert.equal(proof, proofFor(token, 'coordinator', { worker: NONCE, coordinator: nonce }, fingerprint))
      assert.ok(!challenge.includes(token))
      socket.destroy()
    }
  })

  it('refuses a worker with another token, a replayed proof, its own proof, or none, and says so', async () => {
    await using listener = await listenTcp()
    letNoOneIn(listener)
    const { token } = listener
    const earlier = await challenged(listener)
    const replayed = answerTo(earlier.challenge, token)
    for (const [answer, expected] of [
      [(challenge: string) => answerTo(challenge, '0'.repeat(32)), 'UNAUTHORIZED'],
      [() => replayed, 'UNAUTHORIZED'],
      [(challenge: string) => ({ type: 'proof', proof: JSON.parse(challenge).proof }), 'UNAUTHORIZED'],
      [() => ({ type: 'proof', proof: '' }), 'PROTOCOL_ERROR'],
      [() => ({ type: 'proof', proof: token }), 'PROTOCOL_ERROR'],
      [() => joining(), 'PROTOCOL_ERROR'],
      [() => HELLO, 'PROTOCOL_ERROR'],
    ] as const) {
      const { say, next, challenge, socket } = await challenged(listener)
      say(answer(challenge))
      const text = await next()
      assert.equal(refusalOf(text).code, expected)
      assert.ok(!text.includes(token))
      socket.destroy()
    }
    earlier.socket.destroy()
  })

  it('refuses the proof of a connection over TLS that another certificate protects', async () => {
    await using listener = await listenTcp({ tls: testTls })
    letNoOneIn(listener)
    const { say, next, challenge, socket } = await challenged(listener)
    const nonces = { worker: NONCE, coordinator: JSON.parse(challenge).nonce }
    say({ type: 'proof', proof: proofFor(listener.token, 'worker', nonces, 'cd'.repeat(32)) })
    assert.equal(refusalOf(await next()).code, 'UNAUTHORIZED')
    socket.destroy()
  })

  it('refuses a worker that speaks another version, naming both, and does not repeat what it shows', async () => {
    await using listener = await listenTcp()
    letNoOneIn(listener)
    const { token } = listener
    for (const hello of [
      { ...HELLO, protocol: 99 },
      { type: 'hello', protocol: 1, token, pid: 1, host: 'old' },
    ]) {
      const { code, message } = refusalOf(await converse(listener, line(hello)))
      assert.equal(code, 'PROTOCOL_ERROR')
      assert.match(message, new RegExp(`version ${hello.protocol}; this run speaks version 2`))
      assert.ok(!message.includes(token))
    }
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
      line(joining()),
      line({ ...HELLO, nonce: 'ab' }),
      line({ ...HELLO, nonce: `${NONCE}|` }),
      `${'['.repeat(60_000)}\n`,
    ]) {
      assert.equal(refusalOf(await converse(listener, garbage)).code, 'PROTOCOL_ERROR')
    }
    const arrived = new Promise<void>((resolve) => listener.onArrival(() => resolve()))
    const { socket, say, challenge } = await challenged(listener)
    say(answerTo(challenge, listener.token))
    say(joining())
    await arrived
    socket.destroy()
  })

  it('reads at most one line of the limited length before the proof, then closes', async () => {
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
    assert.match(
      refusalOf(await converse(listener, 'x'.repeat(MAX_UNPROVED_BYTES + 1))).message,
      /expected at most 8192/,
    )
  })

  it('accepts longer lines after the proof, up to their limit', async () => {
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

  it('closes a connection that is too late with any of its messages; it may try again', async () => {
    await using listener = await listenTcp({ joinMs: 50 })
    letNoOneIn(listener)
    for (const piece of ['', '{"type":"hel', line(HELLO)]) {
      const { code, message } = refusalOf(await converse(listener, piece))
      assert.equal(code, 'TOO_LATE')
      assert.match(message, /did not join within 0\.05 s/)
    }
    const { say, next, challenge } = await challenged(listener)
    say(answerTo(challenge, listener.token))
    assert.equal(refusalOf(await next()).code, 'TOO_LATE')
  })

  it('closes the oldest connection without a proof for a new one; workers do not count', async () => {
    await using listener = await listenTcp({ maxUnproved: 3 })
    let arrived = 0
    listener.onArrival(() => arrived++)
    // One after the other.
    const oldest = await challenged(listener)
    const silent = [oldest, await challenged(listener), await challenged(listener)]
    const { socket, say, challenge } = await challenged(listener)
    assert.equal(refusalOf(await oldest.next()).code, 'TOO_MANY_CONNECTIONS')
    say(answerTo(challenge, listener.token))
    say(joining())
    for (const each of silent.slice(1)) {
      each.say(answerTo(each.challenge, listener.token))
      each.say(joining())
    }
    while (arrived < 3) await new Promise(setImmediate)
    const more = await Promise.all([1, 2, 3].map(() => challenged(listener)))
    for (const each of [...silent, ...more]) each.socket.destroy()
    assert.equal(socket.destroyed, false)
    socket.destroy()
  })

  it('admits a worker while strangers open connections without end', async () => {
    await using listener = await listenTcp({ maxUnproved: 100 })
    let arrived = 0
    listener.onArrival(() => arrived++)
    const { port, token } = listener
    const strangers: Socket[] = []
    const flood = setInterval(() => {
      strangers.push(
        connect(port, '127.0.0.1')
          .resume()
          .on('error', () => {}),
      )
    }, 1)
    try {
      while (strangers.length < 150) await delay(1)
      const worker = await connectTo({ host: '127.0.0.1', port, token })
      worker.send(joining())
      while (arrived < 1) await delay(1)
      while (!strangers[0]?.destroyed) await delay(1)
      worker.close()
    } finally {
      clearInterval(flood)
      for (const stranger of strangers) stranger.destroy()
    }
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
        channel.send(joining())
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

/** Listens as a stranger does, answers the first line of each connection, and keeps all that it is sent. */
async function impostor(answer: (line: string) => unknown) {
  let heard = ''
  const server = createServer((socket) => {
    socket.setEncoding('utf8').on('error', () => {})
    socket.on('data', (text: string) => {
      heard += text
      if (!heard.includes('\n')) return
      const reply = answer(heard.split('\n')[0] as string)
      if (reply === undefined) socket.end()
      else socket.write(line(reply))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    context: { host: '127.0.0.1', port, token: 'ab'.repeat(16) },
    heard: () => heard,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}

describe('a worker that connects', () => {
  const challenge = (proof: string) => ({ type: 'challenge', protocol: 2, nonce: NONCE, proof })
  for (const [what, answer, code, message] of [
    ['proves another token', () => challenge('0'.repeat(64)), 'UNAUTHORIZED', /does not know the context's token/],
    ['welcomes it at once', () => ({ type: 'welcome', protocol: 2 }), 'PROTOCOL_ERROR', /"type" is "welcome"/],
    ['sends it a task', () => ({ type: 'task', task: {} }), 'PROTOCOL_ERROR', /"type" is "task"/],
    ['returns its hello', (hello: string) => JSON.parse(hello), 'PROTOCOL_ERROR', /"type" is "hello"/],
    [
      'is of version 1',
      () => ({ type: 'refused', code: 'UNAUTHORIZED', message: 'The token is not valid for this run.' }),
      'PROTOCOL_ERROR',
      /protocol version 1 does; this worker speaks version 2/,
    ],
    [
      'is of a later version',
      () => ({ type: 'refused', code: 'PROTOCOL_ERROR', message: '\u001b[2Jversion 2; this run speaks version 3' }),
      'PROTOCOL_ERROR',
      /"\\u001b\[2Jversion 2; this run speaks version 3"/,
    ],
  ] as const) {
    it(`leaves a coordinator that ${what}, having sent it nothing but a random number`, async () => {
      await using stranger = await impostor(answer)
      const { context, heard } = stranger
      await assert.rejects(connectTo(context), { name: 'ConfigError', code, message })
      const { nonce } = JSON.parse(heard())
      assert.deepEqual(heard(), line({ ...HELLO, nonce }))
      assert.ok(!heard().includes(context.token))
      // The context of a run's file may be another one soon.
      await assert.rejects(connectTo({ ...context, isRenewed: true }), { name: 'Error', message })
    })
  }

  it('is not taken in by its own proof, sent back by a stranger that has overheard a connection', async () => {
    await using listener = await listenTcp()
    const { token } = listener
    const overheard = answerTo((await challenged(listener)).challenge, token).proof
    await using stranger = await impostor(() => challenge(overheard))
    await assert.rejects(connectTo({ ...stranger.context, token }), { code: 'UNAUTHORIZED' })
  })

  it('tries again when the coordinator is busy, or ends the connection without an answer', async () => {
    for (const code of ['TOO_MANY_CONNECTIONS', 'TOO_LATE', undefined]) {
      await using stranger = await impostor(() => code && { type: 'refused', code, message: 'later' })
      await assert.rejects(connectTo(stranger.context), { name: 'Error' })
    }
  })

  it('never uses a number twice', async () => {
    const seen = new Set<string>()
    await using stranger = await impostor(() => undefined)
    for (let count = 0; count < 20; count++) await connectTo(stranger.context).catch(() => {})
    for (const hello of stranger.heard().trim().split('\n')) seen.add(JSON.parse(hello).nonce)
    assert.equal(seen.size, 20)
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

  it('is refused in plain words to a side that does not speak TLS, at once and without an answer to its hello', async () => {
    await using listener = await listenTcp({ tls: ownCertificate(), joinMs: 60_000 })
    letNoOneIn(listener)
    for (const said of [line(HELLO), 'GET / HTTP/1.1\r\n\r\n', '\0']) {
      const { type, code, message, ...more } = JSON.parse(await converse(listener, said))
      assert.deepEqual([type, code, more], ['refused', 'PROTOCOL_ERROR', {}])
      assert.match(message, /over TLS only/)
    }
    const { port, token } = listener
    await assert.rejects(connectTo({ host: '127.0.0.1', port, token }), {
      code: 'PROTOCOL_ERROR',
      message: /accepts workers over TLS only, .*Use the current context/,
    })
  })

  it('that is not begun, or is no TLS after its first byte, is closed in time', async () => {
    await using listener = await listenTcp({ tls: testTls, joinMs: 200 })
    letNoOneIn(listener)
    assert.equal(await converse(listener), '')
    assert.equal(await converse(listener, Buffer.from([22])), '')
    assert.doesNotMatch(await converse(listener, Buffer.from('\u0016rubbish that is no TLS', 'latin1')), /refused/)
  })

  it('works if the first bytes arrive one at a time', async () => {
    await using listener = await listenTcp({ tls: ownCertificate() })
    const arrived = new Promise<void>((resolve) => listener.onArrival(() => resolve()))
    const relay = createServer((near) => {
      const far = connect(listener.port, '127.0.0.1').setNoDelay(true)
      far.pipe(near)
      near.on('data', (bytes) => {
        for (const byte of bytes) far.write(Buffer.from([byte]))
      })
      near.on('close', () => far.destroy()).on('error', () => {})
      far.on('close', () => near.destroy()).on('error', () => {})
    })
    await once(relay.listen(0, '127.0.0.1'), 'listening')
    const { port } = relay.address() as AddressInfo
    const { token, fingerprint } = listener
    assert.ok(fingerprint)
    const worker = await connectTo({ host: '127.0.0.1', port, token, fingerprint })
    worker.send(joining())
    await inTime(arrived)
    worker.close()
    relay.close()
  })

  it('is not made to a program that does not speak TLS', async () => {
    await using listener = await listenTcp({ joinMs: 300 })
    letNoOneIn(listener)
    const { port, token } = listener
    await assert.rejects(connectTo({ host: '127.0.0.1', port, token, fingerprint: 'ab'.repeat(32) }), {
      code: 'PROTOCOL_ERROR',
      message: /does not speak TLS, which the context requires/,
    })
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
      connectWith: async (other) => {
        const { say, next, challenge } = await challenged(listener)
        say(answerTo(challenge, other))
        return refusalOf(await next()).code
      },
      join: joining,
      [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
    }
  })
}
