import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ChangedObject } from '../../../src/adapters/files/object-errors.ts'
import { partReader } from '../../../src/adapters/zarr/http/http-parts.ts'

describe('the parts of an object', () => {
  it('V3: are of one version, also from a server that knows no conditions', async () => {
    const versions = ['"a"', '"a"', '"b"']
    await using reader = partReader(
      async () => ({
        body: new Uint8Array(4),
        isPart: true,
        version: { header: 'etag', value: versions.shift() ?? '' },
      }),
      'http://host/shard',
    )
    assert.deepEqual(await reader.readEnd(4), new Uint8Array(4))
    assert.deepEqual(await reader.read(0, 4), new Uint8Array(4))
    await assert.rejects(
      reader.read(4, 4),
      (error) => error instanceof ChangedObject && /was replaced/.test(error.message),
    )
  })
})
