import { ConfigError } from '../../core/errors.ts'
import { assertKey, encodeQuery, encodeStrictly } from '../objects/object-address.ts'

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
  { bucket, key }: { readonly bucket: string; readonly key: string },
  query: readonly (readonly [string, string])[] = [],
): URL {
  assertKey(`s3://${bucket}/${key}`, key)
  const base = endpoint ?? `https://s3.${region}.${domainOf(region)}`
  const parsed = URL.parse(base)
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `AWS_ENDPOINT_URL ${base}: expected an address such as https://minio.example.org:9000.`,
    )
  }
  const path = key.split('/').map(encodeStrictly).join('/')
  const prefix = parsed.pathname.replace(/\/+$/, '')
  // No certificate is for a bucket whose name has dots.
  const place =
    isPathStyle || bucket.includes('.')
      ? `${parsed.protocol}//${parsed.host}${prefix}/${bucket}${key === '' ? '' : `/${path}`}`
      : `${parsed.protocol}//${bucket}.${parsed.host}${prefix}/${path}`
  return new URL(place + encodeQuery(query))
}
