import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CodecError } from '../../../src/adapters/codecs/codec.ts'
import type { JpegImage } from '../../../src/adapters/jpeg/frame.ts'
import { decodeJpeg } from '../../../src/adapters/jpeg/jpeg-file.ts'
import { GREY_JPEG } from '../../support/images.ts'
import { pythonOrSkip, runPython } from '../../support/python.ts'
import { temporaryFolder } from '../../support/zarr.ts'

const any = () => {}
const FIXTURES = new URL('fixtures/', import.meta.url)

describe('JPEG images', () => {
  it('are decoded exactly as the reference library does: colors, factors of their samples, qualities, odd sizes', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    await runPython(python, new URL('write_images.py', import.meta.url), [folder])
    const images: readonly (JpegImage & { name: string; options: string; content: string })[] = JSON.parse(
      await readFile(join(folder, 'index.json'), 'utf8'),
    )
    assert.ok(images.length > 100)
    for (const { name, width, height, samples, options, content } of images) {
      const title = `${width} × ${height} × ${samples} of ${content}, ${options}`
      const decoded = decodeJpeg(await readFile(join(folder, `${name}.jpg`)), (found) => {
        assert.deepEqual([found.width, found.height, found.samples], [width, height, samples], title)
      })
      assert.ok(Buffer.compare(decoded, await readFile(join(folder, `${name}.bin`))) === 0, title)
    }
  })

  it('are decoded exactly as the reference library does if they have several scans: progressive, or one for each component', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    await runPython(python, new URL('write_scans.py', import.meta.url), [folder, fileURLToPath(FIXTURES)])
    const images: readonly (JpegImage & { name: string })[] = JSON.parse(
      await readFile(join(folder, 'index.json'), 'utf8'),
    )
    assert.ok(images.length > 12)
    for (const { name, ...size } of images) {
      const decoded = decodeJpeg(await readFile(join(folder, `${name}.jpg`)), ({ width, height, samples }) => {
        assert.deepEqual({ width, height, samples }, size, name)
      })
      assert.ok(Buffer.compare(decoded, await readFile(join(folder, `${name}.bin`))) === 0, name)
    }
  })

  it('give no voxels of a progressive image that ends before its last scan, wherever that is', async () => {
    for (const name of ['grey', 'rgb-420']) {
      const image = await readFile(new URL(`${name}.jpg`, FIXTURES))
      const end = image.lastIndexOf(Buffer.of(0xff, 0xd9))
      for (let length = 0; length < end; length++) {
        assert.throws(() => decodeJpeg(image.subarray(0, length), any), CodecError, `${name}, ${length} bytes`)
        // As a whole file that lacks the rest.
        const closed = Buffer.concat([image.subarray(0, length), Buffer.of(0xff, 0xd9)])
        assert.throws(() => decodeJpeg(closed, any), CodecError, `${name}, ${length} bytes and an end`)
      }
    }
    const image = await readFile(new URL('grey.jpg', FIXTURES))
    // The last byte of the header of the last scan: the bits that were known before it, and those that are known with it.
    image[image.lastIndexOf(Buffer.of(0xff, 0xda)) + 9] = 0x21
    assert.throws(() => decodeJpeg(image, any), /scans that do not fit each other/)
  })

  it('are refused before memory is allocated if they are of another size', () => {
    const refuse = ({ width, height }: JpegImage) => {
      throw new CodecError(`${width} × ${height}`)
    }
    const huge = Buffer.from(GREY_JPEG)
    // The height and the width lie behind the marker, the length and the depth.
    huge.fill(255, huge.indexOf(Buffer.of(255, 0xc0)) + 5, huge.indexOf(Buffer.of(255, 0xc0)) + 9)
    assert.throws(() => decodeJpeg(huge, refuse), /65535 × 65535/)
  })

  it('give no voxels that are not there: truncated ones are refused, wherever they end', () => {
    const whole = decodeJpeg(GREY_JPEG, any)
    assert.equal(whole.length, 120)
    const end = GREY_JPEG.lastIndexOf(Buffer.of(0xff, 0xd9))
    for (let length = 0; length < end; length++) {
      assert.throws(() => decodeJpeg(GREY_JPEG.subarray(0, length), any), CodecError, `${length} bytes`)
    }
  })

  it('start anew after each restart, and are damaged without it', () => {
    const scan = GREY_JPEG.indexOf(Buffer.of(0xff, 0xda))
    const interval = Buffer.of(0xff, 0xdd, 0, 4, 0, 1)
    const header = Buffer.concat([GREY_JPEG.subarray(0, scan), interval, GREY_JPEG.subarray(scan, scan + 10)])
    // A block that is one step brighter than the one before, and else flat.
    const units = (...marks: number[]) =>
      Buffer.concat([0, ...marks].map((mark) => Buffer.of(...(mark === 0 ? [] : [0xff, mark]), 0x5a)))
    const image = (...marks: number[]) => Buffer.concat([header, units(...marks), Buffer.of(0xff, 0xd9)])
    assert.deepEqual(decodeJpeg(image(0xd0, 0xd1, 0xd2), any), new Uint8Array(120).fill(129))
    assert.throws(() => decodeJpeg(image(0xd0, 0xd1), any), CodecError)
    assert.throws(() => decodeJpeg(image(0xd0, 0xd9, 0xd2), any), /lacks a restart/)
  })

  it('that are lossless or arithmetic, or of more bits, are refused by name', () => {
    const frame = GREY_JPEG.indexOf(Buffer.of(255, 0xc0))
    const changed = (at: number, value: number) => {
      const bytes = Buffer.from(GREY_JPEG)
      bytes[at] = value
      return bytes
    }
    assert.throws(() => decodeJpeg(changed(frame + 1, 0xc9), any), /unusual JPEG/)
    assert.throws(() => decodeJpeg(changed(frame + 4, 12), any), /12 bits for each sample, expected 8/)
    assert.throws(() => decodeJpeg(Buffer.from('no image'), any), /no JPEG/)
  })
})
