import { describe } from 'node:test'
import type { FlatKind } from '../../src/adapters/flat/flat-layout.ts'
import type { ByteFile } from '../../src/ports/byte-file.ts'
import { npyBytes } from '../support/flat-files.ts'
import { fuzzTarget } from '../support/fuzz/fuzz-target.ts'

// INVALID_COORDINATE: a place that can't be counted in the unit of the header.
const CODES = ['INVALID_METADATA', 'UNSUPPORTED', 'INVALID_COORDINATE'] as const

const NOTHING = { [Symbol.dispose]() {} }
const EMPTY: ByteFile = {
  ...{ path: 'f', byteLength: 0, id: 'f', isRemote: false },
  read: () => 0,
  load: async () => NOTHING,
  ...NOTHING,
}

/** Reads the header of an input, and what its layout says of the place of the voxels. */
const parserOf = (load: () => Promise<FlatKind>) => async () => {
  const kind = await load()
  const { VoxelBytes } = await import('../../src/adapters/flat/voxel-bytes.ts')
  const { FlatArray } = await import('../../src/adapters/flat/flat-array.ts')
  const { placeAxes } = await import('../../src/core/geometry/placement.ts')
  return async (input: Uint8Array) => {
    const bytes = Buffer.from(input)
    const start = async (length: number) => bytes.subarray(0, length)
    const source = { path: 'f', start, compressed: false, beside: () => 'g', sizeOf: async () => 2 ** 40 }
    const layout = await kind.read(source)
    const voxels = new VoxelBytes(layout.stretches, layout.packing, async () => EMPTY)
    await using array = new FlatArray('f', kind.format, layout, voxels)
    placeAxes(array.axes)
    await voxels.assertComplete('f')
  }
}

const nifti = (fields: readonly (readonly [number, number])[], magic: string): Uint8Array => {
  const header = Buffer.alloc(360)
  header.writeInt32LE(348, 0)
  for (const [at, value] of [...[3, 4, 5, 6].map((n, i) => [40 + 2 * i, n] as const), ...fields])
    header.writeInt16LE(value, at)
  for (const [at, value] of [
    [80, 0.5],
    [84, 1],
    [88, 2],
    [108, 352],
    [112, 1],
  ] as const)
    header.writeFloatLE(value, at)
  header.write(magic, 344, 'latin1')
  return header
}

const mrc = (mode: number, spaceGroup: number): Uint8Array => {
  const header = Buffer.alloc(1024)
  for (const [i, value] of [4, 3, 2, mode, 0, 0, 0, 4, 3, 2].entries()) header.writeInt32LE(value, 4 * i)
  for (const [i, value] of [1, 2, 3].entries()) header.writeInt32LE(value, 64 + 4 * i)
  header.writeInt32LE(spaceGroup, 88)
  header.write('MAP DD\0\0', 208, 'latin1')
  return header
}

describe('headers of single files', () => {
  fuzzTarget('npy-headers', {
    kind: 'bytes',
    seeds: [
      npyBytes([2, 3], 'uint16', new Uint16Array(6)),
      npyBytes([4], 'float64', new Float64Array(4), { order: 'F' }),
    ],
    dictionary: ["'descr': '<f8'", "'shape': (", 'True', "'|S1'", '9007199254740993'],
    codes: CODES,
    load: parserOf(async () => (await import('../../src/adapters/flat/npy.ts')).npy),
  })

  fuzzTarget('mrc-headers', {
    kind: 'bytes',
    seeds: [mrc(0, 1), mrc(2, 0), mrc(6, 401)],
    dictionary: [Uint8Array.of(0x11, 0x11), Uint8Array.of(0, 0, 0, 0x80), 'MAP '],
    codes: CODES,
    load: parserOf(async () => (await import('../../src/adapters/flat/mrc.ts')).mrc),
  })

  fuzzTarget('nifti-headers', {
    kind: 'bytes',
    seeds: [
      nifti(
        [
          [70, 4],
          [252, 1],
        ],
        'n+1\0',
      ),
      nifti(
        [
          [70, 128],
          [254, 1],
        ],
        'ni1\0',
      ),
    ],
    dictionary: ['n+2\0', 'ni1\0', Uint8Array.of(0, 0, 0, 0x7f), Uint8Array.of(0, 0, 0xc0, 0x7f)],
    codes: CODES,
    load: parserOf(async () => (await import('../../src/adapters/flat/nifti.ts')).nifti),
  })

  fuzzTarget('nrrd-headers', {
    kind: 'bytes',
    seeds: [
      'NRRD0004\ntype: uchar\ndimension: 3\nsizes: 4 3 2\nencoding: raw\nspace directions: (1,0,0) (0,2,0) none\nspace origin: (1,2)\nkinds: domain domain vector\nkey:=value\n\n',
      'NRRD0005\ntype: double\ndimension: 2\nsizes: 4 6\nspacings: 4 nan\nunits: "nm" "mm"\nendian: big\nbyte skip: -1\ndata file: a%03d.raw 1 6 1\n',
      'NRRD0001\ntype: short\ndimension: 1\nsizes: 4\nencoding: gz\ndata file: LIST\na.raw\nb.raw\n',
    ],
    dictionary: ['space units: ', '"um"', 'line skip: ', '1e308', '-1', '%d', ' 1 1000001 1'],
    codes: CODES,
    load: parserOf(async () => (await import('../../src/adapters/flat/nrrd.ts')).nrrd),
  })

  fuzzTarget('metaimage-headers', {
    kind: 'bytes',
    seeds: [
      'ObjectType = Image\nNDims = 2\nDimSize = 2 3\nElementSpacing = 0.5 0.25\nOffset = 1 2\nTransformMatrix = 1 0 0 1\nElementType = MET_USHORT\nElementDataFile = LOCAL\n',
      'NDims = 3\nDimSize = 2 3 4\nHeaderSize = -1\nElementNumberOfChannels = 2\nCompressedData = True\nElementType = MET_FLOAT\nElementDataFile = a.raw\n',
    ],
    dictionary: ['BinaryDataByteOrderMSB = True\n', 'ElementSize = ', 'LIST', '%03d', '1e308'],
    codes: CODES,
    load: parserOf(async () => (await import('../../src/adapters/flat/metaimage.ts')).metaImage),
  })
})
