import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  belongsToLineage,
  markOfLineage,
  NO_LINEAGE,
  parseLineage,
  settledLineage,
  withEpoch,
  withRemoval,
} from '../../../src/core/progress/lineage.ts'

describe('the lineage of a record', () => {
  it('knows the outputs of the state before until all outputs name the new one', () => {
    const first = settledLineage(withEpoch(NO_LINEAGE, 'a'))
    const begun = withEpoch(first, 'b')
    assert.ok(belongsToLineage({ epoch: 'a', removals: 0 }, begun))
    assert.ok(belongsToLineage({ epoch: 'b', removals: 0 }, begun))
    assert.ok(!belongsToLineage({ epoch: 'a', removals: 0 }, settledLineage(begun)))
    assert.ok(belongsToLineage(markOfLineage(settledLineage(begun)), settledLineage(begun)))
  })

  it('knows no output that names a later state', () => {
    const before = settledLineage(withEpoch(NO_LINEAGE, 'a'))
    assert.ok(!belongsToLineage(markOfLineage(withEpoch(before, 'b')), before))
    assert.ok(!belongsToLineage(markOfLineage(withRemoval(before)), before))
    assert.ok(belongsToLineage(markOfLineage(before), withRemoval(before)))
  })

  it('knows outputs without a state until its first one is settled', () => {
    assert.deepEqual(markOfLineage(NO_LINEAGE), {})
    assert.ok(belongsToLineage({}, undefined))
    const begun = withEpoch(NO_LINEAGE, 'a')
    assert.ok(belongsToLineage({}, begun))
    assert.ok(!belongsToLineage({}, settledLineage(begun)))
    assert.ok(!belongsToLineage({ epoch: 'a' }, undefined))
  })

  it('keeps a thousand states at most, the newest ones', () => {
    let lineage = NO_LINEAGE
    for (let n = 0; n < 1005; n++) lineage = withEpoch(lineage, `${n}`)
    assert.equal(lineage.epochs.length, 1000)
    assert.ok(belongsToLineage({ epoch: '1004' }, lineage) && !belongsToLineage({ epoch: '4' }, lineage))
  })

  it('is read from JSON only if it is whole', () => {
    const lineage = { epochs: ['a'], removals: 3 }
    assert.deepEqual(parseLineage(JSON.parse(JSON.stringify(lineage))), lineage)
    for (const value of [null, 1, 'a', {}, { epochs: 'a', removals: 1 }, { epochs: [1], removals: 1 }, { epochs: [] }])
      assert.equal(parseLineage(value), undefined)
  })
})
