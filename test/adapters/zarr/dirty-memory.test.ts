import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { sortedScratch } from '../../../src/adapters/codecs/blosc-format.ts'
import { zarrFormat } from '../../../src/adapters/zarr/zarr-format.ts'
import { bytesOf, type DType, typedArray } from '../../../src/core/array/dtype.ts'
import { roi } from '../../../src/core/geometry/roi.ts'
import type { CreateArrayOptions } from '../../../src/ports/chunked-array.ts'
import { countOf, Model, noise, temporaryFolder } from '../../support/zarr.ts'

const format = zarrFormat()
const SHAPE = [13, 11, 9]
const CHUNK = [4, 5, 3]
/** Parts that are written: they cut chunks and shards, and leave others untouched. */
const WRITTEN = [
  roi<'voxel'>([0, 0, 0], [4, 5, 3]),
  roi<'voxel'>([3, 2, 1], [4, 7, 5]),
  roi<'voxel'>([12, 10, 8], [1, 1, 1]),
]
const READ = [roi<'voxel'>([0, 0, 0], SHAPE), roi<'voxel'>([-2, 3, 1], [9, 12, 4]), roi<'voxel'>([5, 4, 2], [1, 1, 1])]

/** Node gives memory without clearing it where Bellis or Node itself asks for that; here it is full of a pattern. */
function poisonAllocations(t: TestContext, pattern: number): void {
  for (const name of ['allocUnsafe', 'allocUnsafeSlow'] as const) {
    const original = Buffer[name]
    t.mock.method(Buffer, name, (size: number) => original.call(Buffer, size).fill(pattern))
  }
}

const kinds: readonly {
  readonly name: string
  readonly options: Partial<CreateArrayOptions>
  readonly codecs: readonly string[]
}[] = [
  {
    name: 'Zarr 2',
    options: { zarrFormat: 2 },
    codecs: [
      'raw',
      'gzip',
      'zlib',
      'zstd',
      'lz4',
      'blosc-lz4',
      'blosc-lz4hc',
      'blosc-blosclz',
      'blosc-zlib',
      'blosc-zstd',
    ],
  },
  { name: 'Zarr 3', options: { zarrFormat: 3 }, codecs: ['raw', 'gzip', 'zstd', 'blosc-lz4', 'blosc-blosclz'] },
  { name: 'shards', options: { zarrFormat: 3, shardShape: [8, 10, 6] }, codecs: ['raw', 'zstd', 'blosc-lz4'] },
]

describe('Zarr arrays of which parts were never written', () => {
  for (const { name, options, codecs } of kinds) {
    for (const codec of codecs) {
      it(`V11: ${name}, ${codec}: have the fill value there, whatever was in memory before`, async (t) => {
        const folder = await temporaryFolder(t)
        for (const dtype of ['uint8', 'uint16', 'float32', 'int64', 'bool'] as const satisfies DType[]) {
          const path = join(folder, `${dtype}.zarr`)
          const fillValue = dtype === 'int64' ? 9n : dtype === 'bool' ? 1 : 9
          const model = new Model(SHAPE, dtype, fillValue)
          {
            await using array = await format.create(path, 'a', {
              ...options,
              shape: SHAPE,
              dtype,
              chunkShape: CHUNK,
              codec,
              fillValue,
            })
            for (const [seed, box] of WRITTEN.entries()) {
              const voxels = noise(dtype, countOf(box.shape), seed)
              await array.writeVoxels(box, voxels)
              model.write(box, voxels)
            }
          }
          for (const pattern of [0xa5, 0x5a]) {
            poisonAllocations(t, pattern)
            sortedScratch.take(4096).fill(pattern)
            await using array = await format.open(path, 'a')
            for (const box of READ) {
              const into = typedArray(dtype, countOf(box.shape))
              bytesOf(into).fill(pattern)
              await array.readVoxels(box, into)
              assert.ok(Buffer.from(bytesOf(into)).equals(bytesOf(model.read(box))), `${dtype}, ${pattern}`)
            }
            t.mock.restoreAll()
          }
        }
      })
    }
  }
})
