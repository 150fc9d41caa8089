import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { CellMap, cellAt, mapGridOf, PARTLY_DONE } from '../../../src/core/board/cell-map.ts'
import { roi } from '../../../src/core/geometry/roi.ts'
import { createBlockGrid } from '../../../src/core/grid/block-grid.ts'
import { STATE_CODE } from '../../../src/core/scheduling/state-map.ts'

const anyShape = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 })

const gridOf = (shape: readonly number[]) => {
  const zero = shape.map(() => 0)
  const block = roi(
    zero,
    shape.map((_, axis) => axis + 2),
  )
  const total = shape.map((length, axis) => length * (axis + 2))
  return { totalRoi: roi(zero, total), readRoi: block, writeRoi: block }
}

describe('a map of cells', () => {
  it('has at most the permitted number of cells, and each covers what its blocks write', () => {
    fc.assert(
      fc.property(anyShape, fc.integer({ min: 1, max: 40 }), (shape, most) => {
        const blocks = createBlockGrid(gridOf(shape))
        const { grid, cell } = mapGridOf(gridOf(shape), 0, most)
        const cells = createBlockGrid(grid)
        assert.ok(cells.blockCount <= most)
        for (let index = 0; index < blocks.blockCount; index++) {
          const inner = blocks.block(index).writeRoi
          const outer = cells.block(cellAt(index, shape, cell)).writeRoi
          for (const [axis, at] of inner.offset.entries()) {
            const [low, length] = [outer.offset[axis] as number, outer.shape[axis] as number]
            assert.ok(at >= low && at + (inner.shape[axis] as number) <= low + length, `block ${index}`)
          }
        }
      }),
    )
  })

  it('always counts the states of the blocks of every cell, and reports only the changed cells', () => {
    const kinds = fc.constantFrom('hold', 'giveBack', 'complete', 'skip', 'fail')
    fc.assert(
      fc.property(
        anyShape,
        fc.integer({ min: 1, max: 12 }),
        fc.uint8Array({ minLength: 301, maxLength: 301 }),
        fc.array(fc.tuple(fc.nat(9999), kinds), { maxLength: 200 }),
        (shape, most, done, steps) => {
          const options = gridOf(shape)
          const { blockCount } = createBlockGrid(options)
          const map = mapGridOf(options, 0, most)
          const states: string[] = Array.from({ length: blockCount }, (_, i) => {
            return ((done[i >> 3] as number) >> (i & 7)) & 1 ? 'skipped' : 'ready'
          })
          const cells = new CellMap(options, map, { done }, (index) => STATE_CODE[states[index] as 'ready'])
          const followed = Uint8Array.from(cells.codes)
          for (const [at, kind] of steps) {
            const index = at % blockCount
            if (kind === 'hold') {
              if (states[index] !== 'ready') continue
              cells.hold(index)
              states[index] = 'processing'
            } else {
              if (states[index] !== 'processing') continue
              if (kind === 'skip') cells.markSkipped(index)
              if (kind === 'complete' || kind === 'skip') cells.complete(index)
              else if (kind === 'fail') cells.fail(index)
              else cells.giveBack(index)
              const now = { giveBack: 'ready', complete: 'completed', skip: 'skipped', fail: 'failed' } as const
              states[index] = now[kind]
            }
            cells.update((cell, code) => {
              assert.notEqual(followed[cell], code)
              followed[cell] = code
            })
          }
          assert.deepEqual(followed, cells.codes)
          for (let cell = 0; cell < cells.codes.length; cell++) {
            const own = states.filter((_, index) => cellAt(index, shape, map.cell) === cell)
            assert.equal(cells.codes[cell], codeOf(own), `cell ${cell}: ${own.join(' ')}`)
          }
        },
      ),
    )
  })
})

function codeOf(states: readonly string[]): number {
  if (states.includes('failed')) return STATE_CODE.failed
  if (states.every((state) => state === 'skipped')) return STATE_CODE.skipped
  if (states.every((state) => state === 'skipped' || state === 'completed')) return STATE_CODE.completed
  if (states.includes('processing')) return STATE_CODE.processing
  return states.every((state) => state === 'ready') ? STATE_CODE.ready : PARTLY_DONE
}
