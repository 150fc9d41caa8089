import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type ChunkPlace, ShardRuns } from '../../../src/adapters/zarr/http/shard-runs.ts'

const shard = Uint8Array.from({ length: 4000 }, (_, i) => (i * 7919) % 251)
const anyPlaces = fc.array(fc.record({ offset: fc.nat(3900), length: fc.integer({ min: 1, max: 300 }) }), {
  maxLength: 40,
})

describe('chunks of a shard that are read together', () => {
  it('have their own bytes, in any order, and are read once', async () => {
    await fc.assert(
      fc.asyncProperty(anyPlaces, fc.integer({ min: -1, max: 100 }), async (places, gap) => {
        const reads: ChunkPlace[] = []
        const runs = new ShardRuns(places, gap, async (offset, length) => {
          reads.push({ offset, length })
          return shard.subarray(offset, offset + length)
        })
        for (const place of places.toReversed()) {
          assert.deepEqual(await runs.take(place), shard.subarray(place.offset, place.offset + place.length))
        }
        const sorted = reads.toSorted((a, b) => a.offset - b.offset)
        for (const [at, { offset }] of sorted.entries()) {
          const before = sorted[at - 1]
          if (before !== undefined) assert.ok(offset - (before.offset + before.length) > gap)
        }
      }),
    )
  })

  it('are read by themselves if they are far apart, or together too large', async () => {
    const read = async (places: readonly ChunkPlace[], gap: number) => {
      const lengths: number[] = []
      const runs = new ShardRuns(places, gap, async (_, length) => {
        lengths.push(length)
        return new Uint8Array(length)
      })
      await Promise.all(places.map((place) => runs.take(place)))
      return lengths
    }
    const mebi = 2 ** 20
    assert.deepEqual(
      await read(
        [
          { offset: 0, length: 10 },
          { offset: 15, length: 10 },
        ],
        4,
      ),
      [10, 10],
    )
    assert.deepEqual(
      await read(
        [
          { offset: 0, length: 10 },
          { offset: 15, length: 10 },
        ],
        5,
      ),
      [25],
    )
    assert.deepEqual(
      await read(
        [
          { offset: 0, length: 6 * mebi },
          { offset: 6 * mebi, length: 6 * mebi },
        ],
        5,
      ),
      [6 * mebi, 6 * mebi],
    )
    // A chunk that nobody announced is read all the same.
    assert.equal((await new ShardRuns([], 5, async () => shard).take({ offset: 0, length: 9 })).length, 4000)
  })
})
