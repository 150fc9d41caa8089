// Needs a build: it serves the built pages.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { startRunsServer } from '../../../src/entry/pages/runs-server.ts'
import { browserOrSkip } from '../../support/browser.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { reportRun } from '../../support/reported-run.ts'

const RUN = 'first-1a2b3c4d'

describe('the bar of a run on the page of all runs', () => {
  it('has a part for failed blocks behind that of completed ones, wide enough to be seen if they are few', async (t) => {
    const browser = await browserOrSkip(t)
    if (browser === undefined) return
    t.after(() => browser.close())
    using folder = temporaryFolder()
    using _ = reportRun(join(folder.path, RUN), [{ shape: [1000] }])
    await using server = await startRunsServer(folder.path, { onError: assert.ifError })
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })

    /** The left and the width of each part, as a share of the bar. */
    async function partsWith(completed: number, failed: number) {
      await page.route('**/runs.json', async (route) => {
        const list = await (await route.fetch()).json()
        list.runs = [{ ...list.runs[0], total: 1000, completed, failed }]
        await route.fulfill({ json: list })
      })
      await page.goto(server.address)
      await page.waitForFunction(() => document.documentElement.dataset.ready === 'true')
      return page.evaluate(() => {
        const bar = document.querySelector('.done')?.getBoundingClientRect() as DOMRect
        return [...document.querySelectorAll('.done i')].map((part) => {
          const { left, width } = part.getBoundingClientRect()
          return { left: (left - bar.left) / bar.width, width: width / bar.width, px: width }
        })
      })
    }
    const near = (a: number | undefined, b: number) => assert.ok(Math.abs((a ?? -1) - b) < 0.01, `${a}, not ${b}`)

    const [done, failed] = await partsWith(500, 250)
    near(done?.width, 0.5)
    near(failed?.left, 0.5)
    near(failed?.width, 0.25)
    const [, few] = await partsWith(500, 1)
    assert.ok((few?.px ?? 0) >= 4)
    const [all, one] = await partsWith(999, 1)
    assert.ok((one?.px ?? 0) >= 4 && (all?.width ?? 0) + (one?.width ?? 0) <= 1.001)
    const [, none] = await partsWith(500, 0)
    assert.equal(none?.px, 0)
  })
})
