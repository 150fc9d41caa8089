import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** @returns whether it has answered, or will */
export type Handler = (request: IncomingMessage, response: ServerResponse) => boolean

/** A server of the files of a folder, with ranges. `first` may answer instead. */
export async function serveFolder(
  t: Pick<TestContext, 'after'>,
  folder: string,
  first: Handler = () => false,
  ranges = true,
) {
  const requests: string[] = []
  const server = createServer(async (request, response) => {
    requests.push(`${request.url}${request.headers.range === undefined ? '' : ` ${request.headers.range}`}`)
    if (first(request, response)) return
    const bytes = await readFile(
      join(folder, decodeURIComponent((request.url as string).split('?')[0] as string)),
    ).catch(() => undefined)
    const range = /bytes=(\d*)-(\d*)/.exec((ranges && request.headers.range) || '')
    if (bytes === undefined) {
      response.writeHead(404).end()
      return
    }
    if (range === null) {
      response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
      return
    }
    const [, start, end] = range as unknown as [string, string, string]
    const from = start === '' ? Math.max(0, bytes.length - Number(end)) : Number(start)
    const part = bytes.subarray(from, start === '' || end === '' ? bytes.length : Number(end) + 1)
    response.setHeader('content-range', `bytes ${from}-${from + part.length - 1}/${bytes.length}`)
    response.writeHead(206).end(part)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}
