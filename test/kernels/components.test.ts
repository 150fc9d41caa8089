import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { forwardSteps, labelComponents } from '../../src/kernels/components.ts'
import { DisjointSets } from '../../src/kernels/disjoint-sets.ts'
import { hash32, makeArray } from '../support/seeded-voxels.ts'

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
