import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { findComponents, labelComponents, numberComponents } from '../../../src/kernels/labels/components.ts'
import { DisjointSets } from '../../../src/kernels/labels/disjoint-sets.ts'
import { foregroundOf } from '../../../src/kernels/labels/foreground.ts'
import { plainRuns } from '../../../src/kernels/labels/plain-runs.ts'
import { SOURCE_SHA256 } from '../../../src/kernels/labels/runs.generated.ts'
import { withRuns } from '../../../src/kernels/labels/runs-module.ts'
import { earlierRows, forwardSteps } from '../../../src/kernels/labels/steps.ts'
import { assertSameVoxels, DTYPES, hash32, makeArray, seededVoxels } from '../../support/seeded-voxels.ts'

const count = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1)

/** Labels one component after the other by a flood fill. */
function flood(mask: readonly boolean[], shape: readonly number[], connectivity: number, separate: number): number[] {
  const labels = mask.map(() => 0)
  const placeOf = (index: readonly number[]) => index.reduce((place, at, axis) => place * shape[axis]! + at, 0)
  const indexOf = (place: number) => {
    const index: number[] = []
    for (const length of shape.toReversed()) {
      index.unshift(place % length)
      place = Math.floor(place / length)
    }
    return index
  }
  const neighbours = (place: number): number[] => {
    const index = indexOf(place)
    let found: number[][] = [[]]
    for (const [axis, at] of index.entries()) {
      const all = (axis < separate ? [at] : [at - 1, at, at + 1]).filter((to) => to >= 0 && to < shape[axis]!)
      found = found.flatMap((before) => all.map((to) => [...before, to]))
    }
    return found.filter((to) => to.filter((at, axis) => at !== index[axis]).length <= connectivity).map(placeOf)
  }
  let last = 0
  for (const [place, isSet] of mask.entries()) {
    if (!isSet || labels[place] !== 0) continue
    const open = [place]
    labels[place] = ++last
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const to of neighbours(at)) {
        if (!mask[to] || labels[to] !== 0) continue
        labels[to] = last
        open.push(to)
      }
    }
  }
  return labels
}

describe('labelComponents', () => {
  it('finds the same components as a flood fill, in the same order, for every connectivity and any number of axes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(3),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(),
        fc.constantFrom('uint8', 'int16', 'float32', 'uint64', 'int64'),
        (shape, wanted, separate, density, seed, dtype) => {
          const separateAxes = Math.min(separate, shape.length - 1)
          const connectivity = Math.min(wanted, shape.length - separateAxes)
          const mask = Array.from({ length: count(shape) }, (_, i) => hash32(i, seed) % 10 < density)
          const data = makeArray(dtype, mask.length)
          const value = dtype.endsWith('int64') || dtype === 'int64' ? 2n ** 32n : dtype === 'float32' ? Number.NaN : 3
          for (const [i, isSet] of mask.entries()) if (isSet) data[i] = value as never
          const { labels, count: found } = labelComponents({ data, shape }, { connectivity, separateAxes })
          const expected = flood(mask, shape, connectivity, separateAxes)
          assert.deepEqual([...labels], expected)
          assert.equal(found, Math.max(0, ...expected))
        },
      ),
      { numRuns: 400 },
    )
  })

  it('finds the same runs in WebAssembly as in plain TypeScript, for rows of any length, also across its parts', () => {
    const anyShape = fc.oneof(
      fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 130 })),
      fc.constantFrom([3, 33_001], [40, 17, 120], [70_003]),
    )
    fc.assert(
      fc.property(
        anyShape,
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom(...DTYPES, 'float16'),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 19 }),
        fc.nat(),
        (shape, wanted, dtype, run, density, seed) => {
          const values = seededVoxels(dtype === 'float16' ? 'float32' : dtype, count(shape), seed)
          const data = dtype === 'float16' ? Float16Array.from(values as Float32Array) : values
          const zero = data instanceof BigInt64Array || data instanceof BigUint64Array ? 0n : -0
          for (let i = 0; i < data.length; i++) {
            // Runs and gaps of different lengths.
            if (hash32(Math.floor((i + (hash32(i, seed) % 3)) / run), seed) % 20 >= density) data[i] = zero as never
          }
          const earlier = earlierRows(shape.slice(0, -1), Math.min(wanted, shape.length), 0)
          const expected = plainRuns(foregroundOf(data), shape, earlier)
          withRuns(data, shape, earlier, (actual) => {
            assert.equal(actual.count, expected.count)
            assertSameVoxels(actual.runs, expected.runs)
          })
        },
      ),
      { numRuns: 100 },
    )
  })

  it('has one component of all voxels, and one of each voxel that touches no other', () => {
    const shape = [9, 33, 65]
    assert.equal(labelComponents({ data: new Uint8Array(count(shape)).fill(7), shape }, { connectivity: 3 }).count, 1)
    const board = Uint8Array.from({ length: count(shape) }, (_, i) => (Math.floor(i / 65) + (i % 65)) % 2)
    assert.equal(
      labelComponents({ data: board, shape }).count,
      board.reduce((sum, value) => sum + value, 0),
    )
    assert.equal(labelComponents({ data: board, shape }, { connectivity: 2 }).count, 1)
  })

  it('overwrites what was in the memory for the labels', () => {
    const into = new Uint32Array(200).fill(9)
    const data = Uint8Array.from({ length: 200 }, (_, i) => (i > 90 && i < 140 ? 1 : 0))
    assert.deepEqual(labelComponents({ data, shape: [200] }, { into }).labels, Uint32Array.from(data))
    assert.throws(() => labelComponents({ data, shape: [200] }, { into: new Uint32Array(2) }), /"into" has 2 elements/)
  })

  it('takes the axes that the roi does not have for channels', () => {
    const data = Uint8Array.of(1, 1, 1, 1)
    const roi = { offset: [0], shape: [2] }
    assert.deepEqual([...labelComponents({ data, shape: [2, 2], roi }).labels], [1, 1, 2, 2])
    assert.deepEqual([...labelComponents({ data, shape: [2, 2] }).labels], [1, 1, 1, 1])
  })

  it('refuses an invalid connectivity', () => {
    for (const connectivity of [0, 3, 1.5]) {
      assert.throws(
        () => labelComponents({ data: new Uint8Array(4), shape: [2, 2] }, { connectivity }),
        /The connectivity is .*; expected a whole number from 1 \(faces\) to 2/,
      )
    }
  })
})

describe('findComponents', () => {
  it('gives each voxel the number of its component, of 64 bits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 90 }), fc.nat(), (run, seed) => {
        const shape = [3, 5, 150]
        const data = Uint8Array.from({ length: count(shape) }, (_, i) => hash32(Math.floor(i / run), seed) % 2)
        const { labels, count: most } = labelComponents({ data, shape })
        const found = findComponents({ data, shape })
        assert.equal(found.count, most)
        const numbers = BigUint64Array.from({ length: most }, (_, i) => 2n ** 63n + BigInt(i) * 3_000_000_001n)
        const into = new BigUint64Array(labels.length).fill(5n)
        const expected = BigUint64Array.from(labels, (label) => (label === 0 ? 0n : numbers[label - 1]!))
        // Other voxels in between: what was found does not depend on memory that is reused.
        findComponents({ data: new Uint8Array(4000).map((_, i) => i % 2), shape: [4000] })
        assertSameVoxels(numberComponents(found, numbers, into), expected)
      }),
    )
  })

  it('refuses too few numbers and memory of another length', () => {
    const found = findComponents({ data: Uint8Array.of(1, 0, 1), shape: [3] })
    for (const [numbers, into] of [
      [1, 3],
      [2, 2],
    ] as const) {
      assert.throws(
        () => numberComponents(found, new BigUint64Array(numbers), new BigUint64Array(into)),
        /RangeError: There are \d numbers for 2 components, and memory for \d of 3 voxels/,
      )
    }
  })
})

describe('the compiled runs', () => {
  it('were built from their current source (run scripts/build-kernels.mjs after a change)', () => {
    const source = readFileSync(new URL('../../../src/kernels/labels/runs.as', import.meta.url))
    assert.equal(SOURCE_SHA256, createHash('sha256').update(source).digest('hex'))
  })
})

describe('forwardSteps', () => {
  it('are half of the neighbours: those later in C order', () => {
    assert.deepEqual(forwardSteps(2, 1), [
      [0, 1],
      [1, 0],
    ])
    assert.deepEqual(
      [1, 2, 3].map((connectivity) => forwardSteps(3, connectivity).length),
      [3, 9, 13],
    )
  })
})

describe('DisjointSets', () => {
  it('represents each set by its smallest member, also after it has grown', () => {
    const sets = new DisjointSets(2)
    while (sets.size < 5000) sets.add()
    for (let i = 4999; i >= 3; i -= 3) sets.unite(i, i - 3)
    assert.deepEqual([sets.find(4999), sets.find(4998), sets.find(1)], [1, 4998, 1])
    assert.equal(sets.unite(1, 4), false)
    const { numbers, count: found } = sets.numberSets()
    assert.equal(found, 5000 - 1666)
    assert.deepEqual([...numbers.subarray(0, 5)], [1, 2, 3, 4, 2])
  })
})
