// A run of SIDE³ blocks whose record says that most of them are done: how long it takes to start, and how long its status and its
// page take to open. Run after a build: node bench/scale/resume.ts [--side 464]. Seeded.
import { fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { sqliteProgress } from '../../src/adapters/sqlite/sqlite-progress.ts'
import { bitmapBytes, PAGE_BYTES, pageOf } from '../../src/core/progress/bitmap-pages.ts'
import { lightWorker } from '../light-worker.ts'
import { heard } from './heard.ts'
import { randomNumbers } from './random.ts'

const { values } = parseArgs({ options: { side: { type: 'string', default: '464' } } })
const BLOCKS = Number(values.side) ** 3
const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const bellis = pathOf('../../bin/bellis.js')

/** Which blocks are done. */
const RECORDS: Record<string, (bitmap: Uint8Array) => void> = {
  'nothing done': () => {},
  'the first 1 % done': (bitmap) => void bitmap.fill(255, 0, Math.floor(bitmap.length / 100)),
  'the first 99 % done': (bitmap) => void bitmap.fill(255, 0, Math.floor(bitmap.length * 0.99)),
  '99 % done, at random': (bitmap) => {
    bitmap.fill(255)
    const random = randomNumbers(1)
    for (let left = 0; left < BLOCKS / 100; left++) {
      const block = Math.floor(random() * BLOCKS)
      bitmap[block >> 3]! &= ~(1 << (block & 7))
    }
  },
}

async function fill(file: string, mark: (bitmap: Uint8Array) => void): Promise<void> {
  await using store = sqliteProgress(file)
  const reader = await store.read('')
  if (reader === undefined) throw new Error(`${file} has no record`)
  const { identity } = reader
  await reader[Symbol.asyncDispose]()
  const bitmap = new Uint8Array(bitmapBytes(BLOCKS))
  mark(bitmap)
  await using record = await store.open(identity)
  const pages = Array.from({ length: Math.ceil(bitmap.length / PAGE_BYTES) }, (_, page) => ({
    ...{ task: 0, page, bits: pageOf(bitmap, page) },
  }))
  await record.commit({ pages, failedAttempts: [] })
}

/** Starts the run with one worker. @returns ms from the call to its first lease, and what `during` returns */
async function start<Result>(runDir: string, during: () => Promise<Result>): Promise<{ ms: number; result: Result }> {
  const coordinator = fork(pathOf('coordinator.ts'), [values.side, runDir])
  const ended = once(coordinator, 'exit')
  const leased = heard<{ readonly ms: number }>(coordinator, 'first-lease')
  const { context } = await heard<{ readonly context: string }>(coordinator, 'listening')
  const nothing = () => {}
  const options = { blockMs: () => 1000, started: Promise.resolve(), onWelcome: nothing, onWait: nothing }
  const worker = lightWorker(context, options)
  const { ms } = await leased
  const result = await during()
  coordinator.send('stop')
  await Promise.all([ended, worker])
  return { ms, result }
}

/** Seconds that `bellis status` takes. */
function status(run: string): number {
  const begin = performance.now()
  const { status: code, stderr } = spawnSync(process.execPath, [bellis, 'status', run], { encoding: 'utf8' })
  if (code !== 0 && code !== 1) throw new Error(stderr)
  return (performance.now() - begin) / 1000
}

/** Seconds from the start of the page's server to the first state of the blocks. */
async function page(run: string): Promise<number> {
  const begin = performance.now()
  const server = spawn(process.execPath, [bellis, 'status', run, '--dashboard', '--no-open'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  const address = new Promise<string>((resolve) => {
    for (const stream of [server.stdout, server.stderr]) {
      stream.on('data', (chunk) => {
        text += chunk
        const found = /address is in (\S+),/.exec(text)
        if (found !== null) resolve(readFileSync(found[1] as string, 'utf8').trim())
      })
    }
  })
  const { body } = await fetch(new URL('events/1', await address))
  if (body === null) throw new Error('the page sends no events')
  let events = ''
  for await (const chunk of body) {
    events += Buffer.from(chunk).toString('latin1')
    if (/^data: .*\n/m.test(events)) break
  }
  const seconds = (performance.now() - begin) / 1000
  server.kill('SIGTERM')
  await once(server, 'exit')
  return seconds
}

for (const [name, mark] of Object.entries(RECORDS)) {
  const runDir = mkdtempSync(join(tmpdir(), 'bellis-resume-'))
  try {
    await start(runDir, async () => {})
    const [name0] = readdirSync(runDir)
    const run = join(runDir, name0 as string)
    if (name !== 'nothing done') await fill(join(run, 'progress.sqlite'), mark)
    const { ms, result } = await start(runDir, async () => [status(run), await page(run)] as const)
    const [shown, opened] = result
    console.log(
      `${BLOCKS} blocks, ${name}: first lease after ${(ms / 1000).toFixed(2)} s; while it runs, status takes ${shown.toFixed(2)} s, the page ${opened.toFixed(2)} s`,
    )
  } finally {
    rmSync(runDir, { recursive: true, force: true })
  }
}
