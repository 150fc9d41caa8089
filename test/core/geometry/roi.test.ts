import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ceilDivide, combine, coordinate, countElements, floorDivide } from '../../../src/core/geometry/coordinate.ts'
import {
  containsRoi,
  contextOf,
  fromVoxels,
  growRoi,
  intersectRoi,
  isAlignedRoi,
  isEmptyRoi,
  meetsRoi,
  roi,
  roiEnd,
  shiftRoi,
  snapRoi,
  toVoxels,
  uniteRoi,
} from '../../../src/core/geometry/roi.ts'

const integer = fc.integer({ min: -1000, max: 1000 })
const length = fc.integer({ min: 0, max: 60 })
const rank = fc.integer({ min: 1, max: 4 })
const anyRoi = (axes: number) =>
  fc
    .tuple(
      fc.array(integer, { minLength: axes, maxLength: axes }),
      fc.array(length, { minLength: axes, maxLength: axes }),
    )
    .map(([o, s]) => roi(o, s))
const rois = (count: number) => rank.chain((axes) => fc.tuple(...Array.from({ length: count }, () => anyRoi(axes))))
const sizes = (axes: number) => fc.array(fc.integer({ min: 1, max: 50 }), { minLength: axes, maxLength: axes })
const roiAndSize = rank.chain((axes) => fc.tuple(anyRoi(axes), sizes(axes)))

/** Whether a Roi contains the point, by definition. */
const has = (r: { offset: readonly number[]; shape: readonly number[] }, point: readonly number[]) =>
  point.every(
    (p, axis) => p >= (r.offset[axis] as number) && p < (r.offset[axis] as number) + (r.shape[axis] as number),
  )

describe('coordinates', () => {
  it('are divided exactly towards minus and plus infinity, for all safe integers', () =>
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.integer({ min: 1, max: 2 ** 40 }), (a, b) => {
        const floor = BigInt(a) / BigInt(b) - (BigInt(a) % BigInt(b) < 0n ? 1n : 0n)
        assert.equal(BigInt(floorDivide(a, b)), floor)
        assert.equal(BigInt(ceilDivide(a, b)), floor + (BigInt(a) % BigInt(b) === 0n ? 0n : 1n))
        assert.ok(!Object.is(floorDivide(a, b), -0) && !Object.is(ceilDivide(a, b), -0))
      }),
    ))

  it('never contain -0', () => {
    assert.ok(Object.is(combine([0], [-1], (a, b) => a * b)[0], 0))
  })

  it('refuse fractions, NaN and numbers beyond 2^53', () => {
    for (const bad of [0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY]) {
      assert.throws(() => coordinate([bad]), { code: 'INVALID_COORDINATE' })
    }
  })

  it('cannot be combined with coordinates of another rank', () => {
    assert.throws(() => combine([1], [1, 2], (a) => a), { code: 'RANK_MISMATCH' })
  })

  it('count elements beyond 2^53', () => {
    assert.equal(countElements([2 ** 30, 2 ** 30, 2 ** 30]), 2n ** 90n)
  })
})

describe('Rois', () => {
  it('intersect in exactly the points that both contain', () =>
    fc.assert(
      fc.property(rois(2), fc.array(integer, { minLength: 4, maxLength: 4 }), ([a, b], point) => {
        assert.ok(a !== undefined && b !== undefined)
        const p = point.slice(0, a.offset.length)
        assert.equal(has(intersectRoi(a, b), p), has(a, p) && has(b, p))
      }),
    ))

  it('meet if they share a point, and contain their intersection', () =>
    fc.assert(
      fc.property(rois(2), ([a, b]) => {
        assert.ok(a !== undefined && b !== undefined)
        const shared = intersectRoi(a, b)
        assert.equal(meetsRoi(a, b), !isEmptyRoi(shared))
        assert.ok(containsRoi(a, shared) && containsRoi(b, shared))
        assert.ok(containsRoi(uniteRoi(a, b), a) && containsRoi(uniteRoi(a, b), b))
      }),
    ))

  it('are unchanged after being grown and shrunk by the same context', () =>
    fc.assert(
      fc.property(roiAndSize, ([r, by]) => {
        const grown = growRoi(
          r,
          by,
          by.map((v) => v + 1),
        )
        assert.deepEqual(
          growRoi(
            grown,
            by.map((v) => -v),
            by.map((v) => -v - 1),
          ),
          r,
        )
        assert.deepEqual(contextOf(grown, r), { lower: by, upper: by.map((v) => v + 1) })
      }),
    ))

  it('become at most empty if they are grown by a negative context', () => {
    assert.deepEqual(growRoi(roi([0], [4]), [-3]), { offset: [3], shape: [0] })
  })

  it('snap to a grid outwards, inwards and to the closest position', () => {
    const r = roi([-7, 13], [20, 4])
    assert.deepEqual(snapRoi(r, [5, 5], 'grow'), roi([-10, 10], [25, 10]))
    assert.deepEqual(snapRoi(r, [5, 5], 'shrink'), roi([-5, 15], [15, 0]))
    assert.deepEqual(snapRoi(r, [5, 5], 'closest'), roi([-5, 15], [20, 0]))
  })

  it('are not snapped in an unknown mode', () => {
    assert.throws(() => snapRoi(roi([1], [1]), [5], 'nearest' as 'closest'), { code: 'INVALID_CONFIG' })
  })

  it('are aligned when they are snapped: "grow" covers the Roi, "shrink" lies inside it', () =>
    fc.assert(
      fc.property(roiAndSize, ([r, grid]) => {
        const grown = snapRoi(r, grid, 'grow')
        const shrunk = snapRoi(r, grid, 'shrink')
        assert.ok(isAlignedRoi(grown, grid) && containsRoi(grown, r))
        assert.ok(containsRoi(r, shrunk))
        assert.ok(isEmptyRoi(shrunk) || isAlignedRoi(shrunk, grid))
      }),
    ))

  it('are converted to voxels that cover them, and voxels are converted back exactly', () =>
    fc.assert(
      fc.property(roiAndSize, ([r, voxelSize]) => {
        assert.deepEqual(fromVoxels(toVoxels(r, voxelSize), voxelSize), snapRoi(r, voxelSize, 'grow'))
        const voxels = roi<'voxel'>(r.offset, r.shape)
        assert.deepEqual(toVoxels(fromVoxels(voxels, voxelSize), voxelSize), voxels)
      }),
    ))

  it('can be shifted', () => {
    assert.deepEqual(roiEnd(shiftRoi(roi([1, 2], [3, 4]), [-1, 1])), [3, 7])
  })

  it('refuse a negative shape, and an offset and a shape of different ranks', () => {
    assert.throws(() => roi([0], [-1]), { code: 'INVALID_ROI' })
    assert.throws(() => roi([0], [1, 1]), { code: 'RANK_MISMATCH' })
  })

  it('in world units cannot be mistaken for voxels', () => {
    const voxels = toVoxels(roi([0], [4]), [4])
    // @ts-expect-error voxels are not world units
    toVoxels(voxels, [4])
  })
})

describe('a Roi in a text', () => {
  it('is written as users write it, and stays plain data', () => {
    const made = roi([0, 0, 0], [20, 256, 384])
    for (const each of [
      made,
      growRoi(made, [0, 0, 0]),
      shiftRoi(made, [0, 0, 0]),
      fromVoxels(made as never, [1, 1, 1]),
    ]) {
      assert.equal(`${each}`, '0,0,0:20,256,384')
      assert.deepEqual(each, { offset: [0, 0, 0], shape: [20, 256, 384] })
      assert.equal(JSON.stringify(each), '{"offset":[0,0,0],"shape":[20,256,384]}')
      assert.deepEqual(structuredClone(each), { offset: [0, 0, 0], shape: [20, 256, 384] })
    }
  })
})
