import { createHash, randomBytes, timingSafeEqual, X509Certificate } from 'node:crypto'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import {
  type Hello,
  MAX_HELLO_BYTES,
  MAX_LINE_BYTES,
  PROTOCOL_VERSION,
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
  /** PEM: links are TLS then. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** How long a connection may take to say hello. @default 5000 */
  readonly helloMs?: number
  /** How many connections may be there that have not said hello. @default 4096 */
  readonly maxWaiting?: number
}

/** Connections that wait for the system's call to accept them: many workers may come at once. */
const BACKLOG = 4096

type Receiver = (channel: Channel<ServerMessage>, hello: Hello) => void

/**
 * Listens for workers. Only those that show the token in their first line, in time, are told to anyone.
 * @throws ConfigError `INVALID_CONFIG` when the address can't be listened at, or the certificate or its key is wrong
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
      `The certificate and key for TLS can't be used: ${error instanceof Error ? error.message : error}; both must be PEM, and belong to each other.`,
      { cause: error },
    )
  }
}

export class TcpListener implements Listener, AsyncDisposable {
  /** What workers must show: 128 random bits, hexadecimal. */
  readonly token = randomBytes(16).toString('hex')
  /** SHA-256 of the certificate, hexadecimal, where links are TLS. */
  readonly fingerprint: string | undefined
  readonly #server: Server
  readonly #tokenHash = hash(this.token)
  readonly #helloMs: number
  readonly #maxWaiting: number
  readonly #sockets = new Set<Socket>()
  readonly #arrived: Parameters<Receiver>[] = []
  /** Of the sockets, those with TLS that has begun. */
  #secured = 0
  #waiting = 0
  #receive: Receiver | undefined

  /** Use {@link listenTcp}. */
  constructor(server: Server, { helloMs = 5000, maxWaiting = 4096 }: TcpListenerOptions, fingerprint?: string) {
    this.#server = server
    this.#helloMs = helloMs
    this.#maxWaiting = maxWaiting
    this.fingerprint = fingerprint
    // Every socket, the ones inside TLS too, so that none is left behind at the end.
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
      // One that breaks before it has a channel; the channel sees it, too.
      socket.on('error', () => socket.destroy())
      // Those whose TLS has not begun yet are limited in number, too; their time is limited by the server itself.
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
          new ConfigError('INVALID_CONFIG', `It is not possible to listen at ${host}:${port}: ${error.message}.`, {
            cause: error,
          }),
        ),
      )
      this.#server.listen({ host, port, backlog: BACKLOG }, resolve)
    })
    this.#server.on('error', () => {})
  }

  /** The port that it listens at. */
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
      refuse('TOO_MANY_CONNECTIONS', 'Too many others are just connecting; try again in a moment.')
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
      refuse('PROTOCOL_ERROR', `No hello came within ${this.#helloMs / 1000} s.`)
    }, this.#helloMs)
    void channel.closed.then(stopWaiting)
    channel.onMessage((raw) => {
      // Whatever follows a hello that was not good.
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
    const message = parseWorkerMessage(raw)
    if (message.type !== 'hello') {
      throw new InfrastructureError('PROTOCOL_ERROR', `The first message is "${message.type}", but must be "hello".`)
    }
    // The token first: who does not have it learns nothing else.
    if (!timingSafeEqual(hash(message.token ?? ''), this.#tokenHash)) {
      throw new InfrastructureError('UNAUTHORIZED', "The token is not this run's; it changes with every start.")
    }
    if (message.protocol !== PROTOCOL_VERSION) {
      throw new InfrastructureError(
        'PROTOCOL_ERROR',
        `The worker speaks version ${message.protocol} of the protocol, this run version ${PROTOCOL_VERSION}; use the same Bellis everywhere.`,
      )
    }
    return message
  }

  /** Ends every connection and stops listening. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

const hash = (text: string): Buffer => createHash('sha256').update(text).digest()
