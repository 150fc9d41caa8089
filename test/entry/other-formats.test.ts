import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { openArray, parseDatasetPath } from '../../src/entry/arrays.ts'
import { pythonOrSkip } from '../support/python.ts'

const folder = mkdtempSync(join(tmpdir(), 'bellis other formats '))
after(() => rmSync(folder, { recursive: true }))

const bytes = (text: string, offset = 0): Buffer => {
  const content = Buffer.alloc(400)
  content.write(text, offset, 'latin1')
  return content
}

/** The first bytes of files, as their specifications give them. */
const FILES: readonly (readonly [string, Buffer, RegExp])[] = [
  ['a.png', bytes('\u0089PNG\r\n\u001a\n'), /a PNG image/],
  ['a.jpg', bytes('\u00ff\u00d8\u00ff'), /a JPEG image/],
  ['a.czi', bytes('ZISRAWFILE'), /a Zeiss CZI file.*bioformats2raw .*a\.czi'? a\.zarr$/],
  ['a.dcm', bytes('DICM', 128), /a DICOM file/],
  ['a.zarr.zip', bytes('PK\u0003\u0004'), /a zip file.*unzip/],
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
    assert.throws(() => parseDatasetPath('https://host/data/a.png?sig=1'), {
      code: 'UNSUPPORTED',
      message: /a PNG image/,
    })
  })

  it('is recognised in a folder of slices, of N5 and of precomputed volumes', async () => {
    const folders: Record<string, readonly [string, RegExp]> = {
      slices: ['0001.tif', /a folder of tif images.*sorted\(glob/],
      images: ['0001.png', /a folder of png images/],
      volume: ['attributes.json', /N5/],
      layer: ['info', /precomputed/],
    }
    for (const [name, [entry, text]] of Object.entries(folders)) {
      mkdirSync(join(folder, name))
      writeFileSync(join(folder, name, entry), '{}')
      await assert.rejects(openArray(join(folder, name)), { code: 'UNSUPPORTED', message: text })
    }
  })

  it('becomes Zarr with the command that the error names', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const env = { ...process.env, PATH: `${dirname(python)}${delimiter}${process.env.PATH}` }
    execFileSync(
      python,
      [
        '-c',
        "import numpy, os, tifffile; os.mkdir('real'); [tifffile.imwrite(f'real/{z}.tif', numpy.arange(12 * z, 12 * z + 12, dtype='u2').reshape(3, 4)) for z in (0, 1)]",
      ],
      { cwd: folder },
    )
    const refused = await openArray(join(folder, 'real')).catch((error: Error) => error.message)
    execFileSync('bash', ['-c', String(refused).replace(/^.*?convert it once: /, '')], { cwd: folder, env })
    const array = await openArray(join(folder, 'real.zarr'))
    const { data } = await array.read(array.roi)
    await array.close()
    assert.deepEqual(
      [...data],
      Array.from({ length: 24 }, (_, i) => i),
    )
  })
})
