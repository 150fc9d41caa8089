import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Server } from 'node:tls'
import { ConfigError, messageOf } from '../../core/errors.ts'
import type { Certificate } from './own-certificate.ts'

/** The first byte that a side that speaks TLS sends. */
const TLS_HANDSHAKE = 22

export interface TlsGateOptions {
  readonly certificate: Certificate
  /** Time limit for the first byte, and for the handshake. */
  readonly handshakeMs: number
  /** Called with a connection whose handshake is complete. */
  readonly onSecure: (socket: Socket) => void
  /** Called with a connection whose other side does not speak TLS. What it sent is lost. */
  readonly onPlain: (socket: Socket) => void
}

/** Lets connections through that speak TLS, and tells the others from them: a TLS server could only close them. */
export class TlsGate {
  /** SHA-256 of the certificate in DER, hexadecimal. */
  readonly fingerprint: string
  readonly #options: TlsGateOptions
  readonly #server: Server

  /** @throws ConfigError `INVALID_CONFIG` if the certificate or its key is invalid */
  constructor(options: TlsGateOptions) {
    const { certificate, handshakeMs } = options
    this.#options = options
    // Loaded only here: most runs have workers on their own machine.
    const { createServer } = process.getBuiltinModule('node:tls')
    try {
      this.fingerprint = new X509Certificate(certificate.cert).fingerprint256.replaceAll(':', '').toLowerCase()
      this.#server = createServer({ ...certificate, handshakeTimeout: handshakeMs })
    } catch (error) {
      throw new ConfigError(
        'INVALID_CONFIG',
        `The TLS certificate and key can't be used: ${messageOf(error)}; both must be PEM files, and the key must belong to the certificate.`,
        { cause: error },
      )
    }
    this.#server.on('secureConnection', options.onSecure)
    this.#server.on('tlsClientError', (_error: Error, socket: Socket) => void socket.destroy())
  }

  /** A connection has been accepted. */
  enter(socket: Socket): void {
    const timer = setTimeout(() => socket.destroy(), this.#options.handshakeMs)
    socket.once('close', () => clearTimeout(timer))
    socket.once('data', (first: Buffer) => {
      clearTimeout(timer)
      if (first[0] !== TLS_HANDSHAKE) return this.#options.onPlain(socket)
      socket.pause()
      socket.unshift(first)
      this.#server.emit('connection', socket)
    })
  }
}
