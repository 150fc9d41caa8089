import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Scratch } from '../../src/tasks/scratch.ts'

describe('the memory for blocks', () => {
  it('lends the smallest buffer that is large enough, so that blocks of one kind never need more of them', () => {
    const [reading, writing] = [new Scratch(), new Scratch()]
    const buffers = new Set<ArrayBufferLike>()
    for (let block = 0; block < 5; block++) {
      using small = reading.take('uint8', 100)
      using large = writing.take('uint64', 100)
      assert.equal(small.data.length, 100)
      assert.equal(large.data.length, 100)
      buffers.add(small.data.buffer).add(large.data.buffer)
    }
    assert.equal(buffers.size, 2)
  })

  it('lends nothing twice, and drops what has become too small', () => {
    const scratch = new Scratch()
    using one = scratch.take('uint16', 1000)
    using other = scratch.take('uint16', 1000)
    assert.notEqual(one.data.buffer, other.data.buffer)
    const sizes: number[] = []
    for (const length of [5000, 6000, 7000, 6500]) {
      using larger = scratch.take('uint8', length)
      sizes.push(larger.data.buffer.byteLength)
    }
    assert.deepEqual(sizes, [5000, 6000, 7000, 7000])
  })
})
