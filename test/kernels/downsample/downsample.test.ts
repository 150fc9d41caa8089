import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type DownsampleMethod, downsampleVoxels } from '../../../src/kernels/downsample/downsample.ts'
import { SOURCE_SHA256 } from '../../../src/kernels/downsample/means.generated.ts'
import { areCellsOfTwo, fillMeansOfTwo } from '../../../src/kernels/downsample/means-module.ts'
import { fillMeans } from '../../../src/kernels/downsample/plain-means.ts'
import type { TypedArray } from '../../../src/kernels/voxels.ts'
import { assertSameVoxels, DTYPES, hash32, makeArray, seededVoxels } from '../../support/seeded-voxels.ts'

const count = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1)
const METHODS: readonly DownsampleMethod[] = ['mean', 'mode', 'stride']

/** The values of every cell, in C order. */
function cellsOf(data: TypedArray, shape: readonly number[], factor: readonly number[]) {
  const outShape = shape.map((length, axis) => Math.ceil(length / factor[axis]!))
  const cells = Array.from({ length: count(outShape) }, (): (number | bigint)[] => [])
  for (let i = 0; i < data.length; i++) {
    let [rest, to, stride] = [i, 0, 1]
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      to += Math.floor((rest % shape[axis]!) / factor[axis]!) * stride
      rest = Math.floor(rest / shape[axis]!)
      stride *= outShape[axis]!
    }
    cells[to]!.push(data[i]!)
  }
  return { cells, outShape }
}

/** The result of each method for a cell, written without regard to speed. */
const REFERENCE: Record<DownsampleMethod, (values: (number | bigint)[], dtype: string) => number | bigint> = {
  stride: (values) => values[0]!,
  mode(values) {
    const counts = new Map<number | bigint, number>()
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
    const most = Math.max(...counts.values())
    return [...counts]
      .filter(([, times]) => times === most)
      .map(([value]) => value)
      .sort((a, b) => (a < b ? -1 : 1))[0]!
  },
  mean(values, dtype) {
    if (dtype.startsWith('float')) return (values as number[]).reduce((sum, value) => sum + value, 0) / values.length
    const sum = values.reduce((total: bigint, value) => total + BigInt(value), 0n)
    const n = BigInt(values.length)
    const floor = (sum - (((sum % n) + n) % n)) / n
    const rest = 2n * (sum - floor * n)
    const result = rest > n || (rest === n && floor % 2n !== 0n) ? floor + 1n : floor
    return dtype.endsWith('64') ? result : Number(result)
  },
}

describe('downsampleVoxels', () => {
  it('computes every cell from its values, for any type, shape and factor', () => {
    const axis = fc.record({ length: fc.integer({ min: 1, max: 9 }), factor: fc.integer({ min: 1, max: 4 }) })
    fc.assert(
      fc.property(
        fc.array(axis, { maxLength: 4 }),
        fc.constantFrom(...DTYPES),
        fc.constantFrom(...METHODS),
        fc.boolean(),
        fc.nat(3),
        (axes, dtype, method, few, free) => {
          const shape = axes.map(({ length }) => length)
          const given = axes.slice(Math.min(free, axes.length)).map(({ factor }) => factor)
          const factor = [...shape.slice(given.length).map(() => 1), ...given]
          const data = seededVoxels(dtype, count(shape), 7)
          // Few different values, so that some are frequent, and large ones that a float64 can't distinguish.
          if (few) {
            const top = dtype.endsWith('64') && !dtype.startsWith('float') ? 2n ** 62n : 1
            for (let i = 0; i < data.length; i++) {
              const value = Number(BigInt(Math.floor(Number(data[i]))) & 3n)
              data[i] = (typeof top === 'bigint' ? top + BigInt(value) : value) as never
            }
          }
          const { cells, outShape } = cellsOf(data, shape, factor)
          const expected = makeArray(dtype, cells.length)
          for (const [i, values] of cells.entries()) expected[i] = REFERENCE[method](values, dtype) as never
          const actual = downsampleVoxels({ data, shape }, { factor: given, method })
          assert.deepEqual(actual.shape, outShape)
          assertSameVoxels(actual.data, expected, `${method} of ${dtype} (${shape}) by (${given})`)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('computes the same means in WebAssembly as in plain TypeScript, for rows of any length and in parts', () => {
    const anyShape = fc.oneof(
      fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 150 })),
      fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 5 }), fc.constant(3), fc.constant(37)),
      fc.constantFrom([70_001], [5, 33_001], [3, 523, 257]),
    )
    fc.assert(
      fc.property(
        anyShape,
        fc.tuple(fc.constantFrom(1, 2), fc.constantFrom(1, 2)),
        fc.constantFrom(...DTYPES),
        fc.constantFrom('noise', 'low', 'high'),
        fc.nat(),
        (shape, factors, dtype, kind, seed) => {
          const data = seededVoxels(dtype, count(shape), seed)
          // Next to the ends of the type and to halves.
          const base = data[0]! < 0 || kind === 'low' ? 'low' : 'high'
          if (kind !== 'noise' && !dtype.startsWith('float')) {
            const bits = BigInt(8 * data.BYTES_PER_ELEMENT)
            const signed = !dtype.startsWith('u')
            const least = signed ? -(2n ** (bits - 1n)) : 0n
            const end = base === 'low' ? least : least + 2n ** bits - 4n
            for (let i = 0; i < data.length; i++) {
              const value = end + BigInt(hash32(i, seed) % 4)
              data[i] = (bits === 64n ? value : Number(value)) as never
            }
          } else if (kind === 'low' && dtype.startsWith('float')) {
            const special = [-0, 0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45, -3e38, 1e300, 0.1]
            for (let i = 0; i < data.length; i++)
              if (hash32(i, seed) % 3 === 0) data[i] = special[hash32(i, 1) % 8] as never
          }
          const cell = [...shape.map(() => 1), ...factors, 2].slice(-shape.length)
          assert.ok(areCellsOfTwo(data, shape, cell))
          const outShape = shape.map((length, axis) => Math.ceil(length / cell[axis]!))
          const [actual, expected] = [makeArray(dtype, count(outShape)), makeArray(dtype, count(outShape))]
          fillMeansOfTwo(data, shape, cell, actual)
          fillMeans(data, shape, cell, expected, outShape)
          assertSameVoxels(actual, expected, `${dtype} (${shape}) by (${cell}), ${kind}`)
        },
      ),
      { numRuns: 80 },
    )
  })

  it('rounds means to the nearest integer, halves to the even one, also below 0', () => {
    const mean = (data: TypedArray) => [
      ...downsampleVoxels({ data, shape: [data.length] }, { factor: [2], method: 'mean' }).data,
    ]
    assert.deepEqual(mean(Uint8Array.of(0, 1, 1, 2, 2, 3, 255, 254)), [0, 2, 2, 254])
    assert.deepEqual(mean(Int8Array.of(-1, 0, -1, -2, -3, -2, -128, -127)), [0, -2, -2, -128])
    assert.deepEqual(mean(BigInt64Array.of(-1n, 0n, -1n, -2n, 2n ** 62n, 2n ** 62n + 1n)), [0n, -2n, 2n ** 62n])
  })

  it('chooses the smallest of equally frequent values, also among many, and treats all NaNs as one value', () => {
    const mode = (data: TypedArray) =>
      downsampleVoxels({ data, shape: [data.length] }, { factor: [data.length], method: 'mode' }).data[0]
    assert.equal(mode(Uint16Array.of(9, 3, 9, 3, 5)), 3)
    assert.equal(mode(BigUint64Array.of(2n ** 53n + 1n, 2n ** 53n, 2n ** 53n + 1n)), 2n ** 53n + 1n)
    assert.equal(mode(Float32Array.of(1, Number.NaN, 2, Number.NaN)), Number.NaN)
    assert.equal(mode(Float32Array.of(Number.NaN, 2, Number.NaN, 2, 7)), 2)
    const many = Uint8Array.from({ length: 1000 }, (_, i) => i % 100)
    many[0] = 41
    assert.equal(mode(many), 41)
    assert.equal(
      mode(Float64Array.from({ length: 64 }, (_, i) => (i % 2 === 0 ? Number.NaN : 5 - (i % 4)))),
      Number.NaN,
    )
  })

  it('refuses an invalid factor', () => {
    const voxels = { data: new Uint8Array(4), shape: [2, 2] }
    for (const factor of [
      [0, 1],
      [1.5, 1],
      [1, 1, 1],
    ]) {
      assert.throws(
        () => downsampleVoxels(voxels, { factor, method: 'mean' }),
        /The factor is \(.*\); expected whole numbers from 1/,
      )
    }
  })
})

describe('the compiled means', () => {
  it('were built from their current source (run scripts/build-kernels.mjs after a change)', () => {
    const source = readFileSync(new URL('../../../src/kernels/downsample/means.as', import.meta.url))
    assert.equal(SOURCE_SHA256, createHash('sha256').update(source).digest('hex'))
  })
})
