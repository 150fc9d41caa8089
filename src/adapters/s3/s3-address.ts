import { ConfigError } from '../../core/errors.ts'

/** An object, or what lies below it. */
export interface S3Address {
  readonly bucket: string
  /** `/` between names; '' for the bucket itself. */
  readonly key: string
}

export const isS3Address = (text: string): boolean => /^s3:\/\//i.test(text)

/** @throws ConfigError `INVALID_CONFIG` */
export function parseS3Address(text: string): S3Address {
  const [, bucket = '', rest = ''] = /^s3:\/\/([^/]*)\/*(.*)$/is.exec(text) ?? []
  if (!/^[\w.-]+$/.test(bucket) || /^\.+$/.test(bucket)) {
    throw new ConfigError('INVALID_CONFIG', `${text}: expected the name of a bucket, as in s3://bucket/data.zarr/raw.`)
  }
  const key = rest.split('/').filter(Boolean).join('/')
  assertKey(text, key)
  return { bucket, key }
}

export const showS3Address = ({ bucket, key }: S3Address): string => `s3://${bucket}${key === '' ? '' : `/${key}`}`

/** Web addresses fold the names `.` and `..`, so a request for them would lead to another object. */
function assertKey(text: string, key: string): void {
  if (!key.split('/').some((name) => name === '.' || name === '..')) return
  throw new ConfigError('INVALID_CONFIG', `${text}: expected a key without the names "." and "..".`)
}

/** As signatures need it: everything but the characters that no address changes. */
export const encodeStrictly = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

/** How the service is reached. */
export interface S3Endpoint {
  /** `https://host:port`; undefined for Amazon's own in the region. */
  readonly endpoint: string | undefined
  readonly region: string
  /** Whether the bucket is the first name of the path, not a part of the host. */
  readonly isPathStyle: boolean
}

/** Of Amazon's own services in a region. */
export const domainOf = (region: string): string => (region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com')

/** The web address of an object, or of a bucket. @throws ConfigError `INVALID_CONFIG` */
export function webAddressOf(
  { endpoint, region, isPathStyle }: S3Endpoint,
  { bucket, key }: S3Address,
  query: readonly (readonly [string, string])[] = [],
): URL {
  assertKey(showS3Address({ bucket, key }), key)
  const base = endpoint ?? `https://s3.${region}.${domainOf(region)}`
  const parsed = URL.parse(base)
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `AWS_ENDPOINT_URL ${base}: expected an address such as https://minio.example.org:9000.`,
    )
  }
  const path = key.split('/').map(encodeStrictly).join('/')
  const search = query.map(([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`).join('&')
  const prefix = parsed.pathname.replace(/\/+$/, '')
  // No certificate is for a bucket whose name has dots.
  const place =
    isPathStyle || bucket.includes('.')
      ? `${parsed.protocol}//${parsed.host}${prefix}/${bucket}${key === '' ? '' : `/${path}`}`
      : `${parsed.protocol}//${bucket}.${parsed.host}${prefix}/${path}`
  return new URL(place + (search === '' ? '' : `?${search}`))
}
