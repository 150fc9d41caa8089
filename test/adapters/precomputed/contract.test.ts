import { join } from 'node:path'
import fc from 'fast-check'
import { precomputedFormat } from '../../../src/adapters/precomputed/precomputed-format.ts'
import { PRECOMPUTED_DTYPES } from '../../../src/adapters/precomputed/volume-info.ts'
import { isBigDType } from '../../../src/core/array/dtype.ts'
import { roi } from '../../../src/core/geometry/roi.ts'
import { type ArrayKind, describeChunkedArray } from '../../contracts/chunked-array.contract.ts'
import { temporaryFolder } from '../../support/zarr.ts'

const format = precomputedFormat()
let made = 0

/** Two chunks along y and x, where there are as many. */
const shardOf = (shape: readonly number[], chunkShape: readonly number[]): number[] =>
  chunkShape.map((length, axis) => (axis > 0 && length < (shape[axis] as number) ? 2 * length : length))

/** @param isCompressed whether labels are written with compressed segmentation; other element types are always raw */
const kind = (isCompressed: boolean, isSharded = false): ArrayKind => ({
  dtypes: isCompressed ? ['uint32', 'uint64'] : PRECOMPUTED_DTYPES,
  isWritable: true,
  fills: (dtype) => fc.constant(isBigDType(dtype) ? 0n : 0),
  shapes: fc.tuple(...[9, 10, 11].map((max) => fc.integer({ min: 1, max }))),
  /** Has a new folder, and is closed and opened again before it is tested. */
  async make(t, { shape, dtype, chunkShape, axes }, voxels) {
    const container = join(await temporaryFolder(t), `${made++}.precomputed`)
    const array = await format.create(container, '', {
      shape,
      dtype,
      chunkShape,
      codec: isCompressed && ['uint32', 'uint64'].includes(dtype) ? 'compressed_segmentation' : 'raw',
      ...(isSharded ? { shardShape: shardOf(shape, chunkShape) } : {}),
      ...(axes === undefined ? {} : { axes }),
    })
    const origin = shape.map(() => 0)
    if (voxels !== undefined) await array.writeVoxels(roi(origin, shape), voxels)
    await array[Symbol.asyncDispose]()
    return await format.open(container, '', { mode: 'r+' })
  },
})

describeChunkedArray('a precomputed volume', kind(false))
describeChunkedArray('a precomputed volume in shards', kind(false, true))
describeChunkedArray('a precomputed volume with compressed segmentation in shards', kind(true, true))
describeChunkedArray('a precomputed volume with compressed segmentation', kind(true))
