import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { createArray } from '../../../src/entry/arrays.ts'
import { startViewer } from '../../../src/entry/pages/viewer-server.ts'
import { browserOrSkip } from '../../support/browser.ts'
import { temporaryFolder } from '../../support/command-line.ts'

/** Tests the headers in a browser, which enforces the same-origin policy. */
describe('a page of another origin that knows the address', () => {
  const folder = temporaryFolder()
  after(() => folder[Symbol.dispose]())

  it('can read the data, including ranges from the end, only if the user has named its origin', async (t) => {
    const browser = await browserOrSkip(t)
    if (browser === undefined) return
    t.after(() => browser.close())
    const path = join(folder.path, 'raw.zarr')
    const array = await createArray(path, { shape: [4, 8, 8], dtype: 'uint8', chunkShape: [4, 8, 8], codec: 'raw' })
    await array.write(array.roi, new Uint8Array(256).fill(7))
    await array.close()
    const elsewhere = createServer((_, response) => {
      response.setHeader('Content-Type', 'text/html')
      response.end('<p>Another page')
    }).listen(0, '127.0.0.1')
    await once(elsewhere, 'listening')
    t.after(() => void elsewhere.close())
    const origin = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`
    const page = await browser.newPage()
    await page.goto(origin)
    /** The number of bytes received of a chunk, complete and by range; 'no' if the browser keeps the page from reading them. */
    const readAll = (base: string) =>
      page.evaluate(async (base) => {
        const lengths: (number | 'no')[] = []
        for (const range of [undefined, 'bytes=0-9', 'bytes=-16']) {
          const headers: Record<string, string> = range === undefined ? {} : { range }
          const read = fetch(`${base}data/0/0/c/0/0/0`, { headers }).then((response) => response.arrayBuffer())
          lengths.push(await read.then(({ byteLength }) => byteLength).catch(() => 'no' as const))
        }
        return lengths
      }, base)
    for (const [cors, lengths] of [
      [[origin], [256, 10, 16]],
      [['https://viewer.example'], ['no', 'no', 'no']],
      [undefined, ['no', 'no', 'no']],
    ] as const) {
      await using viewer = await startViewer([{ path }], cors === undefined ? {} : { cors })
      assert.deepEqual(await readAll(viewer.address), lengths, String(cors))
    }
  })
})
