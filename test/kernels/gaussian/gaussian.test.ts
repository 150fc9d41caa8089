import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { BorderMode } from '../../../src/kernels/border.ts'
import { cropBox } from '../../../src/kernels/crop.ts'
import { SOURCE_SHA256 } from '../../../src/kernels/gaussian/gaussian.generated.ts'
import { type GaussianOptions, gaussianFilter, gaussianFilterBox } from '../../../src/kernels/gaussian/gaussian.ts'
import { referenceFilter } from '../../support/gaussian-reference.ts'
import { assertSameVoxels, bytesOf, DTYPES, seededVoxels } from '../../support/seeded-voxels.ts'

interface Case {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly seed: number
  readonly sigma: number | readonly number[]
  readonly mode: BorderMode | readonly BorderMode[]
  readonly truncate?: number
  readonly cval?: number | string
  readonly flat?: boolean
  readonly result?: string
  readonly sha256?: string
}

const fixtures = new URL('../fixtures/scipy-gaussian.json', import.meta.url)
const { cases } = JSON.parse(readFileSync(fixtures, 'utf8')) as { cases: readonly Case[] }
const MODES: readonly BorderMode[] = ['reflect', 'constant', 'nearest', 'mirror', 'wrap', 'grid-mirror', 'grid-wrap']
const count = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1)

describe('gaussianFilter against SciPy', () => {
  for (const dtype of DTYPES) {
    it(`equals every stored result of SciPy for ${dtype}, to the last bit`, () => {
      const own = cases.filter((each) => each.dtype === dtype)
      assert.ok(own.length > 50)
      for (const { shape, seed, flat, result, sha256, sigma, mode, truncate, cval } of own) {
        const data = seededVoxels(dtype, count(shape), seed, flat)
        const options: GaussianOptions = { sigma, mode, truncate: truncate ?? 4, cval: Number(cval ?? 0) }
        const bytes = bytesOf(gaussianFilter({ data, shape }, options).data)
        const label = JSON.stringify({ dtype, shape, sigma, mode, truncate, cval, flat })
        if (result === undefined) assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256, label)
        else assert.deepEqual(bytes, new Uint8Array(Buffer.from(result, 'base64')), label)
      }
    })
  }

  it('equals a filter that works element by element, for any shape, type, sigma and border', () => {
    // fc.double alone would nearly always be close to 0
    const anyUpTo = (most: number) => fc.nat(10_000).map((x) => (x / 10_000) * most)
    const anyAxis = fc.record({
      length: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 10, max: 40 })),
      sigma: fc.oneof(fc.constant(0), anyUpTo(6)),
    })
    const anyCval = fc.oneof(
      fc.constant(0),
      anyUpTo(600).map((x) => x - 300),
      fc.double(),
    )
    fc.assert(
      fc.property(
        fc.array(anyAxis, { minLength: 1, maxLength: 4 }).filter((axes) => count(axes.map((a) => a.length)) < 20000),
        fc.constantFrom(...DTYPES),
        fc.constantFrom(...MODES),
        anyUpTo(5),
        anyCval,
        fc.integer({ min: 0, max: 2 ** 31 }),
        (axes, dtype, mode, truncate, cval, seed) => {
          const shape = axes.map((axis) => axis.length)
          const options = { sigma: axes.map((axis) => axis.sigma), mode, truncate, cval }
          const data = seededVoxels(dtype, count(shape), seed)
          const before = data.slice()
          const expected = referenceFilter(data, shape, options)
          assertSameVoxels(gaussianFilter({ data, shape }, options).data, expected)
          assertSameVoxels(data, before) // the input is unchanged
        },
      ),
      { numRuns: 300 },
    )
  })

  it('gives the same result for an array of many pieces as for its parts', () => {
    // 13 MB of float64: the first axis is filtered in slabs, the second and third in pieces; the last of each is smaller
    const shape = [61, 131, 211]
    const data = seededVoxels('float64', count(shape), 7)
    const whole = gaussianFilter({ data, shape }, { sigma: [1.5, 0, 0] }).data
    const planes = gaussianFilter({ data: whole, shape }, { sigma: [0, 1, 2] }).data
    for (const plane of [0, 17, 60]) {
      const part = whole.slice(plane * 131 * 211, (plane + 1) * 131 * 211)
      const expected = referenceFilter(part, [131, 211], { sigma: [1, 2], mode: 'reflect', truncate: 4, cval: 0 })
      assertSameVoxels(planes.slice(plane * 131 * 211, (plane + 1) * 131 * 211), expected)
    }
    for (const column of [0, 5000, 131 * 211 - 1]) {
      const line = Float64Array.from({ length: 61 }, (_, z) => Number(data[z * 131 * 211 + column]))
      const expected = referenceFilter(line, [61], { sigma: [1.5], mode: 'reflect', truncate: 4, cval: 0 })
      const actual = Float64Array.from({ length: 61 }, (_, z) => Number(whole[z * 131 * 211 + column]))
      assertSameVoxels(actual, expected)
    }
  })

  it('filters a line that is longer than the working memory', () => {
    const data = seededVoxels('float64', 700_001, 3)
    const actual = gaussianFilter({ data, shape: [700_001] }, { sigma: 3, mode: 'wrap' }).data
    const options = { sigma: [3], mode: 'wrap', truncate: 4, cval: 0 } as const
    assertSameVoxels(actual, referenceFilter(data, [700_001], options))
  })
})

describe('gaussianFilter', () => {
  const shape = [6, 7, 8]
  const data = seededVoxels('uint16', 336, 1) as Uint16Array

  it('keeps the other fields of the voxels', () => {
    const voxels = {
      data,
      shape,
      roi: { offset: [0, 40, 80], shape: [60, 28, 32] },
      voxelSize: [10, 4, 4],
      name: 'raw',
    }
    const result = gaussianFilter(voxels, { sigma: 1 })
    assert.deepEqual({ ...result, data: null }, { ...voxels, data: null })
    assert.ok(result.data instanceof Uint16Array)
    assert.notEqual(result.data, data)
  })

  it('filters each channel separately: the leading axes that the roi does not have', () => {
    const roi = { offset: [0, 0], shape: [70, 80] }
    const result = gaussianFilter({ data, shape, roi }, { sigma: [1, 2] }).data
    for (let channel = 0; channel < 6; channel++) {
      const part = data.slice(channel * 56, (channel + 1) * 56)
      const alone = gaussianFilter({ data: part, shape: [7, 8] }, { sigma: [1, 2] }).data
      assertSameVoxels(result.slice(channel * 56, (channel + 1) * 56), alone)
    }
  })

  it('writes into a given array, even if that is the input or overlaps it', () => {
    const expected = gaussianFilter({ data, shape }, { sigma: 1 }).data
    const into = new Uint16Array(336)
    assert.equal(gaussianFilter({ data, shape }, { sigma: 1, into }).data, into)
    assertSameVoxels(into, expected)
    const same = data.slice()
    gaussianFilter({ data: same, shape }, { sigma: 1, into: same })
    assertSameVoxels(same, expected)
    const memory = new Uint16Array(400)
    memory.set(data, 10)
    gaussianFilter({ data: memory.subarray(10, 346), shape }, { sigma: 1, into: memory.subarray(0, 336) })
    assertSameVoxels(memory.slice(0, 336), expected)
  })

  it('overwrites an input that overlaps the result only after reading it, even if it is longer than the working memory', () => {
    const long = seededVoxels('uint8', 9 * 2 ** 20, 4) as Uint8Array
    const expected = gaussianFilter({ data: long, shape: [9, 2 ** 20] }, { sigma: [1, 0] }).data
    for (const [from, to] of [
      [0, 1000],
      [1000, 0],
      [500, 500],
    ] as const) {
      const memory = new Uint8Array(long.length + 1000)
      memory.set(long, from)
      const [voxels, into] = [from, to].map((at) => memory.subarray(at, at + long.length)) as [Uint8Array, Uint8Array]
      gaussianFilter({ data: voxels, shape: [9, 2 ** 20] }, { sigma: [1, 0], into })
      assertSameVoxels(into, expected)
    }
  })

  it('accepts a Buffer and shared memory as bytes', () => {
    const bytes = seededVoxels('uint8', 336, 2) as Uint8Array
    const expected = gaussianFilter({ data: bytes, shape }, { sigma: 1 }).data
    assert.deepEqual(gaussianFilter({ data: Buffer.from(bytes), shape }, { sigma: 1 }).data, expected)
    const shared = new Uint8Array(new SharedArrayBuffer(336))
    shared.set(bytes)
    assert.deepEqual(gaussianFilter({ data: shared, shape }, { sigma: 1 }).data, expected)
  })

  it('returns a copy when there is nothing to smooth', () => {
    const result = gaussianFilter({ data, shape }, { sigma: [0, 1e-15, 0] }).data
    assert.deepEqual(result, data)
    assert.notEqual(result, data)
    assert.equal(gaussianFilter({ data: new Uint16Array(0), shape: [3, 0, 2] }, { sigma: 1 }).data.length, 0)
  })

  it('refuses what it cannot filter, with the valid values', () => {
    const half = { data: new Float16Array(8), shape: [8] }
    assert.throws(() => gaussianFilter(half, { sigma: 1 }), /TypeError.*Float16Array.*float32/)
    const clamped = { data: new Uint8ClampedArray(8) as never, shape: [8] }
    assert.throws(() => gaussianFilter(clamped, { sigma: 1 }), TypeError)
    for (const sigma of [-1, Number.NaN, Number.POSITIVE_INFINITY, [1, 1, -0.5], [1, 2], [1, 2, 3, 4]]) {
      assert.throws(() => gaussianFilter({ data, shape }, { sigma }), /RangeError: sigma/)
    }
    assert.throws(() => gaussianFilter({ data, shape }, { sigma: 1, truncate: -1 }), /RangeError: truncate/)
    assert.throws(() => gaussianFilter({ data, shape }, { sigma: 1e9 }), /RangeError.*sigma is in voxels/)
    assert.throws(
      () => gaussianFilter({ data, shape }, { sigma: 1, mode: 'symmetric' as never }),
      /RangeError.*reflect/,
    )
    assert.throws(() => gaussianFilter({ data, shape: [6, 7, 9] }, { sigma: 1 }), /RangeError.*336.*378/)
    assert.throws(() => gaussianFilter({ data, shape: [6, -7, -8] }, { sigma: 1 }), /RangeError/)
    assert.throws(() => gaussianFilter({ data, shape }, { sigma: 1, into: new Uint8Array(336) }), /TypeError.*into/)
    assert.throws(() => gaussianFilter({ data, shape }, { sigma: 1, into: new Uint16Array(335) }), /RangeError.*into/)
    const roi = { offset: [0, 0, 0, 0], shape: [1, 1, 1, 1] }
    assert.throws(() => gaussianFilter({ data, shape, roi }, { sigma: 1 }), /RangeError.*roi/)
  })
})

describe('gaussianFilterBox', () => {
  it('gives the part of what gaussianFilter gives, for any box, type, sigma and border', () => {
    const anyAxis = fc.record({
      length: fc.integer({ min: 1, max: 33 }),
      sigma: fc.constantFrom(0, 0.4, 1, 2.3, 5),
      low: fc.nat(32),
      size: fc.nat(33),
    })
    fc.assert(
      fc.property(
        fc.array(anyAxis, { minLength: 1, maxLength: 4 }).filter((axes) => count(axes.map((a) => a.length)) < 20000),
        fc.constantFrom(...DTYPES),
        fc.constantFrom(...MODES),
        fc.constantFrom(0, 77, -3.5),
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.boolean(),
        (axes, dtype, mode, cval, seed, flat) => {
          const shape = axes.map(({ length }) => length)
          const offset = axes.map(({ length, low }) => Math.min(low, length))
          const size = axes.map((axis, i) => Math.min(axis.size, axis.length - offset[i]!))
          const data = seededVoxels(dtype, count(shape), seed, flat)
          const before = data.slice()
          const options = { sigma: axes.map(({ sigma }) => sigma), mode, cval }
          const expected = cropBox(gaussianFilter({ data, shape }, options).data, shape, offset, size)
          const actual = gaussianFilterBox({ data, shape }, { offset, shape: size }, options)
          assert.deepEqual(actual.shape, size)
          assertSameVoxels(actual.data, expected)
          assertSameVoxels(data, before)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('does so for arrays that are filtered in groups of rows and in slabs, in every border mode', () => {
    // 2.2 million float64 are more than fit at a time; of the second array too few rows fit for groups.
    const arrays = [
      ['float64', [21, 300, 350]],
      ['float64', [8, 2, 70_000]],
      ['uint16', [41, 330, 320]],
    ] as const
    for (const [dtype, shape] of arrays) {
      const data = seededVoxels(dtype, count(shape), 5)
      const offset = shape.map((length) => Math.min(3, length - 1))
      const size = shape.map((length) => Math.max(1, length - 6))
      for (const mode of ['reflect', 'wrap', 'constant'] as const) {
        const options = { sigma: [0.6, 0.3, 0.3], mode }
        // In place, an array is never filtered in groups.
        const whole = data.slice()
        gaussianFilter({ data: whole, shape }, { ...options, into: whole })
        assertSameVoxels(gaussianFilter({ data, shape }, options).data, whole)
        const part = gaussianFilterBox({ data, shape }, { offset, shape: size }, options).data
        assertSameVoxels(part, cropBox(whole, shape, offset, size), `${dtype} ${shape} ${mode}`)
      }
    }
  })

  it('cuts channels and writes into a given array, also one that overlaps the voxels', () => {
    const shape = [3, 6, 7]
    const roi = { offset: [0, 0], shape: [60, 70] }
    const data = seededVoxels('uint16', 126, 9) as Uint16Array
    const whole = gaussianFilter({ data, shape, roi }, { sigma: 1 }).data
    const box = { offset: [1, 2, 3], shape: [1, 3, 4] }
    const expected = cropBox(whole, shape, box.offset, box.shape)
    const memory = data.slice()
    const into = memory.subarray(0, 12)
    assert.equal(gaussianFilterBox({ data: memory, shape, roi }, box, { sigma: 1, into }).data, into)
    assertSameVoxels(into.slice(), expected)
  })

  it('refuses a box that is not inside the voxels, and memory of another length', () => {
    const voxels = { data: new Uint8Array(8), shape: [8] }
    for (const [offset, shape] of [
      [4, 5],
      [-1, 3],
      [0.5, 2],
      [9, 0],
    ] as const) {
      assert.throws(
        () => gaussianFilterBox(voxels, { offset: [offset], shape: [shape] }, { sigma: 1 }),
        /RangeError.*is not inside an array of shape \(8\)/,
      )
    }
    assert.throws(
      () => gaussianFilterBox(voxels, { offset: [1], shape: [2] }, { sigma: 1, into: new Uint8Array(8) }),
      /RangeError: "into" has 8 elements; expected 2/,
    )
  })
})

describe('the compiled filter', () => {
  it('was built from its current source (run scripts/build-kernels.mjs after a change)', () => {
    const source = readFileSync(new URL('../../../src/kernels/gaussian/gaussian.as', import.meta.url))
    assert.equal(SOURCE_SHA256, createHash('sha256').update(source).digest('hex'))
  })
})
