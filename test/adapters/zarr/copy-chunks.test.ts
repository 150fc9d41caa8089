import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { zarrFormat } from '../../../src/adapters/zarr/zarr-format.ts'
import { bytesOf, type DType, typedArray } from '../../../src/core/array/dtype.ts'
import { roi, shiftRoi } from '../../../src/core/geometry/roi.ts'
import type { ChunkedArray } from '../../../src/ports/chunked-array.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { filesBelow } from '../../support/folders.ts'
import { countOf, noise } from '../../support/zarr.ts'

const CODECS = ['raw', 'zstd:3', 'zstd:1', 'gzip:1', 'blosc-lz4:5'] as const
const format = zarrFormat()

/** Two arrays of the same chunks, and a box in multiples of chunks. */
const anyCopy = fc
  .tuple(
    fc.constantFrom<DType>('uint8', 'uint16', 'int64', 'float32'),
    fc.tuple(fc.constantFrom(...CODECS), fc.constantFrom(...CODECS)),
    fc.tuple(fc.constantFrom<2 | 3>(2, 3), fc.constantFrom<2 | 3>(2, 3)),
    fc.array(
      fc.record({
        chunk: fc.integer({ min: 1, max: 4 }),
        length: fc.integer({ min: 1, max: 9 }),
        skipped: fc.nat(2),
        beyond: fc.nat(3),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    fc.integer(),
  )
  .map(([dtype, codecs, versions, axes, seed]) => ({
    ...{ dtype, codecs, versions, seed },
    chunkShape: axes.map(({ chunk }) => chunk),
    shape: axes.map(({ length }) => length),
    shift: axes.map(({ skipped, chunk }) => skipped * chunk),
    sourceShape: axes.map(({ length, skipped, chunk, beyond }) => length + skipped * chunk + beyond),
  }))

async function voxels(
  array: ChunkedArray,
  box = roi<'voxel'>(
    array.shape.map(() => 0),
    array.shape,
  ),
) {
  const data = typedArray(array.dtype, countOf(box.shape))
  await array.readVoxels(box, data)
  return Buffer.from(bytesOf(data))
}

const onlyFile = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /^\d+$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))[0] as string

describe('copying chunks', () => {
  it('gives the voxels that reading and writing them gives, whatever the codecs, with missing chunks and at the edges', async () => {
    using folder = temporaryFolder()
    let n = 0
    await fc.assert(
      fc.asyncProperty(anyCopy, async ({ dtype, codecs, versions, chunkShape, shape, shift, sourceShape, seed }) => {
        const place = join(folder.path, `${n++}`)
        const make = (name: string, i: 0 | 1, of: readonly number[], fillValue: number) => {
          const fill = dtype === 'int64' ? BigInt(fillValue) : fillValue
          const options = { dtype, shape: of, chunkShape, codec: codecs[i], zarrFormat: versions[i], fillValue: fill }
          return format.create(join(place, `${name}.zarr`), '', options)
        }
        await using source = await make('source', 0, sourceShape, 3)
        await using copy = await make('copy', 1, shape, 5)
        // The last plane of chunks stays missing.
        const written = sourceShape.map((length, axis) =>
          axis === 0 ? Math.max(1, length - (chunkShape[0] as number)) : length,
        )
        await source.writeVoxels(
          roi(
            written.map(() => 0),
            written,
          ),
          noise(dtype, countOf(written), seed),
        )
        const box = roi<'voxel'>(
          shape.map(() => 0),
          shape,
        )
        assert.equal(await copy.copyChunks?.(box, source, shift), true)
        assert.deepEqual(await voxels(copy), await voxels(source, shiftRoi(box, shift)))
      }),
      { numRuns: 150 },
    )
  })

  it('takes over the bytes of chunks that are stored in the same way, and of no others', async () => {
    using folder = temporaryFolder()
    const options = { shape: [8, 8], chunkShape: [4, 4], dtype: 'uint8' } as const
    const at = (name: string) => join(folder.path, name)
    await using source = await format.create(at('a.zarr'), '', { ...options, codec: 'gzip:9' })
    await source.writeVoxels(roi([0, 0], [8, 8]), noise('uint8', 64, 1))
    const file = onlyFile(at('a.zarr'))
    // The same voxels, as another program might have stored them: what is not encoded again keeps these bytes.
    const { gzipSync, gunzipSync } = await import('node:zlib')
    writeFileSync(file, gzipSync(gunzipSync(readFileSync(file)), { level: 0 }))
    for (const [codec, isSame] of [
      ['gzip:9', true],
      ['gzip:1', false],
      ['zstd:3', false],
    ] as const) {
      await using copy = await format.create(at(`${codec}.zarr`), '', { ...options, codec })
      assert.equal(await copy.copyChunks?.(roi([0, 0], [8, 8]), source, [0, 0]), true)
      const copied = file.replace(at('a.zarr'), at(`${codec}.zarr`))
      assert.equal(readFileSync(copied).equals(readFileSync(file)), isSame, codec)
      assert.deepEqual(await voxels(copy), await voxels(source))
    }
  })

  it('refuses a damaged chunk, and leaves the old one', async () => {
    using folder = temporaryFolder()
    const options = { shape: [4, 4], chunkShape: [4, 4], dtype: 'uint16' } as const
    for (const codec of CODECS) {
      const at = (name: string) => join(folder.path, codec, name)
      await using source = await format.create(at('a.zarr'), '', { ...options, codec })
      await using copy = await format.create(at('b.zarr'), '', { ...options, codec })
      const box = roi<'voxel'>([0, 0], [4, 4])
      await source.writeVoxels(box, noise('uint16', 16, 1))
      await copy.writeVoxels(box, noise('uint16', 16, 2))
      const old = await voxels(copy)
      const file = onlyFile(at('a.zarr'))
      writeFileSync(file, readFileSync(file).subarray(0, -1))
      await assert.rejects(async () => copy.copyChunks?.(box, source, [0, 0]), { code: 'CORRUPT_DATA' })
      assert.deepEqual(await voxels(copy), old)
    }
  })

  it('does nothing where chunks do not lie on each other', async () => {
    using folder = temporaryFolder()
    const options = { shape: [8, 8], chunkShape: [4, 4], dtype: 'uint8', codec: 'raw' } as const
    const make = (name: string, other: object) =>
      format.create(join(folder.path, 'c.zarr'), name, { ...options, ...other })
    await using copy = await make('copy', {})
    const box = roi<'voxel'>([0, 0], [4, 4])
    for (const [name, other, shift] of [
      ['shape', { chunkShape: [4, 2] }, [0, 0]],
      ['dtype', { dtype: 'int8' }, [0, 0]],
      ['shards', { chunkShape: [4, 4], shardShape: [8, 8] }, [0, 0]],
      ['shift', {}, [0, 2]],
      ['outside', {}, [0, 8]],
    ] as const) {
      await using source = await make(name, other)
      assert.equal(await copy.copyChunks?.(box, source, shift), false, name)
    }
    assert.deepEqual([...filesBelow(join(folder.path, 'c.zarr', 'copy'))].length, 1)
  })
})
