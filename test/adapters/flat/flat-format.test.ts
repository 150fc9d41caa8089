import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { deflateSync, gzipSync } from 'node:zlib'
import { flatFormat } from '../../../src/adapters/flat/flat-format.ts'
import { roi } from '../../../src/core/geometry/roi.ts'
import { openArray } from '../../../src/entry/arrays.ts'
import type { ChunkedArray } from '../../../src/ports/chunked-array.ts'
import { npyBytes } from '../../support/flat-files.ts'
import { temporaryFolder } from '../../support/zarr.ts'

const ramp = (length: number) => Uint8Array.from({ length }, (_, i) => i)

async function fileWith(t: TestContext, name: string, content: Uint8Array | string): Promise<string> {
  const path = join(await temporaryFolder(t), name)
  writeFileSync(path, content)
  return path
}

const refused = (path: string, code: string, message: RegExp) =>
  assert.rejects(
    openArray(path).then((array) => array.close()),
    { code, message },
  )

const mrcHeader = (fields: Readonly<Record<number, number>>): Buffer => {
  const header = Buffer.alloc(1024)
  const all = { 0: 4, 4: 3, 8: 2, 12: 0, 28: 4, 32: 3, 36: 2, 64: 1, 68: 2, 72: 3, 88: 1, ...fields }
  for (const [at, value] of Object.entries(all)) header.writeInt32LE(value, Number(at))
  header.write('MAP DD\0\0', 208, 'latin1')
  return header
}

const nrrd = (lines: readonly string[], voxels: Uint8Array = ramp(24)): Buffer =>
  Buffer.concat([Buffer.from(`NRRD0004\n${lines.join('\n')}\n\n`), voxels])
const NRRD = ['type: uchar', 'dimension: 3', 'sizes: 4 3 2']

describe('a file with a header', () => {
  it('is recognised by its content, whatever its name', async (t) => {
    const path = await fileWith(t, 'tomogram.rec', Buffer.concat([mrcHeader({}), ramp(24)]))
    await using array = await openArray(path)
    assert.deepEqual([array.format, array.dtype, array.shape], ['mrc', 'int8', [2, 3, 4]])
  })

  it('of a name without that content or of another inner path is refused', async (t) => {
    await refused(
      await fileWith(t, 'a.nii', 'a text'),
      'INVALID_METADATA',
      /does not start as a file of the format nifti/,
    )
    const path = await fileWith(t, 'a.npy', npyBytes([3], 'uint8', ramp(3)))
    await refused(`${path}/raw`, 'NO_SUCH_DATASET', /contains a single array/)
    await refused(join(path, '..', 'none.mrc'), 'NO_SUCH_FILE', /There is no file .*none\.mrc/)
  })

  it('that was cut short is refused before a voxel is read, or at the voxel that is missing if it is compressed', async (t) => {
    const cut = await fileWith(t, 'a.npy', npyBytes([5], 'uint8', ramp(5)).subarray(0, -1))
    await refused(cut, 'INVALID_METADATA', /has 132 bytes, but .* need 133; the file was cut short/)
    const lines = [...NRRD, 'encoding: gzip']
    for (const [what, message] of [
      [gzipSync(ramp(23)), /ends after 23 of 24 bytes/],
      [gzipSync(ramp(24)).subarray(0, 12), /is corrupt: unexpected end of file/],
      [Buffer.from('no gzip at all'), /is corrupt: incorrect header/],
    ] as const) {
      await using array = await openArray(await fileWith(t, 'a.nrrd', nrrd(lines, what)))
      await assert.rejects(array.read(array.roi), { code: 'CORRUPT_DATA', message })
      // A second try fails as the first one did.
      await assert.rejects(array.read(array.roi), { code: 'CORRUPT_DATA', message })
    }
  })

  it('may not claim more than its compressed bytes can hold', async (t) => {
    const lines = ['type: uchar', 'dimension: 3', 'sizes: 100000 100000 100000', 'encoding: gzip']
    const path = await fileWith(t, 'a.nrrd', nrrd(lines, gzipSync(ramp(24))))
    await refused(path, 'INVALID_METADATA', /need at least 9689/)
  })

  it('leaves nothing in the folder for temporary files', async (t) => {
    const path = await fileWith(t, 'a.nrrd', nrrd([...NRRD, 'encoding: gzip'], gzipSync(ramp(24))))
    const temporary = await temporaryFolder(t)
    const before = process.env.TMPDIR
    process.env.TMPDIR = temporary
    t.after(() => {
      if (before === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = before
    })
    const array = await openArray(path)
    const { data } = await array.read(array.roi)
    assert.deepEqual(data, ramp(24))
    assert.deepEqual(readdirSync(temporary), [])
    await array.close()
  })

  it('names other files only in its own folder, unless that is allowed', async (t) => {
    const folder = await temporaryFolder(t)
    mkdirSync(join(folder, 'in'))
    writeFileSync(join(folder, 'secret.raw'), ramp(24))
    symlinkSync('../secret.raw', join(folder, 'in/link.raw'))
    for (const [name, data] of [
      ['up.nhdr', '../secret.raw'],
      ['absolute.nhdr', join(folder, 'secret.raw')],
      ['link.nhdr', 'link.raw'],
    ] as const) {
      const path = join(folder, 'in', name)
      writeFileSync(path, nrrd([...NRRD, `data file: ${data}`], new Uint8Array()))
      await refused(path, 'UNSUPPORTED', /outside its own folder; .*--allow-external/)
      await using array = await openArray(path, { allowExternal: true })
      assert.equal((await array.read(array.roi)).data[5], 5)
    }
    const gone = join(folder, 'in/gone.mhd')
    writeFileSync(
      gone,
      'ObjectType = Image\nNDims = 2\nDimSize = 2 2\nElementType = MET_UCHAR\nElementDataFile = gone.raw\n',
    )
    await refused(gone, 'NO_SUCH_FILE', /no file .*gone\.raw; .*gone\.mhd names it/)
  })

  it('V7: reads no file that a link has put elsewhere since its header was read', {
    skip: process.platform !== 'linux' && 'not noticed elsewhere',
  }, async (t) => {
    const folder = await temporaryFolder(t)
    mkdirSync(join(folder, 'in'))
    const path = join(folder, 'in/a.nhdr')
    const count = 80
    const files = Array.from({ length: count }, (_, z) => join(folder, `in/${z}.raw`))
    for (const file of [join(folder, 'secret'), ...files]) writeFileSync(file, ramp(12))
    const lines = ['type: uchar', 'dimension: 3', `sizes: 4 3 ${count}`, `data file: %d.raw 0 ${count - 1} 1`]
    writeFileSync(path, nrrd(lines, new Uint8Array()))
    const read = (array: ChunkedArray) =>
      array.readVoxels(roi<'voxel'>([0, 0, 0], array.shape), new Uint8Array(12 * count))
    await using array = await flatFormat().open(path, '')
    await using allowed = await flatFormat({ allowExternal: () => true }).open(path, '')
    // Most of the files are closed after a read.
    for (const each of [array, allowed]) await read(each)
    for (const file of files) {
      rmSync(file)
      symlinkSync('../secret', file)
    }
    const message =
      /has its voxels in a file that leads to ".*\.raw", outside the folder of the file; .*--allow-external/
    await assert.rejects(read(array), { code: 'UNSUPPORTED', message })
    await read(allowed)
  })

  it('is read across the files that its voxels lie in', async (t) => {
    const folder = await temporaryFolder(t)
    for (let z = 0; z < 20; z++)
      writeFileSync(
        join(folder, `${z}.raw`),
        Uint8Array.from({ length: 12 }, (_, i) => z + i),
      )
    const path = join(folder, 'a.nhdr')
    writeFileSync(
      path,
      nrrd(['type: uchar', 'dimension: 3', 'sizes: 4 3 20', 'data file: %d.raw 0 19 1'], new Uint8Array()),
    )
    const array = await flatFormat().open(path, '')
    const into = new Uint8Array(20 * 2 * 2)
    await array.readVoxels(roi<'voxel'>([0, 1, 2], [20, 2, 2]), into)
    assert.deepEqual([...into.subarray(0, 4)], [6, 7, 10, 11])
    assert.deepEqual([...into.subarray(76)], [25, 26, 29, 30])
    await array[Symbol.asyncDispose]()
  })

  it('of a MetaImage has its spacing in mm, its channels first, and its position where it is not turned', async (t) => {
    const lines = (matrix: string) =>
      [
        ...['ObjectType = Image', 'NDims = 2', 'DimSize = 2 3', 'ElementSpacing = 0.5 0.25', 'Offset = 1 2'],
        ...[
          `TransformMatrix = ${matrix}`,
          'ElementNumberOfChannels = 2',
          'ElementType = MET_UCHAR',
          'ElementDataFile = LOCAL\n',
        ],
      ].join('\n')
    for (const [matrix, offset] of [
      ['1 0 0 1', [1_875_000, 750_000]],
      ['0 1 1 0', [0, 0]],
    ] as const) {
      const path = await fileWith(t, 'a.mha', Buffer.concat([Buffer.from(lines(matrix)), ramp(12)]))
      await using array = await openArray(path)
      assert.deepEqual([array.shape, array.voxelSize, array.offset], [[2, 3, 2], [250_000, 500_000], offset])
      const { data } = await array.read(array.roi)
      assert.deepEqual([...data], [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11])
    }
  })

  it('of a MetaImage with a line of many blanks is refused at once', { timeout: 10_000 }, async (t) => {
    const line = `ElementType = a${' '.repeat(500_000)}b`
    const header = Buffer.from(`ObjectType = Image\r\n${line}\r\nElementDataFile = LOCAL\r\n`)
    await assert.rejects(openArray(await fileWith(t, 'a.mha', header)), { code: 'UNSUPPORTED' })
  })

  it('of more axes than any array has is refused, however many', { timeout: 20_000 }, async (t) => {
    const count = 300_000
    const ones = '1 '.repeat(count)
    const header = ['type: uchar', `dimension: ${count}`, `sizes: ${ones}`]
    await refused(await fileWith(t, 'a.nrrd', nrrd(header, ramp(1))), 'INVALID_METADATA', /has 300000 axes/)
    const lines = `ObjectType = Image\nNDims = ${count}\nDimSize = ${ones}\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n`
    await refused(await fileWith(t, 'a.mha', `${lines}\0`), 'INVALID_METADATA', /has 300000 axes/)
  })

  it('may have fields named like what every object has', async (t) => {
    const nrrd = (type: string) =>
      `NRRD0004\ntype: ${type}\ndimension: 1\nsizes: 4\nencoding: raw\nspacings: 2\nunits: "constructor"\n\n1234`
    await assert.rejects(openArray(await fileWith(t, 'a.nrrd', Buffer.from(nrrd('constructor')))), {
      code: 'UNSUPPORTED',
    })
    await using array = await openArray(await fileWith(t, 'b.nrrd', Buffer.from(nrrd('uint8'))))
    assert.deepEqual(array.voxelSize, [2])
    await assert.rejects(
      openArray(
        await fileWith(t, 'c.mha', Buffer.from('NDims = 1\nElementType = toString\nElementDataFile = LOCAL\n')),
      ),
      { code: 'UNSUPPORTED' },
    )
  })

  it('of bytes that IMOD marked as unsigned has uint8 voxels', async (t) => {
    const stamped = Buffer.concat([mrcHeader({ 152: 1146047817, 156: 0 }), ramp(24)])
    await using array = await openArray(await fileWith(t, 'a.mrc', stamped))
    assert.equal(array.dtype, 'uint8')
    const signed = Buffer.concat([mrcHeader({ 152: 1146047817, 156: 1 }), ramp(24)])
    await using other = await openArray(await fileWith(t, 'b.mrc', signed))
    assert.equal(other.dtype, 'int8')
  })

  it('of elements, an encoding or axes that Bellis does not know is refused by name', async (t) => {
    for (const [name, content, message] of [
      ['a.mrc', mrcHeader({ 12: 4 }), /contains complex floats/],
      ['b.mrc', mrcHeader({ 12: 77 }), /unknown mode 77/],
      ['c.mrc', mrcHeader({ 0: -4 }), /axes of -4 × 3 × 2 voxels/],
      ['a.nrrd', nrrd([...NRRD, 'encoding: hex']), /is encoded as hex/],
      ['b.nrrd', nrrd(['type: block', 'dimension: 1', 'sizes: 4']), /the type "block"/],
      ['c.nrrd', nrrd(['type: uchar', 'dimension: 2', 'sizes: 4']), /1 sizes for the dimension 2/],
      ['d.nrrd', nrrd(['type: uchar', 'dimension: 1', 'sizes: 1e300']), /axes of 1e\+300 voxels/],
      ['a.npy', npyBytes([3], 'uint8', ramp(3)).toString('latin1').replace("'|u1'", "'|S1'"), /of type '\|S1'/],
      ['b.npy', npyBytes([3], 'uint8', ramp(3)).toString('latin1').replace('(3,)', '()  '), /is a single value/],
    ] as const) {
      const path = await fileWith(t, name, typeof content === 'string' ? Buffer.from(content, 'latin1') : content)
      await assert.rejects(openArray(path), { name: 'ConfigError', message })
    }
  })
})

describe('a compressed header', () => {
  it('that is damaged is reported as damaged', async (t) => {
    await refused(await fileWith(t, 'a.nii.gz', gzipSync(ramp(50)).subarray(0, 30)), 'CORRUPT_DATA', /is corrupt/)
    await refused(await fileWith(t, 'b.nii.gz', deflateSync(ramp(50))), 'INVALID_METADATA', /does not start as/)
  })
})
