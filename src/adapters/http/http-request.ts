import { given } from '../../core/given.ts'
import { REDIRECTS } from '../../core/redirects.ts'
import { redirectTarget } from './redirect-target.ts'

/** What tells versions of an object apart: its entity tag, or else when it was last changed. */
export interface ObjectVersion {
  readonly header: 'etag' | 'last-modified'
  readonly value: string
}

/** A body, whole or a part. */
export interface RangeAnswer {
  readonly body: Uint8Array
  /** Whether `body` is only the requested range, not the whole object. */
  readonly isPart: boolean
  /** Absent if the server does not say. */
  readonly version?: ObjectVersion
  /** Bytes of the whole object; absent if the server does not say. */
  readonly total?: number
}

export interface HttpRequest {
  readonly url: string
  /** `bytes=0-99` or `bytes=-16`. */
  readonly range: string | undefined
  /** Most bytes of the body, after decoding a content encoding. */
  readonly atMost: number
  /** Why a longer body is an error. @default that it has more bytes than such an object can have */
  readonly tooLong?: string
  /** The version that is wanted. @default any */
  readonly of?: ObjectVersion | undefined
  readonly signal: AbortSignal
  /** Called whenever something was received. */
  readonly received: () => void
}

/** An answer that can't be used. */
export interface FailedRequest {
  readonly failed: Error
  /** Whether the same request would fail again. */
  readonly isFinal: boolean
}

// Object stores return 403 for a missing object if listing is not allowed.
const MISSING = new Set([403, 404, 410])

/** One GET, with its redirects. @throws whatever fetch throws for a lost connection */
export async function httpRequest(request: HttpRequest): Promise<RangeAnswer | 'missing' | 'changed' | FailedRequest> {
  const { range, signal } = request
  const headers = headersOf(request)
  let url = new URL(request.url)
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(url, { headers, signal, redirect: 'manual' })
    request.received()
    if (response.ok) return readAnswer(response, request)
    const location = response.headers.get('location')
    await response.body?.cancel()
    if (MISSING.has(response.status)) return 'missing'
    if (response.status === 412 && request.of !== undefined) return 'changed'
    // The range starts beyond the end of the object.
    if (response.status === 416 && range !== undefined) {
      return { body: new Uint8Array(0), isPart: true, ...given({ total: totalOf(response) }) }
    }
    if (!REDIRECTS.has(response.status) || location === null) return failure(response)
    const next = await redirectTarget(url, location, redirects)
    if (typeof next === 'string') return final(`it ${next}`)
    url = next
  }
}

function headersOf({ range, of }: HttpRequest): Record<string, string> {
  // A weak tag never matches a part; the answers are compared, too, since not all servers know conditions.
  const isStrong = of !== undefined && !of.value.startsWith('W/')
  return {
    'accept-encoding': 'identity',
    ...(range === undefined ? {} : { range }),
    ...(isStrong ? { [of.header === 'etag' ? 'if-match' : 'if-unmodified-since']: of.value } : {}),
  }
}

function versionOf(headers: Headers): ObjectVersion | undefined {
  for (const header of ['etag', 'last-modified'] as const) {
    const value = headers.get(header)
    if (value !== null) return { header, value }
  }
  return undefined
}

/** @param body of a whole object */
function totalOf({ status, headers }: Response, body?: Uint8Array): number | undefined {
  if (status === 200) return body?.length
  const total = /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1]
  return total === undefined ? undefined : Number(total)
}

const final = (why: string): FailedRequest => ({ failed: new Error(why), isFinal: true })

const failure = ({ status, statusText }: Response): FailedRequest => ({
  failed: new Error(`status ${status} ${statusText}`.trim()),
  isFinal: status < 500 && status !== 429,
})

async function readAnswer(
  response: Response,
  { range, atMost, tooLong, received }: HttpRequest,
): Promise<RangeAnswer | FailedRequest> {
  const isPart = response.status === 206
  const wrong = isPart ? wrongPart(response.headers, range) : undefined
  const body = wrong === undefined ? await readBounded(response, atMost, received) : undefined
  if (body === undefined) {
    await response.body?.cancel()
    return final(wrong ?? tooLong ?? `it has more than ${atMost} bytes, the most that such an object can have`)
  }
  return isPart && body.length > lengthOf(range as string)
    ? final(`the server sent ${body.length} bytes for the range ${range}`)
    : { body, isPart, ...given({ version: versionOf(response.headers), total: totalOf(response, body) }) }
}

/** Why a part is not the requested one; a server that doesn't say which part it sends is believed. */
function wrongPart(headers: Headers, range: string | undefined): string | undefined {
  if (range === undefined) return 'the server sent a part of it, although all of it was requested'
  if (headers.has('content-encoding')) return 'the server sent a part of an encoded version of it'
  const sent = headers.get('content-range')
  if (sent === null) {
    return headers.get('content-type')?.startsWith('multipart/') ? 'the server sent several ranges for one' : undefined
  }
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(sent) ?? []
  const [, start, end] = /^bytes=(\d*)-(\d+)$/.exec(range) as unknown as [string, string, string]
  const all = total === '*' ? Number.POSITIVE_INFINITY : Number(total)
  const isRequested =
    start === ''
      ? Number(last) === all - 1 && Number(first) === Math.max(0, all - Number(end))
      : first === start && Number(last) === Math.min(Number(end), all - 1)
  return isRequested ? undefined : `the server sent "${sent}" for the range ${range}`
}

function lengthOf(range: string): number {
  const [, start, end] = /^bytes=(\d*)-(\d+)$/.exec(range) as unknown as [string, string, string]
  return start === '' ? Number(end) : Number(end) - Number(start) + 1
}

/** @returns undefined for a body that is too long */
async function readBounded(response: Response, atMost: number, received: () => void): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of response.body ?? []) {
    received()
    length += piece.length
    if (length > atMost) return undefined
    pieces.push(piece)
  }
  return pieces.length === 1 ? (pieces[0] as Uint8Array) : new Uint8Array(Buffer.concat(pieces))
}
