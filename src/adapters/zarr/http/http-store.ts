import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError, InfrastructureError } from '../../../core/errors.ts'
import { IdleLimit } from '../../s3/idle-limit.ts'
import { describeFailure } from '../../s3/s3-errors.ts'
import { type GetOptions, MAX_METADATA_BYTES, type Store } from '../store.ts'
import { ChangedObject, partReader } from './http-parts.ts'
import { httpRequest, type ObjectVersion } from './http-request.ts'
import { WholeObjects } from './whole-objects.ts'

export interface HttpStoreOptions {
  /** Retries of a request after a network error or a status of 429 or at least 500. @default 4 */
  readonly retries?: number
  /** Wait before the first retry; doubled for each further one. @default 200 */
  readonly retryDelayMs?: number
  /** Longest time in which nothing is received. @default 60000 */
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
  const get = (
    key: string,
    range: string | undefined,
    { atMost = MAX_METADATA_BYTES, signal }: GetOptions,
    of?: ObjectVersion,
  ) =>
    withRetries(where(key), options, signal, (limit, received) =>
      httpRequest({ url: where(key) + search, range, of, atMost, signal: limit, received }),
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
      const answer = await get(key, undefined, options)
      const body = typeof answer === 'object' ? answer.body : undefined
      if (body === undefined || into?.length !== body.length) return body
      into.set(body)
      return into
    },
    async open(key, options = {}) {
      const request = async (range: string | undefined, of: ObjectVersion | undefined) => {
        const answer = await get(key, range, options, of)
        if (answer === 'changed') throw new ChangedObject(where(key))
        return answer
      }
      return partReader(
        (range, of) => wholes.get(key, range, (asked) => request(asked, of), options.signal),
        where(key),
      )
    },
    put: readOnly,
    remove: readOnly,
    list: async () => undefined,
  }
}

type Answer = Awaited<ReturnType<typeof httpRequest>>
type Received = Exclude<Answer, 'missing' | { readonly failed: Error }>

/** @param attemptOnce has to call `received` whenever something arrives: an attempt may take any time, but not wait for long */
async function withRetries(
  where: string,
  { retries = 4, retryDelayMs = 200, timeoutMs = 60_000 }: HttpStoreOptions,
  signal: AbortSignal | undefined,
  attemptOnce: (signal: AbortSignal, received: () => void) => Promise<Answer>,
): Promise<Received | undefined> {
  for (let attempt = 0; ; attempt++) {
    using idle = new IdleLimit(timeoutMs)
    let cause: unknown
    try {
      const answer = await attemptOnce(idle.with(signal), idle.restart)
      if (answer === 'missing') return undefined
      if (typeof answer === 'string' || 'body' in answer) return answer
      cause = answer.failed
      if (answer.isFinal) attempt = retries
    } catch (error) {
      signal?.throwIfAborted()
      cause = error
    }
    if (attempt >= retries) {
      throw new InfrastructureError('IO_ERROR', `Can't read ${where}: ${describeFailure(cause)}.`, { cause })
    }
    await delay(retryDelayMs * 2 ** attempt, undefined, signal ? { signal } : {})
  }
}
