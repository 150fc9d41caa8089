import fc from 'fast-check'
import { hdf5Format } from '../../../src/adapters/hdf5/hdf5-format.ts'
import type { TypedArray } from '../../../src/core/array/dtype.ts'
import { describeChunkedArray } from '../../contracts/chunked-array.contract.ts'
import { HDF5_DTYPES, hdf5FileOf } from '../../support/contract-files.ts'

for (const [name, storage] of [
  ['HDF5, compressed', 'gzip'],
  ['HDF5', 'chunks'],
] as const) {
  describeChunkedArray(name, {
    dtypes: HDF5_DTYPES,
    isWritable: false,
    // In HDF5, no chunk is longer than its array.
    chunkLengths: (length) => fc.integer({ min: 1, max: Math.min(8, length) }),
    make: async (t, wanted, voxels) =>
      await hdf5Format().open(await hdf5FileOf(t, wanted, voxels as TypedArray, storage), 'raw'),
  })
}
