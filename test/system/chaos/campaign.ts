import { temporaryFolder } from '../../support/command-line.ts'
import { chanceOf } from './chance.ts'
import { type Inputs, makeInputs } from './inputs.ts'
import { POOLS, type Pool } from './pools.ts'
import { playRound, playUndisturbed, type RoundReport } from './round.ts'
import type { Result } from './verdict.ts'
import { ALL_WORKLOADS, WORKLOADS, type Workload } from './workloads.ts'

export interface RoundOptions {
  /** @default drawn by the seed */
  readonly workload?: string | undefined
  /** @default drawn by the seed */
  readonly pool?: string | undefined
  /** A part of the kinds of faults that may strike. @default '', all */
  readonly kinds?: string | undefined
  /** The folder to which the files of a round with complaints are copied. @default they are removed */
  readonly keep?: string | undefined
}

/** Rounds that share their inputs and the undisturbed results. */
export class Campaign implements Disposable {
  readonly #folder = temporaryFolder()
  readonly #undisturbed = new Map<Workload, Result>()
  readonly #workloads: readonly Workload[]
  #inputs: Inputs | undefined

  /** @param workloads of which one is drawn for each round. A seed plays the same rounds only with the same list. */
  constructor(workloads: readonly Workload[] = WORKLOADS) {
    this.#workloads = workloads
  }

  /**
   * Plays one round.
   * @param seed and `number` decide which workload, workers and faults
   */
  async play(
    seed: string,
    number: number,
    { keep, kinds, ...only }: RoundOptions = {},
  ): Promise<{ readonly work: string; readonly report: RoundReport }> {
    const chance = chanceOf(`${seed}#${number}`)
    const workload = pick(chance.pick(this.#workloads), ALL_WORKLOADS, only.workload)
    const pools = POOLS.filter((each) => each.workload === undefined || each.workload === workload)
    const pool = pick(chance.pick(pools), pools, only.pool)
    const [isDisturbed, isSynced] = [chance.happens(0.5), chance.happens(0.4)]
    const inputs = (this.#inputs ??= await makeInputs(this.#folder.path))
    const undisturbed = await this.#resultOf(workload, inputs)
    const setting = { workload, pool, chance, inputs, isDisturbed, isSynced, keep, kinds }
    const report = await playRound(setting, undisturbed).catch(brokenRound)
    return { work: `${workload.name}, ${pool.name}`, report }
  }

  async #resultOf(workload: Workload, inputs: Inputs): Promise<Result> {
    const known = this.#undisturbed.get(workload)
    if (known !== undefined) return known
    const [pool] = POOLS as readonly [Pool]
    const plain = { chance: chanceOf('undisturbed'), isDisturbed: false, isSynced: false }
    const made = await playUndisturbed({ workload, pool, inputs, ...plain })
    this.#undisturbed.set(workload, made)
    return made
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]()
  }
}

/** An error of this program must not end the other rounds. */
export const brokenRound = (error: unknown): RoundReport => ({
  faults: [],
  starts: 0,
  blocks: 0,
  voxels: 0,
  differences: 0,
  temporaryFiles: 0,
  coordinator: { memoryBytes: 0, handles: 0 },
  worker: { memoryBytes: 0, handles: 0 },
  complaints: [`the round broke off: ${(error as Error).stack}`],
})

function pick<T extends { readonly name: string }>(drawn: T, from: readonly T[], name: string | undefined): T {
  if (name === undefined) return drawn
  const found = from.find((each) => each.name === name)
  if (found === undefined) throw new Error(`${name}: expected one of ${from.map((each) => each.name).join(', ')}`)
  return found
}
