import { readFileSync } from 'node:fs'
import { describe } from 'node:test'
import { fuzzTarget } from '../support/fuzz/fuzz-target.ts'
import { GREY_JPEG } from '../support/images.ts'

const sharding = {
  ...{
    '@type': 'neuroglancer_uint64_sharded_v1',
    hash: 'murmurhash3_x86_128',
    preshift_bits: 1,
    minishard_bits: 3,
    shard_bits: 5,
  },
  ...{ minishard_index_encoding: 'gzip', data_encoding: 'raw' },
}
const scale = {
  ...{ key: '4_4_40', size: [6, 5, 4], resolution: [4.5, 4, 40], voxel_offset: [1, -2, 3], chunk_sizes: [[4, 3, 2]] },
  ...{ encoding: 'compressed_segmentation', compressed_segmentation_block_size: [8, 8, 8], sharding },
}
const info = {
  '@type': 'neuroglancer_multiscale_volume',
  type: 'segmentation',
  data_type: 'uint64',
  num_channels: 2,
  scales: [scale],
}

describe('precomputed volumes', () => {
  fuzzTarget('precomputed-info', {
    kind: 'json',
    seeds: [
      info,
      {
        ...info,
        data_type: 'uint8',
        scales: [
          { ...scale, encoding: 'png' },
          { ...scale, key: 'b', encoding: 'raw' },
        ],
      },
    ].map((each) => JSON.stringify(each)),
    dictionary: ['"jpeg"', '"../x"', '"identity"', '1e400', '64', '0.5'],
    codes: ['INVALID_METADATA', 'UNSUPPORTED', 'UNSUPPORTED_CODEC'],
    async load() {
      const { parseJsonObject } = await import('../../src/adapters/zarr/metadata/metadata.ts')
      const { parseInfo, parseScale, scaleKeys } = await import('../../src/adapters/precomputed/volume-info.ts')
      const { placeOfChunk, mortonCode } = await import('../../src/adapters/precomputed/sharding.ts')
      return (input) => {
        const volume = parseInfo(parseJsonObject(input, 'info'), 'info')
        for (const key of scaleKeys(volume)) {
          const { sharding: shards, size, chunkSize } = parseScale(volume, key, 'info')
          const grid = size.map((length, axis) => Math.ceil(length / (chunkSize[axis] as number)))
          if (shards !== undefined) placeOfChunk(mortonCode([0, 0, 0], grid), shards)
        }
      }
    },
  })

  const words = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer)

  fuzzTarget('compressed-segmentation', {
    kind: 'bytes',
    seeds: [
      // One block without indices, and one with an index of one bit for each voxel.
      words(1, 2, 0, 7),
      words(1, (1 << 24) | 2, 4, 7, 9, 0b10110100),
    ],
    dictionary: [Uint8Array.of(32), Uint8Array.of(255, 255, 255, 2)],
    codes: [],
    async load() {
      const { decodeCompressedSegmentation } = await import('../../src/adapters/precomputed/compressed-segmentation.ts')
      const { CodecError } = await import('../../src/adapters/codecs/codec.ts')
      return (input) => {
        for (const labelWords of [1, 2] as const) {
          try {
            decodeCompressedSegmentation(input, [2, 2, 2], 1, [2, 2, 2], labelWords)
          } catch (error) {
            if (!(error instanceof CodecError)) throw error
          }
        }
      }
    },
  })

  fuzzTarget('jpeg', {
    kind: 'bytes',
    seeds: [GREY_JPEG, readFileSync(new URL('../adapters/jpeg/fixtures/grey.jpg', import.meta.url))],
    dictionary: [
      Uint8Array.of(255, 0xc0),
      Uint8Array.of(255, 0xc2),
      Uint8Array.of(255, 0xc4),
      Uint8Array.of(255, 0xda),
      Uint8Array.of(255, 0xd0),
    ],
    codes: [],
    async load() {
      const { decodeJpeg } = await import('../../src/adapters/jpeg/jpeg-file.ts')
      const { CodecError } = await import('../../src/adapters/codecs/codec.ts')
      return (input) => {
        try {
          decodeJpeg(input, ({ width, height }) => {
            if (width * height > 4096) throw new CodecError('too large')
          })
        } catch (error) {
          if (!(error instanceof CodecError)) throw error
        }
      }
    },
  })

  fuzzTarget('precomputed-minishards', {
    kind: 'bytes',
    seeds: [Buffer.from(BigUint64Array.from([3n, 2n, 0n, 10n, 4n, 5n]).buffer)],
    dictionary: [Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255)],
    codes: [],
    async load() {
      const { parseMinishard } = await import('../../src/adapters/precomputed/sharded-reading.ts')
      const { CodecError } = await import('../../src/adapters/codecs/codec.ts')
      return (input) => {
        try {
          parseMinishard(input, 128)
        } catch (error) {
          if (!(error instanceof CodecError)) throw error
        }
      }
    },
  })
})
