import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { serviceAddress } from '../../../src/adapters/objects/service-address.ts'
import { addressOpenedForWriting, addressWritten } from '../../../src/adapters/zarr/container-errors.ts'

describe('the https address of an object', () => {
  it('is that of S3, Google Cloud Storage or Azure, whichever form it has', () => {
    const forms: readonly (readonly [string, string])[] = [
      ['https://b.s3.amazonaws.com/d/out.zarr', 's3://b/d/out.zarr'],
      ['https://b.s3.eu-west-1.amazonaws.com/out.zarr', 's3://b/out.zarr'],
      ['https://my.bucket.s3-us-west-2.amazonaws.com/out.zarr', 's3://my.bucket/out.zarr'],
      ['https://b.s3.dualstack.eu-west-1.amazonaws.com/out.zarr', 's3://b/out.zarr'],
      ['https://s3.eu-west-1.amazonaws.com/b/out.zarr', 's3://b/out.zarr'],
      ['https://s3.amazonaws.com/b/out.zarr?X-Amz-Signature=abc', 's3://b/out.zarr'],
      ['https://b.s3.cn-north-1.amazonaws.com.cn/out.zarr', 's3://b/out.zarr'],
      ['https://storage.googleapis.com/b/d/out.zarr', 'gs://b/d/out.zarr'],
      ['https://b.storage.googleapis.com/out.zarr', 'gs://b/out.zarr'],
      ['https://storage.cloud.google.com/b/a%20b.zarr', 'gs://b/a b.zarr'],
      ['https://acc.blob.core.windows.net/c/out.zarr?sv=1&sig=secret', 'az://acc/c/out.zarr'],
      ['https://acc.dfs.core.windows.net/c/out.zarr', 'az://acc/c/out.zarr'],
    ]
    for (const [address, expected] of forms) assert.equal(serviceAddress(address), expected)
  })

  it('is no other, however similar', () => {
    for (const address of [
      'https://example.org/s3.amazonaws.com/out.zarr',
      'https://s3.amazonaws.com.example.org/out.zarr',
      'https://notstorage.googleapis.com.example/out.zarr',
      'https://blob.core.windows.net/out.zarr',
      'https://s3.amazonaws.com/',
      '/data/out.zarr',
    ]) {
      assert.equal(serviceAddress(address), undefined, address)
    }
  })

  it('is refused for writing with the address that can be written', () => {
    assert.match(
      addressWritten('https://acc.blob.core.windows.net/c/out.zarr').message,
      /write to az:\/\/acc\/c\/out\.zarr\.$/,
    )
    assert.match(
      addressOpenedForWriting('https://b.s3.amazonaws.com/out.zarr').message,
      /write to s3:\/\/b\/out\.zarr\.$/,
    )
    assert.match(
      addressWritten('https://example.org/out.zarr').message,
      /a folder, or to s3:\/\/, gs:\/\/ or az:\/\/\.$/,
    )
  })
})
