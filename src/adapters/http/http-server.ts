import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { hostname } from 'node:os'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { hostInUrl, isAnyAddress } from '../../core/addresses.ts'
import { ConfigError } from '../../core/errors.ts'
import { Unavailable } from '../../core/unavailable.ts'
import type { ActionTree, EventFeed, LiveTree, Resource, ResourceTree } from '../../ports/resource.ts'
import { mostStrangers, mostVisitors } from '../connections/open-file-limit.ts'
import { UnprovedConnections } from '../connections/unproved-connections.ts'
import { parseRange } from './byte-range.ts'
import { sendFeed } from './event-stream.ts'
import { answerPost } from './post-request.ts'
import { refuse } from './refusal.ts'
import { parsePath } from './request-path.ts'
import { isAddressedTo, isForeign, namesOf } from './server-names.ts'

export interface HttpServerOptions {
  /** The address to listen on. @default '127.0.0.1' */
  readonly host?: string
  /** @default a free one */
  readonly port?: number
  /** The first name of every path except those of `assets`. */
  readonly token: string
  /** Files of the program itself, under `/assets/`, without a token; browsers may cache them forever. */
  readonly assets: ResourceTree
  /** Everything else, under `/<token>/`. */
  readonly content: LiveTree
  /** What the server's own page may do by POST, under `/<token>/`. @default nothing */
  readonly actions?: ActionTree
  /** Whether a path of the content is that of a folder with a page of its own, whose address ends in a slash. @default none is */
  readonly isFolder?: (names: readonly string[]) => boolean
  /** Origins whose pages may read the content, besides the server's own. @default none */
  readonly cors?: readonly string[]
  /** The most connections that may be open before a request with the token. @default an eighth of the open files allowed, at most 256 */
  readonly maxUnproved?: number
  /** The most connections that may be open at all. @default an eighth of the open files allowed, at most 256, besides those */
  readonly maxConnections?: number
  /** The longest time in which a request has to arrive, in milliseconds. @default 30 s */
  readonly requestMs?: number
  /** How long a client may take nothing of an answer before its connection is closed, in milliseconds. @default 5 min */
  readonly stuckMs?: number
  /** Called with errors of opening or reading content. */
  readonly onError: (error: unknown) => void
}

export interface HttpServer extends AsyncDisposable {
  readonly port: number
  /** `http://127.0.0.1:8080/<token>/`, with a name under which this machine can be reached. */
  readonly address: string
}

/**
 * A server of read-only content for browsers: GET and HEAD, at most one range, for clients that know the token and address the
 * server by one of its own names. OPTIONS is answered for pages of the origins in `cors`, POST only if there are `actions`.
 * @throws ConfigError `INVALID_CONFIG` when it can't listen there
 */
export async function serveHttp(options: HttpServerOptions): Promise<HttpServer> {
  const { host = '127.0.0.1', port = 0, maxUnproved = mostStrangers() } = options
  const { maxConnections = mostVisitors(), requestMs = 30_000, stuckMs = 300_000 } = options
  const unproved = new UnprovedConnections(maxUnproved)
  if (port > 65_535) throw new ConfigError('INVALID_CONFIG', `Port ${port}: expected at most 65535.`)
  const server = createServer({ ...limitsOf(requestMs), maxHeaderSize: 16_384 }, (request, response) => {
    void answer(request, response, options, { names, unproved }).catch(() => response.destroy())
  })
  server.timeout = stuckMs
  server.maxConnections = maxConnections
  server.on('connection', (socket) => unproved.add(socket))
  server.on('clientError', (_error, client) => {
    const socket = client as Socket
    if (socket.writable) socket.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    // A client that goes on sending would keep a connection that has only ended.
    socket.destroySoon()
  })
  await new Promise<void>((done, failed) => {
    server.once('error', (error: NodeJS.ErrnoException) => failed(listenError(error, host, port)))
    server.listen(port, host, done)
  })
  const bound = server.address() as AddressInfo
  const names = namesOf(host)
  return {
    port: bound.port,
    address: `http://${hostInUrl(reachableName(host))}:${bound.port}/${options.token}/`,
    async [Symbol.asyncDispose]() {
      if (!server.listening) return
      const closed = new Promise((done) => server.close(done))
      server.closeAllConnections()
      await closed
    },
  }
}

/** Node looks at the times of requests only now and then. */
const limitsOf = (requestMs: number) => ({
  requestTimeout: requestMs,
  headersTimeout: requestMs,
  connectionsCheckingInterval: Math.min(5000, requestMs),
})

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const why: Partial<Record<string, string>> = {
    EADDRINUSE: `port ${port} is in use; choose another with --port, or omit it to get a free one`,
    EACCES: `this user may not use port ${port}; choose one from 1024 on`,
    EADDRNOTAVAIL: `${host} is not an address of this machine`,
    ENOTFOUND: `${host} is not a known host name`,
  }
  const reason = why[error.code ?? ''] ?? error.message
  return new ConfigError('INVALID_CONFIG', `Can't listen on ${host}: ${reason}.`, { cause: error })
}

const reachableName = (host: string): string => (isAnyAddress(host) ? hostname() : host)

// Neuroglancer compiles shaders' annotations with `new Function` and codecs as WebAssembly, starts workers, and sets styles.
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'unsafe-eval'",
  "worker-src 'self' blob:",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const SECURITY: Readonly<Record<string, string>> = {
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'X-Frame-Options': 'DENY',
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpServerOptions,
  { names, unproved }: { readonly names: ReadonlySet<string>; readonly unproved: UnprovedConnections },
): Promise<void> {
  const { method = '', url = '' } = request
  const { origin } = request.headers
  const isOtherOrigin = origin !== undefined && (options.cors ?? []).includes(origin)
  for (const [name, value] of Object.entries(SECURITY)) response.setHeader(name, value)
  if (options.cors !== undefined) response.setHeader('Vary', 'Origin')
  response.setHeader('Cross-Origin-Resource-Policy', isOtherOrigin ? 'cross-origin' : 'same-origin')
  if (isOtherOrigin) {
    response.setHeader('Access-Control-Allow-Origin', origin)
    response.setHeader('Access-Control-Expose-Headers', 'Content-Length, Content-Range, ETag')
  }
  if (!isAddressedTo(names, request)) return refuse(response, 421, 'This server does not have that name.')
  if (method === 'OPTIONS' && isOtherOrigin) return allow(response)
  const { actions, onError } = options
  if (method !== 'GET' && method !== 'HEAD' && (method !== 'POST' || actions === undefined)) {
    response.setHeader('Allow', actions === undefined ? 'GET, HEAD' : 'GET, HEAD, POST')
    return refuse(response, 405, 'Only GET and HEAD are allowed.')
  }
  const { names: [first, ...path] = [], isFolder = false } = parsePath(url) ?? {}
  if (first === undefined) return refuse(response, 404, 'There is nothing here.')
  const isAsset = first === 'assets'
  if (!isAsset && !isSame(first, options.token)) {
    return refuse(response, 403, 'This address is not, or no longer, valid: open the one that bellis printed.')
  }
  if (!isAsset) unproved.remove(request.socket)
  if (method === 'POST' && actions !== undefined) {
    const isToken = (text: string) => isSame(text, options.token)
    return answerPost(request, response, isAsset ? [] : path, { actions, isToken, onError })
  }
  const isPage = !isAsset && (path.length === 0 || options.isFolder?.(path) === true)
  if (isPage && !isFolder) {
    // The page's own requests are relative to its folder.
    response.setHeader(
      'Location',
      `${[options.token, ...path.map(encodeURIComponent)].map((name) => `/${name}`).join('')}/`,
    )
    return refuse(response, 308, 'The address ends in a slash.')
  }
  if (isFolder && !isPage) return refuse(response, 404, 'There is nothing here.')
  const cancel = new AbortController()
  response.once('close', () => cancel.abort())
  const tree = isAsset ? options.assets : options.content
  let opened: Resource | EventFeed | undefined
  try {
    opened = await tree.open(path, { signal: cancel.signal })
  } catch (error) {
    if (error instanceof Unavailable) {
      response.setHeader('Retry-After', '1')
      return refuse(response, 503, error.message)
    }
    if (!cancel.signal.aborted) options.onError(error)
    return refuse(response, 500, 'The data could not be read; see the terminal where bellis is running.')
  }
  if (opened === undefined) return refuse(response, 404, 'There is nothing here.')
  if ('kind' in opened) {
    if (isForeign(request) && !isOtherOrigin)
      return refuse(response, 403, 'Only the page of this server may follow this.')
    return sendFeed(request, response, opened)
  }
  await using resource = opened
  await send(request, response, resource, isAsset ? 'public, max-age=31536000, immutable' : 'private, no-cache')
}

/** Answers a browser's preflight request for headers such as a range from the end, which readers of shards send. */
function allow(response: ServerResponse): void {
  response.setHeader('Access-Control-Allow-Methods', 'GET, HEAD')
  response.setHeader('Access-Control-Allow-Headers', 'Range, If-Range, If-None-Match')
  response.setHeader('Access-Control-Max-Age', '600')
  response.writeHead(204).end()
}

/** Compares in a time that does not depend on how many characters are equal. */
const isSame = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))
const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  resource: Resource,
  cacheControl: string,
): Promise<void> {
  const { range: rangeHeader, 'if-none-match': known, 'if-range': onlyIf } = request.headers
  const etag = `"${resource.version}"`
  response.setHeader('ETag', etag)
  response.setHeader('Cache-Control', cacheControl)
  response.setHeader('Accept-Ranges', 'bytes')
  if (
    known !== undefined &&
    (known === '*' || known.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag))
  ) {
    response.writeHead(304).end()
    return
  }
  const range = parseRange(onlyIf === undefined || onlyIf === etag ? rangeHeader : undefined, resource.size)
  if (range.kind === 'unsatisfiable') {
    response.setHeader('Content-Range', `bytes */${resource.size}`)
    return refuse(response, 416, 'There is no such range.')
  }
  const { start, end } = range.kind === 'part' ? range : { start: 0, end: resource.size }
  response.setHeader('Content-Type', resource.contentType)
  response.setHeader('Content-Length', end - start)
  if (range.kind === 'part') response.setHeader('Content-Range', `bytes ${start}-${end - 1}/${resource.size}`)
  response.writeHead(range.kind === 'part' ? 206 : 200)
  if (request.method === 'HEAD') response.end()
  else await pipeline(Readable.from(resource.read(start, end)), response)
}
