import { randomBytes } from 'node:crypto'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import {
  type Join,
  MAX_LINE_BYTES,
  MAX_UNPROVED_BYTES,
  type RefusalCode,
  type ServerMessage,
} from '../../core/protocol/messages.ts'
import { parseJoin } from '../../core/protocol/parse.ts'
import type { Channel } from '../../ports/channel.ts'
import type { Listener } from '../../ports/listener.ts'
import { openFileLimit } from '../connections/open-file-limit.ts'
import { UnprovedConnections } from '../connections/unproved-connections.ts'
import { destroy, LineChannel } from './line-channel.ts'
import type { Certificate } from './own-certificate.ts'
import { TlsGate } from './tls-gate.ts'
import { type CoordinatorEnd, proveCoordinator } from './token-proof.ts'

export interface TcpListenerOptions {
  /** Where to listen. @default '127.0.0.1' */
  readonly host?: string
  /** @default one that is free */
  readonly port?: number
  /** PEM. Connections use TLS. @default plain TCP */
  readonly tls?: Certificate
  /** Time limit for a worker to prove itself and join, in milliseconds. @default 5000 */
  readonly joinMs?: number
  /** The most connections that may be open before they have proved themselves. @default a quarter of the open files allowed, at most 4096 */
  readonly maxUnproved?: number
}

/** Connections that the system queues until they are accepted: many workers may connect at once. */
const BACKLOG = 4096
const JOIN_MS = 5000
const MAX_UNPROVED = 4096
const LOOPBACK = /^(127\.|::1$)/
/** How long this process may take to connect to itself. */
const PROBE_MS = 10_000

type Receiver = (channel: Channel<ServerMessage>, join: Join) => void

/**
 * Listens for workers. Only those that prove in time that they know the token are passed on.
 * @throws ConfigError `INVALID_CONFIG` when it can't listen at the address, or the certificate or its key is invalid
 */
export async function listenTcp(options: TcpListenerOptions = {}): Promise<TcpListener> {
  const { host = '127.0.0.1', port = 0 } = options
  const listener = new TcpListener(options)
  await listener.open(host, port)
  return listener
}

export class TcpListener implements Listener, AsyncDisposable {
  /** The secret that both sides prove to know: 128 random bits, hexadecimal. */
  readonly token = randomBytes(16).toString('hex')
  /** SHA-256 of the certificate, hexadecimal; undefined without TLS. */
  readonly fingerprint: string | undefined
  readonly #server = createServer()
  readonly #joinMs: number
  readonly #sockets = new Set<Socket>()
  readonly #unproved: UnprovedConnections
  readonly #arrived: Parameters<Receiver>[] = []
  #receive: Receiver | undefined
  /** The connection of this process to itself. */
  #probe: Socket | undefined

  /** Use {@link listenTcp}. */
  constructor(options: TcpListenerOptions) {
    const { joinMs = JOIN_MS, maxUnproved = Math.min(MAX_UNPROVED, Math.floor(openFileLimit() / 4)), tls } = options
    this.#joinMs = joinMs
    this.#unproved = new UnprovedConnections(maxUnproved)
    const greet = (socket: Socket) => void this.#greet(socket)
    const gate =
      tls === undefined
        ? undefined
        : new TlsGate({ certificate: tls, handshakeMs: joinMs, onSecure: greet, onPlain: refusePlain })
    this.fingerprint = gate?.fingerprint
    // Every socket, also the raw one below TLS, so that none is left open at the end. All share two functions, since there may be thousands.
    const sockets = this.#sockets
    const forget = function (this: Socket) {
      sockets.delete(this)
    }
    this.#server.on('connection', (socket) => {
      sockets.add(socket)
      socket.on('close', forget)
      // It may fail before it has a channel.
      socket.on('error', destroy)
      if (socket.remotePort === this.#probe?.localPort) {
        socket.destroy()
        return
      }
      this.#unproved.add(socket)
      if (gate === undefined) greet(socket)
      else gate.enter(socket)
    })
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
    const { address } = this.#server.address() as AddressInfo
    if (!LOOPBACK.test(address)) return
    const failure = await this.#reachItself(address)
    if (failure === undefined) return
    await this[Symbol.asyncDispose]()
    throw new ConfigError(
      'INVALID_CONFIG',
      `This machine can't reach itself at ${address} (${failure.message}), where workers connect: its loopback interface is down, as in a new network namespace, or a firewall blocks it; bring it up (ip link set lo up), or choose another address with --host.`,
      { cause: failure },
    )
  }

  /** Listening works although nobody can connect, if the loopback interface is down. @returns why no connection is possible */
  async #reachItself(host: string): Promise<Error | undefined> {
    const probe = createConnection({ host, port: this.port })
    this.#probe = probe
    const failure = await new Promise<Error | undefined>((resolve) => {
      const timer = setTimeout(() => resolve(new Error(`no connection within ${PROBE_MS / 1000} s`)), PROBE_MS)
      probe.once('connect', () => resolve(undefined))
      probe.once('error', resolve)
      probe.once('close', () => clearTimeout(timer))
    })
    probe.destroy()
    return failure
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

  async #greet(socket: Socket): Promise<void> {
    const channel: CoordinatorEnd = new LineChannel(socket, {
      maxLineBytes: MAX_UNPROVED_BYTES,
      refuse: protocolError,
    })
    this.#unproved.closeWith(socket, () => {
      refuse(channel, 'TOO_MANY_CONNECTIONS', 'Too many workers are connecting at the moment; try again soon.')
      // At once: it need not close its end.
      socket.destroy()
    })
    const timer = setTimeout(() => {
      refuse(channel, 'TOO_LATE', `The worker did not join within ${this.#joinMs / 1000} s; try again.`)
    }, this.#joinMs)
    try {
      const join = await this.#admit(channel, socket)
      if (join === undefined) return
      if (this.#receive === undefined) this.#arrived.push([channel, join])
      else this.#receive(channel, join)
    } catch (error) {
      if (!(error instanceof InfrastructureError)) throw error
      refuse(channel, error.code === 'UNAUTHORIZED' ? 'UNAUTHORIZED' : 'PROTOCOL_ERROR', error.message)
    } finally {
      clearTimeout(timer)
    }
  }

  /** @returns undefined if the connection ended first @throws InfrastructureError `UNAUTHORIZED`, `PROTOCOL_ERROR` */
  async #admit(channel: CoordinatorEnd, socket: Socket): Promise<Join | undefined> {
    if (!(await proveCoordinator(channel, this))) return undefined
    this.#unproved.remove(socket)
    channel.maxLineBytes = MAX_LINE_BYTES
    const first = await channel.next()
    return first === undefined ? undefined : parseJoin(first)
  }

  /** Ends every connection and stops listening. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

const protocolError = (message: string): ServerMessage => ({ type: 'refused', code: 'PROTOCOL_ERROR', message })

/** In plain words, since the other side would not understand others. */
function refusePlain(socket: Socket): void {
  const message =
    'This run accepts workers over TLS only, and the context of this worker has no certificate (?tls=…). Use the current context.'
  refuse(new LineChannel(socket, { maxLineBytes: MAX_UNPROVED_BYTES }), 'PROTOCOL_ERROR', message)
}

function refuse(channel: CoordinatorEnd, code: RefusalCode, message: string): void {
  channel.send({ type: 'refused', code, message })
  channel.close()
}
