import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseRange } from '../../../src/adapters/http/byte-range.ts'

describe('a Range header', () => {
  it('selects a part from the start, up to the end, or at the end, cropped to the content', () => {
    assert.deepEqual(parseRange('bytes=0-9', 100), { kind: 'part', start: 0, end: 10 })
    assert.deepEqual(parseRange('bytes=90-', 100), { kind: 'part', start: 90, end: 100 })
    assert.deepEqual(parseRange('bytes=-16', 100), { kind: 'part', start: 84, end: 100 })
    assert.deepEqual(parseRange('bytes=-160', 100), { kind: 'part', start: 0, end: 100 })
    assert.deepEqual(parseRange('bytes=50-999999999999', 100), { kind: 'part', start: 50, end: 100 })
  })

  it('selects everything if it is missing or not in bytes', () => {
    assert.deepEqual(parseRange(undefined, 100), { kind: 'whole' })
    assert.deepEqual(parseRange('lines=0-9', 100), { kind: 'whole' })
  })

  it('is not satisfiable beyond the end or for several parts', () => {
    for (const header of [
      'bytes=100-',
      'bytes=9-5',
      'bytes=-0',
      'bytes=-',
      'bytes=0-1,5-6',
      'bytes=a-b',
      'bytes=0-9x',
    ]) {
      assert.deepEqual(parseRange(header, 100), { kind: 'unsatisfiable' }, header)
    }
    assert.deepEqual(parseRange('bytes=-5', 0), { kind: 'unsatisfiable' })
    assert.deepEqual(parseRange('bytes=99999999999999999999-', 100), { kind: 'unsatisfiable' })
  })
})
