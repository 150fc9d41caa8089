// Needs a build: it serves the built page.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { BLOCK_STATES, BLOCK_STATES_ATTRIBUTE } from '../../../src/core/view/view.ts'
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

  for (const width of [1280, 800, 390]) {
    it(`says what the colours of block states mean, on ${width} px`, async (t) => {
      if (browser === undefined) return void (await browserOrSkip(t))
      using folder = temporaryFolder()
      const path = join(folder.path, 'states.zarr')
      const attributes = { [BLOCK_STATES_ATTRIBUTE]: { run: 'r', task: 't', values: BLOCK_STATES } }
      const array = await createArray(path, { shape: [2, 4, 4], dtype: 'uint8', chunkShape: [2, 4, 4], attributes })
      await array.close()
      await using viewer = await startViewer([{ path }])
      const page = await browser.newPage({ viewport: { width, height: 844 } })
      t.after(() => page.close())
      await page.goto(viewer.address)
      await page.waitForFunction(() => document.documentElement.dataset.ready === 'true')
      const legend = page.locator('#datasets .states')
      assert.ok(await legend.isVisible())
      assert.match(await legend.innerText(), /not done\s+done\s+failed\s+outside the mask/)
      const colors = await legend
        .locator('i')
        .evaluateAll((all) => all.map((each) => getComputedStyle(each).backgroundColor))
      assert.equal(new Set(colors).size, 4)
      assert.ok(!colors.includes('rgba(0, 0, 0, 0)'), 'each has a colour')
      const isCut = await legend.evaluate(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth + 1)
      assert.ok(!isCut)
    })
  }
})
