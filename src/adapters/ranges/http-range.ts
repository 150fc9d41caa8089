import { given } from '../../core/given.ts'
import { type HttpOptions, parseHttpAddress, withRetries } from '../http/http-attempts.ts'
import { httpRequest } from '../http/http-request.ts'
import type { RangeSource } from './range-source.ts'

/** Files of at most this many bytes are also read from servers that know no ranges. */
const MOST_WHOLE_BYTES = 16 * 2 ** 20

const NO_RANGES =
  'the server sends no parts of files (ranges), and larger files than 16 MiB are read in parts only; download the file first, or use a server that knows ranges'

/** A file behind http(s). The query of its address is part of each request. @throws ConfigError `INVALID_CONFIG` */
export function httpRange(address: string, options: HttpOptions): RangeSource {
  const { origin, pathname, search } = parseHttpAddress(address)
  const where = origin + pathname
  return {
    where,
    async get({ start, length }, of) {
      const answer = await withRetries(where, options, undefined, async (signal, received) => {
        const range = `bytes=${start}-${start + length - 1}`
        const limits = { atMost: Math.max(MOST_WHOLE_BYTES, length), tooLong: NO_RANGES, signal, received }
        const found = await httpRequest({ url: where + search, range, of, ...limits })
        return typeof found === 'object' && 'body' in found && isCutShort(found, start, length)
          ? { failed: new Error(`the server sent ${found.body.length} of ${length} bytes`), isFinal: false }
          : found
      })
      if (answer === undefined) return 'missing'
      if (answer === 'changed') return 'changed'
      const { body, isPart, total, version } = answer
      return { body, isWhole: !isPart, total, ...given({ version }) }
    },
  }
}

/** Whether a part has fewer bytes than its place in the file allows. */
const isCutShort = (
  { body, isPart, total }: { readonly body: Uint8Array; readonly isPart: boolean; readonly total?: number },
  start: number,
  length: number,
): boolean => isPart && total !== undefined && body.length < Math.min(length, Math.max(0, total - start))
