import { after, it } from 'node:test'
import { zarrFormat } from '../../../../src/adapters/zarr/zarr-format.ts'
import { DTYPES } from '../../../../src/core/array/dtype.ts'
import { roi } from '../../../../src/core/geometry/roi.ts'
import type { ArrayFormat, CreateArrayOptions } from '../../../../src/ports/chunked-array.ts'
import { type ArrayKind, describeChunkedArray } from '../../../contracts/chunked-array.contract.ts'
import { OBJECT_STORES } from '../../../support/object-stores.ts'

let made = 0
/** Arrays that each have a container of their own, and are closed and opened again before they are tested. */
const inBucket = (
  root: string,
  format: ArrayFormat,
  suffix: string,
  optionsFor: (chunkShape: readonly number[]) => Partial<CreateArrayOptions>,
  kind: Partial<ArrayKind> = {},
): ArrayKind => ({
  dtypes: DTYPES,
  isWritable: true,
  runs: 8,
  async make(_, { shape, dtype, chunkShape, fillValue, axes }, voxels) {
    const container = `${root}/${made++}.${suffix}`
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

for (const { name, addressOf, orSkip, scheme } of OBJECT_STORES) {
  const skipped: string[] = []
  const server = await orSkip({ skip: (reason = '') => void skipped.push(reason) })
  after(() => server?.[Symbol.asyncDispose]())
  for (const reason of skipped) it(`keeps the contract in ${name}`, { skip: reason })
  if (server === undefined) continue
  Object.assign(process.env, server.env)
  await server.makeBucket('arrays')
  const root = addressOf('arrays')
  if (scheme === 's3') {
    describeChunkedArray(
      `Zarr 2 in ${name}`,
      inBucket(root, zarrFormat(), 'zarr', () => ({ zarrFormat: 2, codec: 'blosc-lz4' })),
    )
  }
  describeChunkedArray(
    `Zarr 3 with shards in ${name}`,
    inBucket(root, zarrFormat(), 'zarr', (chunkShape) => ({ shardShape: chunkShape.map((length) => 2 * length) }), {
      runs: scheme === 's3' ? 8 : 2,
    }),
  )
}
