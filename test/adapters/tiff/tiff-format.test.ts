import assert from 'node:assert/strict'
import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { deflateSync } from 'node:zlib'
import { decodeLzw } from '../../../src/adapters/tiff/lzw.ts'
import { openArray } from '../../../src/entry/arrays.ts'
import { type TiffFields, tiffBytes } from '../../support/tiff-files.ts'
import { temporaryFolder } from '../../support/zarr.ts'

async function fileWith(t: TestContext, content: Uint8Array, name = 'a.tif'): Promise<string> {
  const path = join(await temporaryFolder(t), name)
  writeFileSync(path, content)
  return path
}

const ramp = Uint8Array.from({ length: 12 }, (_, i) => i)
const image = (fields: TiffFields = {}, data: Uint8Array = ramp): Buffer => tiffBytes([{ fields, data }])

const refused = (path: string, code: string, message: RegExp) =>
  assert.rejects(
    openArray(path).then((array) => array.close()),
    { code, message },
  )

describe('a TIFF file', () => {
  it('is recognised by its content, whatever its name', async (t) => {
    await using array = await openArray(await fileWith(t, image(), 'scan'))
    assert.deepEqual([array.format, array.dtype, array.shape], ['tiff', 'uint8', [3, 4]])
    assert.deepEqual((await array.read(array.roi)).data, ramp)
  })

  it('has no inner path, and is not written', async (t) => {
    const path = await fileWith(t, image())
    await refused(`${path}/raw`, 'NO_SUCH_DATASET', /contains a single array/)
    await assert.rejects(openArray(path, { mode: 'r+' }), { code: 'UNSUPPORTED', message: /can only be read/ })
    await refused(`${path}f`, 'NO_SUCH_FILE', /There is no file/)
  })

  it('that Bellis can not read is refused by name', async (t) => {
    for (const [fields, message] of [
      [{ 259: 7 }, /is compressed with JPEG/],
      [{ 259: 4321 }, /the unknown scheme 4321/],
      [{ 258: 1 }, /pixels of the type uint1/],
      [{ 258: 64, 339: 6 }, /pixels of the type complex64/],
      [{ 317: 7 }, /the predictor 7/],
      [{ 259: 8, 278: 2 ** 31 - 1, 257: 2 ** 31 - 1 }, /strips of 4 × 2147483647 pixels/],
    ] as const) {
      await refused(await fileWith(t, image(fields)), 'UNSUPPORTED', message)
    }
  })

  it('that is damaged is refused when it is opened, or where it is damaged', async (t) => {
    await refused(await fileWith(t, Buffer.from('II*\0')), 'INVALID_METADATA', /does not start as a TIFF file does/)
    await refused(await fileWith(t, Buffer.from('II*\0\0\0\0\0')), 'INVALID_METADATA', /contains no image/)
    const circle = image()
    circle.writeUInt32LE(8, circle.length - ramp.length - 4)
    await refused(await fileWith(t, circle), 'INVALID_METADATA', /a chain of images without an end/)
    await refused(await fileWith(t, image().subarray(0, 30)), 'INVALID_METADATA', /names \d+ bytes at byte/)
    for (const [data, message] of [
      [deflateSync(ramp).subarray(0, 12), /image 0, strip 0\): unexpected end of file/],
      [deflateSync(ramp.subarray(1)), /decoded to 11 bytes, expected 12/],
    ] as const) {
      await using array = await openArray(await fileWith(t, image({ 259: 8 }, data)))
      await assert.rejects(array.read(array.roi), { code: 'CORRUPT_DATA', message })
    }
    await using short = await openArray(await fileWith(t, image({ 279: 5 })))
    assert.deepEqual((await short.read(short.roi)).data, ramp)
    await using cut = await openArray(await fileWith(t, image().subarray(0, -2)))
    await assert.rejects(cut.read(cut.roi), { code: 'INVALID_METADATA', message: /was cut short/ })
  })

  it('of several images has those that are like the first', async (t) => {
    const planes = [0, 1, 2].map((n) => ({ fields: {}, data: ramp.map((value) => value + 100 * (n % 2)) }))
    const thumbnail = { fields: { 256: 2, 257: 2, 278: 2 }, data: Uint8Array.of(9, 9, 9, 9) }
    const path = await fileWith(t, tiffBytes([planes[0]!, thumbnail, planes[1]!, thumbnail]))
    await using array = await openArray(path)
    assert.deepEqual(array.shape, [2, 3, 4])
    assert.deepEqual([...(await array.read(array.roi)).data].slice(10, 14), [10, 11, 100, 101])
  })

  it('whose images are stored in different ways is read, each image as it is stored', async (t) => {
    const mixed = [
      { fields: {}, data: ramp },
      { fields: { 259: 8 }, data: deflateSync(ramp) },
    ]
    await using stack = await openArray(await fileWith(t, tiffBytes([...mixed, mixed[0]!])))
    assert.deepEqual([...(await stack.read(stack.roi)).data], [...ramp, ...ramp, ...ramp])
    const ome = (more: string) => [
      { ...mixed[0]!, description: `<OME><Image><Pixels ${more}</Pixels></Image></OME>` },
      mixed[1]!,
    ]
    await using array = await openArray(await fileWith(t, tiffBytes(ome('SizeZ="2">'))))
    assert.deepEqual([...(await array.read(array.roi)).data], [...ramp, ...ramp])
    const other = tiffBytes([ome('SizeZ="2">')[0]!, { fields: { 258: 16 }, data: Buffer.concat([ramp, ramp]) }])
    await using unlike = await openArray(await fileWith(t, other))
    await assert.rejects(unlike.read(unlike.roi), {
      code: 'UNSUPPORTED',
      message: /uint8 and of .*uint16; save all images/,
    })
  })

  it('whose metadata contradict its images is refused, and no other bytes are taken for voxels', async (t) => {
    const ome = (more: string) => [
      { fields: {}, data: ramp, description: `<OME><Image><Pixels ${more}</Pixels></Image></OME>` },
      { fields: {}, data: ramp },
    ]
    for (const ifd of ['-5', 'abc', '0.5']) {
      const path = await fileWith(t, tiffBytes(ome(`SizeZ="1"><TiffData IFD="${ifd}"/>`)))
      await refused(path, 'INVALID_METADATA', /TiffData IFD=/)
    }
    const half = ome('SizeC="3"><Channel SamplesPerPixel="2"/>')
    await refused(await fileWith(t, tiffBytes(half)), 'INVALID_METADATA', /3 channels of 2 samples/)
    const sparse = image()
    sparse.writeUInt32LE(0, sparse.indexOf(Buffer.of(0x11, 1, 4, 0)) + 8)
    await using unwritten = await openArray(await fileWith(t, sparse))
    await assert.rejects(unwritten.read(unwritten.roi), { code: 'CORRUPT_DATA', message: /has no part 0/ })
  })

  it('of ImageJ or OME that has fewer images than its metadata say is refused', async (t) => {
    const ij = tiffBytes([{ fields: {}, data: ramp, description: 'ImageJ=1.53\nimages=3\nslices=3\n' }])
    await refused(await fileWith(t, ij), 'INVALID_METADATA', /its 3 images need/)
    const xml = (more: string) =>
      tiffBytes([
        {
          fields: {},
          data: ramp,
          description: `<OME><Image><Pixels DimensionOrder="XYZCT" SizeX="4" SizeY="3" ${more}</Pixels></OME>`,
        },
      ])
    await refused(await fileWith(t, xml('SizeZ="2">')), 'INVALID_METADATA', /contains 1 images, but .* describe 2/)
    await refused(await fileWith(t, xml('SizeZ="-2">')), 'INVALID_METADATA', /SizeZ="-2"/)
    const files = ['a', 'b'].map(
      (name, z) => `<TiffData FirstZ="${z}" IFD="0"><UUID FileName="${name}.tif">u</UUID></TiffData>`,
    )
    await refused(
      await fileWith(t, xml(`SizeZ="2">${files.join('')}`)),
      'UNSUPPORTED',
      /one of 2 files of an OME-TIFF; .*bioformats2raw/,
    )
    const elsewhere = '<OME><BinaryOnly MetadataFile="scan.companion.ome" UUID="urn:uuid:1"/></OME>'
    await refused(
      await fileWith(t, tiffBytes([{ fields: {}, data: ramp, description: elsewhere }])),
      'UNSUPPORTED',
      /described by "scan.companion.ome"; .*bioformats2raw/,
    )
    await using turned = await openArray(
      await fileWith(t, xml('PhysicalSizeX="4" PhysicalSizeXUnit="pixel" PhysicalSizeY="2" PhysicalSizeYUnit="nm">')),
    )
    assert.deepEqual(
      turned.axes.map(({ scale }) => scale),
      [2, undefined],
    )
  })

  it('whose metadata of OME or ImageJ are of megabytes, and damaged, is refused or read in one pass', {
    timeout: 120_000,
  }, async (t) => {
    const long = (text: string) => text.repeat(Math.ceil(4e6 / text.length))
    const withText = (description: string) => fileWith(t, tiffBytes([{ fields: {}, data: ramp, description }]))
    for (const text of [long('a'), long(' '), long('<Channel '), long('<TiffData '), long('<UUID ')]) {
      await refused(await withText(`<OME><Pixels ${text}`), 'INVALID_METADATA', /without an image/)
      await using array = await openArray(await withText(`<OME><Pixels SizeZ="1">${text}`))
      assert.deepEqual(array.shape, [3, 4])
    }
    await using imageJ = await openArray(await withText(`ImageJ=1\nimages=1\n${long('\\u00')}\nunit=um${long(' ')}\n`))
    assert.deepEqual(imageJ.shape, [3, 4])
  })

  it('whose metadata of OME name the same planes again and again is refused', async (t) => {
    const planes = 2 ** 24
    const again = `<TiffData FirstZ="0" IFD="0" PlaneCount="${planes}"/>`.repeat(5)
    const description = `<OME><Image><Pixels SizeZ="${planes}">${again}</Pixels></Image></OME>`
    await refused(
      await fileWith(t, tiffBytes([{ fields: {}, data: ramp, description }])),
      'INVALID_METADATA',
      /again and again for the same planes/,
    )
  })

  it('whose descriptions of images overlap is refused: they could be read without end', async (t) => {
    // A directory of 40 fields, in each field of which another directory of as many fields starts.
    const bytes = Buffer.alloc(8 + 2 + 60 * 12 + 4)
    bytes.write('II*\0\u0008\0\0\0', 'latin1')
    const starts = Array.from({ length: 20 }, (_, i) => 8 + 12 * i)
    for (const at of starts) bytes.writeUInt16LE(40, at)
    for (const [i, at] of starts.entries()) bytes.writeUInt32LE(starts[i + 1] ?? 0, at + 2 + 40 * 12)
    await refused(await fileWith(t, bytes), 'INVALID_METADATA', /descriptions of images that overlap/)
  })

  it('V5: of parts that take far more bytes than they have, or far fewer, is corrupt before memory is allocated', async (t) => {
    // Nothing of it is on the disk.
    const path = await fileWith(t, image({ 259: 8, 279: 3_000_000_000 }, deflateSync(ramp)))
    truncateSync(path, 4_000_000_000)
    await using large = await openArray(path)
    await assert.rejects(large.read(large.roi), {
      code: 'CORRUPT_DATA',
      message: /strip 0\): it has 3000000000 bytes, and at most 67108864 are expected/,
    })
    for (const compression of [5, 8, 32773]) {
      const fields = { 256: 15_000, 257: 15_000, 278: 15_000, 259: compression }
      await using small = await openArray(await fileWith(t, image(fields, deflateSync(ramp))))
      const corner = small.roi.offset.map((offset) => offset)
      await assert.rejects(small.read({ offset: corner, shape: [1, 1] }), {
        code: 'CORRUPT_DATA',
        message: /its \d+ bytes can't be 225000000 bytes of pixels/,
      })
    }
  })

  it('may have units named like what every object has', async (t) => {
    for (const description of [
      'ImageJ=1.5\nimages=1\nunit=constructor\nspacing=2\n',
      '<OME><Pixels PhysicalSizeX="2" PhysicalSizeXUnit="toString" SizeT="1" TimeIncrementUnit="valueOf" TimeIncrement="1"/></OME>',
    ]) {
      const path = await fileWith(t, tiffBytes([{ fields: { 282: 1 }, data: ramp, description }]))
      await using array = await openArray(path)
      assert.ok(array.axes.every(({ unit }) => unit === undefined))
    }
  })

  it('of LZW refuses codes that were never defined', () => {
    assert.throws(() => decodeLzw(Uint8Array.of(0x80, 0x7f, 0xff, 0xff), new Uint8Array(8)), /before it is defined/)
    assert.equal(decodeLzw(new Uint8Array(), new Uint8Array(8)), 0)
  })
})
