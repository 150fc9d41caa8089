import { ConfigError } from '../../core/errors.ts'
import { openBucket } from '../buckets/open-bucket.ts'
import { parseObjectAddress, showObjectAddress } from '../objects/object-address.ts'
import type { ObjectOptions } from '../objects/object-request.ts'
import type { RangeSource } from './range-source.ts'

/** An object of an object store. @throws ConfigError `INVALID_CONFIG` */
export function objectRange(address: string, options: ObjectOptions): RangeSource {
  const parsed = parseObjectAddress(address)
  const { scheme, bucket: name, key } = parsed
  if (key === '') {
    const example = showObjectAddress({ scheme, bucket: name, key: 'data.h5/raw' })
    throw new ConfigError('INVALID_CONFIG', `${address}: expected a file in a bucket, as in ${example}.`)
  }
  const bucket = openBucket(parsed, options)
  return {
    where: showObjectAddress(parsed),
    async get({ start, length }, of) {
      const range = `bytes=${start}-${start + length - 1}`
      const found = await bucket.get(key, { range, of: of?.value, atMost: length })
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
