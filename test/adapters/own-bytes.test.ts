import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CodecError } from '../../src/adapters/codecs/codec.ts'
import { n5Blocks } from '../../src/adapters/n5/n5-blocks.ts'
import { decodeCompressedSegmentation } from '../../src/adapters/precomputed/compressed-segmentation.ts'
import { filterCodec } from '../../src/adapters/zarr/codecs/filters.ts'

// Node gives many of its bytes as a Buffer, whose `slice` is a view, also of memory that belongs to others.
describe('bytes that are given as a Buffer', () => {
  it('are not changed by decoding them', () => {
    const metadata = { shape: [2], blockShape: [2], dtype: 'uint16', compressor: undefined, attributes: {} } as const
    const block = Buffer.of(0, 0, 0, 1, 0, 0, 0, 2, 0, 7, 1, 0)
    const before = Buffer.from(block)
    assert.deepEqual([...n5Blocks(metadata).decode(block, undefined, [0])], [7, 0, 0, 1])
    assert.deepEqual(block, before)
    const elements = Buffer.of(1, 2, 3, 4)
    assert.deepEqual([...filterCodec({ name: 'byteswap', size: 2 }).decode(elements, { atMost: 4 })], [2, 1, 4, 3])
    assert.deepEqual([...elements], [1, 2, 3, 4])
  })

  it('are read up to their end, not to that of the memory in which they lie', () => {
    // The labels of the one block would lie behind the end.
    const memory = Buffer.alloc(4096, 1)
    const bytes = memory.subarray(0, 12)
    bytes.fill(0)
    bytes.writeUInt32LE(1, 0)
    bytes.writeUInt32LE(3, 4)
    assert.throws(() => decodeCompressedSegmentation(bytes, [2, 2, 2], 1, [2, 2, 2], 1), CodecError)
  })
})
