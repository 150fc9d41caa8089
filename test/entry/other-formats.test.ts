import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { openArray, parseDatasetPath } from '../../src/entry/arrays.ts'

const folder = mkdtempSync(join(tmpdir(), 'bellis other formats '))
after(() => rmSync(folder, { recursive: true }))

const bytes = (text: string, offset = 0): Buffer => {
  const content = Buffer.alloc(400)
  content.write(text, offset, 'latin1')
  return content
}

/** The first bytes of files, as their specifications give them. */
const FILES: readonly (readonly [string, Buffer, RegExp])[] = [
  ['a.jpg', bytes('\u00ff\u00d8\u00ff'), /a JPEG image/],
  ['a.czi', bytes('ZISRAWFILE'), /a Zeiss CZI file.*bioformats2raw .*a\.czi'? a\.zarr$/],
  ['a.dcm', bytes('DICM', 128), /a DICOM file/],
  ['a.docx', bytes('PK\u0003\u0004'), /a zip file.*unzip/],
  ['without-suffix', bytes('ZISRAWFILE'), /without-suffix is a Zeiss CZI file/],
]

describe('a file of another format', () => {
  for (const [name, content, text] of FILES) {
    it(`is recognised: ${name}`, async () => {
      writeFileSync(join(folder, name), content)
      await assert.rejects(openArray(join(folder, name)), { code: 'UNSUPPORTED', message: text })
    })
  }

  it('is recognised by its name behind an address', () => {
    assert.throws(() => parseDatasetPath('https://host/data/a.jpg?sig=1'), {
      code: 'UNSUPPORTED',
      message: /a JPEG image/,
    })
  })

  it('is recognised in a folder of slices', async () => {
    const folders: Record<string, readonly [string, RegExp]> = {
      images: ['0001.jpg', /a folder of jpg images.*sorted\(glob/],
    }
    for (const [name, [entry, text]] of Object.entries(folders)) {
      mkdirSync(join(folder, name))
      writeFileSync(join(folder, name, entry), '{}')
      await assert.rejects(openArray(join(folder, name)), { code: 'UNSUPPORTED', message: text })
    }
  })
})
