import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { tiffFormat } from '../../../src/adapters/tiff/tiff-format.ts'
import { BYTES_PER_ELEMENT, bytesOf, DTYPES, type TypedArray } from '../../../src/core/array/dtype.ts'
import { describeChunkedArray } from '../../contracts/chunked-array.contract.ts'
import { tiffBytes } from '../../support/tiff-files.ts'
import { temporaryFolder } from '../../support/zarr.ts'

describeChunkedArray('TIFF files', {
  dtypes: DTYPES.filter((dtype) => dtype !== 'bool'),
  isWritable: false,
  // Images of two axes, several along the third.
  shapes: fc.tuple(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
  chunksOf: ([, height = 1, width = 1]) => [1, height, width],
  async make(t, { shape, dtype }, voxels) {
    const path = join(await temporaryFolder(t), 'a.tif')
    const [depth, height, width] = shape as [number, number, number]
    const size = BYTES_PER_ELEMENT[dtype]
    const bytes = bytesOf(voxels as TypedArray)
    const format = dtype.startsWith('u') ? 1 : dtype.startsWith('i') ? 2 : 3
    const planes = Array.from({ length: depth }, (_, z) => ({
      fields: { 256: width, 257: height, 258: 8 * size, 278: height, 339: format },
      data: bytes.slice(z * height * width * size, (z + 1) * height * width * size),
    }))
    await writeFile(path, tiffBytes(planes))
    return tiffFormat().open(path, '')
  },
})
