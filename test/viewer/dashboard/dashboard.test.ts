import assert from 'node:assert/strict'
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Browser, Locator, Page } from 'playwright-core'
import { STATE_CODE } from '../../../src/core/scheduling/state-map.ts'
import { createArray } from '../../../src/entry/arrays.ts'
import { startDashboard } from '../../../src/entry/pages/dashboard-server.ts'
import { browserOrSkip } from '../../support/browser.ts'
import {
  bellis,
  type CommandResult,
  type RunningCommand,
  shownAddress,
  temporaryFolder,
} from '../../support/command-line.ts'
import { until } from '../../support/processes.ts'
import { runsIn } from '../../support/recorded-runs.ts'
import { locate, readColors } from '../../support/viewer/open-page.ts'

const chain = fileURLToPath(new URL('../../support/tasks/gated-chain.ts', import.meta.url))
const BLOCKS = 32

/** A folder with an input, and a chain of tasks on it that wait at gates. */
async function gatedRun() {
  const folder = temporaryFolder()
  const cwd = folder.path
  const options = { shape: [8, 64, 64], dtype: 'uint8', voxelSize: [40, 4, 4], chunkShape: [4, 16, 16] } as const
  const array = await createArray(join(cwd, 'in.zarr'), options)
  // Odd columns are white, also with 100 added.
  const voxels = Uint8Array.from({ length: 8 * 64 * 64 }, (_, i) => (i % 2 === 0 ? 20 : 120))
  await array.write(array.roi, voxels)
  await array.close()
  /** Lets all blocks below an index continue. */
  const open = (task: 'Gaussian1' | 'Gaussian2', count: number) => {
    // Renamed, so that no block reads an incomplete number.
    writeFileSync(join(cwd, 'gate'), String(count))
    renameSync(join(cwd, 'gate'), join(cwd, `gate-${task}`))
  }
  const start = (more: readonly string[], meanwhile?: (running: RunningCommand) => Promise<void>) =>
    bellis(
      [
        ...['run', chain, '--folder', cwd, '--input', 'in.zarr', '--output', 'out.zarr'],
        ...['--workers', '2', '--no-open', ...more],
      ],
      { cwd, env: { DISPLAY: '' }, ...(meanwhile === undefined ? {} : { meanwhile }) },
    )
  const runFolder = () => {
    const [run = 'not yet'] = runsIn(cwd)
    return join(cwd, '.bellis', run)
  }
  return { cwd, open, start, runFolder, [Symbol.dispose]: () => folder[Symbol.dispose]() }
}

/** Whether the middle of an element is in the window, and nothing is over it. */
const isUncovered = (locator: Locator): Promise<boolean> =>
  locator.evaluate((element) => {
    const { left, top, width, height } = element.getBoundingClientRect()
    return document.elementFromPoint(left + width / 2, top + height / 2) === element
  })

const card = (page: Page, task: string) => page.getByRole('article', { name: `Task ${task}` })

/** The states that the map of a task shows, by the colours of its pixels, after the next frame; row by row. */
const shownStates = (page: Page, task: string, rows: number, columns: number): Promise<string[]> =>
  card(page, task)
    .locator('.map canvas')
    .evaluate(
      async (canvas, [rows, columns]) => {
        await new Promise(requestAnimationFrame)
        const context = (canvas as HTMLCanvasElement).getContext('2d') as CanvasRenderingContext2D
        const { width, height } = canvas as HTMLCanvasElement
        const style = getComputedStyle(document.documentElement)
        const names = ['pending', 'ready', 'processing', 'completed', 'failed', 'orphaned', 'skipped']
        const colors = new Map(names.map((name) => [style.getPropertyValue(`--state-${name}`).trim(), name]))
        return Array.from({ length: rows * columns }, (_, i) => {
          const x = Math.floor((((i % columns) + 0.4) * width) / columns)
          const y = Math.floor(((Math.floor(i / columns) + 0.4) * height) / rows)
          const pixel = [...context.getImageData(x, y, 1, 1).data.subarray(0, 3)]
          return colors.get(`#${pixel.map((value) => value.toString(16).padStart(2, '0')).join('')}`) ?? String(pixel)
        })
      },
      [rows, columns] as const,
    )

async function untilStates(
  page: Page,
  task: string,
  wanted: (states: readonly string[]) => boolean,
): Promise<string[]> {
  let states: string[] = []
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    states = await shownStates(page, task, 4, 4)
    if (wanted(states)) return states
    await new Promise((resume) => setTimeout(resume, 50))
  }
  throw new Error(`${task} shows ${states.join(' ')}`)
}

interface PageViewer {
  position: { value: Float32Array }
  layout: { toJSON(): unknown }
}

/** Keeps the volume at a section while blocks are written elsewhere. @param z in voxels */
async function holdVolume(page: Page, z: number): Promise<void> {
  await page.locator('#volume[data-ready]').waitFor()
  await page.getByRole('region', { name: 'The volume' }).getByRole('checkbox', { name: 'follow' }).uncheck()
  await page.evaluate((z) => {
    const { viewer } = window as unknown as { viewer: PageViewer }
    viewer.position.value = Float32Array.of(32, 32, z)
  }, z)
}

/** Waits for colours of the first volume: in the middle of the first and of the last block of the section. */
async function untilColors(page: Page, wanted: (colors: readonly (string | undefined)[]) => boolean) {
  let colors: (string | undefined)[] = []
  // A browser that draws without a graphics card takes long beside other work.
  for (const end = Date.now() + 60_000; Date.now() < end; ) {
    const corners = { across: 'x', down: 'y', acrossVoxels: [9, 57], downVoxels: [8, 56] }
    const points = await page.evaluate(locate, corners)
    const all = (await page.evaluate(readColors, { points, hasHoles: true })) ?? []
    colors = [all[0], all[3]]
    if (wanted(colors)) return colors
    await new Promise((resume) => setTimeout(resume, 50))
  }
  throw new Error(`the volume shows ${colors.join(' ')}`)
}

const count = (states: readonly string[], state: string): number => states.filter((each) => each === state).length

/** In the page: whether the states over the first volume show a block in a state. */
function statesOverVolumes({ index, code }: { readonly index: number; readonly code: number }): boolean {
  interface Source {
    readonly parameters?: { readonly url?: string }
    readonly chunks?: ReadonlyMap<string, { readonly data: Uint8Array | null }>
  }
  const { viewer } = window as unknown as { viewer: { chunkManager: { rpc: { objects: Map<number, Source> } } } }
  const sources = [...viewer.chunkManager.rpc.objects.values()]
  const states = sources.find(({ parameters }) => parameters?.url?.includes('/states/0/'))
  return [...(states?.chunks?.values() ?? [])].some(({ data }) => data?.[index] === code)
}

/** Keeps slice 1 of 2 along z, wherever blocks are running. */
async function holdFirstSlice(page: Page, task: string): Promise<void> {
  // It also stops following.
  await card(page, task).getByRole('slider').fill('0')
}

describe('the page of a run, in a browser', () => {
  let browser: Browser | undefined
  before(async () => {
    browser = await browserOrSkip({ skip: () => {} })
  })
  after(() => browser?.close())

  /** Opens a page. Errors on it fail the test, except that the server is gone. */
  async function open(t: TestContext, address: string, options?: Parameters<Browser['newPage']>[0]): Promise<Page> {
    const page = await (browser as Browser).newPage({ viewport: { width: 1280, height: 800 }, ...options })
    t.after(() => page.close())
    page.on('pageerror', (error) => assert.ifError(error))
    page.on('console', (message) => {
      if (message.type() === 'error') assert.match(message.text(), /ERR_|Failed to load/)
    })
    await page.goto(address)
    await page.waitForFunction(() => document.documentElement.dataset.ready === 'true')
    return page
  }

  it('shows a chain as it happens: the second task runs before the first has ended, then all is done', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using run = await gatedRun()
    run.open('Gaussian1', 5)
    run.open('Gaussian2', 2)
    const { code, stderr, stdout } = await run.start(['--dashboard', '--json'], async ({ output }) => {
      const page = await open(t, await shownAddress(output, 'stderr'))
      await page.evaluate(() => Object.assign(window, { isSamePage: true }))
      for (const task of ['Gaussian1', 'Gaussian2']) await holdFirstSlice(page, task)
      await page.getByRole('status').getByText('running').waitFor()
      const second = await untilStates(page, 'Gaussian2', (states) => count(states, 'processing') > 0)
      const first = await untilStates(page, 'Gaussian1', (states) => count(states, 'completed') > 2)
      assert.ok(count(first, 'completed') < 16, first.join(' '))
      assert.ok(count(second, 'pending') > 8, second.join(' '))
      await card(page, 'Gaussian2')
        .getByText(/\d+ running/)
        .waitFor()
      // The volume shows what is written, and the states over what is not.
      await holdVolume(page, 2.5)
      const [done, pending] = await untilColors(page, ([first]) => first === 'ffffff')
      assert.equal(done, 'ffffff')
      assert.notEqual(pending, 'ffffff')
      assert.notEqual(pending, '000000')
      run.open('Gaussian2', BLOCKS)
      run.open('Gaussian1', BLOCKS)
      for (const task of ['Gaussian1', 'Gaussian2']) {
        await untilStates(page, task, (states) => count(states, 'completed') === 16)
        await card(page, task).getByText('32 of 32 blocks').waitFor()
      }
      await untilColors(page, (colors) => colors.every((color) => color === 'ffffff'))
      await page.getByRole('alert').getByText('All blocks are done').waitFor()
      await page.getByRole('status').getByText('done').waitFor()
      assert.equal(await page.evaluate(() => 'isSamePage' in window), true)
    })
    assert.equal(code, 0, stderr)
    assert.equal(JSON.parse(stdout).ok, true)
  })

  it('opens at the section that is being written and follows the blocks to others, until the user goes elsewhere', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using run = await gatedRun()
    run.open('Gaussian1', 6)
    run.open('Gaussian2', BLOCKS)
    await run.start(['--dashboard'], async ({ output }) => {
      const address = await shownAddress(output, 'stderr')
      // Nothing more is done from now on that the volume could follow.
      const first = await open(t, address)
      await holdFirstSlice(first, 'Gaussian1')
      await untilStates(first, 'Gaussian1', (states) => count(states, 'completed') === 6)
      const page = await open(t, address)
      await page.locator('#volume[data-ready]').waitFor()
      const isAt = (z: number) => (window as unknown as { viewer: PageViewer }).viewer.position.value[2] === z
      await page.waitForFunction(isAt, 2.5)
      // No block is written any more by the time that the view may move again.
      run.open('Gaussian1', 20)
      await page.waitForFunction(isAt, 6.5)
      const follow = page.getByRole('region', { name: 'The volume' }).getByRole('checkbox', { name: 'follow' })
      assert.equal(await follow.isChecked(), true)
      await page.evaluate(() => {
        const { position } = (window as unknown as { viewer: PageViewer }).viewer
        position.value = Float32Array.of(32, 32, 1.5)
      })
      await page.waitForFunction(() => !(document.getElementById('follow') as HTMLInputElement).checked)
      run.open('Gaussian1', BLOCKS)
    })
  })

  it('shows a block as done over its volume once its voxels have been fetched, not before', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using run = await gatedRun()
    run.open('Gaussian1', 3)
    run.open('Gaussian2', BLOCKS)
    await run.start(['--dashboard'], async ({ output }) => {
      const page = await open(t, await shownAddress(output, 'stderr'))
      await holdFirstSlice(page, 'Gaussian1')
      await untilStates(page, 'Gaussian1', (states) => count(states, 'completed') === 3)
      await holdVolume(page, 2.5)
      await untilColors(page, ([first]) => first === 'ffffff')
      const states = { index: 3, code: STATE_CODE.completed }
      const held: (() => void)[] = []
      let isHolding = true
      await page.route(/\/data\//, async (route) => {
        if (isHolding) await new Promise<void>((resume) => held.push(resume))
        await route.continue()
      })
      run.open('Gaussian1', 4)
      await until('the chunk of block 3 is fetched again', () => held.length > 0)
      assert.equal(await page.evaluate(statesOverVolumes, states), false)
      isHolding = false
      for (const resume of held) resume()
      await page.waitForFunction(statesOverVolumes, states)
      run.open('Gaussian1', BLOCKS)
    })
  })

  it('shows that a coordinator was killed, and then that the next start has another address, and where to find it', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using run = await gatedRun()
    run.open('Gaussian1', 6)
    run.open('Gaussian2', BLOCKS)
    let page: Page | undefined
    let address = ''
    const killed = await run.start(['--dashboard'], async ({ pid, output }) => {
      address = await shownAddress(output, 'stderr')
      page = await open(t, address)
      await holdFirstSlice(page, 'Gaussian1')
      await untilStates(page, 'Gaussian1', (states) => count(states, 'completed') === 6)
      process.kill(pid, 'SIGKILL')
      await page.getByRole('alert').getByText('bellis no longer responds').waitFor()
    })
    assert.equal(killed.code, 'SIGKILL')
    const { code } = await run.start(['--dashboard'], async ({ output }) => {
      const next = await shownAddress(output, 'stderr')
      assert.notEqual(next, address)
      assert.equal(new URL(next).port, new URL(address).port)
      assert.ok(page)
      await page.getByRole('alert').getByText('The page was started again and has a new address.').waitFor()
      await page
        .getByRole('alert')
        .getByText(/status \S+ --dashboard\. .*\/dashboard\.json/)
        .waitFor()
      page = await open(t, next)
      await untilStates(page, 'Gaussian1', (states) => count(states, 'skipped') >= 5)
      run.open('Gaussian1', BLOCKS)
      await page.getByRole('alert').getByText('All blocks are done').waitFor()
    })
    assert.equal(code, 0)
  })

  it('follows a run of another process: running, killed, running again, and done', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using run = await gatedRun()
    run.open('Gaussian1', 6)
    run.open('Gaussian2', BLOCKS)
    let ended: Promise<CommandResult> | undefined
    let kill = () => {}
    t.after(() => kill())
    const started = new Promise<void>((resolve, reject) => {
      ended = run.start([], async ({ pid }) => {
        kill = () => {
          kill = () => {}
          process.kill(pid, 'SIGKILL')
        }
        resolve(
          until('the run is running', () => existsSync(join(run.runFolder(), 'history', '000001'))).then(() => {}),
        )
      })
      ended.catch(reject)
    })
    await started
    await bellis(['status', run.runFolder(), '--dashboard', '--no-open', '--quiet'], {
      cwd: run.cwd,
      meanwhile: async ({ pid, output }) => {
        const page = await open(t, await shownAddress(output, 'stdout'))
        await holdFirstSlice(page, 'Gaussian1')
        await page.getByRole('status').getByText('running').waitFor()
        await untilStates(page, 'Gaussian1', (states) => count(states, 'completed') === 6)
        kill()
        await ended
        await page.getByRole('alert').getByText('ended unexpectedly').waitFor()
        // No block is running any more.
        await untilStates(page, 'Gaussian1', (states) => count(states, 'processing') === 0)
        const again = run.start([])
        await page.getByRole('status').getByText('running').waitFor()
        await untilStates(page, 'Gaussian1', (states) => count(states, 'processing') > 0)
        run.open('Gaussian1', BLOCKS)
        await page.getByRole('alert').getByText('All blocks are done').waitFor()
        assert.equal((await again).code, 0)
        process.kill(pid, 'SIGINT')
      },
    })
  })

  it('shows which blocks of a failed run failed and why, which blocks they orphaned, and who did the others', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using run = await gatedRun()
    run.open('Gaussian1', BLOCKS)
    run.open('Gaussian2', BLOCKS)
    assert.equal((await run.start(['--fail', '3,20', '--max-retries', '0'])).code, 1)
    await using dashboard = await startDashboard(run.runFolder())
    const page = await open(t, dashboard.address)
    await page.getByRole('alert').getByText('2 blocks failed, 2 blocks orphaned').waitFor()
    for (const task of ['Gaussian1', 'Gaussian2']) await holdFirstSlice(page, task)
    const [first, second] = [await shownStates(page, 'Gaussian1', 4, 4), await shownStates(page, 'Gaussian2', 4, 4)]
    assert.deepEqual([first[3], count(first, 'completed')], ['failed', 15])
    assert.deepEqual([second[3], count(second, 'completed')], ['orphaned', 15])
    // When Neuroglancer loads, it takes the focus if the pointer is over it.
    await page.locator('#volume[data-ready]').waitFor()
    // The list of failures opens by itself and leads to the block on the map.
    const failures = page.getByRole('tabpanel', { name: /^Failed 2/ })
    await failures.getByText('no such neuron in 20').waitFor()
    await failures.getByRole('button', { name: 'Gaussian1/20' }).click()
    assert.match(await card(page, 'Gaussian1').getByRole('status').innerText(), /z 2 \/ 2/)
    await failures.getByText('160,64,0:160,64,64 nm').waitFor()
    await failures.getByText('4:8,16:32,0:16 voxels').waitFor()
    await failures.getByText(/Error: no such neuron in 20\s+at .*gated-chain\.ts:\d+/).waitFor()
    const position = () => page.evaluate(() => [...(window as unknown as { viewer: PageViewer }).viewer.position.value])
    assert.deepEqual(await position(), [8.5, 24.5, 6.5])
    await page.evaluate(() => {
      ;(window as unknown as { viewer: PageViewer }).viewer.position.value = Float32Array.of(1, 1, 1)
    })
    await failures.getByRole('button', { name: 'Show in the volume' }).click()
    assert.deepEqual(await position(), [8.5, 24.5, 6.5])
    const inks = await page.evaluate(() => {
      document.documentElement.dataset.theme = 'light'
      const box = document.querySelector('.neuroglancer-display-dimensions-widget') as HTMLElement
      // The names of axes have colours of their own.
      const texts = box.querySelectorAll('input:not([type=checkbox], .neuroglancer-display-dimensions-widget-name)')
      return [box, ...texts].map((element) => getComputedStyle(element).color)
    })
    assert.ok(inks.length > 3)
    assert.deepEqual([...new Set(inks)], [inks[0]])
    assert.notEqual(inks[0], 'rgb(255, 255, 255)', 'the box is white')
    await failures.getByRole('button', { name: 'Log at this attempt' }).click()
    const log = page.getByRole('dialog', { name: /Log of w\d+/ })
    await log.getByText('Gaussian1/20: attempt 1 failed here').waitFor()
    assert.match(
      await log.getByRole('log').innerText(),
      /Gaussian1 looks at 20\s[\s\S]*Gaussian1\/20: attempt 1 failed here/,
    )
    await log.getByRole('button', { name: 'Close' }).click()
    // The other one from the map.
    await page.getByRole('tab', { name: 'Workers' }).click()
    await failures.waitFor({ state: 'hidden' })
    await card(page, 'Gaussian1').getByRole('slider').fill('0')
    const map = card(page, 'Gaussian1').locator('.map canvas')
    const size = page.viewportSize() ?? { width: 1280, height: 720 }
    await page.setViewportSize({ ...size, height: 560 })
    const { width = 0 } = (await map.boundingBox()) ?? {}
    await map.click({ position: { x: width - 10, y: 10 } })
    await failures.getByText(/Error: no such neuron in 3\s/).waitFor()
    // Its details are in view, also in a window that was too low for them, and the focus is on them.
    const opened = failures.getByRole('button', { name: /Gaussian1\/3$/ })
    assert.ok(await isUncovered(opened), 'the block is in view')
    assert.ok(await opened.evaluate((button) => button === document.activeElement))
    await page.setViewportSize(size)
    assert.deepEqual(await position(), [56.5, 8.5, 2.5], 'the volume goes there')
    assert.match(await card(page, 'Gaussian1').getByRole('status').innerText(), /z 1 \/ 2/)
    await card(page, 'Gaussian1').getByRole('slider').fill('1')
    for (const key of ['ArrowDown', 'ArrowDown']) await map.press(key)
    await page.getByRole('tooltip').getByText('Gaussian1/20').waitFor()
    const tip = page.getByRole('tooltip')
    await card(page, 'Gaussian1').locator('.map canvas').press('ArrowRight')
    await tip.getByText('Gaussian1/21').waitFor()
    await tip.getByText(/by w\d+ in [\d.]+ m?s/).waitFor()
    await tip.getByText('writes 160,64,64:160,64,64 nm').waitFor()
    await tip.getByText('4:8,16:32,16:32 voxels').waitFor()
    await page.getByRole('tab', { name: 'Workers' }).click()
    const worker = page.getByRole('row', { name: 'w1' })
    assert.match(await worker.innerText(), /\d+ %\s+[\d.]+ MB/)
    await worker.getByRole('button', { name: 'Log' }).click()
    await page.getByRole('dialog', { name: 'Log of w1' }).waitFor()
    // Neuroglancer is there now, and has not taken over the title.
    assert.match(await page.title(), /^9\d % Gaussian1 → Gaussian2 · Bellis$/)
  })

  it('says what runs, what it reads and writes, with which configuration, and from when until when', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using run = await gatedRun()
    run.open('Gaussian1', BLOCKS)
    run.open('Gaussian2', BLOCKS)
    await run.start(['--fail', '3', '--max-retries', '0'])
    await using dashboard = await startDashboard(run.runFolder())
    const page = await open(t, dashboard.address, { permissions: ['clipboard-read', 'clipboard-write'] })
    await page.getByRole('heading', { name: 'Gaussian1 → Gaussian2', level: 1 }).waitFor()
    await page.getByText('→ out.zarr/once, out.zarr/twice').waitFor()
    await page.getByText(/^Started \d{4}-\d\d-\d\d \d\d:\d\d:\d\d · ended \d\d:\d\d:\d\d$/).waitFor()
    await page.getByText('Command, inputs and outputs').click()
    const facts = page.locator('#facts')
    await facts.getByText(/bellis(.js)? run .*gated-chain.ts --folder .* --fail 3/).waitFor()
    assert.match(await facts.innerText(), /Gaussian1: .*fail \[3\]/)
    assert.match(await facts.innerText(), /Gaussian2: .*fail \[\]/)
    await facts.getByRole('button', { name: 'Copy the path of out.zarr/once' }).click()
    await facts.getByText('Copied').waitFor()
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), join(run.cwd, 'out.zarr/once'))
  })

  it('sets the number of workers and stops the run, if that was asked for', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using run = await gatedRun()
    run.open('Gaussian1', 2)
    run.open('Gaussian2', 0)
    await run.start(['--dashboard', '--dashboard-control'], async ({ output }) => {
      const page = await open(t, await shownAddress(output, 'stderr'))
      const control = page.getByRole('group', { name: 'Control of the run' })
      await page.getByRole('row', { name: 'w2' }).waitFor()
      const workers = control.getByRole('textbox', { name: 'Workers' })
      await workers.fill('3..2')
      await control.getByRole('button', { name: 'Set' }).click()
      assert.equal(
        await workers.evaluate((input: HTMLInputElement) => input.validationMessage),
        'A number of at least 1, or a range such as 10..200',
      )
      // A range that the run refuses is not kept.
      await page.route('**/control/workers', (route) => route.fulfill({ status: 409, json: { error: 'Not now.' } }))
      await workers.fill('5..6')
      await control.getByRole('button', { name: 'Set' }).click()
      await control.getByText('Not now.').waitFor()
      await page.waitForFunction(() => (document.getElementById('control-workers') as HTMLInputElement).value === '2')
      await page.unroute('**/control/workers')
      await workers.fill('3..4')
      await workers.press('Enter')
      await page.getByRole('row', { name: 'w3' }).waitFor()
      await workers.fill('3')
      await control.getByRole('button', { name: 'Set' }).click()
      await control.getByText('3 workers').waitFor()
      await control.getByRole('button', { name: 'Stop' }).click()
      await page.getByRole('dialog', { name: 'Stop the run?' }).getByRole('button', { name: 'Cancel' }).click()
      await control.getByRole('button', { name: 'Stop' }).click()
      await page.getByRole('dialog', { name: 'Stop the run?' }).getByRole('button', { name: 'Stop' }).click()
      await control.getByText(/stop/i, { exact: false }).and(page.getByRole('status')).waitFor()
      run.open('Gaussian1', BLOCKS)
      await page.getByRole('status').getByText('stopped').waitFor()
      await control.waitFor({ state: 'hidden' })
    })
  })

  it('has the region of a block done again, after asking, if that was asked for', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using run = await gatedRun()
    run.open('Gaussian1', 6)
    run.open('Gaussian2', BLOCKS)
    const { code, stderr } = await run.start(['--dashboard', '--dashboard-control'], async ({ output }) => {
      const page = await open(t, await shownAddress(output, 'stderr'))
      await holdFirstSlice(page, 'Gaussian1')
      await untilStates(page, 'Gaussian1', (states) => count(states, 'completed') === 6)
      // Block 0; the region of the block at which the user points is proposed.
      await card(page, 'Gaussian1')
        .locator('.map canvas')
        .hover({ position: { x: 10, y: 10 } })
      await page.getByRole('tooltip').getByText('Gaussian1/0').waitFor()
      const control = page.getByRole('group', { name: 'Control of the run' })
      await control.getByRole('button', { name: 'Do again' }).click()
      const dialog = page.getByRole('dialog', { name: 'Do blocks again?' })
      const region = dialog.getByRole('textbox', { name: 'Region' })
      assert.equal(await region.inputValue(), '0,0,0:160,64,64')
      await dialog.getByRole('button', { name: 'Cancel' }).click()
      await control.getByRole('button', { name: 'Do again' }).click()
      await region.fill('here')
      await region.press('Enter')
      await control.getByText('"here" is not a Roi of 3 axes').waitFor()
      await control.getByRole('button', { name: 'Do again' }).click()
      await region.fill('0,0,0:160,64,64')
      run.open('Gaussian1', 0)
      await dialog.getByRole('button', { name: 'Do again' }).click()
      await control.getByText(/^1 block of Gaussian1 .*will be done again/).waitFor()
      await untilStates(page, 'Gaussian1', ([first]) => first !== 'completed')
      await page.getByRole('tab', { name: 'Events' }).click()
      await page.getByText(/On request: 1 block of Gaussian1 /).waitFor()
      run.open('Gaussian1', BLOCKS)
      await page.getByRole('alert').getByText('All blocks are done').waitFor()
    })
    assert.equal(code, 0, stderr)
  })

  it('keeps its header above the volume when it is scrolled', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    using run = await gatedRun()
    run.open('Gaussian1', BLOCKS)
    run.open('Gaussian2', BLOCKS)
    await run.start([])
    await using dashboard = await startDashboard(run.runFolder())
    const page = await open(t, dashboard.address, { viewport: { width: 390, height: 844 } })
    await page.locator('#volume[data-ready] .neuroglancer-layer-panel').first().waitFor()
    const covered = await page.evaluate(() => {
      const bar = document.querySelector('#bar') as HTMLElement
      const parts = document.querySelectorAll('.neuroglancer-layer-item, .neuroglancer-viewer-top-row')
      return [...parts].flatMap((part) => {
        window.scrollBy(0, part.getBoundingClientRect().top - 10)
        const { left, top, width, height } = part.getBoundingClientRect()
        const seen = document.elementFromPoint(left + width / 2, Math.max(1, top + height / 2))
        return top < bar.offsetHeight && !bar.contains(seen) ? [part.className] : []
      })
    })
    assert.deepEqual(covered, [])
  })

  for (const [width, height] of [
    [1280, 800],
    [390, 844],
  ] as const) {
    it(`fits a screen of ${width} × ${height}, in both themes`, async (t) => {
      if (browser === undefined) return void (await browserOrSkip(t))
      using run = await gatedRun()
      run.open('Gaussian1', BLOCKS)
      run.open('Gaussian2', BLOCKS)
      await run.start([])
      await using dashboard = await startDashboard(run.runFolder())
      const page = await open(t, dashboard.address, { viewport: { width, height } })
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      assert.ok(overflow <= 0, `${overflow} px wider than the screen`)
      assert.equal(await page.getByRole('group', { name: 'Control of the run' }).isVisible(), false)
      await page.getByRole('button', { name: 'Keys' }).click()
      await page.getByRole('dialog', { name: 'Keys' }).getByRole('button', { name: 'Close' }).click()
      await page.keyboard.press('?')
      await page.getByRole('dialog', { name: 'Keys' }).waitFor()
      await page.keyboard.press('Escape')
      await page.locator('#volume[data-ready]').waitFor()
      const layers = () =>
        page.evaluate(() => JSON.stringify((window as unknown as { viewer: PageViewer }).viewer.layout.toJSON()))
      if (width < 500) {
        // One volume at a time.
        assert.match(await layers(), /"once"/)
        await page.getByRole('radio', { name: 'twice' }).check({ force: true })
        assert.match(await layers(), /^(?!.*"once").*"twice".*"Gaussian2 blocks"/)
        // Also layers that Neuroglancer has removed, since no panel showed them.
        for (const name of ['once', 'twice', 'once', 'twice']) {
          await page.getByRole('radio', { name }).check({ force: true })
          await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
          assert.match(await layers(), new RegExp(`"${name}"`))
        }
      } else assert.match(await layers(), /"once".*"twice"/)
      for (let theme = 0; theme < 2; theme++) {
        const states = await shownStates(page, 'Gaussian1', 4, 4)
        assert.equal(count(states, 'completed'), 16, states.join(' '))
        await page.getByRole('button', { name: 'Light or dark' }).click()
        await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
      }
    })
  }
})
