import { connect, createServer, type Socket } from 'node:net'

export interface CuttingProxy extends AsyncDisposable {
  readonly port: number
  /** The number of connections that it has cut so far. */
  readonly cuts: number
}

/**
 * A proxy to a port of this machine that delivers bytes late and in pieces. It cuts connections in the middle of a message, each
 * after one or two thousand bytes, `cuts` times in total or once more.
 */
export async function cuttingProxy(target: number, options: { readonly cuts: number }): Promise<CuttingProxy> {
  let cuts = 0
  const sockets = new Set<Socket>()
  const server = createServer((worker) => {
    const coordinator = connect(target, '127.0.0.1')
    const end = () => {
      worker.destroy()
      coordinator.destroy()
    }
    let left = cuts < options.cuts ? 1500 + 100 * cuts : Number.POSITIVE_INFINITY
    const pass = (from: Socket, to: Socket) => {
      sockets.add(from)
      from.on('error', end)
      from.on('close', () => {
        sockets.delete(from)
        setImmediate(end)
      })
      let sending = Promise.resolve()
      from.on('data', (bytes) => {
        sending = sending.then(async () => {
          for (let at = 0; at < bytes.length && !to.destroyed; ) {
            const piece = bytes.subarray(at, at + 1 + ((at * 7919 + bytes.length) % 97))
            at += piece.length
            to.write(piece)
            left -= piece.length
            if (left < 0) {
              cuts++
              end()
            }
            await new Promise(setImmediate)
          }
        })
      })
    }
    pass(worker, coordinator)
    pass(coordinator, worker)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    get cuts() {
      return cuts
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
