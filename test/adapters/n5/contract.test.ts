import { join } from 'node:path'
import fc from 'fast-check'
import { n5Format } from '../../../src/adapters/n5/n5-format.ts'
import { N5_DTYPES } from '../../../src/adapters/n5/n5-metadata.ts'
import { isBigDType } from '../../../src/core/array/dtype.ts'
import { roi } from '../../../src/core/geometry/roi.ts'
import { type ArrayKind, describeChunkedArray } from '../../contracts/chunked-array.contract.ts'
import { temporaryFolder } from '../../support/zarr.ts'

const format = n5Format()
let made = 0

/** Arrays that each have a new folder, and are closed and opened again before they are tested. */
const inFolders = (codec: string): ArrayKind => ({
  dtypes: N5_DTYPES,
  isWritable: true,
  fills: (dtype) => fc.constant(isBigDType(dtype) ? 0n : 0),
  async make(t, { shape, dtype, chunkShape, axes }, voxels) {
    const container = join(await temporaryFolder(t), `${made++}.n5`)
    const placed = axes === undefined ? {} : { axes }
    const array = await format.create(container, 'raw', { shape, dtype, chunkShape, codec, ...placed })
    const origin = shape.map(() => 0)
    if (voxels !== undefined) await array.writeVoxels(roi(origin, shape), voxels)
    await array[Symbol.asyncDispose]()
    return await format.open(container, 'raw', { mode: 'r+' })
  },
})

for (const codec of ['raw', 'gzip:1', 'blosc-lz4']) describeChunkedArray(`N5 (${codec})`, inFolders(codec))
