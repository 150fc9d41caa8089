import { after, it } from 'node:test'
import { zarrFormat } from '../../../../src/adapters/zarr/zarr-format.ts'
import { DTYPES } from '../../../../src/core/array/dtype.ts'
import { roi } from '../../../../src/core/geometry/roi.ts'
import type { ArrayFormat, CreateArrayOptions } from '../../../../src/ports/chunked-array.ts'
import { type ArrayKind, describeChunkedArray } from '../../../contracts/chunked-array.contract.ts'
import { s3OrSkip } from '../../../support/s3.ts'

let made = 0
const skipped: string[] = []
const server = await s3OrSkip({ skip: (reason = '') => void skipped.push(reason) })
server?.makeBucket('arrays')
Object.assign(process.env, server?.env)
after(() => server?.[Symbol.asyncDispose]())
for (const reason of skipped) it('keeps the contract in an object store', { skip: reason })

/** Arrays that each have a container of their own, and are closed and opened again before they are tested. */
const inBucket = (
  format: ArrayFormat,
  suffix: string,
  optionsFor: (chunkShape: readonly number[]) => Partial<CreateArrayOptions>,
  kind: Partial<ArrayKind> = {},
): ArrayKind => ({
  dtypes: DTYPES,
  isWritable: true,
  runs: 8,
  async make(_, { shape, dtype, chunkShape, fillValue, axes }, voxels) {
    const container = `s3://arrays/${made++}.${suffix}`
    const placed = axes === undefined ? {} : { axes }
    const options = { shape, dtype, chunkShape, fillValue, ...placed, ...optionsFor(chunkShape) }
    const array = await format.create(container, 'raw', options)
    if (voxels !== undefined)
      await array.writeVoxels(
        roi(
          shape.map(() => 0),
          shape,
        ),
        voxels,
      )
    await array[Symbol.asyncDispose]()
    return await format.open(container, 'raw', { mode: 'r+' })
  },
  ...kind,
})

if (server !== undefined) {
  describeChunkedArray(
    'Zarr 2 in an object store',
    inBucket(zarrFormat(), 'zarr', () => ({ zarrFormat: 2, codec: 'blosc-lz4' })),
  )
  describeChunkedArray(
    'Zarr 3 with shards in an object store',
    inBucket(zarrFormat(), 'zarr', (chunkShape) => ({ shardShape: chunkShape.map((length) => 2 * length) })),
  )
}
