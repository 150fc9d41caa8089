import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { copyBox, fillBox, offsetOf } from '../../../src/core/array/box-copy.ts'
import { rowMajorStrides } from '../../../src/core/array/strides.ts'

const anyCase = fc.integer({ min: 0, max: 4 }).chain((rank) =>
  fc.record({
    size: fc.constantFrom(1, 2, 4, 8),
    outer: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: rank, maxLength: rank }),
    last: fc.integer({ min: 1, max: 300 }),
    fractions: fc.array(fc.tuple(fc.nat(8), fc.nat(8), fc.nat(8)), { minLength: rank + 1, maxLength: rank + 1 }),
    shifts: fc.tuple(fc.nat(9), fc.nat(9)),
    isFortran: fc.boolean(),
  }),
)

type Case = typeof anyCase extends fc.Arbitrary<infer T> ? T : never

/** A box of `shape` somewhere inside a source and a target that are larger by different margins. */
function layOut({ outer, last, fractions, size, shifts, isFortran }: Case) {
  const shape = [...outer, last]
  const sourceShape = shape.map((length, axis) => length + (fractions[axis]?.[0] ?? 0))
  const targetShape = shape.map((length, axis) => length + (fractions[axis]?.[1] ?? 0))
  const strides = isFortran
    ? rowMajorStrides([...sourceShape].reverse(), size).reverse()
    : rowMajorStrides(sourceShape, size)
  const bytesOf = (all: readonly number[], shift: number) =>
    new Uint8Array(all.reduce((a, b) => a * b, size) + shift).subarray(shift)
  const source = bytesOf(sourceShape, shifts[0]).map((_, i) => (i * 31 + (i >> 8)) & 255)
  const target = bytesOf(targetShape, shifts[1])
  const from = shape.map((_, axis) => Math.min(fractions[axis]?.[2] ?? 0, fractions[axis]?.[0] ?? 0))
  const to = shape.map((_, axis) => Math.min(fractions[axis]?.[2] ?? 0, fractions[axis]?.[1] ?? 0))
  const targetStrides = rowMajorStrides(targetShape, size)
  return {
    shape,
    source: { bytes: source, start: offsetOf(from, strides), strides },
    target: { bytes: target, start: offsetOf(to, targetStrides), strides: targetStrides },
  }
}
function* indices(shape: readonly number[]): Generator<number[]> {
  if (shape.length === 0) {
    yield []
    return
  }
  for (let i = 0; i < (shape[0] as number); i++) for (const rest of indices(shape.slice(1))) yield [i, ...rest]
}

describe('copyBox', () => {
  it('copies exactly the box, for any layouts, alignment and element size', () => {
    fc.assert(
      fc.property(anyCase, (given) => {
        const { shape, source, target } = layOut(given)
        const expected = target.bytes.slice()
        for (const index of indices(shape)) {
          const from = source.start + offsetOf(index, source.strides)
          const to = target.start + offsetOf(index, target.strides)
          for (let byte = 0; byte < given.size; byte++) expected[to + byte] = source.bytes[from + byte] as number
        }
        copyBox(shape, given.size, source, target)
        assert.deepEqual(target.bytes, expected)
      }),
      { numRuns: 150 },
    )
  })

  it('does nothing for an empty box, and copies the one element of a box without axes', () => {
    const source = { bytes: new Uint8Array([1, 2, 3, 4]), start: 2, strides: [] }
    const target = { bytes: new Uint8Array(4), start: 0, strides: [] }
    copyBox([], 2, source, target)
    assert.deepEqual([...target.bytes], [3, 4, 0, 0])
    copyBox([0], 2, { ...source, strides: [2] }, { ...target, strides: [2] })
    assert.deepEqual([...target.bytes], [3, 4, 0, 0])
  })
})

describe('fillBox', () => {
  it('fills exactly the box with copies of the element', () => {
    fc.assert(
      fc.property(anyCase, fc.boolean(), (given, isUniform) => {
        const { shape, target } = layOut(given)
        const element = new Uint8Array(given.size).map((_, i) => (isUniform ? 5 : i + 1))
        const expected = target.bytes.slice()
        for (const index of indices(shape)) expected.set(element, target.start + offsetOf(index, target.strides))
        fillBox(shape, element, target)
        assert.deepEqual(target.bytes, expected)
      }),
      { numRuns: 80 },
    )
  })
})
