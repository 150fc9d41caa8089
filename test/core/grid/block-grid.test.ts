import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ConfigError, type ErrorCode } from '../../../src/core/errors.ts'
import {
  containsRoi,
  equalRois,
  growRoi,
  intersectRoi,
  isEmptyRoi,
  type Roi,
  roi,
  showRoi,
} from '../../../src/core/geometry/roi.ts'
import { createBlockGrid } from '../../../src/core/grid/block-grid.ts'
import { ConflictOrder } from '../../../src/core/grid/conflicts.ts'
import { anyGridOptions, meets, modelBlocks, modelDependencies } from '../../support/grid-model.ts'

const volume = (r: Roi): number => r.shape.reduce((product, length) => product * length, 1)

const refuses = (code: ErrorCode, parts: readonly string[], options: Parameters<typeof createBlockGrid>[0]): void => {
  assert.throws(
    () => createBlockGrid(options),
    (error) => {
      assert.ok(error instanceof ConfigError)
      assert.equal(error.code, code)
      for (const part of parts) assert.ok(error.message.includes(part), `"${error.message}" names ${part}`)
      assert.ok(!error.message.includes('\n'))
      return true
    },
  )
}

describe('a block grid', () => {
  it('has the blocks, fits and levels of the definition, in row-major order', () => {
    fc.assert(
      fc.property(anyGridOptions(), (options) => {
        const grid = createBlockGrid(options)
        const model = modelBlocks(options)
        assert.equal(grid.blockCount, model.length)
        assert.equal(grid.levelCount, new Set(model.map(({ level }) => level)).size)
        for (const [index, { read, write, level }] of model.entries()) {
          assert.deepEqual(grid.block(index), { index, readRoi: read, writeRoi: write })
          assert.deepEqual(grid.plainBlock(index), { index, readRoi: read, writeRoi: write })
          assert.deepEqual(Object.getOwnPropertyNames(grid.plainBlock(index).readRoi), ['offset', 'shape'])
          assert.equal(`${grid.block(index).readRoi}`, showRoi(read))
          assert.equal(grid.level(index), level)
        }
        assert.deepEqual(
          [...grid.blocks()],
          model.map((_, index) => grid.block(index)),
        )
      }),
      { numRuns: 400 },
    )
  })

  it('writes every voxel of the total write Roi exactly once with shrink and overhang, and all except those left out with valid', () => {
    fc.assert(
      fc.property(anyGridOptions(), (options) => {
        const grid = createBlockGrid(options)
        const writes = [...grid.blocks()].map(({ writeRoi }) => intersectRoi(writeRoi, grid.totalWriteRoi))
        for (const [n, one] of writes.entries()) {
          assert.ok(!isEmptyRoi(one))
          for (const other of writes.slice(n + 1)) assert.ok(!meets(one, other))
        }
        const written = BigInt(writes.reduce((sum, write) => sum + volume(write), 0))
        assert.equal(written + grid.leftOutVolume(), BigInt(volume(grid.totalWriteRoi)))
        assert.equal(
          grid.leftOutVolume() > 0n,
          grid.leftOut.some((length) => length > 0),
        )
        if (options.fit !== 'valid') assert.equal(grid.leftOutVolume(), 0n)
      }),
      { numRuns: 300 },
    )
  })

  it('keeps the complete context of every block, and stays inside the total except with overhang', () => {
    fc.assert(
      fc.property(anyGridOptions(), (options) => {
        const grid = createBlockGrid(options)
        for (const { readRoi, writeRoi } of grid.blocks()) {
          assert.ok(equalRois(readRoi, growRoi(writeRoi, grid.context.lower, grid.context.upper)))
          if (options.fit !== 'overhang') assert.ok(containsRoi(grid.totalRoi, readRoi))
        }
      }),
      { numRuns: 200 },
    )
  })

  it('has a block depend on exactly the earlier blocks in conflict, in ascending order, as found by looking at all pairs', () => {
    fc.assert(
      fc.property(anyGridOptions(), (options) => {
        const grid = createBlockGrid(options)
        const model = modelDependencies(modelBlocks(options), options.readWriteConflict)
        assert.deepEqual(
          model.map((_, index) => grid.dependencies(index)),
          model,
        )
      }),
      { numRuns: 300 },
    )
  })

  it('orders every two conflicting blocks, and only the blocks of level 0 wait for none', () => {
    fc.assert(
      fc.property(anyGridOptions(), (options) => {
        const grid = createBlockGrid(options)
        const blocks = modelBlocks(options)
        const before = blocks.map((_, index) => new Set(grid.dependencies(index)))
        for (const [i, a] of blocks.entries()) {
          assert.equal(before[i]!.size === 0, grid.level(i) === 0 || !options.readWriteConflict)
          for (const [j, b] of blocks.entries()) {
            if (j <= i || !options.readWriteConflict) continue
            const inConflict = meets(a.fullRead, b.write) || meets(b.fullRead, a.write)
            assert.equal(before[i]!.has(j) !== before[j]!.has(i), inConflict)
          }
        }
      }),
      { numRuns: 150 },
    )
  })

  it('finds the blocks whose write Roi meets a region, wherever it lies', () => {
    const region = (rank: number) =>
      fc
        .tuple(
          fc.array(fc.integer({ min: -40, max: 40 }), { minLength: rank, maxLength: rank }),
          fc.array(fc.integer({ min: 0, max: 30 }), { minLength: rank, maxLength: rank }),
        )
        .map(([offset, shape]) => roi(offset, shape))
    fc.assert(
      fc.property(
        anyGridOptions().chain((options) => fc.tuple(fc.constant(options), region(options.rank))),
        ([options, asked]) => {
          const grid = createBlockGrid(options)
          const expected = modelBlocks(options).flatMap(({ write }, index) => (meets(write, asked) ? [index] : []))
          assert.deepEqual(grid.blocksMeeting(asked), expected)
          assert.deepEqual([...grid.indicesOf(grid.blockBox(asked))], expected)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('works by arithmetic on 10^12 blocks and beyond', () => {
    const grid = createBlockGrid({
      totalRoi: roi([-5, 0, 0], [640_000, 1_280_000, 640_010]),
      readRoi: roi([-5, 0, 0], [74, 64, 69]),
      writeRoi: roi([0, 0, 0], [64, 64, 64]),
      fit: 'shrink',
    })
    assert.deepEqual(grid.shape, [10_000, 20_000, 10_001])
    assert.equal(grid.blockCount, 2_000_200_000_000)
    const last = grid.block(grid.blockCount - 1)
    assert.deepEqual(last.writeRoi, roi([639_936, 1_279_936, 640_000], [54, 64, 5]))
    assert.deepEqual(last.readRoi, roi([639_931, 1_279_936, 640_000], [64, 64, 10]))
    assert.deepEqual(grid.blocksMeeting(roi([639_999, 1_279_999, 640_004], [64, 1, 1])), [])
    assert.deepEqual(grid.blocksMeeting(roi([639_980, 1_279_999, 640_004], [64, 1, 1])), [grid.blockCount - 1])
    const middle = 1_000_000_000_001
    assert.ok(grid.dependencies(middle).every((index) => grid.level(index) < grid.level(middle)))
    const largest = createBlockGrid({
      totalRoi: roi([0], [2 ** 53 - 1]),
      readRoi: roi([0], [1]),
      writeRoi: roi([0], [1]),
    })
    assert.equal(largest.blockCount, 2 ** 53 - 1)
    assert.deepEqual(largest.block(2 ** 53 - 2).writeRoi.offset, [2 ** 53 - 2])
  })

  it('reports what valid leaves out', () => {
    const grid = createBlockGrid({
      totalRoi: roi([0, 0], [10, 9]),
      readRoi: roi([0, 0], [4, 2]),
      writeRoi: roi([0, 0], [4, 2]),
    })
    assert.deepEqual(grid.leftOut, [2, 1])
    assert.equal(grid.leftOutVolume(), 90n - 64n)
  })

  it('refuses a total that is too small for the context, and names both', () => {
    const parts = ['"smooth"', '0,0:4,20', '(2, 2)', '(0, 16)']
    refuses('EMPTY_TOTAL_WRITE_ROI', parts, {
      taskId: 'smooth',
      totalRoi: roi([0, 0], [4, 20]),
      readRoi: roi([-2, -2], [9, 9]),
      writeRoi: roi([0, 0], [5, 5]),
    })
  })

  it('refuses a total without a complete block under valid, suggests shrink, and accepts it with shrink', () => {
    const options = { totalRoi: roi([0], [3]), readRoi: roi([0], [5]), writeRoi: roi([0], [5]) }
    refuses('NO_BLOCKS', ['(5)', '0:3', 'shrink'], options)
    assert.equal(createBlockGrid({ ...options, fit: 'shrink' }).blockCount, 1)
  })

  it('refuses a write Roi outside the read Roi, zero shapes, different axes, an unknown fit, and too many blocks', () => {
    const [totalRoi, one] = [roi([0, 0], [9, 9]), roi([0, 0], [1, 1])]
    refuses('WRITE_ROI_OUTSIDE_READ_ROI', ['0,0:3,3', '1,0:3,3'], {
      totalRoi,
      readRoi: roi([1, 0], [3, 3]),
      writeRoi: roi([0, 0], [3, 3]),
    })
    refuses('INVALID_ROI', ['writeRoi', '(0, 1)'], { totalRoi, readRoi: one, writeRoi: roi([0, 0], [0, 1]) })
    refuses('RANK_MISMATCH', ['totalRoi', '0:9'], { totalRoi: roi([0], [9]), readRoi: one, writeRoi: one })
    refuses('INVALID_CONFIG', ['"fill"'], { totalRoi, readRoi: one, writeRoi: one, fit: 'fill' as 'valid' })
    refuses('TOO_MANY_BLOCKS', ['1000000000000000000'], {
      totalRoi: roi([0, 0], [1e9, 1e9]),
      readRoi: one,
      writeRoi: one,
    })
  })

  it('refuses a Roi that is missing, malformed, or has fractional or too large numbers, by its name', () => {
    const one = roi([0], [1])
    const given = (totalRoi: unknown) => ({ taskId: 'smooth', totalRoi: totalRoi as Roi, readRoi: one, writeRoi: one })
    refuses('INVALID_ROI', ['"smooth"', 'totalRoi is missing', 'offset'], given(undefined))
    refuses('INVALID_ROI', ['totalRoi is not a Roi'], given([[0], [8]]))
    for (const [offset, shape] of [
      [[0.5], [8]],
      [['0'], [8]],
      [[0n], [8]],
      [[2 ** 53 - 4], [8]],
    ] as const) {
      refuses('INVALID_COORDINATE', ['"smooth"', `totalRoi ${offset}:${shape}`], given({ offset, shape }))
    }
  })

  it('names the existing blocks when it is asked for another one', () => {
    const grid = createBlockGrid({ totalRoi: roi([0], [8]), readRoi: roi([0], [2]), writeRoi: roi([0], [2]) })
    for (const index of [-1, 4, 1.5, Number.NaN]) {
      assert.throws(() => grid.block(index), { code: 'NO_SUCH_BLOCK', message: /0 to 3/ })
      assert.throws(() => grid.level(index), { code: 'NO_SUCH_BLOCK' })
      assert.throws(() => grid.dependencies(index), { code: 'NO_SUCH_BLOCK' })
    }
  })
})

describe('the order of conflicts', () => {
  it('gives the number of earlier neighbours without visiting them, and an upper bound of it', () => {
    fc.assert(
      fc.property(anyGridOptions(), (options) => {
        const grid = createBlockGrid(options)
        const order = new ConflictOrder(grid.shape, grid.writeRoi.shape, grid.context, options.readWriteConflict)
        for (const [index, { at }] of modelBlocks(options).entries()) {
          assert.equal(order.countEarlier(at), grid.dependencies(index).length)
          assert.ok(order.countEarlier(at) <= order.mostEarlier)
        }
      }),
      { numRuns: 300 },
    )
  })
})
