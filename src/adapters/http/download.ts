import { existsSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { type FileHandle, open, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { BlockwiseError, ConfigError, InfrastructureError, messageOf } from '../../core/errors.ts'
import { REDIRECTS } from '../../core/redirects.ts'
import { systemFailure } from '../../core/system-errors.ts'
import { markQueries } from '../../core/text/shown-address.ts'
import { redirectTarget } from './redirect-target.ts'

export interface DownloadOptions {
  readonly signal?: AbortSignal
  /** Called for every piece with the bytes received so far and the total. */
  readonly onProgress?: (done: number, total: number) => void
  /** Checks the complete file before it gets its name; if this throws, the file is deleted. */
  readonly check?: (file: string) => void | Promise<void>
  /** Retries in a row that receive no further byte. @default 5 */
  readonly retries?: number
  /** Wait before the first retry; doubled for each further one. @default 500 */
  readonly retryDelayMs?: number
  /** Longest silence of the server. @default 60000 */
  readonly silenceMs?: number
}

/** The file that a partial download belongs to. */
interface Origin {
  /** Without its query: the file may be read by others. */
  readonly address: string
  readonly total: number
  /** The server's own name for this content, which tells whether the file is still the same. */
  readonly validator: string | undefined
}

/**
 * Downloads a file. Until it is complete it is called `FILE.part`; a partial file of an earlier call is continued if the server still has
 * the same file.
 * @returns its size, bytes
 * @throws ConfigError `NO_SUCH_FILE` if there is no file at the address; InfrastructureError `CONNECTION_LOST` (the part is kept),
 * `DISK_FULL`, `IO_ERROR`; what `check` throws
 */
export async function download(address: string, file: string, options: DownloadOptions = {}): Promise<number> {
  const { retries = 5, retryDelayMs = 500, signal } = options
  const part = `${file}.part`
  let before = -1
  for (let attempts = 0; ; ) {
    try {
      await fetchRest(address, part, options)
      break
    } catch (error) {
      if (signal?.aborted || error instanceof BlockwiseError) throw error
      if (isLocal(error)) throw localError(part, error)
      const done = await sizeOf(part)
      attempts = done > before ? 1 : attempts + 1
      before = done
      if (attempts > retries) {
        throw new InfrastructureError(
          'CONNECTION_LOST',
          `${address} stopped sending after ${done} bytes (${reasonOf(error)}); the same command continues from there.`,
          { cause: error },
        )
      }
      await wait(retryDelayMs * 2 ** (attempts - 1), undefined, { signal })
    }
  }
  try {
    await options.check?.(part)
  } catch (error) {
    forget(part)
    throw error
  }
  const size = await sizeOf(part)
  await rename(part, file)
  rmSync(originFile(part), { force: true })
  return size
}

async function fetchRest(address: string, part: string, options: DownloadOptions): Promise<void> {
  const { silenceMs = 60_000, signal } = options
  const origin = readOrigin(part, address)
  const done = origin === undefined ? 0 : await sizeOf(part)
  if (origin !== undefined && done === origin.total) return
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(new Error(`no data for ${silenceMs / 1000} s`)), silenceMs)
  const limit = signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal])
  try {
    const response = await follow(address, { headers: rangeFrom(done, origin), signal: limit })
    const { start, total } = await placeOf(response, { address, part, done, origin })
    const validator = validatorOf(response)
    if (start === 0) forget(part)
    assertRoom(part, total - start)
    writeFileSync(
      originFile(part),
      JSON.stringify({ address: markQueries(address), total, validator } satisfies Origin),
    )
    await using output = await open(part, start === 0 ? 'w' : 'r+')
    let position = start
    for await (const piece of response.body as AsyncIterable<Uint8Array>) {
      timer.refresh()
      await writeAll(output, piece.subarray(0, Math.max(0, total - position)), position)
      position += piece.length
      options.onProgress?.(Math.min(position, total), total)
    }
    if (position !== total) throw new Error(`received ${position} of ${total} bytes`)
  } finally {
    clearTimeout(timer)
    // Cancels the rest of the response.
    silence.abort()
  }
}

/** A GET that follows redirects, but not to servers that only this machine or its network sees. */
async function follow(address: string, init: RequestInit): Promise<Response> {
  let url = new URL(address)
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(url, { ...init, redirect: 'manual' })
    const location = response.headers.get('location')
    if (!REDIRECTS.has(response.status) || location === null) return response
    await response.body?.cancel()
    const next = await redirectTarget(url, location, redirects)
    if (typeof next === 'string') throw new ConfigError('NO_SUCH_FILE', `${address} ${next}.`)
    url = next
  }
}

/** Refuses content encodings: their length and ranges would count encoded bytes. */
function rangeFrom(done: number, origin: Origin | undefined): Record<string, string> {
  const plain = { 'accept-encoding': 'identity' }
  if (done === 0 || origin === undefined) return plain
  const sameOnly = origin.validator === undefined ? {} : { 'if-range': origin.validator }
  return { ...plain, ...sameOnly, range: `bytes=${done}-` }
}

interface Asked {
  readonly address: string
  readonly part: string
  readonly done: number
  readonly origin: Origin | undefined
}

/** Where in the file the response's bytes belong. A server without ranges, or with a new file, sends all of it. */
async function placeOf(response: Response, { address, part, done, origin }: Asked) {
  const { status, headers } = response
  const [, first, all] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get('content-range') ?? '') ?? []
  if (status === 206 && Number(first) === done && Number(all) === origin?.total)
    return { start: done, total: Number(all) }
  const length = Number(headers.get('content-length') ?? Number.NaN)
  if (status === 200 && Number.isSafeInteger(length)) return { start: 0, total: length }
  await response.body?.cancel()
  if (status === 200) {
    throw new InfrastructureError(
      'IO_ERROR',
      `${address} sends no Content-Length, so a truncated download could not be detected; use another server.`,
    )
  }
  if (status >= 400 && status < 500 && !TEMPORARY.has(status)) {
    throw new ConfigError('NO_SUCH_FILE', `${address} returned HTTP ${status}; check the address.`)
  }
  // The partial file can't be continued: the next attempt starts again.
  if (status === 206 || status === 416) forget(part)
  throw new Error(`it returned HTTP ${status}`)
}

/** Statuses below 500 after which the same request may succeed. */
const TEMPORARY: ReadonlySet<number> = new Set([408, 416, 425, 429])

/** A strong tag, or else the date, as `If-Range` takes them. */
function validatorOf({ headers }: Response): string | undefined {
  const tag = headers.get('etag')
  return tag === null || tag.startsWith('W/') ? (headers.get('last-modified') ?? undefined) : tag
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    written += (await file.write(bytes, written, bytes.length - written, position + written)).bytesWritten
  }
}

const originFile = (part: string): string => `${part}.json`

function readOrigin(part: string, address: string): Origin | undefined {
  try {
    const origin = JSON.parse(readFileSync(originFile(part), 'utf8')) as Partial<Origin>
    return existsSync(part) && origin.address === markQueries(address) && Number.isSafeInteger(origin.total)
      ? (origin as Origin)
      : undefined
  } catch {
    return undefined
  }
}

function forget(part: string): void {
  rmSync(part, { force: true })
  rmSync(originFile(part), { force: true })
}

const sizeOf = async (path: string): Promise<number> => (existsSync(path) ? (await stat(path)).size : 0)

/** Checks the free space before an hour of waiting, not after it. */
function assertRoom(part: string, missing: number): void {
  const { bavail, bsize } = statfsSync(dirname(part))
  if (missing <= bavail * bsize) return
  throw new InfrastructureError(
    'DISK_FULL',
    `The download needs ${missing} more bytes, and ${dirname(part)} has ${bavail * bsize} free; free some space, or choose another place.`,
  )
}

/** Errors of fetch have the system's error as their cause; errors of files are the system's own. */
const isLocal = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && (error as NodeJS.ErrnoException).syscall !== undefined

function localError(part: string, error: NodeJS.ErrnoException): InfrastructureError {
  const failure = systemFailure(error)
  const isFull = failure?.code === 'DISK_FULL'
  const what = isFull ? `${failure?.reason}; ${failure?.remedy}: the same command continues` : error.message
  return new InfrastructureError(isFull ? 'DISK_FULL' : 'IO_ERROR', `${part} can't be written: ${what}.`, {
    cause: error,
  })
}

/** For connection errors, the reason is the cause of fetch's error. */
const reasonOf = (error: unknown): string => {
  const { cause } = error as { cause?: unknown }
  return messageOf(cause instanceof Error ? cause : error)
}
