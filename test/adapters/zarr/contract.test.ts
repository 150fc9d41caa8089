import { join } from 'node:path'
import { zarrFormat } from '../../../src/adapters/zarr/zarr-format.ts'
import { DTYPES } from '../../../src/core/array/dtype.ts'
import { roi } from '../../../src/core/geometry/roi.ts'
import type { CreateArrayOptions } from '../../../src/ports/chunked-array.ts'
import { type ArrayKind, describeChunkedArray } from '../../contracts/chunked-array.contract.ts'
import { temporaryFolder } from '../../support/zarr.ts'

const format = zarrFormat()
let made = 0

/** Arrays that each have a new folder, and are closed and opened again before they are tested. */
const inFolders = (optionsFor: (chunkShape: readonly number[]) => Partial<CreateArrayOptions>): ArrayKind => ({
  dtypes: DTYPES,
  isWritable: true,
  async make(t, { shape, dtype, chunkShape, fillValue, axes }, voxels) {
    const container = join(await temporaryFolder(t), `${made++}.zarr`)
    const placed = axes === undefined ? {} : { axes }
    const options = { shape, dtype, chunkShape, fillValue, ...placed, ...optionsFor(chunkShape) }
    const array = await format.create(container, 'raw', options)
    const origin = shape.map(() => 0)
    if (voxels !== undefined) await array.writeVoxels(roi(origin, shape), voxels)
    await array[Symbol.asyncDispose]()
    return await format.open(container, 'raw', { mode: 'r+' })
  },
})

describeChunkedArray(
  'Zarr 2',
  inFolders(() => ({ zarrFormat: 2, codec: 'blosc-lz4' })),
)
describeChunkedArray(
  'Zarr 3',
  inFolders(() => ({ zarrFormat: 3 })),
)
describeChunkedArray(
  'Zarr 3 with shards',
  inFolders((chunkShape) => ({ zarrFormat: 3, shardShape: chunkShape.map((length) => 2 * length) })),
)
