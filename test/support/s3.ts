import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Skippable } from './cluster.ts'

const script = fileURLToPath(new URL('../../scripts/s3-env.mjs', import.meta.url))
const versitygw = spawnSync(process.execPath, [script, 'path'], { encoding: 'utf8' }).stdout.trim()
const MISSING = 'no S3 server for tests: node scripts/s3-env.mjs builds one'

/** What is done to one request instead of passing it on unchanged. */
export interface Fault {
  /** Answers with this status and code, and does not ask the server. */
  readonly status?: number
  readonly code?: string
  /** In place of the answer's own. */
  readonly headers?: Readonly<Record<string, string>>
  /** Ends the connection before the server is asked. */
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

export interface S3Server extends AsyncDisposable {
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
  /** Makes a bucket. */
  makeBucket(name: string): void
}

const KEYS = { AWS_ACCESS_KEY_ID: 'bellis-tests', AWS_SECRET_ACCESS_KEY: 'not a secret/at+all' }

/**
 * A real S3 server behind a proxy of this process, which can do all that goes wrong on a network. If there is none, the test is skipped with a
 * message, or fails if the variable `CI` is set.
 */
export async function s3OrSkip(t: Skippable): Promise<S3Server | undefined> {
  if (versitygw !== '') return startS3()
  if (process.env.CI) throw new Error(MISSING)
  t.skip(MISSING)
  return undefined
}

async function startS3(): Promise<S3Server> {
  const folder = mkdtempSync(join(tmpdir(), 'bellis-s3-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  for (const name of ['data', 'side']) mkdirSync(join(folder, name))
  const socket = join(folder, 's3.sock')
  let running = await startServer(folder, socket)
  const seen: SeenRequest[] = []
  const proxy = createServer((request, response) => void pass(request, response).catch(() => response.destroy()))
  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    const body = Buffer.concat(pieces)
    const { method = '', url: path = '', headers } = request
    const now = { method, path, headers, bytes: body.length }
    seen.push(now)
    await answer(socket, now, body, response, (await server.fault?.(now)) ?? {})
  }
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const server: S3Server = {
    endpoint,
    seen,
    fault: undefined,
    env: {
      ...KEYS,
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONFIG_FILE: join(folder, 'no-config'),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'no-credentials'),
    },
    kill: () => endOf(running),
    async restart() {
      running = await startServer(folder, socket)
    },
    makeBucket: (name) => mkdirSync(join(folder, 'data', name)),
    async [Symbol.asyncDispose]() {
      proxy.closeAllConnections()
      await new Promise((resolve) => proxy.close(resolve))
      await endOf(running)
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return server
}

async function startServer(folder: string, socket: string): Promise<ChildProcess> {
  rmSync(socket, { force: true })
  const options = ['--quiet', '--port', socket, 'posix', '--sidecar', join(folder, 'side'), join(folder, 'data')]
  const env = { ...process.env, ROOT_ACCESS_KEY: KEYS.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: KEYS.AWS_SECRET_ACCESS_KEY }
  const child = spawn(versitygw, options, { cwd: folder, env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  while (!(await answers(socket))) {
    if (child.exitCode !== null) throw new Error(`The S3 server did not start: ${errors.trim()}`)
    await delay(20)
  }
  process.once('exit', () => child.kill('SIGKILL'))
  child.unref()
  ;(child.stderr as unknown as { unref(): void }).unref()
  return child
}

const answers = (socket: string): Promise<boolean> =>
  new Promise((resolve) => {
    const connection = connect(socket)
    connection.once('connect', () => {
      connection.destroy()
      resolve(true)
    })
    connection.once('error', () => resolve(false))
  })

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.ref()
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}

async function answer(
  socketPath: string,
  asked: SeenRequest,
  body: Buffer,
  response: ServerResponse,
  fault: Fault,
): Promise<void> {
  const { status, code, headers, reset, cutAfter, stallAfter, change } = fault
  if (reset === 'before') return void response.destroy()
  if (status !== undefined) {
    const text =
      code === undefined
        ? ''
        : `<?xml version="1.0"?><Error><Code>${code}</Code><Message>As the test says.</Message></Error>`
    response.writeHead(status, {
      'content-type': 'application/xml',
      'content-length': Buffer.byteLength(text),
      ...headers,
    })
    return void response.end(text)
  }
  const { method, path } = asked
  const passed = send({ socketPath, method, path, headers: asked.headers })
  const answered = new Promise<IncomingMessage>((resolve, reject) => passed.on('response', resolve).on('error', reject))
  passed.end(body)
  const found = await answered
  const pieces: Buffer[] = []
  for await (const piece of found) pieces.push(piece)
  if (reset === 'after') return void response.destroy()
  const whole = Buffer.concat(pieces)
  const sent = change?.(whole) ?? whole
  response.writeHead(found.statusCode ?? 500, { ...found.headers, 'content-length': sent.length, ...headers })
  const end = cutAfter ?? stallAfter
  if (end === undefined || found.statusCode === 304 || end >= sent.length) return void response.end(sent)
  response.write(sent.subarray(0, end), () => {
    if (cutAfter !== undefined) response.destroy()
  })
}
