// What the page of a run costs the run, and how smoothly it draws. Run after a build: node bench/dashboard.ts [cost|frames]
// Deterministic.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type RunOptions, startRun, type TaskNode } from 'bellis'
import { smooth } from 'bellis/tasks'
import type { Browser } from 'playwright-core'
import { createArray } from '../src/entry/arrays.ts'
import { startDashboard } from '../src/entry/pages/dashboard-server.ts'
import { keepHistory } from '../src/entry/run-folder/history/history-writer.ts'
import { EventStream } from '../src/runtime/coordinator/event-stream.ts'
import { browserOrSkip } from '../test/support/browser.ts'
import { noop } from './noop-task.ts'

const ROUNDS = 3
/** Opening a page takes processor time for a moment; it is not part of the cost of an open page. */
const OPENING_SECONDS = 2
const MILLION = 1_000_000
const WATCH_SECONDS = 8

// Runs in the page: the time between frames while the pointer moves over the map and, if there is one, the slider.
const FRAMES = `new Promise((resolve) => {
  const canvas = document.querySelector('.map canvas')
  const slider = document.querySelector('.slider input')
  const times = []
  let last = performance.now()
  const end = last + ${WATCH_SECONDS * 1000}
  const frame = (now) => {
    times.push(now - last)
    last = now
    const { left, top, width, height } = canvas.getBoundingClientRect()
    const at = { clientX: left + (now / 3) % width, clientY: top + (now / 7) % height, bubbles: true }
    canvas.dispatchEvent(new PointerEvent('pointermove', at))
    if (slider !== null && times.length % 3 === 0) {
      slider.value = String(times.length % 100)
      slider.dispatchEvent(new Event('input'))
    }
    if (now < end) requestAnimationFrame(frame)
    else resolve(times.slice(2))
  }
  requestAnimationFrame(frame)
})`

const EMPTY_FRAMES = `new Promise((resolve) => {
  let count = 0
  const start = performance.now()
  const frame = (now) => {
    count++
    if (now < start + 3000) requestAnimationFrame(frame)
    else resolve((1000 * count) / (now - start))
  }
  requestAnimationFrame(frame)
})`

const folder = mkdtempSync(join(tmpdir(), 'bellis-bench-'))
const browser = await browserOrSkip({ skip: (message) => console.log(`without a browser: ${message}`) })
try {
  console.log(`load average: ${loadavg()[0]?.toFixed(1)}`)
  const [, , only] = process.argv
  if (only !== 'frames') {
    await benchCost('1800 blocks that wait for 10 ms', () => noop({ blocks: 1800, waitMs: 10 }))
    await benchCost('1800 blocks that compute for 10 ms', () => noop({ blocks: 1800, busyMs: 10 }))
    const input = await makeVolume()
    const output = join(folder, 'out.zarr')
    // Neuroglancer takes longer to open, so the run is longer.
    const volume = () => smooth({ input, output, sigma: 14, blockWrite: [32, 64, 64] })
    await benchCost('smoothing 512 × 512 × 512 voxels, shown as they are written', volume, { rounds: 1, opening: 15 })
  }
  if (browser !== undefined && only !== 'cost') {
    await benchFrames(browser, '10^6 blocks, 100 × 100 × 100', [100, 100, 100])
    await benchFrames(browser, '10^6 blocks, 1000 × 1000', [1000, 1000])
  }
} finally {
  await browser?.close()
  rmSync(folder, { recursive: true, force: true })
}

/** The same run without a page, with a program that reads the page's events, and with a browser on this machine. */
async function benchCost(
  what: string,
  task: () => TaskNode,
  { rounds, opening } = { rounds: ROUNDS, opening: OPENING_SECONDS },
): Promise<void> {
  console.log(`\n${what}, 2 worker processes; medians of ${rounds} runs in turns`)
  const ways: Record<string, Cost[]> = { 'no page': [], 'a reader of its events': [], 'a browser here': [] }
  for (let round = 0; round < rounds; round++) {
    for (const [way, costs] of Object.entries(ways)) {
      if (way === 'a browser here' && browser === undefined) continue
      costs.push(await measure(task, way, opening))
    }
  }
  const medianOf = (costs: readonly Cost[] = [], part: keyof Cost) => median(costs.map((cost) => cost[part]))
  const base = ways['no page']
  const more = (costs: readonly Cost[], part: keyof Cost) => {
    const ratio = 100 * (medianOf(costs, part) / medianOf(base, part) - 1)
    return `${ratio >= 0 ? '+' : ''}${ratio.toFixed(1)} %`
  }
  for (const [way, costs] of Object.entries(ways)) {
    if (costs.length === 0) continue
    const whole = `${medianOf(costs, 'seconds').toFixed(2)} s  ${more(costs, 'seconds')}`
    const drawn =
      way === 'a browser here' ? `; the browser uses ${(100 * medianOf(costs, 'drawn')).toFixed(1)} % of a core` : ''
    console.log(
      `${way.padEnd(24)} ${whole}; after the first ${opening} s ${medianOf(costs, 'msPerBlock').toFixed(3)} ms per block  ${more(costs, 'msPerBlock')}${drawn}`,
    )
  }
}

interface Cost {
  /** From the first finished block to the last, without the start of workers and browsers. */
  readonly seconds: number
  /** Of the blocks finished after the page was opened and the opening seconds after the first block have passed. */
  readonly msPerBlock: number
  /** Processor time of all processes of the browser since then, as a share of one core: independent of other load. */
  readonly drawn: number
}

async function measure(task: () => TaskNode, way: string, opening: number): Promise<Cost> {
  let watcher: Watcher | undefined
  const done: { readonly at: number; readonly count: number }[] = []
  const watched = Promise.withResolvers<void>()
  let openedAt = 0
  let drawn = 0
  const options: RunOptions = {
    ...{ workers: 2, runDir: folder, overwrite: true },
    onEvent: (event) => {
      if (event.type === 'blocks-done') done.push({ at: performance.now(), count: event.indices.length })
    },
    ...(way === 'no page'
      ? {}
      : {
          dashboard: {
            onAddress: async (address) => {
              watcher = way === 'a browser here' ? await openPage(address) : await readEvents(address)
              openedAt = performance.now()
              watched.resolve()
            },
          },
        }),
  }
  const run = startRun(task(), options)
  if (way !== 'no page') {
    await watched.promise
    await setTimeout(1000 * opening)
    const [from, before] = [performance.now(), (await watcher?.computed?.()) ?? 0]
    await run.result
    drawn = (((await watcher?.computed?.()) ?? 0) - before) / ((performance.now() - from) / 1000)
  }
  await run.result
  await watcher?.end()
  const [first = 0, last = 0] = [done[0]?.at, done.at(-1)?.at]
  const from = Math.max(first + 1000 * opening, openedAt)
  const later = done.filter(({ at }) => at > from)
  const count = later.slice(1).reduce((sum, each) => sum + each.count, 0)
  return { seconds: (last - first) / 1000, msPerBlock: (last - (later[0]?.at ?? last)) / count, drawn }
}

interface Watcher {
  /** CPU seconds used so far. */
  computed?(): Promise<number>
  end(): Promise<void>
}

/** Seeded noise; its appearance does not matter. */
async function makeVolume(): Promise<string> {
  const path = join(folder, 'in.zarr')
  const options = { shape: [512, 512, 512], dtype: 'uint8', voxelSize: [40, 4, 4], chunkShape: [32, 64, 64] } as const
  const array = await createArray(path, options)
  let state = 1
  const voxels = Uint8Array.from({ length: 512 * 512 * 512 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  })
  await array.write(array.roi, voxels)
  await array.close()
  return path
}

async function readEvents(address: string): Promise<Watcher> {
  const script = 'for await (const _ of (await fetch(process.argv[1])).body);'
  const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', script, `${address}events`])
  const exited = once(child, 'exit')
  return {
    async end() {
      child.kill()
      await exited
    },
  }
}

async function openPage(address: string): Promise<Watcher> {
  const page = await (browser as Browser).newPage({ viewport: { width: 1280, height: 800 } })
  await page.goto(address)
  const devtools = await (browser as Browser).newBrowserCDPSession()
  return {
    async computed() {
      const { processInfo } = await devtools.send('SystemInfo.getProcessInfo')
      return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0)
    },
    end: () => page.close(),
  }
}

/** Frames per second of the page while 20 000 blocks per second change and a user points at blocks and moves through slices. */
async function benchFrames(browser: Browser, what: string, shape: readonly number[]): Promise<void> {
  const run = join(folder, `frames-${shape.length}`)
  mkdirSync(run)
  const block = { offset: shape.map(() => 0), shape: shape.map(() => 1) }
  const grid = { totalRoi: { offset: block.offset, shape }, readRoi: block, writeRoi: block }
  const task = { id: 'noop', after: [], blocks: MILLION, unit: 'nm', grid }
  writeFileSync(join(run, 'run.json'), JSON.stringify({ created: '', directory: run, progress: 'none', tasks: [task] }))
  const events = new EventStream()
  using _ = keepHistory(run, events, { tasks: [task], overwrite: false, doneOf: () => undefined })
  let next = 0
  const change = () => {
    const indices = Array.from({ length: 1000 }, () => next++)
    events.emit({ type: 'blocks-leased', taskId: 'noop', indices, workerId: `w${next % 7}` })
    const ms = indices.map(() => 1)
    events.emit({ type: 'blocks-done', taskId: 'noop', indices: indices.slice(0, 900), ms, workerId: `w${next % 7}` })
  }
  // Part of the run is done when the page is opened.
  for (let i = 0; i < 400; i++) change()
  await using dashboard = await startDashboard(run, { isOwn: true })
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  await page.goto(dashboard.address)
  await page.waitForFunction("document.documentElement.dataset.ready === 'true'")
  // Processor time of the page's own thread, independent of other load.
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' })
  const computed = async () => {
    const { metrics } = await devtools.send('Performance.getMetrics')
    return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0
  }
  const before = await computed()
  const timer = setInterval(change, 50)
  const frames = (await page.evaluate(FRAMES)) as number[]
  clearInterval(timer)
  const perFrame = (1000 * ((await computed()) - before)) / frames.length
  const longest = Math.max(...frames)
  const fps = (1000 * frames.length) / frames.reduce((sum, ms) => sum + ms, 0)
  const slow = frames.filter((ms) => ms > 1000 / 30).length
  console.log(
    `\n${what}: ${fps.toFixed(0)} frames/s, ${((100 * slow) / frames.length).toFixed(1)} % of them longer than 33 ms, maximum ${longest.toFixed(0)} ms`,
  )
  const empty = await browser.newPage()
  const bare = (await empty.evaluate(EMPTY_FRAMES)) as number
  console.log(
    `  its thread uses ${perFrame.toFixed(1)} ms of processor time per frame; an empty page draws ${bare.toFixed(0)} frames/s at the same load`,
  )
  await empty.close()
  await page.close()
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
