import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import zlib from 'node:zlib'
import fc from 'fast-check'
import { openPng } from '../../../src/adapters/png/png-format.ts'
import { stackFormat } from '../../../src/adapters/stack/stack-format.ts'
import { tiffFormat } from '../../../src/adapters/tiff/tiff-format.ts'
import { BYTES_PER_ELEMENT, bytesOf, DTYPES, type TypedArray } from '../../../src/core/array/dtype.ts'
import { openArray } from '../../../src/entry/arrays.ts'
import { describeChunkedArray } from '../../contracts/chunked-array.contract.ts'
import { tiffBytes } from '../../support/tiff-files.ts'
import { temporaryFolder } from '../../support/zarr.ts'

describeChunkedArray('stacks of TIFF files', {
  dtypes: DTYPES.filter((dtype) => dtype !== 'bool'),
  isWritable: false,
  shapes: fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
  chunksOf: ([, height = 1, width = 1]) => [1, height, width],
  async make(t, { shape, dtype }, voxels) {
    const folder = await temporaryFolder(t)
    const [depth, height, width] = shape as [number, number, number]
    const size = BYTES_PER_ELEMENT[dtype]
    const bytes = bytesOf(voxels as TypedArray)
    const format = dtype.startsWith('u') ? 1 : dtype.startsWith('i') ? 2 : 3
    for (let z = 0; z < depth; z++) {
      const fields = { 256: width, 257: height, 258: 8 * size, 278: height, 339: format }
      const data = bytes.slice(z * height * width * size, (z + 1) * height * width * size)
      await writeFile(join(folder, `${z}.tif`), tiffBytes([{ fields, data }]))
    }
    return stackFormat((path) => tiffFormat().open(path, '')).open(folder, '')
  },
})

const png = (width: number, height: number, change: (bytes: Buffer) => Buffer = (bytes) => bytes): Buffer => {
  const part = (kind: string, data: Buffer) => {
    const whole = Buffer.alloc(12 + data.length)
    whole.writeUInt32BE(data.length, 0)
    whole.write(kind, 4, 'latin1')
    data.copy(whole, 8)
    whole.writeUInt32BE(zlib.crc32(whole.subarray(4, 8 + data.length)), 8 + data.length)
    return whole
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header[8] = 8
  const rows = Buffer.alloc((width + 1) * height)
  return Buffer.concat([
    ...[Buffer.from('\u0089PNG\r\n\u001a\n', 'latin1'), part('IHDR', header)],
    ...[change(part('IDAT', zlib.deflateSync(rows))), part('IEND', Buffer.alloc(0))],
  ])
}

describe('a stack of images', () => {
  const refused = (path: string, code: string, message: RegExp) =>
    assert.rejects(
      openArray(path).then((array) => array.close()),
      { code, message },
    )

  it('with a device or a pipe in place of a slice is refused, and not waited for', {
    skip: process.platform === 'win32' && 'no devices',
    timeout: 10_000,
  }, async (t) => {
    const folder = await temporaryFolder(t)
    symlinkSync('/dev/zero', join(folder, 'a.png'))
    await refused(folder, 'UNSUPPORTED', /a\.png is not a file/)
    for (const name of ['0.png', '2.png']) writeFileSync(join(folder, name), png(2, 2))
    execFileSync('mkfifo', [join(folder, '1.png')])
    rmSync(join(folder, 'a.png'))
    await using files = await openArray(folder)
    await assert.rejects(files.read(files.roi), { code: 'UNSUPPORTED', message: /1\.png is not a file/ })
  })

  it('V7: is not read through links that lead out of its folder, unless that is allowed', {
    skip: process.platform === 'win32' && 'links need rights',
  }, async (t) => {
    const folder = await temporaryFolder(t)
    mkdirSync(join(folder, 'scan/raw'), { recursive: true })
    writeFileSync(join(folder, 'secret'), png(2, 2))
    for (const name of ['0.png', '2.png']) writeFileSync(join(folder, 'scan', name), png(2, 2))
    writeFileSync(join(folder, 'scan/raw/1.png'), png(2, 2))
    symlinkSync('raw/1.png', join(folder, 'scan/1.png'))
    await using inside = await openArray(join(folder, 'scan'))
    assert.equal((await inside.read(inside.roi)).data.length, 12)
    // The folder itself may be a link: its name is the user's choice.
    symlinkSync('scan', join(folder, 'linked'))
    await using linked = await openArray(join(folder, 'linked'))
    await linked.read(linked.roi)
    for (const name of ['0.png', '1.png']) {
      rmSync(join(folder, 'scan', name))
      symlinkSync('../secret', join(folder, 'scan', name))
      const reading = async () => {
        await using array = await openArray(join(folder, 'scan/*.png'))
        await array.read(array.roi)
      }
      await assert.rejects(reading, { code: 'UNSUPPORTED', message: /link that leads out.*--allow-external/ })
      await using allowed = await openArray(join(folder, 'scan'), { allowExternal: true })
      assert.equal((await allowed.read(allowed.roi)).data.length, 12)
      rmSync(join(folder, 'scan', name))
      writeFileSync(join(folder, 'scan', name), png(2, 2))
    }
  })

  it('V7: is not read through a link that is put in place of a slice while it is opened', {
    skip: process.platform !== 'linux' && 'not noticed elsewhere',
  }, async (t) => {
    const folder = await temporaryFolder(t)
    mkdirSync(join(folder, 'scan'))
    const [secret, slice] = [join(folder, 'secret'), join(folder, 'scan/1.png')]
    for (const path of [secret, join(folder, 'scan/0.png'), slice]) writeFileSync(path, png(2, 2))
    const format = stackFormat(async (path, check) => {
      if (path === slice) rmSync(slice)
      if (path === slice) symlinkSync('../secret', slice)
      return openPng(path, { check })
    })
    await assert.rejects(format.open(join(folder, 'scan'), ''), {
      code: 'UNSUPPORTED',
      message: /1\.png is a symbolic link that leads out/,
    })
  })

  it('of slices that are not alike is refused, when it is opened or where it is read', async (t) => {
    const folder = await temporaryFolder(t)
    for (const [name, width] of [
      ['a', 4],
      ['b', 4],
      ['c', 5],
    ] as const)
      writeFileSync(join(folder, `${name}.png`), png(width, 3))
    await refused(folder, 'INVALID_METADATA', /c\.png has \(3, 5\) pixels of uint8, but .*a\.png has \(3, 4\)/)
    writeFileSync(join(folder, 'd.png'), png(4, 3))
    await using array = await openArray(folder)
    assert.deepEqual(array.shape, [4, 3, 4])
    await assert.rejects(array.read(array.roi), { code: 'INVALID_METADATA', message: /c\.png has/ })
  })

  it('of several kinds, of none, or of files with stacks of their own is refused with a remedy', async (t) => {
    const folder = await temporaryFolder(t)
    await refused(join(folder, '*.tif'), 'NO_SUCH_FILE', /There is no image/)
    writeFileSync(join(folder, 'a.png'), png(4, 3))
    writeFileSync(join(folder, 'a.tif'), tiffBytes([{ fields: {}, data: new Uint8Array(12) }]))
    await refused(folder, 'UNSUPPORTED', /several kinds \(png, tif\); name those .*\*\.png"/)
    await using array = await openArray(join(folder, '*.png'))
    assert.deepEqual(array.shape, [1, 3, 4])
    mkdirSync(join(folder, 'volumes'))
    const planes = [0, 1].map(() => ({ fields: {}, data: new Uint8Array(12) }))
    writeFileSync(join(folder, 'volumes/a.tif'), tiffBytes(planes))
    await refused(join(folder, 'volumes'), 'UNSUPPORTED', /contains a stack of its own/)
  })

  it('with a damaged image names it', async (t) => {
    const folder = await temporaryFolder(t)
    const flip = (part: Buffer) => Buffer.from(part.map((byte, i) => (i === 10 ? byte ^ 1 : byte)))
    for (const [name, bytes, message] of [
      ['cut', png(4, 3).subarray(0, 45), /its part "IDAT" is cut short/],
      ['endless', png(4, 3).subarray(0, -12), /it has no end/],
      ['flipped', png(4, 3, flip), /a checksum of its pixels does not match/],
    ] as const) {
      writeFileSync(join(folder, `${name}.png`), bytes)
      await using array = await openArray(join(folder, `${name}.png`))
      await assert.rejects(array.read(array.roi), { code: 'CORRUPT_DATA', message })
    }
    writeFileSync(join(folder, 'text.png'), 'a text')
    await refused(join(folder, 'text.png'), 'INVALID_METADATA', /does not start as a PNG image does/)
  })
})
