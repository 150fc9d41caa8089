import { ConfigError } from '../../../core/errors.ts'
import { ChangedObject } from '../../files/object-errors.ts'
import { type HttpOptions, parseHttpAddress, withRetries } from '../../http/http-attempts.ts'
import { httpRequest, type ObjectVersion } from '../../http/http-request.ts'
import { type GetOptions, MAX_METADATA_BYTES, REQUEST_GAP_BYTES, type Store } from '../store.ts'
import { partReader } from './http-parts.ts'
import { WholeObjects } from './whole-objects.ts'

/** A container behind http(s), for reading. Every request keeps the query string, since signed addresses need it. */
export function httpStore(address: string, options: HttpOptions = {}): Store {
  const { origin, pathname, search } = parseHttpAddress(address)
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
    gapBytes: REQUEST_GAP_BYTES,
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
