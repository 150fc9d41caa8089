// Needs a build: it serves the built page.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { createArray } from '../../../src/entry/arrays.ts'
import { startViewer } from '../../../src/entry/pages/viewer-server.ts'
import { browserOrSkip } from '../../support/browser.ts'
import { temporaryFolder } from '../../support/command-line.ts'

describe('the header of the page of bellis show', () => {
  let browser: Browser | undefined
  before(async () => {
    browser = await browserOrSkip({ skip: () => {} })
  })
  after(() => browser?.close())

  for (const count of [1, 3, 6]) {
    it(`says of each of ${count} datasets what it is, without cutting it off, on 1280 px`, async (t) => {
      if (browser === undefined) return void (await browserOrSkip(t))
      using folder = temporaryFolder()
      const paths = Array.from({ length: count }, (_, i) => join(folder.path, `membranes_${i}.zarr`))
      for (const path of paths) {
        const array = await createArray(path, {
          ...{ shape: [20, 1024, 1024], dtype: 'uint64', voxelSize: [500, 46, 46], chunkShape: [20, 256, 256] },
        })
        await array.close()
      }
      await using viewer = await startViewer(paths.map((path) => ({ path })))
      const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
      t.after(() => page.close())
      await page.goto(viewer.address)
      await page.waitForFunction(() => document.documentElement.dataset.ready === 'true')
      const cut = await page.evaluate(() =>
        [...document.querySelectorAll('#datasets, #datasets li, #datasets li > *')]
          .filter((each) => each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1)
          .map((each) => each.textContent),
      )
      assert.deepEqual(cut, [])
      const facts = await page.locator('#datasets li').allInnerTexts()
      assert.equal(facts.length, count)
      for (const text of facts) assert.match(text, /20 × 1024 × 1024 uint64, 500 × 46 × 46 nm/)
    })
  }
})
