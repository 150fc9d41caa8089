import { ConfigError } from '../../core/errors.ts'
import { parseS3Address, showS3Address } from '../s3/s3-address.ts'
import { S3Bucket } from '../s3/s3-bucket.ts'
import type { S3Options } from '../s3/s3-requests.ts'
import { s3Settings } from '../s3/s3-settings.ts'
import type { RangeSource } from './range-source.ts'

/** An object of an object store. @throws ConfigError `INVALID_CONFIG` */
export function s3Range(address: string, options: S3Options): RangeSource {
  const parsed = parseS3Address(address)
  if (parsed.key === '') {
    throw new ConfigError('INVALID_CONFIG', `${address}: expected a file in a bucket, as in s3://bucket/data.h5/raw.`)
  }
  const bucket = new S3Bucket(parsed.bucket, s3Settings(), options)
  return {
    where: showS3Address(parsed),
    async get({ start, length }, of) {
      const range = `bytes=${start}-${start + length - 1}`
      const found = await bucket.get(parsed.key, { range, of: of?.value, atMost: length })
      if (typeof found === 'string') return found === 'same' ? 'changed' : found
      const { body, total, version } = found
      return {
        body,
        isWhole: false,
        total,
        ...(version === undefined ? {} : { version: { header: 'etag', value: version } as const }),
      }
    },
  }
}
