import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe } from 'node:test'
import { fuzzTarget } from '../support/fuzz/fuzz-target.ts'
import { tiffBytes } from '../support/tiff-files.ts'

const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'bellis-fuzz-tiff-'))
after(() => rmSync(folder, { recursive: true }))

const data = Uint8Array.from({ length: 12 }, (_, i) => i)
const pixels = '<Pixels DimensionOrder="XYZCT" SizeC="1" SizeT="1" SizeZ="2" PhysicalSizeX="4" PhysicalSizeXUnit="nm">'

describe('TIFF files', () => {
  fuzzTarget('tiff-files', {
    kind: 'bytes',
    seeds: [
      tiffBytes([{ fields: {}, data }]),
      tiffBytes([
        { fields: { 259: 5, 317: 2 }, data },
        { fields: { 259: 8 }, data },
      ]),
      tiffBytes([
        { fields: { 259: 32773 }, data, description: 'ImageJ=1.5\nimages=2\nslices=2\nunit=um\nspacing=2\n' },
      ]),
      tiffBytes([
        {
          fields: { 322: 16, 323: 16, 324: 8, 325: 12 },
          data,
          description: `<OME>${pixels}<TiffData IFD="0"/></Pixels></OME>`,
        },
      ]),
    ],
    dictionary: [
      'II+\0\u0008\0\0\0',
      'MM\0*',
      '<TiffData FirstZ="1" IFD="0">',
      'PlaneCount="9"',
      'channels=3',
      Uint8Array.of(80, 195),
      'SizeT="70000"',
    ],
    codes: ['INVALID_METADATA', 'UNSUPPORTED', 'CORRUPT_DATA', 'INVALID_COORDINATE'],
    async load() {
      const { tiffFormat } = await import('../../src/adapters/tiff/tiff-format.ts')
      const { typedArray } = await import('../../src/core/array/dtype.ts')
      const { placeAxes } = await import('../../src/core/geometry/placement.ts')
      const path = join(folder, 'a.tif')
      return async (input: Uint8Array) => {
        writeFileSync(path, input)
        await using array = await tiffFormat().open(path, '')
        placeAxes(array.axes)
        // A corner is enough to reach the decoders.
        const shape = array.shape.map((length) => Math.min(length, 3))
        const count = shape.reduce((product, length) => product * length, 1)
        await array.readVoxels({ offset: shape.map(() => 0), shape }, typedArray(array.dtype, count))
      }
    },
  })
})
