import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to a server that can hold up what is sent to it. */
export interface HoldingProxy extends AsyncDisposable {
  /** The server's address, by this way. */
  readonly url: string
  /** Holds up the next bytes that contain a text, and what follows them on their connection. @returns resolves when they are held */
  hold(text: string): Promise<void>
  /** Lets everything on. */
  release(): void
}

export async function holdingProxy(url: string): Promise<HoldingProxy> {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  let waiting: { readonly text: string; readonly resolve: () => void } | undefined
  const held: (() => void)[] = []
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    let isHeld = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
    }
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
    upstream.pipe(client)
    client.on('data', (bytes) => {
      if (waiting !== undefined && bytes.includes(waiting.text)) {
        isHeld = true
        waiting.resolve()
        waiting = undefined
      }
      if (isHeld) held.push(() => upstream.write(bytes))
      else upstream.write(bytes)
    })
    held.push(() => {
      isHeld = false
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const way = new URL(url)
  way.port = String((server.address() as AddressInfo).port)
  return {
    url: way.href,
    hold: (text) =>
      new Promise((resolve) => {
        waiting = { text, resolve }
      }),
    release() {
      for (const act of held.splice(0)) act()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
