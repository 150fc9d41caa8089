// Needs a build: it serves the built pages.

import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import type axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { createArray } from '../../src/entry/arrays.ts'
import { startDashboard } from '../../src/entry/pages/dashboard-server.ts'
import { startRunsServer } from '../../src/entry/pages/runs-server.ts'
import { startViewer } from '../../src/entry/pages/viewer-server.ts'
import { browserOrSkip } from '../support/browser.ts'
import { temporaryFolder } from '../support/command-line.ts'
import { blockFailed, reportRun } from '../support/reported-run.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe-core finds on a page, except in Neuroglancer's own parts. */
async function violationsOf(page: Page): Promise<string[]> {
  // The content policy of the pages forbids scripts of others.
  await page.evaluate(AXE)
  return page.evaluate(async () => {
    const { axe: checker } = window as unknown as { axe: typeof axe }
    const { violations } = await checker.run({ exclude: ['#neuroglancer-container'] })
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id} ${target}: ${failureSummary}`),
    )
  })
}

describe('the pages, checked with axe-core', () => {
  let browser: Browser | undefined
  before(async () => {
    browser = await browserOrSkip({ skip: () => {} })
  })
  after(() => browser?.close())

  async function open(t: TestContext, address: string, width = 1280): Promise<Page> {
    const page = await (browser as Browser).newPage({ viewport: { width, height: 800 } })
    t.after(() => page.close())
    await page.goto(address)
    await page.waitForFunction(() => document.documentElement.dataset.ready === 'true')
    return page
  }

  /** Checks the page in both themes, and leaves it in the first. */
  async function check(page: Page, what: string): Promise<void> {
    for (const theme of [0, 1]) {
      assert.deepEqual(await violationsOf(page), [], `${what}, theme ${theme}`)
      await page.evaluate(() => document.querySelector<HTMLElement>('#theme')?.click())
    }
  }

  it('have no violation on the page of a run with failed blocks, in its lists and in each of its dialogs', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using folder = temporaryFolder()
    using run = reportRun(folder.path, [{ shape: [6, 6] }, { id: 'b', after: ['a'], shape: [6, 6] }])
    const logFile = join(folder.path, 'logs', 'w1.log')
    mkdirSync(join(folder.path, 'logs'))
    writeFileSync(logFile, 'begins\nends\n')
    run.report({ type: 'worker-started', workerId: 'w1', pid: 1, host: 'here', logFile })
    run.done([0, 1, 2])
    run.report(blockFailed(7, 'no such neuron'), { type: 'warning', message: 'the disk is nearly full' })
    await using dashboard = await startDashboard(run.folder, { isOwn: true, control: true })
    const page = await open(t, dashboard.address)
    await page.getByRole('button', { name: 'a/7' }).click()
    await check(page, 'a failed block')
    for (const name of ['Workers', 'Events']) {
      await page.getByRole('tab', { name }).click()
      await check(page, name)
    }
    await page.getByText('Command, inputs and outputs').click()
    await check(page, 'the facts of the run')
    for (const [button, dialog] of [
      ['Keys', 'Keys'],
      ['Stop', 'Stop the run?'],
      ['Do again', 'Do blocks again?'],
    ] as const) {
      await page.getByRole('button', { name: button }).first().click()
      await page.getByRole('dialog', { name: dialog }).waitFor()
      await check(page, dialog)
      await page.keyboard.press('Escape')
    }
    await page.getByRole('tab', { name: 'Workers' }).click()
    await page
      .getByRole('button', { name: /^Log of/ })
      .first()
      .click()
    await page.getByRole('dialog', { name: /^Log of/ }).waitFor()
    await check(page, 'a log')
    await page.setViewportSize({ width: 390, height: 844 })
    await check(page, 'a log on a phone')
    await page.keyboard.press('Escape')
    await check(page, 'a phone')
  })

  it('have no violation on the page of all runs, with runs and without', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using folder = temporaryFolder()
    {
      await using empty = await startRunsServer(join(folder.path, 'none'), { onError: assert.ifError })
      await check(await open(t, empty.address), 'no runs')
    }
    using first = reportRun(join(folder.path, 'runs', 'first-1a2b3c4d'), [{ shape: [10] }])
    first.done([0, 1])
    using _ = reportRun(join(folder.path, 'runs', 'other-1a2b3c4d'), [{ id: 'b', shape: [4, 4] }])
    await using server = await startRunsServer(join(folder.path, 'runs'), { onError: assert.ifError })
    await check(await open(t, server.address), 'two runs')
    await check(await open(t, server.address, 390), 'two runs on a phone')
  })

  it('have no violation on the page of bellis show', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using folder = temporaryFolder()
    const paths = ['one', 'two'].map((name) => join(folder.path, `${name}.zarr`))
    for (const path of paths) {
      const array = await createArray(path, { shape: [8, 32, 32], dtype: 'uint8', voxelSize: [40, 4, 4] })
      await array.write(array.roi, new Uint8Array(8 * 32 * 32).fill(9))
      await array.close()
    }
    await using viewer = await startViewer(paths.map((path) => ({ path })))
    await check(await open(t, viewer.address), 'two volumes')
    await check(await open(t, viewer.address, 390), 'two volumes on a phone')
  })
})
