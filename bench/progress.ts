// The record of finished blocks: completions per second, the time until a huge, nearly finished run continues, size on disk.
//
//   node bench/progress.ts [rounds]      after a build
//
// Seeded; best of the rounds (default 3). The baseline is the obvious design, a row per block. Includes MongoDB, or the FerretDB
// that `node scripts/mongodb-env.mjs` builds, if there is one. Compare ratios: machines and their load differ.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { startRun } from 'bellis'
import { MongoClient } from 'mongodb'
import { mongodbProgress } from '../src/adapters/mongodb/mongodb-progress.ts'
import { sqliteProgress } from '../src/adapters/sqlite/sqlite-progress.ts'
import { bitmapBytes, PAGE_BYTES, pageOf } from '../src/core/progress/bitmap-pages.ts'
import type { RunIdentity } from '../src/core/progress/run-identity.ts'
import { breathe, systemClock } from '../src/entry/clock.ts'
import type { ProgressStore } from '../src/ports/progress-store.ts'
import { ProgressRecorder } from '../src/runtime/coordinator/progress-recorder.ts'
import { memoryProgress } from '../test/support/memory-progress.ts'
import { mongodbOrSkip } from '../test/support/mongodb.ts'
import { noop } from './noop-task.ts'

/** The largest lease of short blocks, and the number of completions reported together. */
const LEASE = 1024
const MANY = 100_000_000
const rounds = Number(process.argv[2] ?? 3)

const home = mkdtempSync(join(tmpdir(), 'bellis-bench-progress-'))
process.on('exit', () => rmSync(home, { recursive: true, force: true }))

const folder = (): string => mkdtempSync(join(home, 'run-'))
const bytesIn = (path: string): number =>
  readdirSync(path).reduce((sum, name) => sum + (statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0), 0)
const show = (value: number): string => (value >= 1e4 ? value.toExponential(1) : value.toFixed(value < 10 ? 3 : 0))
const row = (...cells: readonly string[]): void => console.log(cells.map((cell) => cell.padEnd(22)).join(''))

const identity = (blockCount: number): RunIdentity => ({
  run: 'bench',
  tasks: [{ id: 'bench', blockCount, grid: '{}', config: '{}' }],
})

/** Completions/s until all of them are durable. @param together completions per report */
async function completionsPerSecond(store: ProgressStore, blocks: number, together: number): Promise<number> {
  await using record = await store.open(identity(blocks))
  await using recorder = await ProgressRecorder.load(record, {
    clock: systemClock,
    onError(error) {
      throw error
    },
  })
  const start = performance.now()
  for (let first = 0; first < blocks; first += together) {
    recorder.recordCompleted(
      0,
      Array.from({ length: Math.min(together, blocks - first) }, (_, at) => first + at),
    )
    // As reports arrive: one per turn of the event loop.
    await breathe()
  }
  await recorder.flush()
  return blocks / ((performance.now() - start) / 1000)
}

/** The obvious design: a row per block, with one transaction per report. */
async function rowsPerSecond(file: string, blocks: number, together: number): Promise<number> {
  const database = new DatabaseSync(file)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE done (block INTEGER PRIMARY KEY)')
  const insert = database.prepare('INSERT INTO done VALUES (?)')
  const start = performance.now()
  for (let first = 0; first < blocks; first += together) {
    database.exec('BEGIN')
    for (let block = first; block < Math.min(blocks, first + together); block++) insert.run(block)
    database.exec('COMMIT')
    await breathe()
  }
  const seconds = (performance.now() - start) / 1000
  database.close()
  return blocks / seconds
}

async function best(measure: () => Promise<number>): Promise<number> {
  let most = 0
  for (let round = 0; round < rounds; round++) most = Math.max(most, await measure())
  return most
}

async function benchCompletions(url: string | undefined): Promise<void> {
  console.log('\ncompletions/s, and the ratio to the baseline')
  row('', `${LEASE} together`, 'one at a time')
  const stores: (readonly [string, () => ProgressStore, number])[] = [
    ['memory', () => memoryProgress(), 1],
    ['SQLite', () => sqliteProgress(join(folder(), 'p.sqlite')), 1],
    ['SQLite, --fsync', () => sqliteProgress(join(folder(), 'p.sqlite'), { fsync: true }), 10],
  ]
  let database = 0
  if (url !== undefined) stores.push(['MongoDB', () => mongodbProgress(`${url}${database++}`), 10])
  const baseline = [
    await best(() => rowsPerSecond(join(folder(), 'rows.sqlite'), 1_000_000, LEASE)),
    await best(() => rowsPerSecond(join(folder(), 'rows.sqlite'), 20_000, 1)),
  ] as const
  row('a row per block', ...baseline.map((value) => `${show(value)}/s`))
  for (const [name, open, slower] of stores) {
    const measure = (blocks: number, together: number) =>
      best(async () => {
        await using store = open()
        return await completionsPerSecond(store, blocks, together)
      })
    const results = [await measure(20_000_000 / slower, LEASE), await measure(20_000 / slower, 1)]
    row(name, ...results.map((value, at) => `${show(value)}/s, ×${show(value / (baseline[at] as number))}`))
  }
}

interface FirstBlock {
  /** Milliseconds since the call. */
  readonly handedOut: number
  readonly done: number
}

/** Starts a run and stops it at its first block. */
async function firstBlock(runDir: string): Promise<FirstBlock> {
  const start = performance.now()
  let handedOut = 0
  let done = 0
  const run = startRun(noop({ blocks: MANY }), {
    runDir,
    workers: 1,
    onEvent({ type }) {
      if (type === 'blocks-leased' && handedOut === 0) handedOut = performance.now() - start
      if (type !== 'blocks-done' || done > 0) return
      done = performance.now() - start
      void run.stop()
    },
  })
  await run.result
  return { handedOut, done }
}

/** Marks 99 of 100 blocks as done; the others are spread at random. */
async function fill(file: string): Promise<void> {
  await using store = sqliteProgress(file)
  const reader = await store.read('')
  if (reader === undefined) throw new Error(`${file} has no record`)
  const { identity } = reader
  await reader[Symbol.asyncDispose]()
  const bitmap = new Uint8Array(bitmapBytes(MANY)).fill(255)
  if (MANY % 8 > 0) bitmap[bitmap.length - 1] = 2 ** (MANY % 8) - 1
  let state = 1
  for (let left = 0; left < MANY / 100; left++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const block = Math.floor((state / 2 ** 32) * MANY)
    bitmap[block >> 3]! &= ~(1 << (block & 7))
  }
  await using record = await store.open(identity)
  const pages = Array.from({ length: Math.ceil(bitmap.length / PAGE_BYTES) }, (_, page) => ({
    task: 0,
    page,
    bits: pageOf(bitmap, page),
  }))
  await record.commit({ pages, failedAttempts: [] })
}

async function benchResume(): Promise<void> {
  console.log(`\n${MANY.toExponential(0)} blocks, one worker process: ms from the call to the first block`)
  row('', 'handed out', 'done')
  const runDir = folder()
  const fresh = await firstBlock(runDir)
  const [run] = readdirSync(runDir)
  const file = join(runDir, run as string, 'progress.sqlite')
  await fill(file)
  const resumed: FirstBlock[] = []
  for (let round = 0; round < rounds; round++) resumed.push(await firstBlock(runDir))
  const least = (what: keyof FirstBlock) => Math.min(...resumed.map((each) => each[what]))
  row('a new run', `${show(fresh.handedOut)} ms`, `${show(fresh.done)} ms`)
  row('99 % done', `${show(least('handedOut'))} ms`, `${show(least('done'))} ms`)
  const bytes = statSync(file).size
  console.log(`\non disk, SQLite: ${(bytes / 1e6).toFixed(1)} MB, ${(bytes / MANY).toFixed(3)} bytes per block`)
}

async function benchSize(url: string | undefined): Promise<void> {
  const blocks = 10_000_000
  const rows = folder()
  await rowsPerSecond(join(rows, 'rows.sqlite'), 1_000_000, LEASE)
  console.log(`a row per block: ${(bytesIn(rows) / 1_000_000).toFixed(1)} bytes per block`)
  if (url === undefined) return
  await using store = mongodbProgress(url)
  await completionsPerSecond(store, blocks, LEASE)
  await using client = new MongoClient(url)
  const { dataSize, storageSize } = await client.db().command({ dbStats: 1 })
  console.log(`MongoDB: ${((storageSize || dataSize) / blocks).toFixed(3)} bytes per block`)
}

const url = await mongodbOrSkip({ skip: (message) => console.log(`without MongoDB: ${message}`) })
await benchCompletions(url)
await benchResume()
await benchSize(url)
process.exit()
