import { setTimeout as wait } from 'node:timers/promises'
import { bellis } from '../../support/command-line.ts'
import { groupOf, until } from '../../support/processes.ts'
import { FAULTS } from './faults/all.ts'
import type { Fault, FaultBetween, FaultDuring } from './faults/fault.ts'
import { startJoined } from './pools.ts'
import { type Setting, Site } from './site.ts'
import { type Ending, largest, type Size, type Start } from './start.ts'
import { differences, leftovers, type Result, readResult, temporaryFiles } from './verdict.ts'

/** What happened in a round. */
export interface RoundReport {
  /** The kinds of the faults that struck, in order. */
  readonly faults: readonly string[]
  readonly starts: number
  readonly blocks: number
  readonly voxels: number
  /** The outputs and metadata files that were not as those of an undisturbed start. */
  readonly differences: number
  readonly temporaryFiles: number
  readonly coordinator: Size
  readonly worker: Size
  /** What should not have happened. */
  readonly complaints: readonly string[]
}

/** No start takes as long as this unless it hangs. */
const HANG_MS = 240_000
/** How long workers may outlive a run that is over. */
const LINGER_MS = 60_000
const MOST_FAULTS = 8
/** A fault may find that the command has ended, so starts are bounded, too. */
const MOST_STARTS = 16

/** Does a workload without any fault. */
export async function playUndisturbed(setting: Setting): Promise<Result> {
  await using site = await Site.open(setting)
  await startJoined(site)
  const { code, stderr } = await site.start().ended
  if (code !== 0) throw new Error(`the undisturbed start ended with ${code}: ${stderr}`)
  return await readResult(site)
}

/** Does a workload while faults strike, until it is complete, and compares every voxel with an undisturbed result. */
export async function playRound(setting: Setting, undisturbed: Result): Promise<RoundReport> {
  await using site = await Site.open(setting)
  return await new Round(site, undisturbed).play()
}

class Round {
  readonly #site: Site
  readonly #expected: Result
  readonly #faults: string[] = []
  #voxels = 0
  #differences = 0

  constructor(site: Site, expected: Result) {
    this.#site = site
    this.#expected = expected
  }

  async play(): Promise<RoundReport> {
    const { chance } = this.#site.setting
    const { complaints, starts } = this.#site
    const strikes = chance.between(2, MOST_FAULTS)
    await startJoined(this.#site)
    while (complaints.length === 0) {
      const isQuiet = this.#faults.length >= strikes || starts.length >= MOST_STARTS
      const isDone = await this.#start(isQuiet ? [] : this.#draw(chance.between(1, 3)))
      if (isDone && isQuiet) break
      if (isDone) this.#startAgain()
      else if (!isQuiet && chance.happens(0.6)) await this.#strikeBetween()
    }
    if (complaints.length === 0) await this.#assertAllEnd()
    return {
      faults: this.#faults,
      starts: starts.length,
      blocks: starts.reduce((sum, start) => sum + start.blocksDone(), 0),
      voxels: this.#voxels,
      differences: this.#differences,
      temporaryFiles: temporaryFiles(this.#site),
      coordinator: largest(starts.map((start) => start.largest)),
      worker: largest(starts.map((start) => start.largestWorker)),
      complaints,
    }
  }

  /** The next start replaces what is complete. */
  #startAgain(): void {
    this.#faults.push('--overwrite of what is complete')
    this.#site.nextFlags = ['--overwrite', '--yes']
  }

  #draw(count: number): FaultDuring[] {
    const fitting = this.#fitting().filter((fault): fault is FaultDuring => fault.when === 'during')
    return fitting.length === 0 ? [] : Array.from({ length: count }, () => this.#site.setting.chance.pick(fitting))
  }

  #fitting(): Fault[] {
    const { kinds = '' } = this.#site.setting
    return FAULTS.filter((fault) => fault.kind.includes(kinds) && (fault.suits?.(this.#site) ?? true))
  }

  async #strikeBetween(): Promise<void> {
    const fitting = this.#fitting().filter((fault): fault is FaultBetween => fault.when === 'between')
    if (fitting.length === 0) return
    const fault = this.#site.setting.chance.pick(fitting)
    if (await fault.strike(this.#site)) this.#faults.push(fault.kind)
  }

  /** Starts the command once. @returns whether it has done everything */
  async #start(faults: readonly FaultDuring[]): Promise<boolean> {
    const start = this.#site.start()
    const struck: FaultDuring[] = []
    const striking = this.#strikeAll(start, faults, struck)
    const ending = await Promise.race([start.ended, wait(HANG_MS, undefined, { ref: false })])
    if (ending === undefined) {
      this.#site.complain(`it hangs: ${start.blocksDone()} blocks are done`, start.output.stderr)
      start.signal('SIGCONT', 'all')
      start.signal('SIGKILL', 'all')
      await striking
      return false
    }
    await striking
    const isDone = await this.#judge(ending, struck)
    // These workers know the context of one start.
    if (this.#site.setting.pool.hasProxy) this.#site.joined?.replaceAll()
    this.#site.keepRecord()
    return isDone
  }

  async #strikeAll(start: Start, faults: readonly FaultDuring[], struck: FaultDuring[]): Promise<void> {
    for (const fault of faults) {
      await this.#moment(start)
      if (start.isOver) return
      // It may end because of this before the fault is over.
      struck.push(fault)
      if (await fault.strike(this.#site, start)) this.#faults.push(fault.kind)
    }
  }

  /** Waits for a random moment of a start: in its first second, or after some of the blocks that are left. */
  async #moment(start: Start): Promise<void> {
    const { chance } = this.#site.setting
    if (chance.happens(0.15)) return wait(chance.between(0, 1000))
    const part = chance.next()
    const isReached = () => start.isOver || start.blocksLeft() !== undefined
    await until('the run has started', isReached, HANG_MS).catch(() => {})
    const target = start.blocksDone() + part * (start.blocksLeft() ?? 0)
    await until('the moment of a fault', () => start.isOver || start.blocksDone() >= target, HANG_MS).catch(() => {})
    await wait(chance.between(0, 60))
  }

  /** @returns whether it has done everything */
  async #judge(ending: Ending, struck: readonly FaultDuring[]): Promise<boolean> {
    const site = this.#site
    const { code, stderr } = ending
    if (/internal error|\n {4}at /.test(stderr)) site.complain('it printed a stack trace', stderr)
    if (code !== 0 && !struck.some(({ mayEnd }) => mayEnd?.(ending))) site.complain(`it ended with ${code}`, stderr)
    if (site.isDamaged) {
      await this.#repair()
      return false
    }
    if (code !== 0) return false
    const result = await readResult(site)
    this.#voxels += result.voxels
    const different = differences(result, this.#expected)
    this.#differences += different.length
    for (const difference of different) site.complain(difference)
    const isDiskHit = struck.some(({ kind }) => kind.includes('disk'))
    for (const leftover of leftovers(site, stderr, isDiskHit)) site.complain(leftover)
    return true
  }

  /** A record can't know what happened to chunks behind its back. */
  async #repair(): Promise<void> {
    const site = this.#site
    const folder = site.runFolder()
    site.isDamaged = false
    if (folder === undefined) return
    const { code, stderr } = await bellis(['reset', folder, '--yes', '--quiet'], { cwd: site.path })
    if (code !== 0) site.complain(`bellis reset ended with ${code}`, stderr)
  }

  /** No process stays when a run is over. */
  async #assertAllEnd(): Promise<void> {
    const { joined, starts } = this.#site
    const left = joined?.pids ?? []
    const ended = joined?.over() ?? Promise.resolve()
    const inTime = await Promise.race([ended.then(() => true), wait(LINGER_MS, false, { ref: false })])
    const inGroups = () => starts.flatMap(({ pid }) => groupOf(pid))
    await until('the processes have ended', () => inGroups().length === 0, LINGER_MS).catch(() => {})
    const stay = [...(inTime ? [] : left), ...inGroups()]
    if (stay.length > 0) this.#site.complain(`processes ${stay.join(', ')} are still running after the end of the run`)
  }
}
