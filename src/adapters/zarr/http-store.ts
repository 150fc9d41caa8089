import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import type { PartReader, Store } from './store.ts'

export interface HttpStoreOptions {
  /** Retries of a request after a network error or a status of 429 or at least 500. @default 4 */
  readonly retries?: number
  /** Wait before the first retry; doubled for each further one. @default 200 */
  readonly retryDelayMs?: number
  /** Longest time for one attempt. @default 60000 */
  readonly timeoutMs?: number
}

/** A container behind http(s), for reading. Every request keeps the query string, since signed addresses need it. */
export function httpStore(address: string, options: HttpStoreOptions = {}): Store {
  const { origin, pathname, search, username, password } = new URL(address)
  if (username !== '' || password !== '') {
    throw new ConfigError(
      'INVALID_CONFIG',
      `The address of ${origin}${pathname} contains a password, which fetch refuses; remove it.`,
    )
  }
  const root = origin + pathname.replace(/\/+$/, '')
  const where = (key: string) => (key === '' ? root : `${root}/${key.split('/').map(encodeURIComponent).join('/')}`)
  const get = (key: string, headers: Record<string, string>, signal?: AbortSignal) =>
    request(where(key) + search, where(key), headers, options, signal)
  const readOnly = async (key: string): Promise<never> => {
    throw new ConfigError('READ_ONLY', `Can't write ${where(key)}: http addresses are read-only; write to a folder.`)
  }
  return {
    writable: false,
    where,
    async get(key, into, signal) {
      const body = (await get(key, {}, signal))?.body
      if (body === undefined || into?.length !== body.length) return body
      into.set(body)
      return into
    },
    async open(key, signal) {
      return partReader((range) => get(key, { range }, signal), where(key))
    },
    put: readOnly,
    remove: readOnly,
    list: async () => undefined,
  }
}

interface Answer {
  readonly body: Uint8Array
  /** Whether `body` is only the requested range, not the complete object. */
  readonly isPart: boolean
}

function partReader(get: (range: string) => Promise<Answer | undefined>, where: string): PartReader {
  const part = async (range: string, cut: (whole: Uint8Array) => Uint8Array) => {
    const answer = await get(range)
    if (answer === undefined) throw new MissingObject(`${where} does not exist.`)
    return answer.isPart ? answer.body : cut(answer.body)
  }
  return {
    read: (offset, length) =>
      part(`bytes=${offset}-${offset + length - 1}`, (whole) => whole.subarray(offset, offset + length)),
    readEnd: (length) => part(`bytes=-${length}`, (whole) => whole.subarray(Math.max(0, whole.length - length))),
    async [Symbol.asyncDispose]() {},
  }
}

/** Thrown by the first read of a part: checking first whether the shard exists would cost a round trip. */
export class MissingObject extends Error {}

// Object stores return 403 for a missing object if listing is not allowed.
const MISSING = new Set([403, 404, 410])

async function request(
  url: string,
  where: string,
  headers: Record<string, string>,
  { retries = 4, retryDelayMs = 200, timeoutMs = 60_000 }: HttpStoreOptions,
  signal: AbortSignal | undefined,
): Promise<Answer | undefined> {
  for (let attempt = 0; ; attempt++) {
    const timeout = AbortSignal.timeout(timeoutMs)
    let cause: unknown
    try {
      const response = await fetch(url, { headers, signal: signal ? AbortSignal.any([signal, timeout]) : timeout })
      if (response.ok) return { body: new Uint8Array(await response.arrayBuffer()), isPart: response.status === 206 }
      await response.body?.cancel()
      if (MISSING.has(response.status)) return undefined
      // The range starts beyond the end of the object.
      if (response.status === 416) return { body: new Uint8Array(0), isPart: true }
      cause = new Error(`status ${response.status} ${response.statusText}`.trim())
      if (response.status < 500 && response.status !== 429) attempt = retries
    } catch (error) {
      signal?.throwIfAborted()
      cause = error
    }
    if (attempt >= retries) {
      const why = describe(cause)
      throw new InfrastructureError('IO_ERROR', `Can't read ${where}: ${why}.`, { cause })
    }
    await delay(retryDelayMs * 2 ** attempt, undefined, signal ? { signal } : {})
  }
}

/** fetch only says "fetch failed"; the reason is the cause. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message
}
