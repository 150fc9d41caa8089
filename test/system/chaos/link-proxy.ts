import { connect, createServer, type Server, type Socket } from 'node:net'

/** What a proxy does to what passes. */
export type LinkState = 'open' | 'late' | 'silent'

/** A proxy on this machine, through which workers reach the coordinator of the moment. */
export class LinkProxy implements AsyncDisposable {
  readonly port: number
  state: LinkState = 'open'
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
    this.port = (server.address() as { port: number }).port
  }

  /** @param target the port of the coordinator, asked for each connection; undefined while there is none */
  static async open(target: () => number | undefined): Promise<LinkProxy> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const proxy = new LinkProxy(server)
    server.on('connection', (worker) => proxy.#join(worker, target()))
    return proxy
  }

  /** Cuts all connections, wherever in a message they are. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.cut()
    await closed
  }

  #join(worker: Socket, port: number | undefined): void {
    if (port === undefined) return void worker.destroy()
    const coordinator = connect(port, '127.0.0.1')
    for (const [from, to] of [
      [worker, coordinator],
      [coordinator, worker],
    ] as const) {
      this.#sockets.add(from)
      from.on('error', () => {})
      from.on('close', () => {
        this.#sockets.delete(from)
        // A silent link does not say that the other end is gone.
        if (this.state !== 'silent') to.destroy()
      })
      from.on('data', (bytes) => this.#pass(bytes, to))
    }
  }

  #pass(bytes: Buffer, to: Socket): void {
    if (this.state === 'silent') return
    if (this.state === 'open') return void to.write(bytes)
    // In two pieces, the order kept: all wait equally long.
    const half = bytes.length >> 1
    setTimeout(() => to.destroyed || to.write(bytes.subarray(0, half)), 60)
    setTimeout(() => to.destroyed || to.write(bytes.subarray(half)), 60)
  }
}
