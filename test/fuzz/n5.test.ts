import { describe } from 'node:test'
import zlib from 'node:zlib'
import { ConfigError } from '../../src/core/errors.ts'
import { fuzzTarget } from '../support/fuzz/fuzz-target.ts'

const dataset = {
  ...{ dimensions: [6, 5, 4], blockSize: [4, 3, 2], dataType: 'uint16', compression: { type: 'gzip', level: -1 } },
  ...{ resolution: [4, 4, 40], offset: [0, 8, 80], units: ['nm', 'nm', 'um'], axes: ['x', 'y', 'z'] },
}
const transform = {
  axes: ['z', 'y', 'x'],
  scale: [4.5, 4, 4],
  translate: [1, 2, 3],
  units: ['nm', 'nm', ''],
  ordering: 'C',
}
const blosc = { type: 'blosc', cname: 'lz4', clevel: 5, shuffle: 1, blocksize: 0 }

describe('N5', () => {
  fuzzTarget('n5-attributes', {
    kind: 'json',
    seeds: [
      { dataset, group: { pixelResolution: { unit: 'um', dimensions: [0.1, 0.1, 0.5] } } },
      { dataset: { ...dataset, resolution: null, downsamplingFactors: [2, 2, 1] }, group: { resolution: [4, 4, 40] } },
      { dataset: { ...dataset, resolution: null, transform, compression: blosc }, group: {} },
      { dataset: { ...dataset, compressionType: 'raw', compression: null, isLabelMultiset: false }, group: {} },
    ].map((each) => JSON.stringify(each)),
    dictionary: ['"lz4"', '"zstd"', '"useZlib":true', '"float64"', '"ordering":"F"', '1e400', '0'],
    codes: ['INVALID_METADATA', 'UNSUPPORTED', 'UNSUPPORTED_CODEC'],
    async load() {
      const { parseJsonObject } = await import('../../src/adapters/zarr/metadata/metadata.ts')
      const { asJsonObject } = await import('../../src/adapters/zarr/metadata/placement-attributes.ts')
      const { parseN5 } = await import('../../src/adapters/n5/n5-metadata.ts')
      const { n5Codec } = await import('../../src/adapters/n5/n5-blocks.ts')
      const { n5Axes, ownAttributes } = await import('../../src/adapters/n5/n5-placement.ts')
      const { placeAxes } = await import('../../src/core/geometry/placement.ts')
      return (input) => {
        const { dataset: json, group } = parseJsonObject(input, 'f')
        const metadata = parseN5(asJsonObject(json), 'f')
        n5Codec(metadata)
        ownAttributes(metadata.attributes)
        const { axes } = n5Axes(metadata.attributes, [asJsonObject(group)], metadata.shape.length)
        try {
          placeAxes(axes)
        } catch (error) {
          // Axes that are too long to be counted are refused as such.
          if (!(error instanceof ConfigError)) throw error
        }
      }
    },
  })

  const header = Buffer.from([0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 2])
  const voxels = Buffer.from([1, 2, 3, 4, 5, 6])
  const lz4 = Buffer.concat([
    Buffer.from('LZ4Block\u0016\u0006\0\0\0\u0006\0\0\0....', 'latin1'),
    voxels,
    Buffer.from('LZ4Block\u0016\0\0\0\0\0\0\0\0....', 'latin1'),
  ])

  for (const [compression, payload] of [
    ['raw', voxels],
    ['gzip', zlib.gzipSync(voxels)],
    ['lz4', lz4],
  ] as const) {
    fuzzTarget(`n5-blocks-${compression}`, {
      kind: 'bytes',
      seeds: [
        Buffer.concat([header, payload]),
        Buffer.concat([Buffer.from([0, 1]), header.subarray(2), Buffer.from([0, 0, 0, 6]), payload]),
      ],
      dictionary: ['LZ4Block', Uint8Array.of(0x26), Uint8Array.of(0, 2)],
      codes: [],
      async load() {
        const { parseN5 } = await import('../../src/adapters/n5/n5-metadata.ts')
        const { n5Blocks } = await import('../../src/adapters/n5/n5-blocks.ts')
        const { CodecError } = await import('../../src/adapters/codecs/codec.ts')
        const attributes = {
          dimensions: [9, 9],
          blockSize: [4, 3],
          dataType: 'uint8',
          compression: { type: compression },
        }
        const blocks = n5Blocks(parseN5(attributes, 'f'))
        return (input: Uint8Array) => {
          try {
            const decoded = blocks.decode(input, new Uint8Array(12), [0, 0])
            if (decoded.length !== 12) throw new Error(`a block has ${decoded.length} bytes`)
          } catch (error) {
            if (!(error instanceof CodecError)) throw error
          }
        }
      },
    })
  }
})
