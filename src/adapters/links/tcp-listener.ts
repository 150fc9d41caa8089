import { createHash, randomBytes, timingSafeEqual, X509Certificate } from 'node:crypto'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { ConfigError, InfrastructureError, messageOf } from '../../core/errors.ts'
import { assertHello, assertSameProtocol } from '../../core/protocol/handshake.ts'
import {
  type Hello,
  MAX_HELLO_BYTES,
  MAX_LINE_BYTES,
  type RefusalCode,
  type ServerMessage,
} from '../../core/protocol/messages.ts'
import { parseWorkerMessage } from '../../core/protocol/parse.ts'
import type { Channel } from '../../ports/channel.ts'
import type { Listener } from '../../ports/listener.ts'
import { LineChannel } from './line-channel.ts'

export interface TcpListenerOptions {
  /** Where to listen. @default '127.0.0.1' */
  readonly host?: string
  /** @default one that is free */
  readonly port?: number
  /** PEM. Connections use TLS. @default plain TCP */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Time limit for the hello of a connection, in milliseconds. @default 5000 */
  readonly helloMs?: number
  /** The most connections that may exist before their hello. @default 4096 */
  readonly maxWaiting?: number
}

/** Connections that the system queues until they are accepted: many workers may connect at once. */
const BACKLOG = 4096

type Receiver = (channel: Channel<ServerMessage>, hello: Hello) => void

/**
 * Listens for workers. Only those that send the token in their first line, in time, are passed on.
 * @throws ConfigError `INVALID_CONFIG` when it can't listen at the address, or the certificate or its key is invalid
 */
export async function listenTcp(options: TcpListenerOptions = {}): Promise<TcpListener> {
  const { host = '127.0.0.1', port = 0, tls } = options
  const listener = tls === undefined ? new TcpListener(createServer(), options) : secureListener(tls, options)
  await listener.open(host, port)
  return listener
}

function secureListener(tls: { readonly cert: string; readonly key: string }, options: TcpListenerOptions) {
  try {
    const fingerprint = new X509Certificate(tls.cert).fingerprint256.replaceAll(':', '').toLowerCase()
    const server = createTlsServer({ ...tls, handshakeTimeout: options.helloMs ?? 5000 })
    return new TcpListener(server, options, fingerprint)
  } catch (error) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `The TLS certificate and key can't be used: ${messageOf(error)}; both must be PEM files, and the key must belong to the certificate.`,
      { cause: error },
    )
  }
}

export class TcpListener implements Listener, AsyncDisposable {
  /** The secret that every worker must send: 128 random bits, hexadecimal. */
  readonly token = randomBytes(16).toString('hex')
  /** SHA-256 of the certificate, hexadecimal; undefined without TLS. */
  readonly fingerprint: string | undefined
  readonly #server: Server
  readonly #tokenHash = hash(this.token)
  readonly #helloMs: number
  readonly #maxWaiting: number
  readonly #sockets = new Set<Socket>()
  readonly #arrived: Parameters<Receiver>[] = []
  /** Sockets whose TLS handshake is complete. */
  #secured = 0
  /** Connections before their hello. */
  #waiting = 0
  #receive: Receiver | undefined

  /** Use {@link listenTcp}. */
  constructor(server: Server, { helloMs = 5000, maxWaiting = 4096 }: TcpListenerOptions, fingerprint?: string) {
    this.#server = server
    this.#helloMs = helloMs
    this.#maxWaiting = maxWaiting
    this.fingerprint = fingerprint
    // Every socket, also the raw one below TLS, so that none is left open at the end.
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
      // It may fail before it has a channel.
      socket.on('error', () => socket.destroy())
      // Unfinished TLS handshakes are limited in number here, and in time by the server itself.
      if (fingerprint !== undefined && this.#sockets.size - this.#secured > this.#maxWaiting) socket.destroy()
    })
    if (fingerprint === undefined) server.on('connection', (socket) => this.#greet(socket))
    server.on('secureConnection', (socket: Socket) => {
      this.#secured++
      socket.once('close', () => this.#secured--)
      this.#greet(socket)
    })
    server.on('tlsClientError', (_error: Error, socket: Socket) => void socket.destroy())
  }

  /** Starts to listen. */
  async open(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) =>
        reject(
          new ConfigError(
            'INVALID_CONFIG',
            `Can't listen on ${host}:${port}: ${error.message}; choose another address or port.`,
            {
              cause: error,
            },
          ),
        ),
      )
      this.#server.listen({ host, port, backlog: BACKLOG }, resolve)
    })
    this.#server.on('error', () => {})
  }

  /** The port that it listens on. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  newSession(): string {
    return randomBytes(16).toString('hex')
  }

  onArrival(receive: Receiver): void {
    this.#receive = receive
    for (const arrival of this.#arrived.splice(0)) receive(...arrival)
  }

  #greet(socket: Socket): void {
    const channel = new LineChannel<ServerMessage>(socket, {
      maxLineBytes: MAX_HELLO_BYTES,
      refuse: (message) => ({ type: 'refused', code: 'PROTOCOL_ERROR', message }),
    })
    const refuse = (code: RefusalCode, message: string) => {
      channel.send({ type: 'refused', code, message })
      channel.close()
    }
    if (this.#waiting >= this.#maxWaiting) {
      refuse('TOO_MANY_CONNECTIONS', 'Too many workers are connecting at the moment; try again soon.')
      return
    }
    this.#waiting++
    let isWaiting = true
    const stopWaiting = () => {
      if (isWaiting) this.#waiting--
      isWaiting = false
      clearTimeout(timer)
    }
    const timer = setTimeout(() => {
      refuse('PROTOCOL_ERROR', `No hello was received within ${this.#helloMs / 1000} s.`)
    }, this.#helloMs)
    void channel.closed.then(stopWaiting)
    channel.onMessage((raw) => {
      // Ignore whatever follows a refused hello.
      if (!isWaiting) return
      stopWaiting()
      try {
        const hello = this.#check(raw)
        channel.maxLineBytes = MAX_LINE_BYTES
        if (this.#receive === undefined) this.#arrived.push([channel, hello])
        else this.#receive(channel, hello)
      } catch (error) {
        if (error instanceof InfrastructureError) {
          refuse(error.code === 'UNAUTHORIZED' ? 'UNAUTHORIZED' : 'PROTOCOL_ERROR', error.message)
        } else throw error
      }
    })
  }

  #check(raw: unknown): Hello {
    const hello = assertHello(parseWorkerMessage(raw))
    // Before the version: a worker without the token learns nothing about the run.
    if (!timingSafeEqual(hash(hello.token ?? ''), this.#tokenHash)) {
      throw new InfrastructureError(
        'UNAUTHORIZED',
        'The token is not valid for this run; it changes each time the run is started.',
      )
    }
    assertSameProtocol(hello)
    return hello
  }

  /** Ends every connection and stops listening. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

const hash = (text: string): Buffer => createHash('sha256').update(text).digest()
