import type { BlockDetails } from './summary.ts'

interface TaskHistory {
  readonly ms: Float32Array
  /** Positions in the list of worker names; 0: unknown. */
  readonly worker: Uint32Array
}

/** How long each block took and which worker did it; kept over all starts of a run. */
export class BlockHistory {
  /** Blocks per task; 0 for a task with too many. */
  readonly #counts: readonly number[]
  readonly #tasks: (TaskHistory | undefined)[]
  readonly #names: string[] = ['']
  readonly #numberOf = new Map<string, number>()

  /** @param counts blocks of each task; 0 for one that is not kept */
  constructor(counts: readonly number[]) {
    this.#counts = counts
    this.#tasks = counts.map(() => undefined)
  }

  /** @param ms duration of each block, milliseconds; 0 for a skipped one */
  add(task: number, indices: readonly number[], ms: readonly number[], workerId: string): void {
    const count = this.#counts[task] ?? 0
    if (count === 0) return
    const history = this.#tasks[task] ?? { ms: new Float32Array(count), worker: new Uint32Array(count) }
    this.#tasks[task] = history
    const number = this.#nameNumber(workerId)
    for (let i = 0; i < indices.length; i++) {
      history.ms[indices[i] as number] = ms[i] as number
      history.worker[indices[i] as number] = number
    }
  }

  of(task: number, index: number): BlockDetails {
    const history = this.#tasks[task]
    const worker = history?.worker[index] ?? 0
    if (history === undefined || worker === 0) return {}
    const ms = history.ms[index] as number
    return { workerId: this.#names[worker] as string, ...(ms === 0 ? {} : { ms }) }
  }

  #nameNumber(name: string): number {
    const known = this.#numberOf.get(name)
    if (known !== undefined) return known
    this.#numberOf.set(name, this.#names.length)
    return this.#names.push(name) - 1
  }
}
