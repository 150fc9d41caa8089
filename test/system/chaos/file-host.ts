import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, normalize } from 'node:path'

/** How a host answers: as it should, as if addresses had expired, with errors, or with bodies that end early. */
export type HostMood = 'well' | 'expired' | 'failing' | 'cutting'

/** Serves the files of a folder over http. */
export class FileHost implements AsyncDisposable {
  mood: HostMood = 'well'
  readonly #folder: string
  readonly #server: Server

  private constructor(folder: string, server: Server) {
    this.#folder = folder
    this.#server = server
  }

  static async open(folder: string): Promise<FileHost> {
    const server = createServer()
    const host = new FileHost(folder, server)
    server.on('request', (request, response) => void host.#answer(request, response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return host
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.mood === 'expired') return void response.writeHead(403).end()
    if (this.mood === 'failing' && Math.random() < 0.4) return void response.writeHead(503).end()
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://host').pathname))
    const body = await readFile(join(this.#folder, path)).catch(() => undefined)
    if (body === undefined) return void response.writeHead(404).end()
    response.writeHead(200, { 'Content-Length': body.length })
    if (this.mood !== 'cutting' || Math.random() < 0.6) return void response.end(body)
    response.write(body.subarray(0, body.length >> 1), () => response.destroy())
  }
}
