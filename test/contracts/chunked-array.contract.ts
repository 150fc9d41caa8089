import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import {
  bytesOf,
  type DType,
  isBigDType,
  type Scalar,
  type TypedArray,
  typedArray,
} from '../../src/core/array/dtype.ts'
import type { ErrorCode } from '../../src/core/errors.ts'
import { placeAxes } from '../../src/core/geometry/placement.ts'
import { type Roi, roi } from '../../src/core/geometry/roi.ts'
import type { ArrayAxis, ChunkedArray } from '../../src/ports/chunked-array.ts'
import { countOf, Model, noise } from '../support/zarr.ts'

/** The array that a test requests. */
export interface WantedArray {
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly chunkShape: readonly number[]
  readonly fillValue: Scalar
  /** One per axis; absent if the test does not look at them. */
  readonly axes?: readonly ArrayAxis[]
}

export interface ArrayKind {
  /** The element types that it supports. */
  readonly dtypes: readonly DType[]
  /** Whether arrays of this kind can be written, and created with a fill value and a placement. */
  readonly isWritable: boolean
  /**
   * Creates an array, writable if possible.
   * @param voxels its content in C order; absent if nothing was written, which never happens for a read-only kind
   */
  make(t: TestContext, wanted: WantedArray, voxels?: TypedArray): Promise<ChunkedArray>
  /** The chunk lengths that this kind allows for this many voxels along an axis. @default any from 1 to 8 */
  readonly chunkLengths?: (length: number) => fc.Arbitrary<number>
  /** The fill values that it supports. @default zero, and others if it can be written */
  readonly fills?: (dtype: DType) => fc.Arbitrary<Scalar>
  /** The shapes that it supports. @default any of 1 to 5 axes */
  readonly shapes?: fc.Arbitrary<readonly number[]>
  /** How many arrays a property is tried with. @default 60 */
  readonly runs?: number
  /** The chunk shape of a new array, where a test can't choose it. */
  readonly chunksOf?: (shape: readonly number[]) => readonly number[]
}

const fillOf = (dtype: DType): fc.Arbitrary<Scalar> => {
  if (dtype === 'bool') return fc.constantFrom(0, 1)
  if (isBigDType(dtype)) return fc.constantFrom(0n, 7n, dtype === 'uint64' ? 2n ** 64n - 1n : -(2n ** 63n))
  return dtype.startsWith('float') ? fc.constantFrom(0, Number.NaN, -Infinity, 1.5) : fc.constantFrom(0, 1, 100)
}

const zeroOf = (dtype: DType): Scalar => (isBigDType(dtype) ? 0n : 0)

/** Along each axis: the start of a box, as a share [0, 1) of the length, and its length, which is cropped to the array. */
const anyBoxInside = (shape: readonly number[]): fc.Arbitrary<Roi<'voxel'>> =>
  fc
    .tuple(
      ...shape.map((length) =>
        fc
          .nat(length - 1)
          .chain((offset) => fc.tuple(fc.constant(offset), fc.integer({ min: 1, max: length - offset }))),
      ),
    )
    .map((axes) =>
      roi<'voxel'>(
        axes.map(([offset]) => offset),
        axes.map(([, length]) => length),
      ),
    )

/** Also boxes that start before the array, end after it, miss it or are empty. */
const anyBox = (shape: readonly number[]): fc.Arbitrary<Roi<'voxel'>> =>
  fc
    .tuple(
      ...shape.map((length) =>
        fc.tuple(fc.integer({ min: -3, max: length + 2 }), fc.integer({ min: 0, max: length + 4 })),
      ),
    )
    .map((axes) =>
      roi<'voxel'>(
        axes.map(([offset]) => offset),
        axes.map(([, length]) => length),
      ),
    )

const whole = (shape: readonly number[]): Roi<'voxel'> =>
  roi(
    shape.map(() => 0),
    shape,
  )

async function read(array: ChunkedArray, box: Roi<'voxel'>): Promise<Uint8Array> {
  // The earlier content of the memory must not remain.
  const into = noise(array.dtype, countOf(box.shape), 99)
  await array.readVoxels(box, into)
  return bytesOf(into)
}

/** The contract of every array, whatever its format. */
export function describeChunkedArray(name: string, kind: ArrayKind): void {
  const { dtypes, isWritable, make, runs = 60 } = kind
  const chunkLengths = kind.chunkLengths ?? (() => fc.integer({ min: 1, max: 8 }))

  const anyArray = fc
    .tuple(
      fc.constantFrom(...dtypes),
      kind.shapes ??
        fc
          .integer({ min: 1, max: 5 })
          .chain((rank) =>
            fc.array(fc.integer({ min: 1, max: [40, 14, 9, 6, 5][rank - 1]! }), { minLength: rank, maxLength: rank }),
          ),
    )
    .chain(([dtype, shape]) =>
      fc.record({
        dtype: fc.constant(dtype),
        shape: fc.constant(shape),
        chunkShape: fc.tuple(...shape.map(chunkLengths)),
        fillValue: kind.fills?.(dtype) ?? (isWritable ? fillOf(dtype) : fc.constant(zeroOf(dtype))),
        boxes: fc.array(anyBox(shape), { minLength: 1, maxLength: 3 }),
        writes: fc.array(anyBoxInside(shape), { maxLength: 4 }),
      }),
    )

  const small = (dtype: DType = 'uint16'): WantedArray => ({
    ...{ shape: [5, 7, 9], chunkShape: [2, 3, 4], dtype, fillValue: zeroOf(dtype) },
  })
  const ramp = Uint16Array.from({ length: 5 * 7 * 9 }, (_, index) => index)

  describe(`an array in ${name}`, () => {
    it('reads any box as plain memory would, with the fill value outside the array', async (t) => {
      await fc.assert(
        fc.asyncProperty(anyArray, async ({ boxes, writes: _, ...wanted }) => {
          const voxels = noise(wanted.dtype, countOf(wanted.shape), wanted.shape.length)
          const model = new Model(wanted.shape, wanted.dtype, wanted.fillValue)
          model.write(whole(wanted.shape), voxels)
          await using array = await make(t, wanted, voxels)
          for (const box of [...boxes, whole(wanted.shape)]) {
            assert.deepEqual(await read(array, box), bytesOf(model.read(box)))
          }
        }),
        { numRuns: runs },
      )
    })

    it('describes its shape, element type, chunks and fill value', async (t) => {
      for (const dtype of dtypes) {
        const wanted = small(dtype)
        await using array = await make(t, wanted, noise(dtype, ramp.length, 1))
        const { shape, chunkShape, fillValue, axes, writable } = array
        const chunks = kind.chunksOf?.(wanted.shape) ?? wanted.chunkShape
        assert.deepEqual({ shape, dtype: array.dtype, chunkShape, fillValue }, { ...wanted, chunkShape: chunks })
        assert.deepEqual([axes.length, writable], [3, isWritable])
      }
    })

    it('supports reads that overlap in time and space', async (t) => {
      await using array = await make(t, small(), ramp)
      const model = new Model([5, 7, 9], 'uint16', 0)
      model.write(whole([5, 7, 9]), ramp)
      const boxes = Array.from({ length: 24 }, (_, n) => roi<'voxel'>([n % 4, n % 5, n % 6], [3, 4, 5]))
      const found = await Promise.all(boxes.map((box) => read(array, box)))
      for (const [n, box] of boxes.entries()) assert.deepEqual(found[n], bytesOf(model.read(box)))
    })

    it('does not read for an aborted signal, and throws its reason', async (t) => {
      await using array = await make(t, small(), ramp)
      const reason = new Error('stopped')
      const signal = AbortSignal.abort(reason)
      const box = roi<'voxel'>([0, 0, 0], [2, 2, 2])
      await assert.rejects(array.readVoxels(box, new Uint16Array(8), { signal }), reason)
      assert.deepEqual(await read(array, box), bytesOf(Uint16Array.of(0, 1, 9, 10, 63, 64, 72, 73)))
    })

    it('refuses to read into memory of another rank, size or element type', async (t) => {
      await using array = await make(t, small(), ramp)
      const refuses = (box: Roi<'voxel'>, into: TypedArray, code: ErrorCode) =>
        assert.rejects(array.readVoxels(box, into), { name: 'ConfigError', code })
      await refuses(roi([0, 0], [1, 2]), new Uint16Array(2), 'RANK_MISMATCH')
      await refuses(roi([0, 0, 0], [1, 1, 2]), new Uint16Array(3), 'SHAPE_MISMATCH')
      await refuses(roi([0, 0, 0], [1, 1, 2]), new Int16Array(2), 'DTYPE_MISMATCH')
      await refuses(roi([0, 0, 0], [1, 1, 2]), new Float32Array(2), 'DTYPE_MISMATCH')
    })

    it('can be closed twice', async (t) => {
      const array = await make(t, small(), ramp)
      await array[Symbol.asyncDispose]()
      await array[Symbol.asyncDispose]()
    })

    if (!isWritable) {
      it('refuses to be written', async (t) => {
        await using array = await make(t, small(), ramp)
        const writing = array.writeVoxels(roi([0, 0, 0], [1, 1, 1]), new Uint16Array(1))
        await assert.rejects(writing, { name: 'ConfigError', code: 'READ_ONLY' })
      })
      return
    }

    it('reads what was written to any boxes, and the fill value elsewhere', async (t) => {
      await fc.assert(
        fc.asyncProperty(anyArray, async ({ boxes, writes, ...wanted }) => {
          await using array = await make(t, wanted)
          const model = new Model(wanted.shape, wanted.dtype, wanted.fillValue)
          for (const [seed, box] of writes.entries()) {
            const data = noise(wanted.dtype, countOf(box.shape), seed)
            await array.writeVoxels(box, data)
            model.write(box, data)
          }
          for (const box of [...boxes, whole(wanted.shape)]) {
            assert.deepEqual(await read(array, box), bytesOf(model.read(box)))
          }
        }),
        { numRuns: runs },
      )
    })

    it('keeps all concurrent writes to different chunks and shards', async (t) => {
      await using array = await make(t, { ...small(), shape: [16, 12, 16] })
      const model = new Model([16, 12, 16], 'uint16', 0)
      const boxes = [0, 4, 8, 12].map((z) => roi<'voxel'>([z, 0, 0], [4, 12, 16]))
      await Promise.all(
        boxes.map(async (box, seed) => {
          const data = noise('uint16', countOf(box.shape), seed)
          model.write(box, data)
          await array.writeVoxels(box, data)
        }),
      )
      assert.deepEqual(await read(array, whole([16, 12, 16])), bytesOf(model.data))
    })

    it('keeps the placement of its axes', async (t) => {
      const axes: readonly ArrayAxis[] = [
        { name: 'z', type: 'space', unit: 'nanometer', scale: 40, translation: 80 },
        { name: 'y', type: 'space', unit: 'nanometer', scale: 4, translation: 0 },
        { name: 'x', type: 'space', unit: 'nanometer', scale: 4, translation: -12 },
      ]
      await using array = await make(t, { ...small(), axes })
      assert.deepEqual(
        array.axes.map(({ name, type }) => [name, type]),
        axes.map(({ name, type }) => [name, type]),
      )
      assert.deepEqual(placeAxes(array.axes), placeAxes(axes))
    })

    it('writes nothing for an aborted signal, and throws its reason', async (t) => {
      await using array = await make(t, small())
      const reason = new Error('stopped')
      const signal = AbortSignal.abort(reason)
      await assert.rejects(array.writeVoxels(whole([5, 7, 9]), ramp, { signal }), reason)
      assert.ok((await read(array, whole([5, 7, 9]))).every((byte) => byte === 0))
    })

    it('refuses to write voxels that do not fit, or outside the array, and stays unchanged', async (t) => {
      await using array = await make(t, small(), ramp)
      const refuses = (box: Roi<'voxel'>, data: TypedArray, code: ErrorCode) =>
        assert.rejects(array.writeVoxels(box, data), { name: 'ConfigError', code })
      await refuses(roi([0, 0], [1, 2]), new Uint16Array(2), 'RANK_MISMATCH')
      await refuses(roi([0, 0, 0], [1, 1, 2]), new Uint16Array(3), 'SHAPE_MISMATCH')
      await refuses(roi([0, 0, 0], [1, 1, 2]), new Int16Array(2), 'DTYPE_MISMATCH')
      await refuses(roi([0, 0, 8], [1, 1, 2]), new Uint16Array(2), 'OUTSIDE_ARRAY')
      await refuses(roi([0, -1, 0], [1, 1, 2]), new Uint16Array(2), 'OUTSIDE_ARRAY')
      assert.deepEqual(await read(array, whole([5, 7, 9])), bytesOf(ramp))
    })

    it('removes the chunks that lie inside a box, and no others', async (t) => {
      await using array = await make(
        t,
        { ...small(), shape: [8, 6, 8] },
        typedArray('uint16', 8 * 6 * 8).fill(1 as never),
      )
      if (array.removeChunks === undefined) return
      // Chunks of (2, 3, 4) voxels, shards of twice as many: two shards along z lie in the box, and of the others only parts.
      await array.removeChunks(roi([0, 0, 0], [7, 6, 8]))
      const bytes = await read(array, whole([8, 6, 8]))
      const values = new Uint16Array(bytes.buffer, bytes.byteOffset, 8 * 6 * 8)
      const depth = array.shardShape?.[0] ?? 2
      const removed = Math.floor(7 / depth) * depth * 6 * 8
      assert.deepEqual(
        Array.from(values),
        Array.from(values, (_, index) => Number(index >= removed)),
      )
    })
  })
}
