import type { ChildProcess } from 'node:child_process'
import {
  createServer,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
  request as send,
} from 'node:http'
import { type AddressInfo, connect, createServer as createSocket, type NetConnectOpts } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** What is done to one request instead of passing it on unchanged. */
export interface Fault {
  /** Answers with this status and code, and does not ask the server. */
  readonly status?: number
  readonly code?: string
  /** The body of that answer, in place of the error of the service. */
  readonly text?: string
  /** In place of the answer's own. */
  readonly headers?: Readonly<Record<string, string>>
  /** Ends the connection before the server is asked, or instead of sending its answer. */
  readonly reset?: 'before' | 'after'
  /** Sends this many bytes of the body, then ends the connection. */
  readonly cutAfter?: number
  /** Sends this many bytes of the body, then nothing more. */
  readonly stallAfter?: number
  /** Changes the answer of the server. */
  readonly change?: (body: Buffer) => Buffer
}

/** One request as a test sees it. */
export interface SeenRequest {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly bytes: number
}

/** A real server of an object store behind a proxy of this process, which can do all that goes wrong on a network. */
export interface ObjectServer extends AsyncDisposable {
  /** Of the proxy in front of the server. */
  readonly endpoint: string
  /** The environment of a program that uses it. */
  readonly env: Readonly<Record<string, string>>
  readonly seen: SeenRequest[]
  /** Decides about each request. */
  fault: ((request: SeenRequest) => Fault | undefined | Promise<Fault | undefined>) | undefined
  /** Kills the server, whatever it is doing; its data stays. */
  kill(): Promise<void>
  /** Starts it again, with its data. */
  restart(): Promise<void>
  makeBucket(name: string): void | Promise<void>
}

export interface FaultyProxy extends AsyncDisposable {
  readonly endpoint: string
  readonly seen: SeenRequest[]
  fault: ObjectServer['fault']
}

/** Answers an error as the service does. */
export type ErrorAnswer = (code: string, status: number) => { readonly type: string; readonly text: string }

/** @param target where the server is now @param errorOf how it says what is wrong */
export async function startProxy(target: () => RequestOptions, errorOf: ErrorAnswer): Promise<FaultyProxy> {
  const server = createServer((request, response) => void pass(request, response).catch(() => response.destroy()))
  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    const body = Buffer.concat(pieces)
    const { method = '', url: path = '', headers } = request
    const now = { method, path, headers, bytes: body.length }
    proxy.seen.push(now)
    await answer(now, body, response, (await proxy.fault?.(now)) ?? {}, { target: target(), errorOf })
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy: FaultyProxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: [],
    fault: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}

/** Ends a proxy, then what is behind it. */
export function disposing(proxy: AsyncDisposable, behind: () => Promise<void>): () => Promise<void> {
  const end = proxy[Symbol.asyncDispose].bind(proxy)
  return async () => {
    await end()
    await behind()
  }
}

async function answer(
  asked: SeenRequest,
  body: Buffer,
  response: ServerResponse,
  { status, code, text, headers, reset, cutAfter, stallAfter, change }: Fault,
  { target, errorOf }: { readonly target: RequestOptions; readonly errorOf: ErrorAnswer },
): Promise<void> {
  if (reset === 'before') return void response.destroy()
  if (status !== undefined) {
    const error = code === undefined ? { type: 'text/plain', text: text ?? '' } : errorOf(code, status)
    const length = Buffer.byteLength(error.text)
    response.writeHead(status, { 'content-type': error.type, 'content-length': length, ...headers })
    return void response.end(error.text)
  }
  const { method, path } = asked
  const passed = send({ ...target, method, path, headers: asked.headers })
  const answered = new Promise<IncomingMessage>((resolve, reject) => passed.on('response', resolve).on('error', reject))
  passed.end(body)
  const found = await answered
  const pieces: Buffer[] = []
  for await (const piece of found) pieces.push(piece)
  if (reset === 'after') return void response.destroy()
  const whole = Buffer.concat(pieces)
  const sent = change?.(whole) ?? whole
  const { 'transfer-encoding': _, ...own } = found.headers
  response.writeHead(found.statusCode ?? 500, { ...own, 'content-length': sent.length, ...headers })
  const end = cutAfter ?? stallAfter
  if (end === undefined || found.statusCode === 304 || end >= sent.length) return void response.end(sent)
  response.write(sent.subarray(0, end), () => {
    if (cutAfter !== undefined) response.destroy()
  })
}

/** Waits until a program that was started accepts connections. @param errors what it has said so far */
export async function untilItAnswers(child: ChildProcess, where: NetConnectOpts, errors: () => string): Promise<void> {
  while (!(await answers(where))) {
    if (child.exitCode !== null) throw new Error(`The server did not start: ${errors().trim()}`)
    await delay(20)
  }
  process.once('exit', () => child.kill('SIGKILL'))
  child.unref()
}

const answers = (where: NetConnectOpts): Promise<boolean> =>
  new Promise((resolve) => {
    const connection = connect(where)
    connection.once('connect', () => {
      connection.destroy()
      resolve(true)
    })
    connection.once('error', () => resolve(false))
  })

export async function endOf(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.ref()
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await ended
}

/** A port that nobody has now, for programs that can't choose one themselves and say which. */
async function freePort(): Promise<number> {
  const socket = createSocket()
  await new Promise<void>((resolve) => socket.listen(0, '127.0.0.1', resolve))
  const { port } = socket.address() as AddressInfo
  await new Promise((resolve) => socket.close(resolve))
  return port
}

/** A server that listens on a port of this machine. */
export interface PortServer {
  readonly child: ChildProcess
  readonly port: number
}

/**
 * Starts a server on a free port, and waits until it answers. The port may be taken by another program between the choice and the start, so
 * that this is tried again.
 * @param start spawns it, with a pipe for its errors
 */
export async function startOnFreePort(start: (port: number) => ChildProcess): Promise<PortServer> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const child = start(port)
    let errors = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    try {
      await untilItAnswers(child, { host: '127.0.0.1', port }, () => errors)
    } catch (error) {
      if (attempt < 5) continue
      throw error
    }
    ;(child.stderr as unknown as { unref(): void }).unref()
    return { child, port }
  }
}
