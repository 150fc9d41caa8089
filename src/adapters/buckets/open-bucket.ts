import type { ObjectBucket } from '../../ports/object-bucket.ts'
import { azureBucket } from '../azure/azure-bucket.ts'
import { gsBucket } from '../gs/gs-bucket.ts'
import type { ObjectAddress } from '../objects/object-address.ts'
import type { ObjectOptions } from '../objects/object-request.ts'
import { s3Bucket } from '../s3/s3-bucket.ts'

/** The bucket of an address, with the settings of this process. @throws ConfigError `INVALID_CONFIG` for wrong settings */
export function openBucket({ scheme, bucket }: Omit<ObjectAddress, 'key'>, options: ObjectOptions = {}): ObjectBucket {
  switch (scheme) {
    case 's3':
      return s3Bucket(bucket, undefined, options)
    case 'gs':
      return gsBucket(bucket, undefined, options)
    case 'az':
      return azureBucket(bucket, undefined, options)
    default:
      return scheme satisfies never
  }
}
