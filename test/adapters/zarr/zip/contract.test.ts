import { join } from 'node:path'
import fc from 'fast-check'
import { zarrFormat } from '../../../../src/adapters/zarr/zarr-format.ts'
import { writeZip } from '../../../../src/adapters/zarr/zip/write-zip.ts'
import { DTYPES, isBigDType } from '../../../../src/core/array/dtype.ts'
import { roi } from '../../../../src/core/geometry/roi.ts'
import { type ArrayKind, describeChunkedArray } from '../../../contracts/chunked-array.contract.ts'
import { temporaryFolder } from '../../../support/zarr.ts'
import { zipFolder } from '../../../support/zip-files.ts'

const format = zarrFormat()
let made = 0

/** @param zip puts a folder into a zip file */
const inZips = (zip: (folder: string, file: string) => unknown, isSharded = false): ArrayKind => ({
  dtypes: DTYPES,
  isWritable: false,
  fills: (dtype) => fc.constant(isBigDType(dtype) ? 0n : 0),
  async make(t, { shape, dtype, chunkShape, axes }, voxels) {
    const folder = join(await temporaryFolder(t), `${made++}.zarr`)
    const placed = axes === undefined ? {} : { axes }
    const shards = isSharded ? { shardShape: chunkShape.map((length) => 2 * length) } : {}
    const array = await format.create(folder, 'raw', { shape, dtype, chunkShape, ...placed, ...shards })
    const origin = shape.map(() => 0)
    if (voxels !== undefined) await array.writeVoxels(roi(origin, shape), voxels)
    await zip(folder, `${folder}.zip`)
    return await format.open(`${folder}.zip`, 'raw')
  },
})

const stored = (folder: string, file: string) => zipFolder(folder, file, false)

describeChunkedArray('a zip file', inZips(stored))
describeChunkedArray(
  'a deflated zip file',
  inZips((folder, file) => zipFolder(folder, file, true)),
)
describeChunkedArray('shards in a zip file', inZips(stored, true))
describeChunkedArray('a zip file that Bellis has written', inZips(writeZip))
