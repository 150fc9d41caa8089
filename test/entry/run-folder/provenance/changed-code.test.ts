import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { olderBlocks, type RecordedStart } from '../../../../src/entry/run-folder/provenance/changed-code.ts'

const startsOf = (...list: [code: string | undefined, before: number][]): RecordedStart[] =>
  list.map(([code, before], hour) => ({
    started: `2026-11-29T0${hour}:00:00.000Z`,
    ended: `2026-11-29T0${hour}:30:00.000Z`,
    tasks: [{ id: 'a', before, ...(code === undefined ? {} : { code }) }],
  }))
const now = (code: string, before: number) => [{ id: 'a', code, before }]
const counted = (starts: RecordedStart[], code: string, before: number) =>
  olderBlocks(starts, now(code, before)).map(({ blocks, isExact }) => [blocks, isExact])

describe('blocks of older code', () => {
  it('are those of earlier starts with other code, with their times', () => {
    assert.deepEqual(olderBlocks(startsOf(['x', 0], ['x', 10]), now('y', 40)), [
      {
        id: 'a',
        blocks: 40,
        isExact: true,
        completed: 40,
        from: '2026-11-29T00:00:00.000Z',
        to: '2026-11-29T01:30:00.000Z',
      },
    ])
    assert.deepEqual(counted(startsOf(['x', 0], ['y', 10], ['z', 25]), 'y', 60), [[45, true]])
  })

  it('are not mentioned again at the next start, and not if the code is the same or unknown', () => {
    assert.deepEqual(counted(startsOf(['x', 0], ['y', 10]), 'y', 40), [])
    assert.deepEqual(counted(startsOf(['x', 0]), 'x', 40), [])
    assert.deepEqual(counted(startsOf([undefined, 0]), 'x', 40), [])
    assert.deepEqual(olderBlocks(startsOf(['x', 0]), [{ id: 'a', before: 40 }]), [])
    assert.deepEqual(olderBlocks([{ started: '' }], now('x', 40)), [], 'a start that says nothing of its tasks')
  })

  it('are gone once they were forgotten; if only some were, they may be as many as are left', () => {
    assert.deepEqual(counted(startsOf(['x', 0]), 'y', 0), [])
    assert.deepEqual(counted(startsOf(['x', 0], ['x', 0]), 'y', 5), [[5, true]])
    assert.deepEqual(counted(startsOf(['x', 0], ['y', 54], ['z', 44]), 'y', 64), [[64, false]])
    assert.deepEqual(counted(startsOf(['x', 0], ['y', 54], ['z', 0]), 'y', 10), [[10, true]])
    assert.deepEqual(counted(startsOf(['x', 0], ['y', 54]), 'z', 30), [[30, false]])
  })

  it('of a killed start end when it was started', () => {
    const [{ ended: _, ...killed }] = startsOf(['x', 0]) as [RecordedStart]
    assert.equal(olderBlocks([killed], now('y', 3))[0]?.to, killed.started)
  })
})
