import { readFile } from 'node:fs/promises'
import { after, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { openBucket } from '../../../src/adapters/buckets/open-bucket.ts'
import { flatFormat } from '../../../src/adapters/flat/flat-format.ts'
import { hdf5Format } from '../../../src/adapters/hdf5/hdf5-format.ts'
import { parseObjectAddress } from '../../../src/adapters/objects/object-address.ts'
import { tiffFormat } from '../../../src/adapters/tiff/tiff-format.ts'
import { DTYPES, type TypedArray } from '../../../src/core/array/dtype.ts'
import type { ArrayFormat } from '../../../src/ports/chunked-array.ts'
import { type ArrayKind, describeChunkedArray, type WantedArray } from '../../contracts/chunked-array.contract.ts'
import { HDF5_DTYPES, hdf5FileOf, tiffFileOf } from '../../support/contract-files.ts'
import { npyBytes } from '../../support/flat-files.ts'
import type { Fault } from '../../support/object-server.ts'
import { OBJECT_STORES } from '../../support/object-stores.ts'
import { serveRanges } from '../../support/range-server.ts'

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
/** What happens to some requests; the next one of the same kind succeeds. */
const FAULTS: readonly (Fault | undefined)[] = [
  ...[undefined, { status: 500 }, undefined, { status: 503, code: 'SlowDown' }, undefined, undefined],
  ...[{ reset: 'before' } as const, undefined, { cutAfter: 20 }, undefined],
]
let requests = 0
const faults = () => FAULTS[requests++ % FAULTS.length]
web.fault = faults

/** The addresses of buckets that are there. */
const roots: string[] = []
for (const { name, addressOf, orSkip } of OBJECT_STORES) {
  const skipped: string[] = []
  const server = await orSkip({ skip: (reason = '') => void skipped.push(reason) })
  after(() => server?.[Symbol.asyncDispose]())
  for (const reason of skipped) it(`keeps the contract of files in ${name}`, { skip: reason })
  if (server === undefined) continue
  Object.assign(process.env, server.env)
  await server.makeBucket('ranges')
  server.fault = ({ method }) => (method === 'GET' ? faults() : undefined)
  roots.push(addressOf('ranges'))
}

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
  for (const root of roots) {
    describeChunkedArray(`${name} in an object store, ${root.slice(0, 5)}`, {
      runs: root.startsWith('s3') ? 6 : 3,
      ...kind,
      isWritable: false,
      async make(t, wanted, voxels) {
        const key = `${made++}.${suffix}`
        const content = await bytes(t, wanted, voxels as TypedArray)
        await openBucket(parseObjectAddress(root)).put(key, [content])
        return format.open(`${root}/${key}`, inner)
      },
    })
  }
}
