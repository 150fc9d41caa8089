import { join } from 'node:path'
import fc from 'fast-check'
import h5wasm from 'h5wasm/node'
import { hdf5Format } from '../../../src/adapters/hdf5/hdf5-format.ts'
import type { DType } from '../../../src/core/array/dtype.ts'
import { describeChunkedArray } from '../../contracts/chunked-array.contract.ts'
import { temporaryFolder } from '../../support/zarr.ts'

/** The codes of Python's `struct`. */
const CODES: Partial<Record<DType, string>> = {
  ...{ int8: '<b', int16: '<h', int32: '<i', int64: '<q', uint8: '<B', uint16: '<H', uint32: '<I', uint64: '<Q' },
  ...{ float32: '<f', float64: '<d' },
}

for (const compression of ['gzip', undefined] as const) {
  describeChunkedArray(compression === undefined ? 'HDF5' : 'HDF5, compressed', {
    dtypes: Object.keys(CODES) as DType[],
    isWritable: false,
    // In HDF5, no chunk is longer than its array.
    chunkLengths: (length) => fc.integer({ min: 1, max: Math.min(8, length) }),
    async make(t, { shape, dtype, chunkShape }, voxels) {
      await h5wasm.ready
      const path = join(await temporaryFolder(t), 'a.h5')
      const file = new h5wasm.File(path, 'w')
      file.create_dataset({
        ...{ name: 'raw', data: voxels as Uint8Array, shape: [...shape], dtype: CODES[dtype] as string },
        chunks: [...chunkShape],
        ...(compression === undefined ? {} : { compression }),
      })
      file.close()
      return await hdf5Format().open(path, 'raw')
    },
  })
}
