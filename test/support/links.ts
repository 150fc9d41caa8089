import { readFileSync } from 'node:fs'
import { connectTo } from '../../src/adapters/links/connect.ts'
import { listenTcp, type TcpListener, type TcpListenerOptions } from '../../src/adapters/links/tcp-listener.ts'
import {
  type Join,
  PROTOCOL_VERSION,
  type ServerMessage,
  type WorkerMessage,
} from '../../src/core/protocol/messages.ts'
import type { Channel } from '../../src/ports/channel.ts'

const read = (name: string) => readFileSync(new URL(`../adapters/links/fixtures/${name}`, import.meta.url), 'utf8')

/** A self-signed certificate for tests only; its key is no secret. */
export const testTls = { cert: read('test-cert.pem'), key: read('test-key.pem') }

/** A worker's first message after the handshake. */
export const joining = (more: Partial<Join> = {}): Join => ({
  type: 'join',
  protocol: PROTOCOL_VERSION,
  pid: 1,
  host: 'test',
  ...more,
})

export interface TcpPair {
  readonly listener: TcpListener
  readonly worker: Channel<WorkerMessage>
  readonly server: Channel<ServerMessage>
}

/** An accepted connection of a worker to a listener. */
export async function tcpPair(options: TcpListenerOptions = {}): Promise<TcpPair> {
  const listener = await listenTcp(options)
  const { promise, resolve } = Promise.withResolvers<Channel<ServerMessage>>()
  listener.onArrival((channel) => resolve(channel))
  const { port, token, fingerprint } = listener
  const worker = await connectTo({
    host: '127.0.0.1',
    port,
    token,
    ...(fingerprint === undefined ? {} : { fingerprint }),
  })
  worker.send(joining())
  return { listener, worker, server: await promise }
}
