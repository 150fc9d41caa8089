import type { Socket } from 'node:net'

/**
 * Connections of whoever can reach the port. Only a limited number of them is open at a time: for a new one, the oldest is
 * closed. A worker or a browser proves itself within milliseconds, so it is seldom the oldest.
 */
export class UnprovedConnections {
  readonly #limit: number
  /** How to close each, and how to forget it; in the order in which they came. */
  readonly #open = new Map<string, { close: () => void; readonly forget: () => void }>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** A connection has been accepted. */
  add(socket: Socket): void {
    const key = keyOf(socket)
    // It has ended already.
    if (key === undefined) return void socket.destroy()
    const isGone = () => this.#open.delete(key)
    this.#open.set(key, { close: () => socket.destroy(), forget: () => socket.off('close', isGone) })
    socket.on('close', isGone)
    if (this.#open.size <= this.#limit) return
    const [oldest] = this.#open
    if (oldest === undefined) return
    this.#open.delete(oldest[0])
    oldest[1].close()
  }

  /** Sets what is done instead of only destroying the socket. @param socket the same, or the one of TLS over it */
  closeWith(socket: Socket, close: () => void): void {
    const key = keyOf(socket)
    const connection = key === undefined ? undefined : this.#open.get(key)
    if (connection !== undefined) connection.close = close
  }

  /** The other side has proved that it knows the token. */
  remove(socket: Socket): void {
    const key = keyOf(socket)
    if (key === undefined) return
    this.#open.get(key)?.forget()
    this.#open.delete(key)
  }
}

/** The address of the other side, which no two connections of one port share. */
const keyOf = ({ remoteAddress, remotePort }: Socket): string | undefined =>
  remotePort === undefined ? undefined : `${remoteAddress} ${remotePort}`
