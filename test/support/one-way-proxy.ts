import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to a port of this machine on which one side can be made deaf. */
export interface OneWayProxy extends AsyncDisposable {
  readonly port: number
  /** From now on, clients receive nothing of what is sent to them, while their connections stay. */
  deafen(): void
}

export async function oneWayProxy(target: number): Promise<OneWayProxy> {
  const sockets = new Set<Socket>()
  let isDeaf = false
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
    }
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
    client.pipe(upstream)
    upstream.on('data', (bytes) => isDeaf || client.write(bytes))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    deafen() {
      isDeaf = true
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
