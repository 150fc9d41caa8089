import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ChunkCache, ChunkMemory } from '../../../src/core/array/chunk-cache.ts'

describe('a cache of chunks', () => {
  it('drops the least recently used chunk when it is full', () => {
    const cache = new ChunkCache(3)
    for (const index of [0, 1, 2]) cache.set([index], Uint8Array.of(index))
    assert.deepEqual(cache.get([0]), Uint8Array.of(0))
    cache.set([3], Uint8Array.of(3))
    assert.deepEqual(
      [0, 1, 2, 3].map((index) => cache.has([index])),
      [true, false, true, true],
    )
  })

  it('counts a chunk that is set twice once, and never stores one that is larger than the cache', () => {
    const cache = new ChunkCache(4)
    for (let time = 0; time < 10; time++) cache.set([0, 1], new Uint8Array(2), `v${time}`)
    cache.set([0, 2], new Uint8Array(2))
    assert.equal(cache.versionOf([0, 1]), 'v9')
    cache.set([9, 9], new Uint8Array(5))
    assert.deepEqual([cache.has([0, 1]), cache.has([0, 2]), cache.has([9, 9])], [false, false, false])
  })

  it('shares its memory with others: the least recently used chunk of all is dropped, and its bytes are used again', () => {
    const memory = new ChunkMemory(3)
    const [one, other] = [new ChunkCache(memory), new ChunkCache(memory)]
    const first = Uint8Array.of(1)
    one.set([0], first)
    other.set([0], Uint8Array.of(2))
    one.set([1], Uint8Array.of(3))
    one.get([0])
    one.set([2], Uint8Array.of(4))
    assert.deepEqual([one.has([0]), one.has([1]), other.has([0])], [true, true, false])
    other.set([1], Uint8Array.of(5))
    assert.deepEqual([one.has([0]), one.has([1]), other.has([1])], [true, false, true])
    assert.deepEqual(one.spare(1), Uint8Array.of(3))
    assert.equal(other.spare(1), undefined)
    one.clear()
    other.set([2], new Uint8Array(2))
    assert.deepEqual([other.has([1]), other.has([2])], [true, true])
  })

  it('keeps no more than is useful for the one of several that can use most', () => {
    const memory = new ChunkMemory(10)
    const [bytes, words] = [new ChunkCache(memory, 2), new ChunkCache(memory, 4)]
    for (const index of [0, 1, 2]) bytes.set([index], new Uint8Array(1))
    assert.deepEqual([bytes.has([0]), bytes.bytes], [false, 2])
    words.set([0], new Uint8Array(2))
    assert.deepEqual([bytes.bytes, words.bytes], [2, 2])
    words.set([1], new Uint8Array(2))
    assert.deepEqual([bytes.bytes, words.bytes], [0, 4])
  })
})
