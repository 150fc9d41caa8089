import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { countSetBits, unitedBits, withoutBits } from '../../../src/core/scheduling/bitmap.ts'

describe('bitmaps', () => {
  it('are combined as copies that can be counted, also if they are Buffers, whose slices share memory', () => {
    const bits = Buffer.concat([Buffer.from([9, 9]), Buffer.from([255, 255, 0, 255, 0, 0, 255, 255])]).subarray(2)
    const others = Buffer.from([255, 0, 1, 0, 0, 0, 0, 0])
    const left = withoutBits(bits, others)
    const united = unitedBits(bits, others)
    assert.deepEqual([...bits], [255, 255, 0, 255, 0, 0, 255, 255])
    assert.deepEqual([...left], [0, 255, 0, 255, 0, 0, 255, 255])
    assert.deepEqual([...united], [255, 255, 1, 255, 0, 0, 255, 255])
    assert.deepEqual([countSetBits(left, 64), countSetBits(united, 64)], [32, 41])
  })
})
