import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { AbsentBytes, withBytes } from '../../../src/adapters/ranges/absent-bytes.ts'
import { type Block, BlockCache } from '../../../src/adapters/ranges/block-cache.ts'
import { runsOf } from '../../../src/adapters/ranges/remote-bytes.ts'

describe('blocks that are kept', () => {
  it('give way to newer ones, but not while somebody reads them', () => {
    const cache = new BlockCache(10)
    const dropped: string[] = []
    const add = (name: string, pins = 0): Block => {
      const block = { bytes: new Uint8Array(4), pins, drop: () => void dropped.push(name) }
      cache.add(block)
      return block
    }
    const a = add('a', 1)
    const b = add('b')
    add('c')
    assert.deepEqual(dropped, ['b'])
    add('d', 1)
    assert.deepEqual(dropped, ['b', 'c'])
    add('e', 1)
    assert.deepEqual([dropped, cache.bytes], [['b', 'c'], 12])
    cache.unpin([a])
    assert.deepEqual([dropped, cache.bytes], [['b', 'c', 'a'], 8])
    cache.touch(b)
    cache.remove(b)
    assert.equal(cache.bytes, 8)
  })
})

describe('requests for blocks', () => {
  it('cover each block once, in order, without long gaps, and are not larger than allowed', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(2000), { maxLength: 400 }), (blocks) => {
        const sorted = blocks.toSorted((a, b) => a - b)
        const runs = runsOf(sorted)
        for (const [at, [first, last]] of runs.entries()) {
          assert.ok(sorted.includes(first) && sorted.includes(last) && last - first < 128)
          if (at > 0) assert.ok(first > (runs[at - 1] as readonly number[])[1]!)
        }
        assert.ok(sorted.every((block) => runs.some(([first, last]) => first <= block && block <= last)))
      }),
    )
  })
})

describe('work that lacks bytes', () => {
  it('is done again once they were fetched, and gives them up at its end', async () => {
    const held: number[] = []
    const had = new Set<number>()
    const work = () => {
      for (const byte of [1, 2, 3]) {
        if (had.has(byte)) continue
        throw new AbsentBytes(async () => {
          had.add(byte)
          held.push(byte)
          return { [Symbol.dispose]: () => void held.splice(held.indexOf(byte), 1) }
        })
      }
      return [...held]
    }
    assert.deepEqual(await withBytes(work), [1, 2, 3])
    assert.deepEqual(held, [])
    const failure = new Error('of the work')
    await assert.rejects(
      withBytes(() => {
        throw failure
      }),
      failure,
    )
  })
})
