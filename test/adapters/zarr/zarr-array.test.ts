import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { zarrFormat } from '../../../src/adapters/zarr/zarr-format.ts'
import { bytesOf, DTYPES, type DType, isBigDType, type Scalar, typedArray } from '../../../src/core/array/dtype.ts'
import type { Roi } from '../../../src/core/geometry/roi.ts'
import type { CreateArrayOptions } from '../../../src/ports/chunked-array.ts'
import { countOf, Model, noise, temporaryFolder } from '../../support/zarr.ts'

const format = zarrFormat()

const V2_CODECS = [
  'raw',
  'gzip',
  'zlib:1',
  'zstd',
  'lz4',
  'blosc',
  'blosc-zstd',
  'blosc-zlib:2',
  'blosc-lz4hc',
  'blosc-blosclz:9',
]
const V3_CODECS = V2_CODECS.filter((codec) => codec !== 'lz4' && codec !== 'zlib:1')

const fillOf = (dtype: DType): fc.Arbitrary<Scalar> => {
  if (dtype === 'bool') return fc.constantFrom(0, 1)
  if (isBigDType(dtype)) return fc.constantFrom(0n, 7n, dtype === 'uint64' ? 2n ** 64n - 1n : -(2n ** 63n))
  return dtype.startsWith('float') ? fc.constantFrom(0, Number.NaN, -Infinity, 1.5) : fc.constantFrom(0, 1, 100)
}

const anyArray = fc
  .record({
    zarrFormat: fc.constantFrom(2 as const, 3 as const),
    dtype: fc.constantFrom(...DTYPES),
    axes: fc.array(
      fc.record({
        length: fc.integer({ min: 1, max: 14 }),
        chunk: fc.integer({ min: 1, max: 8 }),
        perShard: fc.integer({ min: 1, max: 3 }),
      }),
      { maxLength: 4 },
    ),
    isSharded: fc.boolean(),
  })
  .chain(({ zarrFormat, dtype, axes, isSharded }) =>
    fc.record({
      zarrFormat: fc.constant(zarrFormat),
      dtype: fc.constant(dtype),
      shape: fc.constant(axes.map(({ length }) => length)),
      chunkShape: fc.constant(axes.map(({ chunk }) => chunk)),
      shardShape: fc.constant(
        isSharded && zarrFormat === 3 ? axes.map(({ chunk, perShard }) => chunk * perShard) : undefined,
      ),
      codec: fc.constantFrom(...(zarrFormat === 2 ? V2_CODECS : V3_CODECS)),
      fillValue: fillOf(dtype),
      writes: fc.array(
        fc.array(fc.tuple(fc.nat(13), fc.integer({ min: 1, max: 14 })), {
          minLength: axes.length,
          maxLength: axes.length,
        }),
        { maxLength: 4 },
      ),
      reads: fc.array(
        fc.array(fc.tuple(fc.integer({ min: -6, max: 16 }), fc.integer({ min: 1, max: 16 })), {
          minLength: axes.length,
          maxLength: axes.length,
        }),
        { minLength: 1, maxLength: 3 },
      ),
    }),
  )

const inside = (pairs: readonly (readonly [number, number])[], shape: readonly number[]): Roi<'voxel'> => {
  const offset = pairs.map(([start], axis) => start % (shape[axis] as number))
  return {
    offset,
    shape: pairs.map(([, length], axis) => Math.min(length, (shape[axis] as number) - (offset[axis] as number))),
  }
}

describe('a Zarr array', () => {
  it('reads what was written, and the fill value elsewhere, like a plain array in memory', async (t) => {
    const folder = await temporaryFolder(t)
    let number = 0
    await fc.assert(
      fc.asyncProperty(anyArray, async ({ writes, reads, shardShape, ...rest }) => {
        const options: CreateArrayOptions = shardShape === undefined ? rest : { ...rest, shardShape }
        const inner = `a${number++}`
        const container = join(folder, `v${rest.zarrFormat}.zarr`)
        const array = await format.create(container, inner, options)
        const model = new Model(rest.shape, rest.dtype, rest.fillValue)
        for (const [i, write] of writes.entries()) {
          const box = inside(write, rest.shape)
          const data = noise(rest.dtype, countOf(box.shape), i)
          await array.writeVoxels(box, data)
          model.write(box, data)
        }
        const again = await format.open(container, inner)
        assert.equal(again.dtype, rest.dtype)
        assert.ok(Object.is(again.fillValue, rest.fillValue), `${again.fillValue} is not ${rest.fillValue}`)
        assert.deepEqual(again.shardShape, shardShape)
        const boxes: Roi<'voxel'>[] = reads.map((read) => ({
          offset: read.map(([o]) => o),
          shape: read.map(([, s]) => s),
        }))
        for (const box of [...boxes, { offset: rest.shape.map(() => 0), shape: rest.shape }]) {
          const into = noise(rest.dtype, countOf(box.shape), 99)
          await again.readVoxels(box, into)
          assert.deepEqual(bytesOf(into), bytesOf(model.read(box)))
        }
      }),
      { numRuns: 100 },
    )
  })

  it('reads and writes arrays without axes and with an axis of length 0', async (t) => {
    const folder = await temporaryFolder(t)
    for (const zarrFormat of [2, 3] as const) {
      const container = join(folder, `${zarrFormat}.zarr`)
      const point = await format.create(container, 'point', { shape: [], dtype: 'int16', zarrFormat })
      await point.writeVoxels({ offset: [], shape: [] }, new Int16Array([-5]))
      const into = new Int16Array(1)
      await (await format.open(container, 'point')).readVoxels({ offset: [], shape: [] }, into)
      assert.deepEqual([...into], [-5])
      assert.deepEqual(await point.countStoredChunks?.(), { stored: 1, total: 1 })

      const empty = await format.create(container, 'empty', { shape: [4, 0], dtype: 'uint8', fillValue: 3, zarrFormat })
      await empty.writeVoxels({ offset: [0, 0], shape: [4, 0] }, new Uint8Array(0))
      const beyond = new Uint8Array(4)
      await empty.readVoxels({ offset: [0, 0], shape: [2, 2] }, beyond)
      assert.deepEqual([...beyond], [3, 3, 3, 3])
      assert.deepEqual(await empty.countStoredChunks?.(), { stored: 0, total: 0 })
    }
  })

  it('stores and counts every written chunk', async (t) => {
    const folder = await temporaryFolder(t)
    for (const options of [{ zarrFormat: 2 }, { zarrFormat: 3 }, { zarrFormat: 3, shardShape: [4, 8] }] as const) {
      const inner = `a${options.zarrFormat}${'shardShape' in options ? 's' : ''}`
      const container = join(folder, `${options.zarrFormat}.zarr`)
      const array = await format.create(container, inner, {
        shape: [8, 9],
        dtype: 'uint8',
        chunkShape: [4, 4],
        ...options,
      })
      assert.equal((await array.countStoredChunks?.())?.stored, 0)
      await array.writeVoxels({ offset: [4, 0], shape: [4, 9] }, new Uint8Array(36).fill(1))
      const expected = 'shardShape' in options ? { stored: 2, total: 4 } : { stored: 3, total: 6 }
      assert.deepEqual(await array.countStoredChunks?.(), expected)
    }
  })

  it('leaves out chunks of the fill value alone, and removes those that become such', async (t) => {
    const folder = await temporaryFolder(t)
    const written = zarrFormat({ writesEmpty: () => true })
    const layouts = [{ zarrFormat: 2 }, { zarrFormat: 3 }, { zarrFormat: 3, shardShape: [4, 8] }] as const
    for (const dtype of ['uint8', 'float32', 'int64'] as const) {
      for (const [n, options] of layouts.entries()) {
        for (const codec of ['raw', 'gzip']) {
          const name = `${dtype}-${n}-${codec}`
          const fillValue = dtype === 'int64' ? -5n : dtype === 'float32' ? Number.NaN : 7
          const settings = { shape: [8, 9], dtype, chunkShape: [4, 4], fillValue, codec, ...options } as const
          const total = 'shardShape' in options ? 4 : 6
          const filled = () => (typedArray(dtype, 72) as Uint8Array).fill(fillValue as number)
          const whole = { offset: [0, 0], shape: [8, 9] }
          const stored = async (array: { countStoredChunks?(): Promise<{ stored: number }> }) =>
            (await array.countStoredChunks?.())?.stored

          await using array = await format.create(join(folder, `${n}.zarr`), name, settings)
          await array.writeVoxels(whole, filled())
          assert.equal(await stored(array), 0, name)
          // A single other voxel keeps its chunk, and its shard; -0 is another value than 0, and so is a NaN of other bits.
          const one = filled()
          bytesOf(one)[8 * one.BYTES_PER_ELEMENT] = (bytesOf(one)[0] as number) ^ 1
          await array.writeVoxels(whole, one)
          assert.equal(await stored(array), 1, name)
          const found = typedArray(dtype, 72)
          await array.readVoxels(whole, found)
          assert.deepEqual(bytesOf(found), bytesOf(one), name)
          // Also by a write of a part of the chunk.
          await array.writeVoxels({ offset: [0, 8], shape: [2, 1] }, filled().subarray(0, 2))
          assert.equal(await stored(array), 0, name)
          await array.readVoxels(whole, found)
          assert.deepEqual(bytesOf(found), bytesOf(filled()), name)

          await using all = await written.create(join(folder, `all-${n}.zarr`), name, settings)
          await all.writeVoxels(whole, filled())
          assert.equal(await stored(all), total, name)
        }
      }
    }
  })

  it('does not remove a chunk for a run that the array no longer belongs to', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    const whole = { offset: [0], shape: [4] }
    await using array = await format.create(container, 'raw', { shape: [4], dtype: 'uint8', chunkShape: [4] })
    await array.writeVoxels(whole, new Uint8Array(4).fill(1))
    await writeFile(join(container, 'raw', '.bellis-run'), JSON.stringify({ id: 'another' }))
    await using late = await format.open(container, 'raw', { mode: 'r+', owner: 'mine' })
    await assert.rejects(late.writeVoxels(whole, new Uint8Array(4)), { code: 'RUN_LOCKED' })
    assert.deepEqual(await array.countStoredChunks?.(), { stored: 1, total: 1 })
  })

  it('removes the chunks or shards that lie completely in a box, and no others', async (t) => {
    const folder = await temporaryFolder(t)
    const layouts = [{ zarrFormat: 2 }, { zarrFormat: 3 }, { zarrFormat: 3, shardShape: [4, 8] }] as const
    for (const [n, options] of layouts.entries()) {
      const settings = { shape: [8, 9], dtype: 'uint8', chunkShape: [4, 4], ...options } as const
      const array = await format.create(join(folder, `${n}.zarr`), 'a', settings)
      const whole = { offset: [0, 0], shape: [8, 9] }
      await array.writeVoxels(whole, new Uint8Array(72).fill(1))
      // Only one voxel of the last column of chunks lies in the array.
      await array.removeChunks?.({ offset: [0, 5], shape: [7, 4] })
      await array.removeChunks?.({ offset: [4, -1], shape: [4, 9] })
      const into = new Uint8Array(72)
      await array.readVoxels(whole, into)
      const expected = Array.from({ length: 72 }, (_, i) => (i < 36 ? Number(i % 9 < 8) : Number(i % 9 === 8)))
      assert.deepEqual(Array.from(into), expected)
      await array.removeChunks?.(whole)
      assert.equal((await array.countStoredChunks?.())?.stored, 0)
      assert.equal((await format.open(join(folder, `${n}.zarr`), 'a')).shape[1], 9)
      await assert.rejects(async () => (await format.open(join(folder, `${n}.zarr`), 'a')).removeChunks?.(whole), {
        code: 'READ_ONLY',
      })
    }
  })

  it('refuses boxes and data that do not fit, naming both', async (t) => {
    const folder = await temporaryFolder(t)
    const array = await format.create(join(folder, 'a.zarr'), 'raw', { shape: [4, 4], dtype: 'uint8' })
    const box = { offset: [0, 0], shape: [2, 2] }
    await assert.rejects(array.writeVoxels({ offset: [3, 3], shape: [2, 2] }, new Uint8Array(4)), {
      code: 'OUTSIDE_ARRAY',
      message: /3:5,3:5.*\(4, 4\)/,
    })
    await assert.rejects(array.writeVoxels({ offset: [-1, 0], shape: [2, 2] }, new Uint8Array(4)), {
      code: 'OUTSIDE_ARRAY',
    })
    await assert.rejects(array.writeVoxels(box, new Uint8Array(5)), {
      code: 'SHAPE_MISMATCH',
      message: /5 voxels.*\(2, 2\)/,
    })
    await assert.rejects(array.readVoxels(box, new Uint16Array(4)), {
      code: 'DTYPE_MISMATCH',
      message: /uint8.*uint16/,
    })
    await assert.rejects(array.readVoxels({ offset: [0], shape: [4] }, new Uint8Array(4)), { code: 'RANK_MISMATCH' })
    const reader = await format.open(join(folder, 'a.zarr'), 'raw')
    assert.equal(reader.writable, false)
    await assert.rejects(reader.writeVoxels(box, new Uint8Array(4)), { code: 'READ_ONLY' })
  })

  it('stops when it is aborted, before the first chunk and between chunks', async (t) => {
    const folder = await temporaryFolder(t)
    const shape = [64, 8, 8]
    const array = await format.create(join(folder, 'a.zarr'), 'raw', { shape, dtype: 'uint8', chunkShape: [1, 8, 8] })
    const box = { offset: [0, 0, 0], shape }
    const data = new Uint8Array(4096).fill(1)
    await assert.rejects(array.writeVoxels(box, data, { signal: AbortSignal.abort() }), { name: 'AbortError' })
    assert.equal((await array.countStoredChunks?.())?.stored, 0)
    const controller = new AbortController()
    const writing = array.writeVoxels(box, data, { signal: controller.signal })
    controller.abort()
    await assert.rejects(writing, { name: 'AbortError' })
    const stored = (await array.countStoredChunks?.())?.stored as number
    assert.ok(stored > 0 && stored < 64, `${stored} chunks were written`)
    await assert.rejects(array.readVoxels(box, data, { signal: controller.signal }), { name: 'AbortError' })
  })
})
