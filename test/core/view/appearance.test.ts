import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TypedArray } from '../../../src/core/array/dtype.ts'
import { contrastRange, guessKind, onlyValue } from '../../../src/core/view/appearance.ts'

const sample = (data: TypedArray, rowLength = 64) => [{ data, rowLength }]
const length = 64 * 64
/** Squares of 16 × 16 voxels, each with its own number. */
const cell = (i: number) => Math.floor((i % 64) / 16) + 4 * Math.floor(i / 1024)
const grain = (i: number) => (Math.imul(i + 1, 0x9e3779b1) >>> 24) & 0xff

describe('the kind of an array', () => {
  it('is labels if nearly all neighbours have the same value, and otherwise image', () => {
    assert.equal(guessKind('uint32', sample(Uint32Array.from({ length }, (_, i) => 1000 + cell(i)))), 'segmentation')
    assert.equal(guessKind('uint8', sample(Uint8Array.from({ length }, (_, i) => 1 + cell(i)))), 'segmentation')
    assert.equal(guessKind('uint16', sample(Uint16Array.from({ length }, (_, i) => grain(i)))), 'image')
    // A smooth ramp: half of the neighbours are equal.
    assert.equal(guessKind('uint8', sample(Uint8Array.from({ length }, (_, i) => 60 + (i % 64) / 2))), 'image')
  })

  it('ignores background and saturation, and does not depend on a handful of voxels', () => {
    const spots = Uint16Array.from({ length }, (_, i) => (i % 5 === 0 ? grain(i) : i % 64 < 40 ? 0 : 65535))
    assert.equal(guessKind('uint16', sample(spots)), 'image')
    assert.equal(guessKind('uint8', sample(new Uint8Array(100).fill(3), 10)), 'image')
  })

  it('is labels for 64-bit integers and image for floats, whatever their values', () => {
    assert.equal(
      guessKind('uint64', sample(BigUint64Array.from({ length }, (_, i) => BigInt(grain(i))))),
      'segmentation',
    )
    assert.equal(guessKind('float32', sample(Float32Array.from({ length }, (_, i) => cell(i)))), 'image')
  })
})

describe('the contrast of an image', () => {
  it('excludes the extreme half percent at either end', () => {
    const data = Uint8Array.from({ length: 10_000 }, (_, i) => (i < 20 ? 0 : i < 40 ? 255 : 50 + (i % 101)))
    assert.deepEqual(contrastRange('uint8', sample(data)), [50, 150])
  })

  it('ignores NaN and infinite values', () => {
    const data = Float32Array.from({ length: 1000 }, (_, i) =>
      i % 3 === 0 ? Number.NaN : i % 3 === 1 ? Infinity : i / 1000,
    )
    const [low, high] = contrastRange('float32', sample(data))
    assert.ok(low >= 0 && high < 1 && low < high, `${low} ${high}`)
    assert.deepEqual(contrastRange('float32', sample(new Float32Array(9).fill(Number.NaN))), [0, 1])
  })

  it('is never empty', () => {
    assert.deepEqual(contrastRange('uint8', sample(new Uint8Array(100))), [0, 1])
    assert.deepEqual(contrastRange('uint8', sample(new Uint8Array(100).fill(7))), [0, 7])
    assert.deepEqual(contrastRange('int16', sample(new Int16Array(100).fill(-7))), [-7, -6])
    const rare = new Uint8Array(10_000)
    rare[5] = 9
    assert.deepEqual(contrastRange('uint8', sample(rare)), [0, 9])
    assert.deepEqual(contrastRange('uint8', []), [0, 1])
  })
})

describe('the only value of samples', () => {
  it('is the value of all voxels of all samples, and undefined if there are two values', () => {
    assert.equal(onlyValue(sample(new Uint8Array(9).fill(3))), 3)
    assert.equal(onlyValue(sample(new BigUint64Array(9))), 0n)
    assert.equal(onlyValue(sample(new Float32Array(9).fill(Number.NaN))), Number.NaN)
    assert.equal(onlyValue([...sample(new Uint8Array(9)), ...sample(new Uint8Array(9).fill(1))]), undefined)
    assert.equal(onlyValue(sample(Uint8Array.of(0, 0, 1))), undefined)
    assert.equal(onlyValue([]), undefined)
  })
})
