import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { takeExclusiveLock } from '../../src/adapters/sqlite/file-lock.ts'
import type { RunEvent } from '../../src/core/events.ts'
import { isBitSet } from '../../src/core/scheduling/bitmap.ts'
import { workersLock } from '../../src/entry/run-folder/run-folder.ts'
import { readRunState } from '../../src/entry/run-folder/run-state.ts'
import { hashVoxels, type RunningCommand, runNode, temporaryFolder } from '../support/command-line.ts'
import { type MongodbServer, ownMongodbOrSkip } from '../support/mongodb.ts'
import { until } from '../support/processes.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'

/** The number of kills per test. For more of them: BELLIS_TEST_KILLS=500. */
const KILLS = Number(process.env.BELLIS_TEST_KILLS ?? 8)
const WORKERS = 2
/**
 * The maximum time from the end of a block until it is recorded in a database. No block is handed out once a write takes longer than
 * 0.2 s; the write is reported as lost after 1 s; and blocks that finished during the previous write are part of this one.
 */
const ON_ITS_WAY_MS = 2500

const input = sampleForAll()
const program = fileURLToPath(new URL('../support/tasks/run.ts', import.meta.url))

/** Pseudo-random numbers from 0 to 1, the same in every run of the test. */
function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

type TimedEvent = RunEvent & { readonly at: number }

/** Blocks that were handed out and whose end was not reported, and those that were reported as done after `since`. */
function openBlocks(events: readonly TimedEvent[], since: number): Set<number> {
  const open = new Set<number>()
  for (const event of events) {
    if (event.type === 'blocks-leased') for (const index of event.indices) open.add(index)
    if (event.type === 'blocks-returned') for (const index of event.indices) open.delete(index)
    if (event.type === 'blocks-done' && event.at < since) for (const index of event.indices) open.delete(index)
  }
  return open
}

/** A smoothing in a folder, with counts of what happened to it. */
class KilledSmoothing {
  readonly path: string
  readonly #database: string | undefined
  kills = 0
  /** When its coordinator was last killed. On a busy machine, its end may be noticed much later. */
  killedAt = Number.POSITIVE_INFINITY
  starts = 0
  rounds = 0
  /** Maximum over all kills. */
  mostInFlight = 0
  mostAgain = 0
  /** Sum over all kills. */
  inFlight = 0
  again = 0

  /** @param database where the record is stored @default the folder */
  constructor(path: string, database?: string) {
    this.path = path
    this.#database = database
  }

  /** Another database for every smoothing from scratch. */
  get #progress(): string {
    return this.#database === undefined ? 'sqlite' : `${this.#database}${this.rounds}`
  }

  #ran(): number[] {
    const file = join(this.path, 'ran')
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number) : []
  }

  #folder(): string | undefined {
    const home = join(this.path, '.bellis')
    const [name] = existsSync(home) ? readdirSync(home).filter((each) => !each.startsWith('.tmp-')) : []
    return name === undefined ? undefined : join(home, name)
  }

  /** @param kill kills the coordinator */
  killNow(kill: () => void): void {
    this.killedAt = Date.now()
    kill()
  }

  /** Starts the smoothing, or continues it. @returns whether it is complete */
  async start(meanwhile: (child: RunningCommand) => Promise<void>): Promise<boolean> {
    this.starts++
    const before = this.#ran().length
    this.killedAt = Number.POSITIVE_INFINITY
    const config = { folder: this.path, input, output: 'out.zarr/soft', block: [8, 24, 24] }
    const options = { workers: WORKERS, maxRetries: 100, progress: this.#progress }
    const call = JSON.stringify({ task: 'logged-smooth.ts', config, options })
    let all = Promise.resolve()
    const { code, stdout, stderr } = await runNode([program, call], {
      cwd: this.path,
      ownGroup: true,
      meanwhile: (child) => {
        all = meanwhile(child)
        return all
      },
    })
    const end = Math.min(Date.now(), this.killedAt)
    // Wait until the server is back before anything else.
    await all
    // The last line may have been cut off.
    const lines = stdout.split('\n').filter((line) => line.endsWith('}'))
    const events = lines.map((line) => JSON.parse(line)).filter(({ type }) => type !== 'result') as TimedEvent[]
    this.#checkPauses(events)
    if (code === 0) {
      assert.equal(await hashVoxels(join(this.path, 'out.zarr/soft')), SMOOTHED)
      return true
    }
    // A run may refuse to start only because the server is gone.
    if (code !== 'SIGKILL') assert.match(stderr, /No server answers/, `it ended with ${code}`)
    await this.#checkRecord(before, events, end)
    return false
  }

  /** Checks that recorded blocks are stored completely, and that blocks that were done but not recorded were in flight. */
  async #checkRecord(before: number, events: readonly TimedEvent[], end: number): Promise<void> {
    const folder = this.#folder()
    if (folder === undefined) return
    // Workers end a moment after their coordinator.
    const workers = takeExclusiveLock(workersLock(folder), 10_000)
    assert.ok(workers, 'the workers are still running')
    workers[Symbol.dispose]()
    const state = await readRunState(folder, { place: this.#progress })
    // Reading would fail at a torn chunk.
    if (existsSync(join(this.path, 'out.zarr/soft/zarr.json'))) await hashVoxels(join(this.path, 'out.zarr/soft'))
    const done = state?.tasks[0]?.done ?? new Uint8Array()
    const ran = this.#ran()
    const lost = [...new Set(ran.slice(before))].filter((block) => !isBitSet(done, block))
    const inFlight = openBlocks(events, Number.POSITIVE_INFINITY)
    const onTheirWay = this.#database === undefined ? inFlight : openBlocks(events, answeredLast(events, end))
    assert.deepEqual(
      lost.filter((block) => !onTheirWay.has(block)),
      [],
      `of ${lost.length} blocks that were done and not recorded, these were not in flight`,
    )
    const finished = new Set(ran)
    for (let block = 0; block < 8 * done.length; block++) {
      if (isBitSet(done, block)) assert.ok(finished.has(block), `block ${block} is recorded and was never done`)
    }
    this.inFlight += inFlight.size
    this.again += lost.length
    this.mostInFlight = Math.max(this.mostInFlight, inFlight.size)
    this.mostAgain = Math.max(this.mostAgain, lost.length)
  }

  /** Checks that no block is handed out while the record can't be written. */
  #checkPauses(events: readonly TimedEvent[]): void {
    let isPaused = false
    for (const event of events) {
      if (event.type === 'store') isPaused = event.status === 'lost'
      else
        assert.ok(
          !isPaused || event.type !== 'blocks-leased',
          'a block was handed out while its end could not be recorded',
        )
    }
  }

  /** Removes everything, so that the next start is from scratch. */
  clear(): void {
    this.rounds++
    for (const name of ['ran', 'out.zarr', '.bellis']) rmSync(join(this.path, name), { recursive: true })
  }

  get story(): string {
    const { kills, starts, rounds } = this
    return `${kills} kills, ${starts} starts, ${rounds} times complete; ${this.inFlight} blocks were in flight at them (at most ${this.mostInFlight} at one), ${this.again} of these were done again (at most ${this.mostAgain})`
  }
}

/** A time before the end of all blocks that may not be recorded yet. */
function answeredLast(events: readonly TimedEvent[], end: number): number {
  let since = end - ON_ITS_WAY_MS
  for (const event of events.toReversed()) {
    if (event.type === 'store' && event.status === 'lost' && since < event.at + ON_ITS_WAY_MS) {
      since = Math.min(since, event.at - ON_ITS_WAY_MS)
    }
    // The server was lost until after `since`: blocks finished before it was lost were recorded by the first write after it was back.
    if (event.type === 'store' && event.status === 'back' && event.at < since) break
  }
  return since
}

/** Waits for a random moment of a run: from its start, from its first lease, or (most often) from its first finished block. */
async function someMoment({ output }: RunningCommand, random: () => number): Promise<void> {
  const kind = random()
  const sign = kind < 0.7 ? '"blocks-done"' : '"blocks-leased"'
  // A run that could not start prints neither.
  const isSeen = until(sign, () => output.stdout.includes(sign), 5000).catch(() => {})
  if (kind < 0.85) await isSeen
  await delay((kind < 0.7 ? 300 : 900) * random())
}

/** @param pid of a process, or of a process group if it is negative; it may have ended */
function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH')
  }
}

/** @param kill kills a coordinator */
async function smoothThroughKills(seed: number, kill: (pid: number) => void): Promise<string> {
  using folder = temporaryFolder()
  const random = randomNumbers(seed)
  const smoothing = new KilledSmoothing(folder.path)
  while (smoothing.kills < KILLS) {
    let isDone = false
    while (!isDone) {
      const isLast = smoothing.kills >= KILLS
      isDone = await smoothing.start(async (child) => {
        if (isLast) return
        await someMoment(child, random)
        smoothing.kills++
        smoothing.killNow(() => kill(child.pid))
      })
    }
    smoothing.clear()
  }
  return smoothing.story
}

/** The same with the record in a database whose server is also killed, and starts again some time later. */
async function smoothThroughServerKills(seed: number, server: MongodbServer): Promise<string> {
  using folder = temporaryFolder()
  const random = randomNumbers(seed)
  const smoothing = new KilledSmoothing(folder.path, `${server.url}crashes`)
  let serverKills = 0
  while (smoothing.kills < KILLS) {
    let isDone = false
    while (!isDone) {
      const isLast = smoothing.kills >= KILLS
      isDone = await smoothing.start(async (child) => {
        if (isLast) return
        await someMoment(child, random)
        smoothing.kills++
        const what = random()
        if (what < 0.6) {
          serverKills++
          await server.kill()
          await delay(1500 * random())
          // In half of the cases, the coordinator is killed while it waits for the server.
          if (what < 0.3) smoothing.killNow(() => killNow(child.pid))
          await server.restart()
        } else smoothing.killNow(() => killNow(child.pid))
      })
    }
    smoothing.clear()
  }
  return `${smoothing.story}; ${serverKills} of the kills were the server's`
}

describe('a smoothing whose coordinator is killed at random moments', () => {
  it('a smoothing whose coordinator is killed at random moments equals SciPy, and repeats only blocks that were in flight', async (t) => {
    t.diagnostic(await smoothThroughKills(1, (pid) => killNow(pid)))
  })
})

describe('a smoothing that is killed with all its workers at random moments', () => {
  it('a smoothing that is killed with all its workers equals SciPy, and repeats only blocks that were in flight', async (t) => {
    t.diagnostic(await smoothThroughKills(2, (pid) => killNow(-pid)))
  })
})

describe('a smoothing recorded in MongoDB whose coordinator or server is killed at random moments', () => {
  it('a smoothing recorded in a MongoDB that is also killed equals SciPy, waits for the server, and repeats only blocks in flight', async (t) => {
    await using server = await ownMongodbOrSkip(t)
    if (server !== undefined) t.diagnostic(await smoothThroughServerKills(3, server))
  })
})
