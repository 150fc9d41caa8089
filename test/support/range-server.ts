import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Fault } from './object-server.ts'

/** One request as a test sees it. */
export interface AskedRange {
  readonly path: string
  /** 'all' without one. */
  readonly range: string
}

/** A web server of files that may change, with ranges, conditions, and all that goes wrong. */
export interface RangeServer extends AsyncDisposable {
  /** `http://127.0.0.1:…` */
  readonly address: string
  /** By their paths, such as `/a.h5`. */
  readonly files: Map<string, Uint8Array>
  readonly asked: AskedRange[]
  fault: ((asked: AskedRange) => Fault | undefined) | undefined
  /** @default true */
  knowsRanges: boolean
  /** What it says of the version of a file. @default 'etag' */
  names: 'etag' | 'last-modified' | 'nothing'
  /** Whether it heeds `If-Match`. @default true */
  knowsConditions: boolean
}

export async function serveRanges(): Promise<RangeServer> {
  const server = createServer((request, response) => answer(served, request, response))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const served: RangeServer = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    files: new Map(),
    asked: [],
    fault: undefined,
    knowsRanges: true,
    names: 'etag',
    knowsConditions: true,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
  return served
}

function answer(served: RangeServer, request: IncomingMessage, response: ServerResponse): void {
  const { range = 'all', 'if-match': wanted, 'if-unmodified-since': since } = request.headers
  const path = decodeURIComponent(request.url as string)
  served.asked.push({ path, range })
  const fault = served.fault?.({ path, range }) ?? {}
  if (fault.reset !== undefined) return void response.destroy()
  if (fault.status !== undefined) return void response.writeHead(fault.status).end()
  const bytes = served.files.get(path.replace(/\?.*$/, ''))
  if (bytes === undefined) return void response.writeHead(404).end()
  const tag = `"${createHash('sha1').update(bytes).digest('hex')}"`
  // A second for each byte: another length is another time.
  const time = new Date(Date.UTC(2026, 0, 1) + bytes.length * 1000).toUTCString()
  const isOther = (wanted !== undefined && wanted !== tag) || (since !== undefined && since !== time)
  if (served.knowsConditions && isOther) return void response.writeHead(412).end()
  if (served.names === 'etag') response.setHeader('etag', tag)
  if (served.names === 'last-modified') response.setHeader('last-modified', time)
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(served.knowsRanges ? range : '') ?? []
  if (first !== undefined && Number(first) >= bytes.length) {
    return void response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end()
  }
  const end = Math.min(Number(last ?? bytes.length - 1), bytes.length - 1)
  const part = Buffer.from(bytes.subarray(Number(first ?? 0), end + 1))
  if (first !== undefined) response.setHeader('content-range', `bytes ${first}-${end}/${bytes.length}`)
  send(response, first === undefined ? 200 : 206, part, fault)
}

function send(response: ServerResponse, status: number, part: Buffer, fault: Fault): void {
  const { headers, cutAfter, stallAfter, change } = fault
  const sent = change?.(part) ?? part
  response.writeHead(status, { 'content-length': sent.length, ...headers })
  const end = cutAfter ?? stallAfter
  if (end === undefined) return void response.end(sent)
  response.write(sent.subarray(0, end), () => {
    if (cutAfter !== undefined) response.destroy()
  })
}
