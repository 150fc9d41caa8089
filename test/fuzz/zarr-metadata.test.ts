import { describe } from 'node:test'
import type { Store } from '../../src/adapters/zarr/store.ts'
import { ConfigError } from '../../src/core/errors.ts'
import { fuzzTarget } from '../support/fuzz/fuzz-target.ts'

const zarray = {
  ...{ zarr_format: 2, shape: [20, 30], chunks: [10, 10], dtype: '<u2', order: 'C', filters: null, fill_value: 0 },
  ...{ compressor: { id: 'blosc', cname: 'lz4', clevel: 5, shuffle: 1, blocksize: 0 }, dimension_separator: '/' },
}
const level = (path: string, scale: number) => ({
  path,
  coordinateTransformations: [
    { type: 'scale', scale: [scale, scale] },
    { type: 'translation', translation: [0.5, 1e3] },
  ],
})
const axes = [
  { name: 'y', type: 'space', unit: 'nanometer' },
  { name: 'x', type: 'space', unit: 'micrometers' },
]
const multiscales = [
  { version: '0.4', name: 'a', axes, datasets: [level('a', 4.6), level('b', 9.2)], coordinateTransformations: [] },
]
const placement = {
  resolution: [4.6, 4], offset: [8, 0], units: ['nm', 'um'], axis_names: ['c^', 'x'], types: ['channel', 'space'],
  _ARRAY_DIMENSIONS: ['y', 'x'], dimension_units: ['4 nm', null],
} // biome-ignore format: a table
const bytes = { name: 'bytes', configuration: { endian: 'little' } }
const sharding = {
  name: 'sharding_indexed',
  configuration: {
    chunk_shape: [5, 5],
    codecs: [bytes, { name: 'zstd', configuration: { level: 3, checksum: false } }],
    index_codecs: [bytes, { name: 'crc32c' }],
    index_location: 'start',
  },
}
const nested = {
  name: 'sharding_indexed',
  configuration: {
    ...sharding.configuration,
    codecs: [{ ...sharding, configuration: { ...sharding.configuration, chunk_shape: [5, 1] } }],
  },
}
const v3 = (codecs: unknown, attributes: object = {}) => ({
  ...{ zarr_format: 3, node_type: 'array', shape: [20, 30], data_type: 'float32', fill_value: 'NaN', attributes },
  chunk_grid: { name: 'regular', configuration: { chunk_shape: [10, 10] } },
  chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
  ...{ codecs, dimension_names: ['y', null], storage_transformers: [] },
})
const blosc = {
  name: 'blosc',
  configuration: { cname: 'zstd', clevel: 5, shuffle: 'bitshuffle', typesize: 4, blocksize: 0 },
}
const transpose = { name: 'transpose', configuration: { order: [1, 0] } }
const WORDS = ['"NaN"', '"-Infinity"', '"0x7fc00000"', '"AAAAAA=="', '1e400', '"|b1"', '">f8"', '"F"', '"v2"', '"gzip"']
const CODES = ['INVALID_METADATA', 'UNSUPPORTED', 'UNSUPPORTED_CODEC'] as const

describe('the metadata of Zarr', () => {
  fuzzTarget('zarr-v2-metadata', {
    kind: 'json',
    seeds: [
      { zarray, zattrs: placement, group: { multiscales } },
      {
        zarray: { ...zarray, dtype: '>f4', fill_value: 'NaN', compressor: { id: 'zstd', level: 3 }, order: 'F' },
        zattrs: {},
      },
      {
        zarray: { ...zarray, dtype: '|b1', fill_value: true, compressor: { id: 'gzip', level: 1 } },
        zattrs: { voxel_size: [1] },
      },
      {
        zarray: { ...zarray, dtype: '<i8', compressor: null, filters: [{ id: 'delta', dtype: '<i8', astype: '<i4' }] },
        zattrs: {},
      },
      {
        zarray: {
          ...{ ...zarray, dtype: '<f4', compressor: { id: 'bz2', level: 1 } },
          filters: [
            { id: 'fixedscaleoffset', scale: 10, offset: 0.5, dtype: '<f4', astype: '|u1' },
            { id: 'shuffle', elementsize: 4 },
          ],
        },
        zattrs: {},
      },
      { zarray: { ...zarray, compressor: { id: 'lz4', acceleration: 1 } }, group: {} },
    ].map((each) => JSON.stringify(each)),
    dictionary: WORDS,
    codes: CODES,
    async load() {
      const { parseJsonObject } = await import('../../src/adapters/zarr/metadata/metadata.ts')
      const { parseV2Metadata, toV2Json } = await import('../../src/adapters/zarr/metadata/metadata-v2.ts')
      const { asJsonObject } = await import('../../src/adapters/zarr/metadata/placement-attributes.ts')
      const describeArray = await arrayDescriber()
      return (input) => {
        const { zarray, zattrs, group } = parseJsonObject(input, 'f')
        const metadata = parseV2Metadata(asJsonObject(zarray), asJsonObject(zattrs), 'f')
        toV2Json(metadata)
        describeArray(metadata, asJsonObject(group))
      }
    },
  })

  fuzzTarget('zarr-v3-metadata', {
    kind: 'json',
    seeds: [
      { array: v3([bytes, blosc], placement), group: { ome: { version: '0.5', multiscales } } },
      { array: v3([sharding, { name: 'gzip', configuration: { level: 1 } }]), group: {} },
      { array: v3([nested]), group: {} },
      { array: { ...v3([transpose, bytes, 'crc32c']), chunk_key_encoding: 'v2' }, group: {} },
      {
        array: {
          ...v3(['bytes', { name: 'numcodecs.zlib', configuration: { level: 1 } }]),
          data_type: 'uint8',
          fill_value: 255,
        },
      },
    ].map((each) => JSON.stringify(each)),
    dictionary: WORDS,
    codes: CODES,
    async load() {
      const { parseJsonObject } = await import('../../src/adapters/zarr/metadata/metadata.ts')
      const { parseV3Metadata, toV3Json } = await import('../../src/adapters/zarr/metadata/metadata-v3.ts')
      const { asJsonObject } = await import('../../src/adapters/zarr/metadata/placement-attributes.ts')
      const describeArray = await arrayDescriber()
      return (input) => {
        const { array, group } = parseJsonObject(input, 'f')
        const metadata = parseV3Metadata(asJsonObject(array), 'f')
        toV3Json(metadata)
        describeArray(metadata, asJsonObject(group))
      }
    },
  })

  fuzzTarget('zarr-consolidated-metadata', {
    kind: 'json',
    seeds: [
      JSON.stringify({
        '.zmetadata': { metadata: { 'a/.zarray': zarray, 'b/.zgroup': {}, '.zattrs': { multiscales } } },
      }),
      JSON.stringify({
        'zarr.json': {
          ...{ zarr_format: 3, node_type: 'group', attributes: { ome: { multiscales } } },
          consolidated_metadata: { metadata: { a: v3([bytes]), b: { node_type: 'group' } } },
        },
      }),
    ],
    codes: CODES,
    async load() {
      const { listNodes, readNode, finestDataset } = await import('../../src/adapters/zarr/metadata/hierarchy.ts')
      const { refreshConsolidated } = await import('../../src/adapters/zarr/metadata/consolidated.ts')
      const { placeInOme, withoutOme } = await import('../../src/adapters/zarr/metadata/ome.ts')
      const { parseJsonObject } = await import('../../src/adapters/zarr/metadata/metadata.ts')
      const { stringifyJson } = await import('../../src/adapters/zarr/metadata/exact-json.ts')
      return async (input) => {
        const files = Object.entries(parseJsonObject(input, 'f'))
        const store = memoryFiles(
          new Map(files.map(([name, json]) => [name, new TextEncoder().encode(stringifyJson(json))])),
        )
        for (const { path } of await listNodes(store, '', 1000)) await readNode(store, path)
        const node = await readNode(store, '')
        if (node?.kind === 'group') {
          finestDataset(node.attributes)
          withoutOme(node.attributes, 'a')
          placeInOme(
            node.attributes,
            { path: 'c', axes: [{ name: 'x', type: 'space', unit: 'nm', scale: 2 }] },
            node.zarrFormat,
          )
        }
        await refreshConsolidated(store, 'a', new Map([['a/.zarray', {}]]))
      }
    },
  })

  fuzzTarget('exact-json', {
    kind: 'json',
    seeds: [
      '{"a":[1.0,NaN,-Infinity,18446744073709551615,1e-7,"non-finite-0:NaN"],"b":{"":null}}',
      '[0.1e1, -0, "\\u004eaN"]',
      'NaN',
    ],
    dictionary: ['NaN', '-Infinity', 'Infinity', '1.0', '-0', '1e400', '"non-finite-0:', '\\u', '"__proto__":', '\\"'],
    codes: [],
    isRefusal: (error) => error instanceof SyntaxError,
    async load() {
      const { parseJson, plainCopy, stringifyJson } = await import('../../src/adapters/zarr/metadata/exact-json.ts')
      return (input) => {
        const value = parseJson(new TextDecoder().decode(input))
        plainCopy(value)
        const text = stringifyJson(value)
        if (stringifyJson(parseJson(text)) !== text)
          throw new Error(`written, read and written again it is another text`)
      }
    },
  })
})

/** Everything that opening an array makes of its metadata. */
async function arrayDescriber() {
  const { readAxes, withoutPlacement } = await import('../../src/adapters/zarr/metadata/placement-attributes.ts')
  const { readOmeAxes } = await import('../../src/adapters/zarr/metadata/ome.ts')
  const { makeChunkCodec } = await import('../../src/adapters/zarr/chunks/make-chunk-codec.ts')
  const { placeAxes } = await import('../../src/core/geometry/placement.ts')
  const { soundAxes } = await import('../../src/core/geometry/sound-axes.ts')
  type Metadata = import('../../src/adapters/zarr/metadata/metadata.ts').ZarrMetadata
  return (metadata: Metadata, group: Parameters<typeof readOmeAxes>[0]): void => {
    const { axes } = readOmeAxes(group, 'a', metadata.shape.length) ?? soundAxes(readAxes(metadata))
    makeChunkCodec(metadata.chunk, metadata.fill.bytes)
    withoutPlacement(metadata.attributes)
    try {
      placeAxes(axes)
    } catch (error) {
      // Axes that are too long to be counted are refused as such.
      if (!(error instanceof ConfigError)) throw error
    }
  }
}

/** A store over http: nothing can be listed. */
function memoryFiles(files: Map<string, Uint8Array>): Store {
  return {
    writable: true,
    where: (key) => key,
    get: async (key) => files.get(key),
    open: async () => undefined,
    put: async (key, parts) => void files.set(key, Buffer.concat(parts)),
    remove: async () => {},
    list: async () => undefined,
  }
}
