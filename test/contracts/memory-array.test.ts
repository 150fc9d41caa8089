import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { DTYPES } from '../../src/core/array/dtype.ts'
import { ConfigError, type ErrorCode } from '../../src/core/errors.ts'
import { roi } from '../../src/core/geometry/roi.ts'
import { memoryArray } from '../support/memory-array.ts'
import { describeChunkedArray } from './chunked-array.contract.ts'

const refusedWith = (code: ErrorCode) => (error: unknown) => error instanceof ConfigError && error.code === code

describe('an array in memory', () => {
  it('reads back what was written, and the fill value around it', async () => {
    const axis = fc.record({
      length: fc.integer({ min: 1, max: 6 }),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
      readAt: fc.integer({ min: -4, max: 8 }),
      readLength: fc.integer({ min: 0, max: 9 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(axis, { minLength: 1, maxLength: 4 }), async (axes) => {
        const shape = axes.map(({ length }) => length)
        const start = axes.map(({ length, at }) => Math.floor(at * length))
        const size = axes.map(({ length, part }, i) => Math.ceil(part * (length - start[i]!)))
        const array = memoryArray({ shape, dtype: 'int16', fillValue: -7 })
        const written = Int16Array.from({ length: size.reduce((a, b) => a * b, 1) }, (_, i) => i)
        await array.writeVoxels(roi(start, size), written)
        const read = roi<'voxel'>(
          axes.map(({ readAt }) => readAt),
          axes.map(({ readLength }) => readLength),
        )
        const into = new Int16Array(read.shape.reduce((a, b) => a * b, 1))
        await array.readVoxels(read, into)
        for (const [flat, value] of into.entries()) {
          let rest = flat
          const local = read.shape.map((_, i) => {
            const step = read.shape.slice(i + 1).reduce((a, b) => a * b, 1)
            const index = Math.floor(rest / step)
            rest %= step
            return index + read.offset[i]! - start[i]!
          })
          const inside = local.every((index, i) => index >= 0 && index < size[i]!)
          const expected = inside ? local.reduce((sum, index, i) => sum * size[i]! + index, 0) : -7
          assert.equal(value, expected)
        }
      }),
    )
  })

  it('writes into the data that it is given, without a copy', async () => {
    const data = new BigUint64Array(8)
    await using array = memoryArray({ shape: [2, 4], dtype: 'uint64', data, chunkShape: [1, 2], path: 'ids' })
    await array.writeVoxels(roi([1, 2], [1, 2]), BigUint64Array.of(2n ** 64n - 1n, 5n))
    assert.deepEqual(data, BigUint64Array.of(0n, 0n, 0n, 0n, 0n, 0n, 2n ** 64n - 1n, 5n))
    assert.deepEqual([array.path, array.format, array.writable, array.fillValue], ['ids', 'memory', true, 0n])
    assert.deepEqual(array.chunkShape, [1, 2])
  })

  it('refuses boxes and data that do not fit', async () => {
    assert.throws(
      () => memoryArray({ shape: [2], dtype: 'uint8', data: new Uint8Array(3) }),
      refusedWith('SHAPE_MISMATCH'),
    )
    assert.throws(
      () => memoryArray({ shape: [2], dtype: 'uint8', data: new Int8Array(2) }),
      refusedWith('DTYPE_MISMATCH'),
    )
    assert.throws(() => memoryArray({ shape: [2], dtype: 'uint8', chunkShape: [1, 1] }), refusedWith('RANK_MISMATCH'))
    assert.throws(() => memoryArray({ shape: [-1], dtype: 'uint8' }), refusedWith('INVALID_ROI'))
    const array = memoryArray({ shape: [4], dtype: 'float32' })
    await assert.rejects(array.writeVoxels(roi([3], [2]), new Float32Array(2)), refusedWith('OUTSIDE_ARRAY'))
    await assert.rejects(array.readVoxels(roi([0], [2]), new Float64Array(2)), refusedWith('DTYPE_MISMATCH'))
    await assert.rejects(array.readVoxels(roi([0], [2]), new Float32Array(3)), refusedWith('SHAPE_MISMATCH'))
    await assert.rejects(array.readVoxels(roi([0, 0], [1, 2]), new Float32Array(2)), refusedWith('RANK_MISMATCH'))
    const reason = new Error('stopped')
    await assert.rejects(
      array.readVoxels(roi([0], [1]), new Float32Array(1), { signal: AbortSignal.abort(reason) }),
      reason,
    )
  })
})

describeChunkedArray('memory', {
  dtypes: DTYPES,
  isWritable: true,
  async make(_, wanted, voxels) {
    return memoryArray({ ...wanted, ...(voxels === undefined ? {} : { data: voxels.slice() }) })
  },
})
