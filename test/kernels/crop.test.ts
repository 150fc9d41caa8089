import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { cropBox } from '../../src/kernels/crop.ts'
import { DTYPES, seededVoxels } from '../support/seeded-voxels.ts'

const count = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1)

describe('cropBox', () => {
  it('copies the elements of the box in order, for any type and number of axes', () => {
    const anyAxis = fc.tuple(fc.nat(50), fc.nat(1000), fc.nat(1000)).map(([length, a, b]) => {
      const offset = Math.floor((a / 1000) * length)
      return { length, offset, out: b > 600 ? length - offset : Math.ceil((b / 600) * (length - offset)) }
    })
    fc.assert(
      fc.property(
        fc.array(anyAxis, { maxLength: 5 }).filter((axes) => count(axes.map((axis) => axis.length)) < 20000),
        fc.constantFrom(...DTYPES),
        (axes, dtype) => {
          const [shape, offset, outShape] = [
            axes.map((a) => a.length),
            axes.map((a) => a.offset),
            axes.map((a) => a.out),
          ]
          const data = seededVoxels(dtype, count(shape), 9)
          const expected = data.filter((_: unknown, i: number) => {
            let rest = i
            return shape.toReversed().every((length, back) => {
              const axis = shape.length - 1 - back
              const at = rest % length
              rest = Math.floor(rest / length)
              return at >= offset[axis]! && at < offset[axis]! + outShape[axis]!
            })
          })
          assert.deepEqual(cropBox(data, shape, offset, outShape), expected)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('returns a copy that shares no memory with the array, even if the box is the complete array', () => {
    const data = Uint8Array.of(1, 2, 3, 4)
    const all = cropBox(data, [2, 2], [0, 0], [2, 2])
    data.fill(0)
    assert.deepEqual(all, Uint8Array.of(1, 2, 3, 4))
  })

  it('returns a plain array for a Buffer, and crops float16', () => {
    assert.deepEqual(cropBox(Buffer.from([1, 2, 3]), [3], [1], [2]), Uint8Array.of(2, 3))
    assert.deepEqual(cropBox(Float16Array.of(1, 2, 3), [3], [1], [2]), Float16Array.of(2, 3))
  })

  it('refuses a box that is not inside, and data that do not match the shape', () => {
    const data = new Uint8Array(24)
    const shape = [2, 3, 4]
    assert.throws(() => cropBox(data, shape, [0, 0, 1], [2, 3, 4]), /RangeError.*\(2, 3, 4\) at \(0, 0, 1\)/)
    assert.throws(() => cropBox(data, shape, [0, -1, 0], [2, 3, 4]), RangeError)
    assert.throws(() => cropBox(data, shape, [0, 0], [2, 3]), RangeError)
    assert.throws(() => cropBox(data, shape, [0, 0, 0], [2, 3, -1]), RangeError)
    assert.throws(() => cropBox(data, shape, [0, 0, 0.5], [2, 3, 1]), RangeError)
    assert.throws(() => cropBox(new Uint8Array(23), shape, [0, 0, 0], [1, 1, 1]), RangeError)
  })
})
