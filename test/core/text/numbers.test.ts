import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { showBlocksOf, showCount, showDuration, showWhole } from '../../../src/core/text/numbers.ts'

describe('numbers for people', () => {
  it('have three digits and a unit', () => {
    assert.deepEqual([0, 5, 0.123, 99.5, 1234.4, 12_345, 1_234_567, 5e9].map(showCount), [
      ...['0', '5', '0.12', '100', '1234', '12.3 k', '1.23 M', '5.00 G'],
    ])
  })

  it('give counts exactly, with commas once they are long', () => {
    assert.deepEqual([0, 9999, 10_000, 1_234_567].map(showWhole), ['0', '9999', '10,000', '1,234,567'])
  })

  it('count blocks, one or several', () => {
    assert.deepEqual(
      [showBlocksOf(0, 1), showBlocksOf(1, 2), showBlocksOf(3, 12_000)],
      ['0 of 1 block', '1 of 2 blocks', '3 of 12,000 blocks'],
    )
  })

  it('give durations in the two largest units', () => {
    assert.deepEqual(
      [8, 45.4, 200, 599, 745, 3590, 7500, 356_400, Number.NaN].map((seconds) => showDuration(seconds)),
      [...['8.0 s', '45 s', '3 min 20 s', '9 min 59 s', '12 min', '60 min', '2 h 05 min', '4 d 3 h', '?']],
    )
    assert.equal(showDuration(8.4, 0), '8 s')
    assert.deepEqual(
      [0, 0.0374, 0.099, 0.12].map((seconds) => showDuration(seconds)),
      ['0.0 s', '37 ms', '99 ms', '0.1 s'],
    )
    assert.equal(showDuration(0.04, 0), '0 s')
  })
})
