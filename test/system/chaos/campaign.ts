import { temporaryFolder } from '../../support/command-line.ts'
import { chanceOf } from './chance.ts'
import { type Inputs, makeInputs } from './inputs.ts'
import { POOLS, type Pool } from './pools.ts'
import { playRound, playUndisturbed, type RoundReport } from './round.ts'
import type { Result } from './verdict.ts'
import { WORKLOADS, type Workload } from './workloads.ts'

/** Rounds that share their inputs and the undisturbed results. */
export class Campaign implements Disposable {
  readonly #folder = temporaryFolder()
  readonly #undisturbed = new Map<Workload, { readonly result: Result; readonly blocks: number }>()
  #inputs: Inputs | undefined

  /**
   * Plays one round.
   * @param seed and `number` decide which workload, workers and faults
   * @param only the parts that are fixed
   */
  async play(
    seed: string,
    number: number,
    only: { readonly workload?: string | undefined; readonly pool?: string | undefined } = {},
  ): Promise<{ readonly work: string; readonly report: RoundReport }> {
    const chance = chanceOf(`${seed}#${number}`)
    const workload = pick(chance.pick(WORKLOADS), WORKLOADS, only.workload)
    const pool = pick(chance.pick(POOLS), POOLS, only.pool)
    const inputs = (this.#inputs ??= await makeInputs(this.#folder.path))
    const undisturbed = await this.#resultOf(workload, inputs)
    const report = await playRound({ workload, pool, chance, inputs }, undisturbed)
    return { work: `${workload.name}, ${pool.name}`, report }
  }

  async #resultOf(workload: Workload, inputs: Inputs) {
    const known = this.#undisturbed.get(workload)
    if (known !== undefined) return known
    const [pool] = POOLS as readonly [Pool]
    const made = await playUndisturbed({ workload, pool, chance: chanceOf('undisturbed'), inputs })
    this.#undisturbed.set(workload, made)
    return made
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]()
  }
}

function pick<T extends { readonly name: string }>(drawn: T, from: readonly T[], name: string | undefined): T {
  if (name === undefined) return drawn
  const found = from.find((each) => each.name === name)
  if (found === undefined) throw new Error(`${name}: expected one of ${from.map((each) => each.name).join(', ')}`)
  return found
}
