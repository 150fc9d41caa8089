import { setTimeout as wait } from 'node:timers/promises'
import { groupOf, until } from '../../support/processes.ts'
import { FAULTS } from './faults/all.ts'
import type { Fault, FaultBetween, FaultDuring } from './faults/fault.ts'
import { startJoined } from './pools.ts'
import { type Setting, Site } from './site.ts'
import type { Ending, Size, Start } from './start.ts'
import { differences, leftovers, type Result, readResult, temporaryFiles } from './verdict.ts'

/** What happened in a round. */
export interface RoundReport {
  /** The kinds of the faults that struck, in order. */
  readonly faults: readonly string[]
  readonly starts: number
  readonly blocks: number
  readonly voxels: number
  readonly temporaryFiles: number
  readonly size: Size
  /** What should not have happened. */
  readonly complaints: readonly string[]
}

/** No start takes as long as this unless it hangs. */
const HANG_MS = 240_000
/** How long workers may outlive a run that is over. */
const LINGER_MS = 60_000
const MOST_FAULTS = 5

/** Does a workload without any fault. */
export async function playUndisturbed(setting: Setting): Promise<{ result: Result; blocks: number }> {
  await using site = new Site(setting)
  startJoined(site)
  const start = site.start()
  const ending = await start.ended
  if (ending.code !== 0) throw new Error(`the undisturbed start ended with ${ending.code}: ${ending.stderr}`)
  return { result: await readResult(site), blocks: start.blocksDone() }
}

/** Does a workload while faults strike, until it is complete, and compares every voxel with an undisturbed result. */
export async function playRound(
  setting: Setting,
  undisturbed: { readonly result: Result; readonly blocks: number },
): Promise<RoundReport> {
  await using site = new Site(setting)
  return await new Round(site, undisturbed.result, undisturbed.blocks).play()
}

class Round {
  readonly #site: Site
  readonly #expected: Result
  readonly #blocks: number
  readonly #faults: string[] = []
  readonly #complaints: string[] = []
  #voxels = 0

  constructor(site: Site, expected: Result, blocks: number) {
    this.#site = site
    this.#expected = expected
    this.#blocks = blocks
  }

  async play(): Promise<RoundReport> {
    const { chance } = this.#site.setting
    const strikes = chance.between(1, MOST_FAULTS)
    startJoined(this.#site)
    // A fault may find that the command has ended, so starts are bounded, too.
    for (let starts = 0; this.#complaints.length === 0; starts++) {
      const isQuiet = this.#faults.length >= strikes || starts >= 3 * MOST_FAULTS
      const isDone = await this.#start(isQuiet ? [] : this.#draw(chance.between(1, 3)))
      if (isDone && isQuiet) break
      if (isDone) this.#startAgain()
      else if (!isQuiet && chance.happens(0.4)) await this.#strikeBetween()
    }
    await this.#assertAllEnd()
    const { starts } = this.#site
    return {
      faults: this.#faults,
      starts: starts.length,
      blocks: starts.reduce((sum, start) => sum + start.blocksDone(), 0),
      voxels: this.#voxels,
      temporaryFiles: temporaryFiles(this.#site),
      size: {
        memoryBytes: Math.max(...starts.map(({ size }) => size.memoryBytes)),
        handles: Math.max(...starts.map(({ size }) => size.handles)),
      },
      complaints: this.#complaints,
    }
  }

  /** The next start replaces what is complete. */
  #startAgain(): void {
    this.#faults.push('--overwrite of what is complete')
    this.#site.nextFlags = ['--overwrite', '--yes']
  }

  #draw(count: number): FaultDuring[] {
    const fitting = this.#fitting().filter((fault): fault is FaultDuring => fault.when === 'during')
    return Array.from({ length: count }, () => this.#site.setting.chance.pick(fitting))
  }

  #fitting(): Fault[] {
    return FAULTS.filter((fault) => fault.suits?.(this.#site) ?? true)
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
      this.#complain(`it hangs: ${start.blocksDone()} blocks are done`, start.output.stderr)
      start.signal('SIGCONT', 'all')
      start.signal('SIGKILL', 'all')
      await striking
      return false
    }
    await striking
    await this.#judge(ending, struck)
    return ending.code === 0
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
    if (chance.happens(0.2)) return wait(chance.between(0, 1000))
    const done = this.#site.starts.reduce((sum, each) => sum + each.blocksDone(), 0)
    const target = start.blocksDone() + chance.next() * Math.max(4, this.#blocks - done)
    await until('the moment of a fault', () => start.isOver || start.blocksDone() >= target, HANG_MS).catch(() => {})
    await wait(chance.between(0, 60))
  }

  async #judge(ending: Ending, struck: readonly FaultDuring[]): Promise<void> {
    const { code, stderr } = ending
    if (/internal error|\n {4}at /.test(stderr)) this.#complain('it printed a stack trace', stderr)
    if (code !== 0) {
      if (!struck.some(({ mayEnd }) => mayEnd?.(ending))) this.#complain(`it ended with ${code}`, stderr)
      return
    }
    const result = await readResult(this.#site)
    this.#voxels += result.voxels
    for (const difference of differences(result, this.#expected)) this.#complain(difference)
    for (const leftover of leftovers(this.#site)) this.#complain(leftover)
  }

  /** No worker stays when a run is over. */
  async #assertAllEnd(): Promise<void> {
    const { joined, starts } = this.#site
    const left = joined?.pids ?? []
    const ended = joined?.over() ?? Promise.resolve()
    const inTime = await Promise.race([ended.then(() => true), wait(LINGER_MS, false, { ref: false })])
    if (!inTime) this.#complain(`workers ${left.join(', ')} are still running after the end of the run`)
    const inGroups = starts.flatMap(({ pid }) => groupOf(pid))
    if (inGroups.length > 0)
      this.#complain(`processes ${inGroups.join(', ')} are still running after the end of the run`)
  }

  #complain(what: string, details = ''): void {
    this.#complaints.push(details === '' ? what : `${what}\n${details}`)
  }
}
