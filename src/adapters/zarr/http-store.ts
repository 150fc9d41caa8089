import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { httpRequest, type RangeAnswer } from './http-request.ts'
import { type GetOptions, MAX_METADATA_BYTES, type PartReader, type Store } from './store.ts'
import { WholeObjects } from './whole-objects.ts'

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
  const url = URL.parse(address)
  if (url === null) {
    throw new ConfigError('INVALID_CONFIG', `${address}: expected an address such as https://host/data.zarr/raw.`)
  }
  const { origin, pathname, search, username, password } = url
  if (username !== '' || password !== '') {
    throw new ConfigError(
      'INVALID_CONFIG',
      `The address of ${origin}${pathname} contains a password, which fetch refuses; remove it.`,
    )
  }
  const root = origin + pathname.replace(/\/+$/, '')
  const where = (key: string) => (key === '' ? root : `${root}/${key.split('/').map(encodeURIComponent).join('/')}`)
  const get = (key: string, range: string | undefined, { atMost = MAX_METADATA_BYTES, signal }: GetOptions) =>
    withRetries(where(key), options, signal, (limit) =>
      httpRequest({ url: where(key) + search, range, atMost, signal: limit }),
    )
  const wholes = new WholeObjects()
  const readOnly = async (key: string): Promise<never> => {
    throw new ConfigError('READ_ONLY', `Can't write ${where(key)}: http addresses are read-only; write to a folder.`)
  }
  return {
    writable: false,
    where,
    async get(key, options = {}) {
      const { into } = options
      const body = (await get(key, undefined, options))?.body
      if (body === undefined || into?.length !== body.length) return body
      into.set(body)
      return into
    },
    async open(key, options = {}) {
      const request = (range: string | undefined) => get(key, range, options)
      return partReader((range) => wholes.get(key, range, request, options.signal), where(key))
    },
    put: readOnly,
    remove: readOnly,
    list: async () => undefined,
  }
}

/** A server that knows no ranges sends the whole object, which is kept: one object is read once, not once for each part. */
function partReader(get: (range: string) => Promise<RangeAnswer | undefined>, where: string): PartReader {
  let whole: Uint8Array | undefined
  const part = async (range: string, cut: (whole: Uint8Array) => Uint8Array) => {
    if (whole !== undefined) return cut(whole)
    const answer = await get(range)
    if (answer === undefined) throw new MissingObject(where)
    if (answer.isPart) return answer.body
    whole = answer.body
    return cut(whole)
  }
  return {
    read: async (offset, length) =>
      length === 0
        ? new Uint8Array(0)
        : part(`bytes=${offset}-${offset + length - 1}`, (bytes) => bytes.subarray(offset, offset + length)),
    readEnd: (length) => part(`bytes=-${length}`, (bytes) => bytes.subarray(Math.max(0, bytes.length - length))),
    async [Symbol.asyncDispose]() {},
  }
}

/** Thrown by the first read of a part: checking first whether the shard exists would cost a round trip. */
export class MissingObject extends InfrastructureError {
  constructor(where: string) {
    super(
      'IO_ERROR',
      `Can't read ${where}: it was removed, or its address has expired, while it was being read; run again.`,
    )
  }
}

async function withRetries(
  where: string,
  { retries = 4, retryDelayMs = 200, timeoutMs = 60_000 }: HttpStoreOptions,
  signal: AbortSignal | undefined,
  attemptOnce: (
    signal: AbortSignal,
  ) => Promise<RangeAnswer | 'missing' | { readonly failed: Error; readonly isFinal: boolean }>,
): Promise<RangeAnswer | undefined> {
  for (let attempt = 0; ; attempt++) {
    const timeout = AbortSignal.timeout(timeoutMs)
    let cause: unknown
    try {
      const answer = await attemptOnce(signal ? AbortSignal.any([signal, timeout]) : timeout)
      if (answer === 'missing') return undefined
      if ('body' in answer) return answer
      cause = answer.failed
      if (answer.isFinal) attempt = retries
    } catch (error) {
      signal?.throwIfAborted()
      cause = error
    }
    if (attempt >= retries) {
      throw new InfrastructureError('IO_ERROR', `Can't read ${where}: ${describe(cause)}.`, { cause })
    }
    await delay(retryDelayMs * 2 ** attempt, undefined, signal ? { signal } : {})
  }
}

/** fetch only says "fetch failed"; the reason is the cause. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message
}
