import { ConfigError } from '../../core/errors.ts'

/** An object, or what lies below it. */
export interface ObjectAddress {
  readonly scheme: 's3' | 'gs' | 'az'
  /** Of Azure, `account/container`. */
  readonly bucket: string
  /** `/` between names; '' for the bucket itself. */
  readonly key: string
}

export const isObjectAddress = (text: string): boolean => /^(s3|gs|az):\/\//i.test(text)

/** @throws ConfigError `INVALID_CONFIG` */
export function parseObjectAddress(text: string): ObjectAddress {
  const [, name = 's3', path = ''] = /^(\w+):\/\/(.*)$/is.exec(text) ?? []
  const scheme = name.toLowerCase() as ObjectAddress['scheme']
  const [bucket, rest] = scheme === 'az' ? accountIn(text, path) : bucketIn(text, path)
  const key = rest.split('/').filter(Boolean).join('/')
  assertKey(text, key)
  return { scheme, bucket, key }
}

function bucketIn(text: string, path: string): readonly [string, string] {
  const [, bucket = '', rest = ''] = /^([^/]*)\/*(.*)$/s.exec(path) ?? []
  if (/^[\w.-]+$/.test(bucket) && !/^\.+$/.test(bucket)) return [bucket, rest]
  const example = `${text.slice(0, 2).toLowerCase()}://bucket/data.zarr/raw`
  throw new ConfigError('INVALID_CONFIG', `${text}: expected the name of a bucket, as in ${example}.`)
}

function accountIn(text: string, path: string): readonly [string, string] {
  const [, account = '', container = '', rest = ''] = /^([^/]*)\/*([^/]*)\/*(.*)$/s.exec(path) ?? []
  if (/^[a-z\d-]+$/i.test(account) && /^[$a-z\d-]+$/i.test(container)) return [`${account}/${container}`, rest]
  throw new ConfigError(
    'INVALID_CONFIG',
    `${text}: expected the names of a storage account and of a container, as in az://account/container/data.zarr/raw.`,
  )
}

export const showObjectAddress = ({ scheme, bucket, key }: ObjectAddress): string =>
  `${scheme}://${bucket}${key === '' ? '' : `/${key}`}`

/** Web addresses fold the names `.` and `..`, so a request for them would lead to another object. @throws ConfigError `INVALID_CONFIG` */
export function assertKey(text: string, key: string): void {
  if (!key.split('/').some((name) => name === '.' || name === '..')) return
  throw new ConfigError('INVALID_CONFIG', `${text}: expected a key without the names "." and "..".`)
}

/** As signatures need it: everything but the characters that no address changes. */
export const encodeStrictly = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

/** @returns `?a=b&c=d`, or '' */
export const encodeQuery = (query: readonly (readonly [string, string])[]): string =>
  query.length === 0
    ? ''
    : `?${query.map(([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`).join('&')}`
