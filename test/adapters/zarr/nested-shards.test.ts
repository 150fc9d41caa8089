import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { makeChunkCodec } from '../../../src/adapters/zarr/chunks/make-chunk-codec.ts'
import { compressorsOf } from '../../../src/adapters/zarr/metadata/metadata.ts'
import { parseV3Metadata } from '../../../src/adapters/zarr/metadata/metadata-v3.ts'
import { ConfigError } from '../../../src/core/errors.ts'

const bytes = { name: 'bytes', configuration: { endian: 'little' } }
const sharding = (chunkShape: readonly number[], codecs: readonly object[]) => ({
  name: 'sharding_indexed',
  configuration: { chunk_shape: chunkShape, codecs, index_codecs: [bytes, { name: 'crc32c' }] },
})
const metadataOf = (chunkShape: readonly number[], codecs: readonly object[], shape: readonly number[] = [8, 8]) => ({
  ...{ zarr_format: 3, node_type: 'array', shape, data_type: 'uint16', fill_value: 7, attributes: {} },
  chunk_grid: { name: 'regular', configuration: { chunk_shape: chunkShape } },
  chunk_key_encoding: { name: 'default' },
  codecs,
})
const parse = (...metadata: Parameters<typeof metadataOf>) => {
  const { chunk, shard, fill } = parseV3Metadata(metadataOf(...metadata) as never, 'a')
  return { chunk, shard, codec: makeChunkCodec(chunk, fill.bytes) }
}
/** Of 4 × 4 voxels, in chunks of 2 × 2. */
const nested = () => parse([8, 8], [sharding([4, 4], [sharding([2, 2], [bytes, { name: 'gzip' }])])]).codec

describe('a shard in a shard', () => {
  it('leaves out chunks of the fill value alone, and has it there', () => {
    const codec = nested()
    const voxels = new Uint16Array(16).fill(7)
    voxels[5] = 1
    const plain = new Uint8Array(voxels.buffer)
    const encoded = codec.encode(plain, undefined, [0, 0])
    const empty = codec.encode(new Uint8Array(new Uint16Array(16).fill(7).buffer), undefined, [0, 0])
    // The index alone: four places and a checksum.
    assert.equal(empty.length, 4 * 16 + 4)
    assert.deepEqual(new Uint8Array(codec.decode(encoded, new Uint8Array(32).fill(0xee), [0, 0])), plain)
    assert.deepEqual(
      new Uint16Array(new Uint8Array(codec.decode(empty, undefined, [0, 0])).buffer),
      new Uint16Array(16).fill(7),
    )
  })

  it('is refused if its index is damaged or cut short', () => {
    const codec = nested()
    const encoded = codec.encode(new Uint8Array(32).fill(3), undefined, [0, 0])
    for (const damage of [1, 30, 63]) {
      const damaged = Uint8Array.from(encoded)
      const at = damaged.length - damage
      damaged[at] = (damaged[at] as number) ^ 1
      assert.throws(() => codec.decode(damaged, undefined, [0, 0]), /its shard index is damaged/)
    }
    assert.throws(
      () => codec.decode(encoded.subarray(0, 20), undefined, [0, 0]),
      /its shard index has 20 bytes, expected 68/,
    )
  })

  it('names the codecs of its innermost chunks and its own', () => {
    const inner = sharding([2, 2], [bytes, { name: 'gzip' }])
    const { chunk, shard } = parse([8, 8], [sharding([4, 4], [inner, { name: 'zstd' }]), { name: 'crc32c' }])
    const names = compressorsOf({ chunk, ...(shard && { shard }) }).map(({ name }) => name)
    assert.deepEqual(names, ['gzip', 'zstd', 'crc32c'])
  })

  it('takes no memory when it is opened, and must consist of whole chunks', () => {
    const large = [2 ** 40, 2 ** 40]
    parse(large, [sharding(large, [sharding([1, 1], [bytes])])], large)
    assert.throws(() => parse([8, 8], [sharding([4, 4], [sharding([3, 2], [bytes])])]), ConfigError)
  })
})
