import type { Socket } from 'node:net'

/**
 * Connections of whoever can reach the port. Only a limited number of them is open at a time: for a new one, the oldest is
 * closed. A worker or a browser proves itself within milliseconds, so it is seldom the oldest.
 */
export class UnprovedConnections {
  readonly #limit: number
  /** How to close each; in the order in which they came. */
  readonly #closing = new Map<string, () => void>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** A connection has been accepted. */
  add(socket: Socket): void {
    const key = keyOf(socket)
    // It has ended already.
    if (key === undefined) return void socket.destroy()
    this.#closing.set(key, () => socket.destroy())
    socket.once('close', () => this.#closing.delete(key))
    if (this.#closing.size <= this.#limit) return
    const [oldest] = this.#closing
    if (oldest === undefined) return
    this.#closing.delete(oldest[0])
    oldest[1]()
  }

  /** Sets what is done instead of only destroying the socket. @param socket the same, or the one of TLS over it */
  closeWith(socket: Socket, close: () => void): void {
    const key = keyOf(socket)
    if (key !== undefined && this.#closing.has(key)) this.#closing.set(key, close)
  }

  /** The other side has proved that it knows the token. */
  remove(socket: Socket): void {
    const key = keyOf(socket)
    if (key !== undefined) this.#closing.delete(key)
  }
}

/** The address of the other side, which no two connections of one port share. */
const keyOf = ({ remoteAddress, remotePort }: Socket): string | undefined =>
  remotePort === undefined ? undefined : `${remoteAddress} ${remotePort}`
