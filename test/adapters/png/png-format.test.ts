import assert from 'node:assert/strict'
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { deflateSync } from 'node:zlib'
import { openArray } from '../../../src/entry/arrays.ts'
import { pngBytes } from '../../support/png-files.ts'
import { temporaryFolder } from '../../support/zarr.ts'

/** Rows of grey pixels, each with its filter in front. */
const ROWS = [
  [0, 1, 2, 3, 4],
  [1, 9, 1, 1, 1],
  [2, 1, 1, 1, 1],
]
const PIXELS = [1, 2, 3, 4, 9, 10, 11, 12, 10, 11, 12, 13]

async function fileWith(t: TestContext, content: Uint8Array): Promise<string> {
  const path = join(await temporaryFolder(t), 'a.png')
  writeFileSync(path, content)
  return path
}

async function read(path: string): Promise<Uint8Array> {
  await using array = await openArray(path)
  return (await array.read(array.roi)).data as Uint8Array
}

describe('a PNG image', () => {
  it('is read from any number of parts, empty ones too, between others', async (t) => {
    const packed = deflateSync(Buffer.from(ROWS.flat()))
    const data = [packed.subarray(0, 3), Buffer.alloc(0), packed.subarray(3)]
    const path = await fileWith(t, pngBytes({ width: 4, height: 3, data, others: { tEXt: Buffer.alloc(100_000) } }))
    assert.deepEqual([...(await read(path))], PIXELS)
  })

  it('V5: is not read if its pixels take far more bytes than they have, before memory is allocated for them', async (t) => {
    const packed = deflateSync(Buffer.from(ROWS.flat()))
    const bytes = pngBytes({ width: 4, height: 3, data: [packed] })
    const path = await fileWith(t, bytes)
    const end = bytes.length - 12
    // Six parts that claim 2 GB each, of which nothing is on the disk.
    const file = openSync(path, 'r+')
    for (let part = 0; part < 6; part++) {
      const head = Buffer.from('\u007f\u00ff\u0000\u0000IDAT', 'latin1')
      writeSync(file, head, 0, 8, end + part * (12 + 0x7fff0000))
    }
    const last = end + 6 * (12 + 0x7fff0000)
    writeSync(file, bytes, end, 12, last)
    ftruncateSync(file, last + 12)
    closeSync(file)
    await assert.rejects(read(path), {
      code: 'CORRUPT_DATA',
      message: /its pixels take \d+ bytes, and at most 67108864 are expected/,
    })
  })

  it('V5: of a size that its bytes can not have is corrupt', async (t) => {
    const data = [deflateSync(Buffer.from(ROWS.flat()))]
    const path = await fileWith(t, pngBytes({ width: 20_000, height: 20_000, data }))
    await assert.rejects(read(path), { code: 'CORRUPT_DATA', message: /its pixels can't be 400020000 bytes/ })
  })

  it('D4: is corrupt if one bit of its pixels was changed, or if it has no end', async (t) => {
    const bytes = pngBytes({ width: 4, height: 3, data: [deflateSync(Buffer.from(ROWS.flat()))] })
    const changed = Buffer.from(bytes)
    changed[50] = (changed[50] as number) ^ 1
    await assert.rejects(read(await fileWith(t, changed)), { code: 'CORRUPT_DATA', message: /checksum/ })
    await assert.rejects(read(await fileWith(t, bytes.subarray(0, -12))), { code: 'CORRUPT_DATA', message: /no end/ })
  })
})
