import { readFile } from 'node:fs/promises'
import { after, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { flatFormat } from '../../../src/adapters/flat/flat-format.ts'
import { hdf5Format } from '../../../src/adapters/hdf5/hdf5-format.ts'
import { S3Bucket } from '../../../src/adapters/s3/s3-bucket.ts'
import { tiffFormat } from '../../../src/adapters/tiff/tiff-format.ts'
import { DTYPES, type TypedArray } from '../../../src/core/array/dtype.ts'
import type { ArrayFormat } from '../../../src/ports/chunked-array.ts'
import { type ArrayKind, describeChunkedArray, type WantedArray } from '../../contracts/chunked-array.contract.ts'
import { HDF5_DTYPES, hdf5FileOf, tiffFileOf } from '../../support/contract-files.ts'
import { npyBytes } from '../../support/flat-files.ts'
import { serveRanges } from '../../support/range-server.ts'
import { type Fault, s3OrSkip } from '../../support/s3.ts'

const ranges = { retryDelayMs: 1 }

/** A kind of file, and how its arrays are opened. */
interface FileKind extends Omit<ArrayKind, 'make' | 'isWritable'> {
  readonly format: ArrayFormat
  readonly suffix: string
  readonly inner?: string
  bytes(t: TestContext, wanted: WantedArray, voxels: TypedArray): Promise<Uint8Array>
}

const hdf5 = (storage: Parameters<typeof hdf5FileOf>[3]): FileKind => ({
  format: hdf5Format({ ranges }),
  ...{
    suffix: 'h5',
    inner: 'raw',
    dtypes: HDF5_DTYPES,
    chunkLengths: (length) => fc.integer({ min: 1, max: Math.min(8, length) }),
  },
  ...(storage === 'one piece' ? { chunksOf: (shape) => shape } : {}),
  bytes: async (t, wanted, voxels) => readFile(await hdf5FileOf(t, wanted, voxels, storage)),
})

const KINDS: Readonly<Record<string, FileKind>> = {
  'HDF5, compressed,': hdf5('gzip'),
  'HDF5, in chunks,': hdf5('chunks'),
  'HDF5, in one piece,': hdf5('one piece'),
  'TIFF files': {
    format: tiffFormat(ranges),
    suffix: 'tif',
    dtypes: DTYPES.filter((dtype) => dtype !== 'bool'),
    shapes: fc.tuple(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
    chunksOf: ([, height = 1, width = 1]) => [1, height, width],
    bytes: async (_, wanted, voxels) => tiffFileOf(wanted, voxels),
  },
  'NumPy files': {
    format: flatFormat({ ranges }),
    suffix: 'npy',
    dtypes: DTYPES,
    chunksOf: (shape) => shape,
    bytes: async (_, { shape, dtype }, voxels) => npyBytes(shape, dtype, voxels),
  },
}

const web = await serveRanges()
after(() => web[Symbol.asyncDispose]())
const skipped: string[] = []
const s3 = await s3OrSkip({ skip: (reason = '') => void skipped.push(reason) })
s3?.makeBucket('ranges')
Object.assign(process.env, s3?.env)
after(() => s3?.[Symbol.asyncDispose]())
for (const reason of skipped) it('keeps the contract of files in an object store', { skip: reason })

/** What happens to some requests; the next one of the same kind succeeds. */
const FAULTS: readonly (Fault | undefined)[] = [
  ...[undefined, { status: 500 }, undefined, { status: 503, code: 'SlowDown' }, undefined, undefined],
  ...[{ reset: 'before' } as const, undefined, { cutAfter: 20 }, undefined],
]
let requests = 0
const faults = () => FAULTS[requests++ % FAULTS.length]
web.fault = faults
if (s3 !== undefined) s3.fault = ({ method }) => (method === 'GET' ? faults() : undefined)

let made = 0
for (const [name, { format, suffix, inner = '', bytes, ...kind }] of Object.entries(KINDS)) {
  describeChunkedArray(`${name} behind http`, {
    runs: 10,
    ...kind,
    isWritable: false,
    async make(t, wanted, voxels) {
      const path = `/${made++}.${suffix}`
      web.files.set(path, await bytes(t, wanted, voxels as TypedArray))
      return format.open(web.address + path, inner)
    },
  })
  if (s3 === undefined) continue
  describeChunkedArray(`${name} in an object store`, {
    runs: 6,
    ...kind,
    isWritable: false,
    async make(t, wanted, voxels) {
      const key = `${made++}.${suffix}`
      await new S3Bucket('ranges').put(key, [await bytes(t, wanted, voxels as TypedArray)])
      return format.open(`s3://ranges/${key}`, inner)
    },
  })
}
