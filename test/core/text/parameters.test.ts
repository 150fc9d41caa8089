import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isEmptyValue, showValue } from '../../../src/core/text/parameters.ts'

describe('the value of a parameter', () => {
  it('is written as on a command line, with quotes where one word would be taken for more', () => {
    const shown = [
      'reflect',
      'two words',
      '',
      'a,b',
      2.5,
      true,
      [16, 32, 32],
      ['a', 'b'],
      ['a,b'],
      [[1], [2]],
      { y: 'a.zarr' },
    ]
    assert.deepEqual(shown.map(showValue), [
      ...[
        'reflect',
        '"two words"',
        '""',
        'a,b',
        '2.5',
        'true',
        '16,32,32',
        'a,b',
        '["a,b"]',
        '[[1],[2]]',
        '{"y":"a.zarr"}',
      ],
    ])
  })

  it('says nothing if it is empty', () => {
    assert.deepEqual([undefined, null, '', [], {}].map(isEmptyValue), [true, true, true, true, true])
    assert.deepEqual([0, false, 'a', [0], { a: undefined }].map(isEmptyValue), [false, false, false, false, false])
  })
})
