import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  blocksOfOtherCode,
  olderBlocks,
  type RecordedStart,
} from '../../../../src/entry/run-folder/provenance/changed-code.ts'

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

  it('remain, also after they were mentioned, until they are done again', () => {
    const remaining = (starts: RecordedStart[], code: string, before: number) =>
      blocksOfOtherCode(starts, { id: 'a', code, before }).map(({ blocks, isExact }) => [blocks, isExact])
    assert.deepEqual(remaining(startsOf(['x', 0], ['y', 10]), 'y', 40), [[10, true]])
    assert.deepEqual(remaining(startsOf(['x', 0], ['y', 10], ['y', 0]), 'y', 40), [])
  })

  it('are as many as possible if others were forgotten: with code that is back, the later ones', () => {
    assert.deepEqual(counted(startsOf(['x', 0], ['y', 30], ['y', 50], ['y', 40]), 'x', 50), [[30, false]])
  })

  it('are those from before a change during a start, or after it if the code is back', () => {
    const [start] = startsOf(['x', 0]) as [RecordedStart]
    const time = '2026-11-29T00:10:00.000Z'
    const changed = { ...start, changes: [{ id: 'a', code: 'y', before: 10, time }] }
    assert.deepEqual(counted([changed], 'x', 40), [[30, true]])
    assert.deepEqual(counted([changed], 'z', 40), [[40, true]])
    const [older] = blocksOfOtherCode([changed], { id: 'a', code: 'y', before: 40 })
    assert.deepEqual([older?.blocks, older?.from, older?.to], [10, start.started, time])
    assert.deepEqual(counted([changed], 'y', 40), [], 'which was said during the start')
  })

  it('may be all of those that were done while workers had either code', () => {
    const [start] = startsOf(['x', 0]) as [RecordedStart]
    const changes = [
      { id: 'a', code: 'y', otherCode: ['x'], before: 10, time: start.started },
      { id: 'a', code: 'y', before: 15, time: start.started },
    ]
    const of = (code: string) => blocksOfOtherCode([{ ...start, changes }], { id: 'a', code, before: 40 })
    assert.deepEqual(
      ['x', 'y', 'z'].map((code) => of(code).map(({ blocks, isExact }) => [blocks, isExact])),
      [[[30, false]], [[15, false]], [[40, true]]],
    )
  })

  it('of a killed start end when it was started', () => {
    const [{ ended: _, ...killed }] = startsOf(['x', 0]) as [RecordedStart]
    assert.equal(olderBlocks([killed], now('y', 3))[0]?.to, killed.started)
  })
})
