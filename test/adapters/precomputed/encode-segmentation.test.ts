import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decodeCompressedSegmentation } from '../../../src/adapters/precomputed/compressed-segmentation.ts'
import {
  encodeCompressedSegmentation,
  fitsTables,
  mostWords,
} from '../../../src/adapters/precomputed/encode-segmentation.ts'
import { bytesOf } from '../../../src/core/array/dtype.ts'

const triple = (most: number) =>
  fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: 1, max: most }))) as fc.Arbitrary<[number, number, number]>

describe('compressed segmentation', () => {
  it('is decoded to the labels that were encoded, in any shape, with any number of labels', () => {
    const kinds = fc.record({
      shape: triple(12),
      block: triple(9),
      channels: fc.integer({ min: 1, max: 3 }),
      labelWords: fc.constantFrom(1 as const, 2 as const),
      labels: fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { minLength: 1, maxLength: 400 }),
      seed: fc.integer({ min: 1, max: 2 ** 30 }),
    })
    fc.assert(
      fc.property(kinds, ({ shape, block, channels, labelWords, labels, seed }) => {
        let state = seed
        const next = () => {
          state = (Math.imul(state, 1103515245) + 12345) >>> 0
          return labels[(state >>> 8) % labels.length] as bigint
        }
        const count = channels * shape[0] * shape[1] * shape[2]
        const voxels =
          labelWords === 2
            ? BigUint64Array.from({ length: count }, next)
            : Uint32Array.from({ length: count }, () => Number(BigInt.asUintN(32, next())))
        const encoded = encodeCompressedSegmentation(bytesOf(voxels), shape, channels, block, labelWords)
        const decoded = decodeCompressedSegmentation(encoded, shape, channels, block, labelWords)
        assert.deepEqual(decoded, new Uint8Array(bytesOf(voxels)))
        assert.ok(encoded.length / 4 <= channels * (1 + mostWords(shape, block, labelWords)))
      }),
      { numRuns: 200 },
    )
  })

  it('has one table for blocks with the same labels, and no indices for blocks of one', () => {
    const voxels = new BigUint64Array(16 ** 3).fill(7n)
    const encoded = encodeCompressedSegmentation(bytesOf(voxels), [16, 16, 16], 1, [8, 8, 8], 2)
    // Where the channel is, two words for each of eight blocks, and one label.
    assert.equal(encoded.length, 4 * (1 + 8 * 2 + 2))
  })

  it('is not for chunks whose labels may not fit', () => {
    assert.ok(fitsTables([128, 128, 128], [8, 8, 8], 2))
    assert.ok(!fitsTables([256, 256, 256], [8, 8, 8], 1))
  })
})
