import { describe } from 'node:test'
import { fuzzTarget } from '../support/fuzz/fuzz-target.ts'
import { zipBytes } from '../support/zip-files.ts'

const files = { 'raw/zarr.json': Buffer.from('{}'), 'raw/c/0': Buffer.from([1, 2, 3]) }

describe('zip files', () => {
  fuzzTarget('zip-directories', {
    kind: 'bytes',
    seeds: [zipBytes(files), zipBytes(files, true)],
    dictionary: [
      'PK\u0005\u0006',
      'PK\u0006\u0006',
      'PK\u0006\u0007',
      'PK\u0001\u0002',
      Uint8Array.of(255, 255, 255, 255),
      Uint8Array.of(1, 0, 24, 0),
    ],
    codes: ['INVALID_METADATA', 'UNSUPPORTED'],
    async load() {
      const { readZipDirectory } = await import('../../src/adapters/zarr/zip/zip-directory.ts')
      return (input) => {
        const bytes = Buffer.from(input)
        readZipDirectory('a.zip', bytes.length, (offset, length) =>
          bytes.subarray(Math.min(offset, bytes.length), offset + length),
        )
      }
    },
  })
})
