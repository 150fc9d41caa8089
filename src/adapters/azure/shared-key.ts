import { createHmac } from 'node:crypto'

/** A request before it is signed. */
export interface UnsignedRequest {
  readonly method: string
  readonly url: URL
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: number
}

/** Headers that are signed beside those of Azure itself, in this order; the length stands between the first two and the others. */
const SIGNED = [
  'content-md5',
  'content-type',
  'date',
  'if-modified-since',
  'if-match',
  'if-none-match',
  'if-unmodified-since',
  'range',
]

/**
 * The header `authorization` of a request that the key of an account signs.
 * @see https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
 */
export function sharedKeyHeader(
  { method, url, headers, bytes }: UnsignedRequest,
  account: string,
  key: string,
): string {
  const own = Object.keys(headers)
    .filter((name) => name.startsWith('x-ms-'))
    .sort()
    .map((name) => `${name}:${headers[name]?.trim()}`)
  const text = [
    method,
    headers['content-encoding'] ?? '',
    headers['content-language'] ?? '',
    bytes === 0 ? '' : String(bytes),
    ...SIGNED.map((name) => headers[name] ?? ''),
    ...own,
    `/${account}${url.pathname}${queryOf(url)}`,
  ].join('\n')
  return `SharedKey ${account}:${createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64')}`
}

const queryOf = ({ searchParams }: URL): string =>
  [...searchParams]
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `\n${name}:${value}`)
    .join('')
