import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { boxesBehind, type ChainedGrid, forgottenBoxes } from '../../../src/core/control/forgotten-region.ts'
import { meetsRoi, roi } from '../../../src/core/geometry/roi.ts'
import { type Block, createBlockGrid } from '../../../src/core/grid/block-grid.ts'
import { anyGridOptions } from '../../support/grid-model.ts'

const anyRegion = (rank: number) =>
  fc
    .tuple(
      fc.array(fc.integer({ min: -20, max: 30 }), { minLength: rank, maxLength: rank }),
      fc.array(fc.integer({ min: 1, max: 12 }), { minLength: rank, maxLength: rank }),
    )
    .map(([offset, shape]) => roi(offset, shape))

/** A chain of three tasks in any order, each transient or not, and chosen or not; the last one may also depend on the first. */
const anyChain = (rank: number) =>
  fc
    .record({
      grids: fc.array(anyGridOptions(rank), { minLength: 3, maxLength: 3 }),
      region: anyRegion(rank),
      isDiamond: fc.boolean(),
      isReversed: fc.boolean(),
      transient: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
      chosen: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    })
    .map(({ grids, region, isDiamond, isReversed, transient, chosen }): ChainedGrid[] => {
      const after = [[], [0], isDiamond ? [0, 1] : [1]]
      const place = (number: number) => (isReversed ? 2 - number : number)
      const chain = grids.map((options, number) => ({
        grid: createBlockGrid(options),
        after: (after[number] as number[]).map(place),
        ...(chosen[number] ? { region } : {}),
        isTransient: transient[number] as boolean,
      }))
      return isReversed ? chain.reverse() : chain
    })

/** The same by looking at every pair of blocks, repeatedly, until nothing is added. */
function forgottenOneByOne(chain: readonly ChainedGrid[]): number[][] {
  const forgotten = chain.map(({ grid, region }) => new Set(region === undefined ? [] : grid.blocksMeeting(region)))
  /** Visits all pairs of a block and a block of a task before its own. @param add adds one of them if necessary */
  const untilNothingIsAdded = (add: (earlier: Block, before: number, later: Block, place: number) => boolean): void => {
    for (let grows = true; grows; ) {
      grows = false
      for (const [place, { grid, after }] of chain.entries()) {
        for (const before of after) {
          for (const earlier of (chain[before] as ChainedGrid).grid.blocks()) {
            for (const later of grid.blocks()) {
              if (meetsRoi(earlier.writeRoi, later.readRoi) && add(earlier, before, later, place)) grows = true
            }
          }
        }
      }
    }
  }
  const has = (place: number, { index }: Block) => (forgotten[place] as Set<number>).has(index)
  untilNothingIsAdded((earlier, before, later, place) => {
    if (!has(before, earlier) || has(place, later)) return false
    forgotten[place]?.add(later.index)
    return true
  })
  untilNothingIsAdded((earlier, before, later, place) => {
    if (!chain[before]?.isTransient || !has(place, later) || has(before, earlier)) return false
    forgotten[before]?.add(earlier.index)
    return true
  })
  return forgotten.map((blocks) => [...blocks].sort((a, b) => a - b))
}

describe('what is forgotten with a region', () => {
  for (const [rank, numRuns] of [
    // Few of the examples have blocks beside what a task reads or writes.
    [1, 3000],
    [2, 100],
  ] as const) {
    it(`along ${rank} ${rank === 1 ? 'axis' : 'axes'} are the blocks that write there, in later tasks all that read what such blocks write, and of transient tasks what all these read`, () => {
      fc.assert(
        fc.property(anyChain(rank), (chain) => {
          const boxes = boxesBehind(chain)
          const found = chain.map(({ grid }, place) => {
            const blocks = new Set((boxes[place] ?? []).flatMap((box) => [...grid.indicesOf(box)]))
            return [...blocks].sort((a, b) => a - b)
          })
          assert.deepEqual(found, forgottenOneByOne(chain))
        }),
        { numRuns },
      )
    })
  }
})

describe('a region in which no block writes', () => {
  const along = (offset: number, length: number) => {
    const block = roi([0], [10])
    return createBlockGrid({ totalRoi: roi([offset], [length]), readRoi: block, writeRoi: block, fit: 'shrink' })
  }
  const tasks = [
    { id: 'first', grid: along(0, 100), after: [], unit: 'nm', isTransient: false },
    { id: 'second', grid: along(0, 100), after: ['first'], unit: 'nm', isTransient: false },
    { id: 'third', grid: along(50_000, 20_000), after: [], unit: 'pm', isTransient: false },
  ] as const

  it('is refused with the regions of the tasks in question', () => {
    const refused = (text: string, chosen?: readonly string[]) => () =>
      forgottenBoxes(tasks, { roi: text, ...(chosen === undefined ? {} : { tasks: chosen }) })
    assert.throws(refused('100:5'), {
      code: 'INVALID_ROI',
      message:
        'No block writes in the region 100:5; the blocks of the run write in 0:100 nm ("first", "second"), 50:20 nm ("third").',
    })
    assert.throws(refused('80:5', ['third']), {
      message: 'No block writes in the region 80:5; the blocks of the run write in 50:20 nm.',
    })
  })

  it('is that of a chosen task, whatever others write', () => {
    assert.throws(() => forgottenBoxes(tasks, { roi: '80:5', tasks: ['third'] }))
    const [first, second, third] = forgottenBoxes(tasks, { roi: '80:5' })
    assert.deepEqual([first?.length, second?.length, third?.length], [1, 2, 0])
    assert.equal(forgottenBoxes(tasks, { tasks: ['third'] })[2]?.length, 1)
  })
})
