import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How one request is answered. */
export interface FileAnswer {
  readonly body: Uint8Array
  readonly etag?: string
  /** Sends this many bytes, then nothing more, and keeps the connection open. */
  readonly stallAfter?: number
  /** @default true */
  readonly knowsRanges?: boolean
  readonly status?: number
  /** @default true */
  readonly saysLength?: boolean
}

export interface FileServer extends AsyncDisposable {
  readonly address: string
  /** The `Range` of every request so far, or 'all'. */
  readonly asked: string[]
  /** Ends all connections. The other side loses what it has received but not read yet. */
  cut(): void
}

/** A server of one file. @param answer returns the answer to the n-th request, counted from 0 */
export async function serveFile(answer: (request: number) => FileAnswer): Promise<FileServer> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const { range = 'all' } = request.headers
    asked.push(range)
    respond(request, response, answer(asked.length - 1))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/data/sample.hdf`,
    asked,
    cut: () => server.closeAllConnections(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

function respond(request: IncomingMessage, response: ServerResponse, answer: FileAnswer): void {
  const { body, etag, stallAfter, knowsRanges = true, status = 200, saysLength = true } = answer
  const first = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? Number.NaN)
  const condition = request.headers['if-range']
  const isPart = knowsRanges && Number.isFinite(first) && (condition === undefined || condition === etag)
  const bytes = isPart ? body.subarray(first) : body
  if (etag !== undefined) response.setHeader('ETag', etag)
  if (isPart) response.setHeader('Content-Range', `bytes ${first}-${body.length - 1}/${body.length}`)
  if (saysLength) response.setHeader('Content-Length', bytes.length)
  response.writeHead(isPart && status === 200 ? 206 : status)
  response.flushHeaders()
  if (stallAfter !== undefined) response.write(bytes.subarray(0, stallAfter))
  else response.end(bytes)
}
