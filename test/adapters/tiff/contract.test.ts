import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { tiffFormat } from '../../../src/adapters/tiff/tiff-format.ts'
import { DTYPES, type TypedArray } from '../../../src/core/array/dtype.ts'
import { describeChunkedArray } from '../../contracts/chunked-array.contract.ts'
import { tiffFileOf } from '../../support/contract-files.ts'
import { temporaryFolder } from '../../support/zarr.ts'

describeChunkedArray('TIFF files', {
  dtypes: DTYPES.filter((dtype) => dtype !== 'bool'),
  isWritable: false,
  // Images of two axes, several along the third.
  shapes: fc.tuple(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
  chunksOf: ([, height = 1, width = 1]) => [1, height, width],
  async make(t, wanted, voxels) {
    const path = join(await temporaryFolder(t), 'a.tif')
    await writeFile(path, tiffFileOf(wanted, voxels as TypedArray))
    return tiffFormat().open(path, '')
  },
})
