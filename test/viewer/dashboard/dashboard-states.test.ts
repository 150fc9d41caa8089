import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { startDashboard } from '../../../src/entry/pages/dashboard-server.ts'
import { browserOrSkip } from '../../support/browser.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { blockFailed, reportRun } from '../../support/reported-run.ts'

const range = (start: number, end: number): number[] => Array.from({ length: end - start }, (_, i) => start + i)

describe('the page of a run, of any shape and in any state', () => {
  let browser: Browser | undefined
  before(async () => {
    browser = await browserOrSkip({ skip: () => {} })
  })
  after(() => browser?.close())

  async function open(
    t: TestContext,
    address: string,
    { isReady = true, ...options }: Parameters<Browser['newPage']>[0] & { isReady?: boolean } = {},
  ): Promise<Page> {
    const page = await (browser as Browser).newPage({ viewport: { width: 1280, height: 800 }, ...options })
    t.after(() => page.close())
    page.on('pageerror', (error) => assert.ifError(error))
    await page.goto(address)
    if (isReady) await page.waitForFunction(() => document.documentElement.dataset.ready === 'true')
    return page
  }

  const map = (page: Page) => page.getByRole('application', { name: /^Blocks of a/ })
  const tip = (page: Page) => page.getByRole('tooltip')
  const alert = (page: Page, text: string) => page.getByRole('alert').getByText(text).waitFor()

  it('shows that it is no longer updated if bellis ended before the run', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using folder = temporaryFolder()
    using run = reportRun(folder.path, [{ shape: [10] }])
    await using dashboard = await startDashboard(run.folder, { isOwn: true })
    const page = await open(t, dashboard.address)
    await page.getByText('No block has been done yet.').waitFor()
    await page.getByRole('status').getByText('running').waitFor()
    await dashboard[Symbol.asyncDispose]()
    await alert(page, 'no longer updates this page')
    await page.getByRole('status').getByText('not followed').waitFor()
  })

  it('shows the tasks of a start with other grids without being reloaded by hand', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using folder = temporaryFolder()
    using run = reportRun(folder.path, [{ shape: [10] }])
    run.done([0, 1])
    await using dashboard = await startDashboard(run.folder)
    const page = await open(t, dashboard.address)
    using other = reportRun(folder.path, [{ shape: [4, 4] }], { overwrite: true })
    other.done([3, 4, 5])
    await page.getByRole('article').getByText('3 of 16 blocks').waitFor()
  })

  it('shows that the folder of the run was removed', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using folder = temporaryFolder()
    using run = reportRun(join(folder.path, 'run'), [{ shape: [10] }])
    await using dashboard = await startDashboard(run.folder)
    const page = await open(t, dashboard.address)
    renameSync(run.folder, join(folder.path, 'elsewhere'))
    await alert(page, 'folder was removed')
  })

  it('shows that too many pages are open, and connects when one is closed', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using folder = temporaryFolder()
    using run = reportRun(folder.path, [{ shape: [10] }])
    await using dashboard = await startDashboard(run.folder, { isOwn: true })
    const leave = new AbortController()
    const others: Response[] = []
    for (let i = 0; i < 64; i++) others.push(await fetch(`${dashboard.address}events`, { signal: leave.signal }))
    const page = await open(t, dashboard.address, { isReady: false })
    await alert(page, 'too many windows')
    assert.equal(
      others.every(({ ok }) => ok),
      true,
    )
    leave.abort()
    await page.getByRole('status').getByText('running').waitFor()
  })

  it('reconnects if it has received nothing for long', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using folder = temporaryFolder()
    using run = reportRun(folder.path, [{ shape: [10] }])
    await using dashboard = await startDashboard(run.folder, { isOwn: true })
    const page = await open(t, 'about:blank', { isReady: false })
    await page.clock.install()
    await page.goto(dashboard.address)
    await page.waitForFunction(() => document.documentElement.dataset.ready === 'true')
    const again = page.waitForRequest(/events$/)
    // Also if a message arrives in between.
    for (const end = Date.now() + 20_000; Date.now() < end; ) {
      await page.clock.fastForward(30_000)
      const isAsked = await Promise.race([again.then(() => true), page.waitForTimeout(200).then(() => false)])
      if (isAsked) break
    }
    await again
    run.done([4])
    await page.getByRole('article').getByText('1 of 10 blocks').waitFor()
  })

  it('shows sections of a grid of four axes, and follows the work along all of them', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using folder = temporaryFolder()
    using run = reportRun(folder.path, [{ shape: [5, 4, 3, 3] }])
    run.done(range(0, 36 + 18))
    // Block 54 is at 1, 2, 0, 0.
    run.report({ type: 'blocks-leased', taskId: 'a', indices: [54], workerId: 'w1' })
    await using dashboard = await startDashboard(run.folder, { isOwn: true })
    const page = await open(t, dashboard.address)
    const card = page.getByRole('article')
    await card.getByText('d0 2 / 5').waitFor()
    await card.getByText('z 3 / 4').waitFor()
    await map(page).press('ArrowDown')
    await tip(page).getByText('a/54').waitFor()
    await card.getByRole('slider', { name: 'Slice along d0' }).fill('3')
    await card.getByText('d0 4 / 5').waitFor()
    await map(page).press('ArrowDown')
    await tip(page)
      .getByText(`a/${3 * 36 + 18}`)
      .waitFor()
  })

  it('shows a map of cells if there are too many blocks to show each', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using folder = temporaryFolder()
    using run = reportRun(folder.path, [{ shape: [200, 200, 200] }])
    // The first cell except its last block, and a block that fails far from it.
    const cell = range(0, 4).flatMap((z) => range(0, 4).flatMap((y) => range(0, 4).map((x) => (z * 200 + y) * 200 + x)))
    run.done(cell.slice(0, -1))
    run.report(
      { type: 'blocks-leased', taskId: 'a', indices: [199], workerId: 'w1' },
      blockFailed(199, 'no such neuron'),
    )
    await using dashboard = await startDashboard(run.folder, { isOwn: true })
    const page = await open(t, dashboard.address)
    const card = page.getByRole('article')
    await card.getByText('63 of 8\u202f000\u202f000 blocks').waitFor()
    await card.getByText('A square of the map is 4 × 4 × 4 blocks.').waitFor()
    await page
      .getByRole('tabpanel', { name: /^Failed/ })
      .getByRole('button', { name: 'a/199' })
      .click()
    await card.getByText('z 1 / 50').waitFor()
    await map(page).press('ArrowLeft')
    await map(page).press('ArrowRight')
    await tip(page).getByText('failed').waitFor()
    await tip(page).getByText('4 × 4 × 4 blocks of a').waitFor()
    for (let left = 0; left < 49; left++) await map(page).press('ArrowLeft')
    await tip(page).getByText('partly done').waitFor()
    run.done(cell.slice(-1))
    await tip(page).getByText('done', { exact: true }).waitFor()
  })

  it('shows a chain of four small tasks on one screen, without controls for what is a single slice', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using folder = temporaryFolder()
    const ids = ['a', 'b', 'c', 'd']
    const tasks = ids.map((id, i) => ({ id, shape: [1, 8, 8], after: ids.slice(Math.max(0, i - 1), i) }))
    using run = reportRun(folder.path, tasks)
    run.done(range(0, 64))
    await using dashboard = await startDashboard(run.folder, { isOwn: true })
    const page = await open(t, dashboard.address)
    await page.getByRole('article', { name: 'Task d' }).getByText('0 of 64 blocks').waitFor()
    const bottoms = await page
      .getByRole('article')
      .evaluateAll((cards) => cards.map((card) => card.getBoundingClientRect().bottom))
    assert.equal(bottoms.length, 4)
    assert.ok(Math.max(...bottoms) <= 800, bottoms.join(' '))
    assert.equal(await page.getByRole('slider').filter({ visible: true }).count(), 0)
    assert.equal(await page.getByRole('radio').filter({ visible: true }).count(), 0)
    assert.equal(await page.getByRole('checkbox', { name: 'follow' }).filter({ visible: true }).count(), 0)
  })

  it('cuts the maps of all tasks along the plane that is chosen once', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using folder = temporaryFolder()
    using run = reportRun(folder.path, [{ shape: [3, 4, 5] }, { id: 'b', shape: [2, 6, 7], after: ['a'] }])
    run.done([0])
    await using dashboard = await startDashboard(run.folder, { isOwn: true })
    const page = await open(t, dashboard.address)
    await page.getByRole('radio', { name: 'xz' }).check({ force: true })
    await page
      .getByRole('article', { name: 'Task a' })
      .getByText(/y \d \/ 4/)
      .waitFor()
    await page
      .getByRole('article', { name: 'Task b' })
      .getByText(/y \d \/ 6/)
      .waitFor()
  })

  it('searches the log of a worker, follows it, goes back in it and downloads all of it', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using folder = temporaryFolder()
    using run = reportRun(folder.path, [{ shape: [10] }])
    mkdirSync(join(run.folder, 'logs'))
    const logFile = join(run.folder, 'logs', 'w1.log')
    const lines = range(0, 20_000).map((i) => `\u001b[31mline ${i} of w1\u001b[0m\n`)
    writeFileSync(logFile, lines.join(''))
    run.report({ type: 'worker-started', workerId: 'w1', pid: 1, host: 'here', logFile })
    await using dashboard = await startDashboard(run.folder, { isOwn: true })
    const page = await open(t, dashboard.address)
    await page.getByRole('button', { name: 'Log of w1' }).click()
    const log = page.getByRole('dialog', { name: 'Log of w1' })
    const text = log.getByRole('log')
    await text.getByText('line 19999 of w1').waitFor()
    // Whole lines only, and no colours of a terminal.
    assert.match(await text.evaluate((pre) => pre.textContent ?? ''), /^line \d+ of w1\nline/)
    await log.getByRole('searchbox').fill('LINE 19998 ')
    await log.getByText('1 of 1').waitFor()
    appendFileSync(logFile, 'line 19998 again\n')
    await log.getByText('1 of 2').waitFor()
    await log.getByRole('searchbox').press('Enter')
    await log.getByText('2 of 2').waitFor()
    while (await log.getByRole('button', { name: 'Earlier lines' }).isVisible()) {
      const before = await text.evaluate((pre) => pre.textContent?.length ?? 0)
      await log.getByRole('button', { name: 'Earlier lines' }).click()
      await page.waitForFunction(
        (length) => (document.querySelector('#log-text')?.textContent?.length ?? 0) > length,
        before,
      )
    }
    assert.match(await text.evaluate((pre) => pre.textContent ?? ''), /^line 0 of w1\nline 1 of w1\n/)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      log.getByRole('link', { name: 'Download' }).click(),
    ])
    assert.equal(download.suggestedFilename(), 'w1.log')
    assert.deepEqual(readFileSync(await download.path()), readFileSync(logFile))
    await page.keyboard.press('Escape')
    await log.waitFor({ state: 'hidden' })
  })

  it('shows the changing state of the block under the pointer, until Escape', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using folder = temporaryFolder()
    using run = reportRun(folder.path, [{ shape: [10] }])
    await using dashboard = await startDashboard(run.folder, { isOwn: true })
    const page = await open(t, dashboard.address)
    await map(page).press('ArrowDown')
    await tip(page).getByText('ready').waitFor()
    run.done([0])
    await tip(page).getByText('done').waitFor()
    await tip(page).getByText('by w1').waitFor()
    await map(page).press('Escape')
    await tip(page).waitFor({ state: 'hidden' })
  })

  it('shows the block that was tapped, until a tap elsewhere', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using folder = temporaryFolder()
    using run = reportRun(folder.path, [{ shape: [4, 4] }])
    await using dashboard = await startDashboard(run.folder, { isOwn: true })
    const page = await open(t, dashboard.address, { viewport: { width: 390, height: 844 }, hasTouch: true })
    await map(page).tap({ position: { x: 4, y: 4 } })
    await tip(page).getByText('a/0').waitFor()
    await page.locator('#share').tap()
    await tip(page).waitFor({ state: 'hidden' })
  })

  it('draws the map beside the counts and not over them on a phone, also after the window was wide', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using folder = temporaryFolder()
    using run = reportRun(folder.path, [{ shape: [4, 4] }])
    await using dashboard = await startDashboard(run.folder, { isOwn: true })
    const phone = { width: 390, height: 844 }
    for (const first of [phone, { width: 1280, height: 800 }]) {
      const page = await open(t, dashboard.address, { viewport: first })
      await page.setViewportSize(phone)
      await page.waitForFunction(() => {
        const [text, canvas] = ['.task .text', '.task .map canvas'].map((each) => document.querySelector(each))
        return text && canvas && text.getBoundingClientRect().right <= canvas.getBoundingClientRect().left
      })
    }
  })

  for (const width of [1920, 1280, 390]) {
    it(`shows the whole block that a worker is running, and since when, on ${width} px`, async (t) => {
      if (browser === undefined) return void (await browserOrSkip(t))
      using folder = temporaryFolder()
      using run = reportRun(folder.path, [{ id: 'smooth-membranes', shape: [200, 200] }])
      const [taskId, workerId] = ['smooth-membranes', 'w12']
      run.report(
        { type: 'worker-started', workerId, pid: 1, host: 'here' },
        { type: 'blocks-leased', taskId, indices: [38_123], workerId },
      )
      await using dashboard = await startDashboard(run.folder, { isOwn: true })
      const page = await open(t, dashboard.address, { viewport: { width, height: 800 } })
      const doing = page.getByRole('row', { name: workerId }).locator('.doing')
      await doing.getByText('smooth-membranes/38123 for').waitFor()
      const isCut = await doing.evaluate(
        (cell) => cell.scrollWidth > cell.clientWidth || cell.scrollHeight > cell.clientHeight,
      )
      assert.equal(isCut, false)
    })
  }

  for (const width of [1280, 390]) {
    it(`has room for hundreds of workers, failures and long names on ${width} px`, async (t) => {
      if (browser === undefined) return void (await browserOrSkip(t))
      using folder = temporaryFolder()
      const id = 'a-task-with-a-name-that-somebody-has-thought-about-for-a-long-time-and-never-shortened'
      using run = reportRun(folder.path, [{ shape: [400] }, { id, shape: [400], after: ['a'] }])
      for (const i of range(0, 300)) {
        const workerId = `gpu-node-${i}.cluster.example.org-${i}`
        run.report({ type: 'worker-started', workerId, pid: i, host: `gpu-node-${i}.cluster.example.org` })
        if (i < 100) run.report(blockFailed(i, 'out of memory '.repeat(60), workerId))
      }
      await using dashboard = await startDashboard(run.folder, { isOwn: true })
      const page = await open(t, dashboard.address, { viewport: { width, height: 800 } })
      for (const tab of ['Failed 100', 'Workers']) {
        await page.getByRole('tab', { name: tab }).click()
        const [wide = 0, high = 0] = await page.evaluate(() => {
          const { scrollWidth, scrollHeight } = document.documentElement
          return [scrollWidth, scrollHeight]
        })
        assert.ok(wide > 0 && wide <= width, `${wide} px wide`)
        assert.ok(high < 3000, `${high} px high`)
        const spilt = await page.evaluate(() =>
          [...document.querySelectorAll('.worker > *, .failure > *, .task > header > *')]
            .filter((each) => each.getBoundingClientRect().width > 0)
            .filter((each) => {
              const parent = each.parentElement as HTMLElement
              return each.getBoundingClientRect().right > parent.getBoundingClientRect().right + 1
            })
            .map((each) => each.textContent),
        )
        assert.deepEqual(spilt, [])
      }
      await page.getByText('100 more not listed').waitFor()
    })
  }
})
