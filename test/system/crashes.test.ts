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

/** Kills of each test. More of them by hand: BELLIS_TEST_KILLS=500. */
const KILLS = Number(process.env.BELLIS_TEST_KILLS ?? 8)
const WORKERS = 2
/**
 * For how long, at most, what is finished may be on its way into a database: nothing more is handed out once a write takes longer than
 * a fifth of a second, it is told after one, and what was finished during the write before that goes with this one.
 */
const ON_ITS_WAY_MS = 2500

const input = sampleForAll()
const program = fileURLToPath(new URL('../support/tasks/run.ts', import.meta.url))

/** Numbers from 0 to 1 that are the same in every run of the test. */
function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

type TimedEvent = RunEvent & { readonly at: number }

/** Blocks that were handed out and whose end was not told, and those that ended since some time. */
function openBlocks(events: readonly TimedEvent[], since: number): Set<number> {
  const open = new Set<number>()
  for (const event of events) {
    if (event.type === 'blocks-leased') for (const index of event.indices) open.add(index)
    if (event.type === 'blocks-returned') for (const index of event.indices) open.delete(index)
    if (event.type === 'blocks-done' && event.at < since) for (const index of event.indices) open.delete(index)
  }
  return open
}

/** What the tests of crashes share: a smoothing in a folder, with what it has done. */
class KilledSmoothing {
  readonly path: string
  readonly #database: string | undefined
  kills = 0
  /** When its coordinator was, the last time; a machine that is busy may take long to say that it has ended. */
  killedAt = Number.POSITIVE_INFINITY
  starts = 0
  rounds = 0
  /** At one kill. */
  mostInFlight = 0
  mostAgain = 0
  /** In all. */
  inFlight = 0
  again = 0

  /** @param database where its record is kept @default its folder */
  constructor(path: string, database?: string) {
    this.path = path
    this.#database = database
  }

  /** Every time from the beginning it has another one. */
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

  /** @param kill how */
  killNow(kill: () => void): void {
    this.killedAt = Date.now()
    kill()
  }

  /** Starts the smoothing, or continues it. @returns whether it came to its end */
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
    // A server is back, before anything else is done.
    await all
    // A last line may have been cut off.
    const lines = stdout.split('\n').filter((line) => line.endsWith('}'))
    const events = lines.map((line) => JSON.parse(line)).filter(({ type }) => type !== 'result') as TimedEvent[]
    this.#checkPauses(events)
    if (code === 0) {
      assert.equal(await hashVoxels(join(this.path, 'out.zarr/soft')), SMOOTHED)
      return true
    }
    // A server that is gone when the run begins, and nothing else, is a reason not to begin.
    if (code !== 'SIGKILL') assert.match(stderr, /No server answers/, `it ended with ${code}`)
    await this.#checkRecord(before, events, end)
    return false
  }

  /** What is recorded is there and whole, and what was done and is not recorded was in flight. */
  async #checkRecord(before: number, events: readonly TimedEvent[], end: number): Promise<void> {
    const folder = this.#folder()
    if (folder === undefined) return
    // Workers end with their coordinator, a moment later.
    const workers = takeExclusiveLock(workersLock(folder), 10_000)
    assert.ok(workers, 'the workers are gone')
    workers[Symbol.dispose]()
    const state = await readRunState(folder, { place: this.#progress })
    // A torn chunk could not be read.
    if (existsSync(join(this.path, 'out.zarr/soft/zarr.json'))) await hashVoxels(join(this.path, 'out.zarr/soft'))
    const done = state?.tasks[0]?.done ?? new Uint8Array()
    const ran = this.#ran()
    const lost = [...new Set(ran.slice(before))].filter((block) => !isBitSet(done, block))
    const inFlight = openBlocks(events, Number.POSITIVE_INFINITY)
    const onTheirWay = this.#database === undefined ? inFlight : openBlocks(events, answeredLast(events, end))
    assert.deepEqual(
      lost.filter((block) => !onTheirWay.has(block)),
      [],
      `of ${lost.length} blocks that were done and not recorded these were not in flight`,
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

  /** Nothing is handed out while the record can't be written. */
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

  /** Begins anew, as if there had been nothing. */
  clear(): void {
    this.rounds++
    for (const name of ['ran', 'out.zarr', '.bellis']) rmSync(join(this.path, name), { recursive: true })
  }

  get story(): string {
    const { kills, starts, rounds } = this
    return `${kills} kills, ${starts} starts, ${rounds} times to the end; ${this.inFlight} blocks were in flight at them (at most ${this.mostInFlight} at one), ${this.again} of these were done again (at most ${this.mostAgain})`
  }
}

/** A time that is before everything that may not be recorded yet. */
function answeredLast(events: readonly TimedEvent[], end: number): number {
  let since = end - ON_ITS_WAY_MS
  for (const event of events.toReversed()) {
    if (event.type === 'store' && event.status === 'lost' && since < event.at + ON_ITS_WAY_MS) {
      since = Math.min(since, event.at - ON_ITS_WAY_MS)
    }
    // Lost until after `since`: what was finished before it was lost went with the write that it came back for.
    if (event.type === 'store' && event.status === 'back' && event.at < since) break
  }
  return since
}

/** Some moment of a run: from its first breath on, or after its first block was handed out, or mostly once blocks are being done. */
async function someMoment({ output }: RunningCommand, random: () => number): Promise<void> {
  const kind = random()
  const sign = kind < 0.7 ? '"blocks-done"' : '"blocks-leased"'
  // One that could not begin gives none.
  const isSeen = until(sign, () => output.stdout.includes(sign), 5000).catch(() => {})
  if (kind < 0.85) await isSeen
  await delay((kind < 0.7 ? 300 : 900) * random())
}

/** @param pid of a process, or of a group where it is negative; it may have ended */
function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH')
  }
}

/** @param kill how a coordinator is killed */
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

/** The same with its record in a database whose server is killed, too, and comes back some time later. */
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
          // Half of them while the run waits for it.
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

describe('a smoothing with its record in MongoDB, of which the coordinator or the server is killed at random moments', () => {
  it('a smoothing recorded in a MongoDB that is killed too equals SciPy, waits for the server, and repeats only blocks in flight', async (t) => {
    await using server = await ownMongodbOrSkip(t)
    if (server !== undefined) t.diagnostic(await smoothThroughServerKills(3, server))
  })
})
