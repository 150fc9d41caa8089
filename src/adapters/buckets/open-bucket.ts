import type { ObjectBucket } from '../../ports/object-bucket.ts'
import { gsBucket } from '../gs/gs-bucket.ts'
import { gsSettings } from '../gs/gs-settings.ts'
import type { ObjectAddress } from '../objects/object-address.ts'
import type { ObjectOptions } from '../objects/object-request.ts'
import { s3Bucket } from '../s3/s3-bucket.ts'
import { s3Settings } from '../s3/s3-settings.ts'

/** The bucket of an address, with the settings of this process. @throws ConfigError `INVALID_CONFIG` for wrong settings */
export function openBucket({ scheme, bucket }: Omit<ObjectAddress, 'key'>, options: ObjectOptions = {}): ObjectBucket {
  switch (scheme) {
    case 's3':
      return s3Bucket(bucket, s3Settings(), options)
    case 'gs':
      return gsBucket(bucket, gsSettings(), options)
    default:
      throw new Error(scheme)
  }
}
